package events

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Errors to compare with [errors.Is].
var (
	// ErrClosed says that the hub or the store is closed.
	ErrClosed = errors.New("events: closed")

	// ErrUnavailable says that the store cannot answer now. Nothing is known
	// of what was to be appended; the same event, with the same id, can be
	// published again later.
	ErrUnavailable = errors.New("events: the store is not available")

	// ErrFull says that the store has no room. What was to be appended was
	// not. It may work again later.
	ErrFull = errors.New("events: the store is full")

	// ErrNotRetained says that a class has no log to replay.
	ErrNotRetained = errors.New("events: the class is not retained")

	// ErrBatchSize says that a batch has more events than [Config.MaxBatch].
	ErrBatchSize = errors.New("events: too many events in one batch")
)

// An UnknownClassError says that no class has the name that an event gave.
type UnknownClassError struct {
	Class string
	Index int // of the event in its batch, from 0
}

// Error names the class.
func (e *UnknownClassError) Error() string {
	return fmt.Sprintf("no event class has the name %s", quote(e.Class))
}

// A ConflictError says that an event has the id of an earlier event of the
// same class, and other data. It was not accepted.
type ConflictError struct {
	Class string
	ID    string
	Index int // of the event in its batch, from 0
}

// Error names the class and the id.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s: the id %s belongs to an earlier event with other data", e.Class, quote(e.ID))
}

// A Code says in one word, for programs, what is wrong with an event.
type Code string

// The codes of a [Problem].
const (
	CodeSyntax    Code = "syntax"    // the data is not JSON
	CodeEncoding  Code = "encoding"  // a string is not UTF-8, or has half a surrogate pair
	CodeDepth     Code = "depth"     // arrays and objects nest too deeply
	CodeSize      Code = "size"      // the data has too many bytes
	CodeDuplicate Code = "duplicate" // an object has the same key twice
	CodeMissing   Code = "missing"   // a required field is not there, or null
	CodeUnknown   Code = "unknown"   // the class has no such field, and allows no others
	CodeType      Code = "type"      // the value has another type
	CodeRange     Code = "range"     // the number is too small or too large
	CodeLength    Code = "length"    // the string or array is too short or too long
	CodePattern   Code = "pattern"   // the string does not match the pattern
	CodeEnum      Code = "enum"      // the value is none of those allowed
	CodeFormat    Code = "format"    // the string is no time, or the id has other characters
)

// A Problem is one thing that is wrong with an event.
type Problem struct {
	Code     Code
	Field    string // path, such as "items[3].price"; "id" for the event's own id; empty: the data as a whole
	Expected string // such as "a number of at least 0"
	Found    string // such as "-3"; cut when long
	Position int    // in the data, in bytes from 0; -1: not in the data
}

// String returns, for example, "field total: expected a number of at least 0,
// found -3".
func (p *Problem) String() string {
	var b strings.Builder
	switch {
	case p.Position < 0:
		b.WriteString(p.Field)
		b.WriteString(": ")
	case p.Field != "":
		b.WriteString("field ")
		b.WriteString(p.Field)
		b.WriteString(": ")
	default:
		b.WriteString("data: ")
	}
	b.WriteString("expected ")
	b.WriteString(p.Expected)
	b.WriteString(", found ")
	b.WriteString(p.Found)
	switch p.Code {
	case CodeSyntax, CodeEncoding, CodeDepth, CodeDuplicate:
		b.WriteString(" at byte ")
		b.WriteString(strconv.Itoa(p.Position))
	}
	return b.String()
}

// maxProblems is how many problems of one event are reported.
const maxProblems = 8

// An InvalidError says that an event does not match its class. The Problem in
// it is the first one, and complete by itself.
type InvalidError struct {
	Class string
	Problem
	More  []Problem // further problems, at most 7
	Index int       // of the event in its batch, from 0
}

// Error names the class and all the problems.
func (e *InvalidError) Error() string {
	problems := make([]string, 1, 1+len(e.More))
	problems[0] = e.Problem.String()
	for i := range e.More {
		problems = append(problems, e.More[i].String())
	}
	return e.Class + ": " + strings.Join(problems, "; ")
}

// quote returns s in quotation marks for an error text, cut when it is long.
func quote(s string) string {
	const most = 64
	if len(s) <= most {
		return strconv.Quote(s)
	}
	cut := most
	for cut > most-4 && s[cut]&0xC0 == 0x80 { // not within a character
		cut--
	}
	return strconv.Quote(s[:cut]) + "…"
}
