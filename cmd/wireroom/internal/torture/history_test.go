package torture_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// A kind is what an entry of a history tells.
type kind string

const (
	kindPublish kind = "publish" // a publication is sent, for the first time or again
	kindOK      kind = "ok"      // its receipt
	kindRefused kind = "refused" // it was refused: it is not in the log, and never will be
	kindUnknown kind = "unknown" // nobody knows whether it is in the log

	kindAsked      kind = "asked"      // SUBSCRIBE is sent
	kindSubscribed kind = "subscribed" // SUBSCRIBED came, or the session was resumed
	kindEvent      kind = "event"      // an event came
	kindGap        kind = "gap"        // _recovered: false came, before the event that carried it
	kindBroken     kind = "broken"     // the connection is over
	kindAck        kind = "ack"        // the client acknowledges
	kindAcked      kind = "acked"      // and knows that the gateway has taken it down
	kindDone       kind = "done"       // the client has the last event of all that it subscribed to

	kindFault kind = "fault" // something is about to be broken
	kindHeal  kind = "heal"  // it works again
	kindReady kind = "ready" // what /readyz says has changed
	kindFinal kind = "final" // a record of the log when all was over
	kindWrong kind = "wrong" // a violation that was seen while it happened
)

// An entry is one thing that happened. Which fields count depends on its kind.
type entry struct {
	N    int           `json:"n"`  // its place in the history
	At   time.Duration `json:"at"` // since the history began
	Kind kind          `json:"kind"`
	Who  string        `json:"who,omitempty"`  // publisher, subscriber, part of the cluster
	Conn int           `json:"conn,omitempty"` // which of its connections, from 1

	ID       string `json:"id,omitempty"` // of the publication, drawn by the publisher
	Class    string `json:"class,omitempty"`
	Room     string `json:"room,omitempty"`
	Tag      int    `json:"tag,omitempty"`
	Given    bool   `json:"given,omitempty"`     // publish: ID is the event's id, too
	As       string `json:"as,omitempty"`        // event: the event's id
	Epoch    string `json:"epoch,omitempty"`     // place in the log
	Offset   uint64 `json:"offset,omitempty"`    // place in the log; gap: the first that is lost
	Through  uint64 `json:"through,omitempty"`   // gap: the last that is lost
	Pub      uint64 `json:"pub,omitempty"`       // the publication ID of WAMP
	Time     string `json:"time,omitempty"`      // final: when the gateway took it in, in RFC 3339
	Replayed bool   `json:"replayed,omitempty"`  // event: _replayed
	Upto     bool   `json:"upto,omitempty"`      // ack: of all up to the offset
	Loses    bool   `json:"loses,omitempty"`     // fault: the store may lose what it acknowledged
	Crash    bool   `json:"crash,omitempty"`     // fault: a process loses what it has in memory
	Pongs    bool   `json:"pongs,omitempty"`     // fault: answers to pings may not arrive
	Store    bool   `json:"store,omitempty"`     // fault: the store is another process afterwards
	Split    bool   `json:"split,omitempty"`     // fault: the process that was the store may answer beside the one that is
	Note     string `json:"note,omitempty"`      // for people
	Rule     int    `json:"rule,omitempty"`      // wrong: which rule
	Node     string `json:"node,omitempty"`      // subscribed: where
	Resumed  bool   `json:"resumed,omitempty"`   // subscribed: by resuming the session
	Within   int64  `json:"within_ms,omitempty"` // ready: how long after the fault
}

// A place is where an event is in a log.
type place struct {
	class, epoch string
	offset       uint64
}

func (e *entry) place() place { return place{e.Class, e.Epoch, e.Offset} }

func (p place) String() string { return fmt.Sprintf("%s %s:%d", p.class, p.epoch, p.offset) }

// A subscriber is what a client of a history has asked for.
type subscriber struct {
	Name    string `json:"name"`
	Class   string `json:"class"`
	Room    string `json:"room,omitempty"`    // only this channel
	Tags    []int  `json:"tags,omitempty"`    // only these, by a query
	All     bool   `json:"all,omitempty"`     // from the beginning of the log on, not from SUBSCRIBED
	Keeps   bool   `json:"keeps,omitempty"`   // the client keeps its position itself: nothing may come twice
	Auto    bool   `json:"auto,omitempty"`    // it acknowledges by answering pings
	Shared  string `json:"shared,omitempty"`  // whose it is, if several have the same subscription: what comes to one of them need not come to another
	Plain   bool   `json:"plain,omitempty"`   // of a topic without a class
	Filters bool   `json:"filters,omitempty"` // Room or Tags are set
}

// A promise is what the settings of a mode make of the rules.
type promise struct {
	Name    string            `json:"name"`
	Loses   time.Duration     `json:"loses"`   // how old what is lost in a fault that Loses may be; 0: the store loses nothing
	Epochs  bool              `json:"epochs"`  // another process of the store makes new epochs
	Trimmed map[string]uint64 `json:"trimmed"` // classes of which old events are removed → how many are kept at least
}

// A history is all that happened in a round.
type history struct {
	Seed        uint64       `json:"seed"`
	Promise     promise      `json:"promise"`
	Subscribers []subscriber `json:"subscribers"`
	entries     []entry
}

// A recorder writes a history. Its methods may be called by any goroutine.
type recorder struct {
	began time.Time

	mu sync.Mutex // guards the following
	h  history
}

func newRecorder(seed uint64, p promise) *recorder {
	return &recorder{began: time.Now(), h: history{Seed: seed, Promise: p}}
}

// add appends an entry.
func (r *recorder) add(e entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.N, e.At = len(r.h.entries), time.Since(r.began)
	r.h.entries = append(r.h.entries, e)
}

// subscriber adds one to the history.
func (r *recorder) subscriber(s subscriber) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Subscribers = append(r.h.Subscribers, s)
}

// wrong adds a violation that is seen while it happens.
func (r *recorder) wrong(rule int, who, format string, args ...any) {
	r.add(entry{Kind: kindWrong, Rule: rule, Who: who, Note: fmt.Sprintf(format, args...)})
}

// history ends the recording, for whoever called it: entries that are added
// later are not in it.
func (r *recorder) history() *history {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.h
	h.entries = h.entries[:len(h.entries):len(h.entries)]
	return &h
}

// write keeps the history in a file: a line with its head, then one of each
// entry.
func (h *history) write(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	err = enc.Encode(h)
	for i := range h.entries {
		if err == nil {
			err = enc.Encode(&h.entries[i])
		}
	}
	if err == nil {
		err = w.Flush()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// readHistory reads what write has written.
func readHistory(name string) (*history, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	h := new(history)
	dec := json.NewDecoder(bufio.NewReader(f))
	if err := dec.Decode(h); err != nil {
		return nil, err
	}
	for {
		var e entry
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return h, nil
		} else if err != nil {
			return nil, err
		}
		h.entries = append(h.entries, e)
	}
}

// String is how an entry is shown to people.
func (e *entry) String() string {
	s := fmt.Sprintf("%9.3f #%-6d %-10s %s", e.At.Seconds(), e.N, e.Kind, e.Who)
	if e.Conn > 0 {
		s += fmt.Sprintf("/%d", e.Conn)
	}
	if e.ID != "" {
		s += " " + e.ID
	}
	if e.Class != "" {
		s += " " + e.Class
	}
	if e.Epoch != "" || e.Offset > 0 {
		s += fmt.Sprintf(" %s:%d", e.Epoch, e.Offset)
	}
	if e.Through > 0 {
		s += fmt.Sprintf("-%d", e.Through)
	}
	if e.Replayed {
		s += " replayed"
	}
	if e.Note != "" {
		s += " " + e.Note
	}
	return s
}
