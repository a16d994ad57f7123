// Package archive is the format in which a store leaves one place and comes to
// another: lines of JSON, written and read as a stream.
//
//	{"wireroom":"archive","version":1,"made":"2026-01-31T09:30:00Z","by":"wireroom 1.2.3"}
//	{"token":{"hash":"9f86…","client":"…","created":"…","expires":"…","seen":"…"}}
//	{"subscription":{"owner":"…","name":"…","class":"order.created","position":{"epoch":"…","offset":17},…}}
//	{"log":{"class":"order.created","epoch":"…","first":1,"next":3}}
//	{"event":{"offset":1,"id":"…","time":"2026-01-31T09:30:00.000Z","data":{…}}}
//	{"event":{"offset":2,"id":"…","given":true,"time":"…","channel":"ada","data":{…}}}
//	{"end":{"tokens":1,"subscriptions":1,"logs":1,"events":2,"sha256":"…"}}
//
// The first line says what the file is, the last one what must be in it and the
// SHA-256 of all that stands before that line: an archive that was cut off or
// changed is found out, and one without its last line is none. Tokens,
// subscriptions and logs come in any order; the events of a log follow it, as
// dense as they are in a store. If the line of the log comes once more behind
// some of its events, the log lost its beginning while it was read: forget
// those events, it begins anew.
//
// The data of events are carried byte by byte. Secrets of clients are not in an
// archive, as no store has them: only their hashes.
//
// The package starts no goroutine. A [Writer] and a [Reader] are for one
// goroutine at a time. A reader trusts nothing: it bounds what it holds, and its
// errors name the line ([Error]).
package archive

import (
	"fmt"
	"time"
)

// Version is the version of the format that is written. Readers refuse newer
// ones.
const Version = 1

// Bounds on what an archive may hold.
const (
	maxHeader  = 64 << 10 // bytes of the first line
	maxLine    = 96 << 20 // bytes of any other line: the data of one event, in base64
	maxData    = 64 << 20 // bytes of the data of one event
	maxName    = 1 << 10  // bytes of the name of a log, or of an id
	maxChannel = 16 << 10 // bytes
	maxLogs    = 1 << 20  // logs: their names are kept
	maxOffset  = 1<<53 - 1
)

// A Header is what the first line says.
type Header struct {
	Made time.Time // when the archive was made
	By   string    // what made it, for people
}

// Counts says how much an archive has.
type Counts struct {
	Tokens        uint64 `json:"tokens"`
	Subscriptions uint64 `json:"subscriptions"`
	Logs          uint64 `json:"logs"`
	Events        uint64 `json:"events"`
}

// An Error says what is wrong with an archive, and where.
type Error struct {
	Line int // from 1, in what is left when it is unpacked
	Err  error
}

// Error names the line.
func (e *Error) Error() string { return fmt.Sprintf("line %d of the archive: %v", e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }
