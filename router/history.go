package router

import (
	"context"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A HistoryConfig says of which topics that no [Governor] rules the events are
// kept for WAMP "Event History", and how many of them. What exceeds any of the
// bounds is forgotten, the oldest first.
type HistoryConfig struct {
	Topic  wamp.URI // or pattern of topics
	Match  wamp.Match
	Events int           // at most so many: 1 to 1,000,000
	Bytes  int           // at most so many, with what each event needs besides its payload: 1 KiB to 1 GiB
	For    time.Duration // at most so old: 1s to 100 years; 0: of any age
}

// Bounds of a [HistoryConfig].
const (
	MaxHistoryEvents = 1_000_000
	MinHistoryBytes  = 1 << 10
	MaxHistoryBytes  = 1 << 30
	MinHistoryFor    = time.Second
	MaxHistoryFor    = 100 * 365 * 24 * time.Hour
)

// MaxHistories is how many histories a realm may have.
const MaxHistories = 256

// Validate reports each field that is out of its range, as "topic", "events",
// "bytes" and "for".
func (c HistoryConfig) Validate(report func(field string, err error)) {
	switch {
	case checkURI(c.Topic, c.Match) != nil:
		report("topic", fmt.Errorf("expected a valid URI or pattern for match %s, found %q", c.Match, c.Topic))
	case ownURI(c.Topic):
		report("topic", fmt.Errorf(`expected topics of applications, found %q: those under "wamp." and "wireroom." have no history`, c.Topic))
	}
	if c.Events < 1 || c.Events > MaxHistoryEvents {
		report("events", fmt.Errorf("expected an integer in 1 to %d, found %d", MaxHistoryEvents, c.Events))
	}
	if c.Bytes < MinHistoryBytes || c.Bytes > MaxHistoryBytes {
		report("bytes", fmt.Errorf("expected %d to %d bytes, found %d", MinHistoryBytes, MaxHistoryBytes, c.Bytes))
	}
	if c.For != 0 && (c.For < MinHistoryFor || c.For > MaxHistoryFor) {
		report("for", fmt.Errorf("expected 0, or %v to 100 years, found %v", MinHistoryFor, c.For))
	}
}

// A Historian is a [Governor] that keeps events of the topics that it governs.
type Historian interface {
	Governor

	// Histories returns where events are kept that a subscription of the
	// session with this interest and filter, nil for none, would get. A
	// history may have others, too, of topics that the router leaves out, but
	// none that the filter or the interest's Where excludes. The order is the
	// same in each call. The error says why the session may not see them.
	//
	// Of a pattern, the router asks the [Authorizer] about each topic of which
	// it finds an event. It does not know what such a decision's Where means:
	// if the pattern's decision does not say as much, Histories has to.
	Histories(s *Session, i Interest, filter *Filter) ([]History, error)
}

// A History is past events of topics, each at a place, in 1 to 2^53, that grows
// from event to event. Their times, whole milliseconds, never decrease. The
// router reads it in one goroutine.
type History interface {
	// Last returns the place of the last event. 0: there never was one.
	Last() uint64

	// Seek returns the place after which to read for every event up to the
	// place through that is not before t, and none that is.
	Seek(ctx context.Context, t time.Time, through uint64) (after uint64, err error)

	// Place returns the only place where the event with the publication ID
	// can be, or 0 if there is none.
	Place(publication wamp.ID) uint64

	// Read returns events in the order of the range. None: the range has no
	// more.
	Read(ctx context.Context, r HistoryRange) ([]PastEvent, error)
}

// A HistoryRange says which events of a [History] to read.
type HistoryRange struct {
	After   uint64   // only places greater than this
	Through uint64   // only places up to this
	Reverse bool     // the last one first
	Limit   int      // at most so many, at least 1
	Bytes   int      // about so many bytes of payload; at least one event
	Topic   wamp.URI // events that have not this topic, nor this channel, may be left out; empty: none may
}

// A PastEvent is an event in a [History], as it was published: its Publication
// has an ID, and Topic, Channel, Payload, Fields and ShowTopic of then.
type PastEvent struct {
	Place       uint64
	Time        time.Time
	Publication Publication
}

// maxReadings is how many sessions of a realm may read the past at a time.
// Others wait for them.
const maxReadings = 4

// histories are those that the router keeps for a realm.
type histories struct {
	// Fixed at construction.
	gov      Governor // may be nil
	exact    map[wamp.URI]*ring
	patterns patterns[ring]
	all      []*ring // in the order of the configuration
}

// KeepHistory has the router keep the events of topics. An event is kept by the first of the histories whose pattern its
// topic fits. Each has a subscription that is there without subscribers, so
// that its ID can be looked up.
//
// KeepHistory is to be called once, before sessions join the realm. It panics
// if a history is not valid, a pattern is there twice, or there are more than
// [MaxHistories].
func (r *Realm) KeepHistory(list []HistoryConfig) {
	if len(list) == 0 {
		return
	}
	if len(list) > MaxHistories {
		panic(fmt.Sprintf("router: %d histories", len(list)))
	}
	h := &histories{gov: r.gov, exact: make(map[wamp.URI]*ring)}
	for i, c := range list {
		c.Validate(func(field string, err error) { panic(fmt.Sprintf("router: history %d: %s: %v", i, field, err)) })
		if r.broker.find(c.Topic, c.Match, nil) != nil {
			panic(fmt.Sprintf("router: history %d: %q with match %v is there already", i, c.Topic, c.Match))
		}
		ring := newRing(c, i, &r.router.stats)
		h.all = append(h.all, ring)
		if c.Match == wamp.Exact {
			h.exact[c.Topic] = ring
		} else {
			h.patterns.mu.Lock()
			h.patterns.put(c.Topic, c.Match, ring)
			h.patterns.mu.Unlock()
		}
		r.broker.found(c.Topic, c.Match)
	}
	r.broker.history.Store(h)
}

// forgetHistory ends what KeepHistory began.
func (r *Realm) forgetHistory() {
	if h := r.broker.history.Swap(nil); h != nil {
		for _, ring := range h.all {
			ring.close()
		}
	}
}

// keep puts the publication, which is about to be routed, into the history that
// its topic has, if any. Whoever subscribes and then asks for the past so misses
// nothing in between.
func (h *histories) keep(p *Publication) {
	ring := h.of(p.Topic)
	switch {
	case ring == nil || p.Allow != nil || ownURI(p.Topic):
	case p.Options != nil && (p.Options.Exclude != nil || p.Options.Eligible != nil):
		// WAMP "Event History": the ID of a session says nothing about who
		// will ask, so these are not kept at all.
	case h.gov != nil && h.gov.Governs(p.Topic):
	default:
		ring.keep(p)
	}
}

// of returns the history of a topic, or nil.
func (h *histories) of(topic wamp.URI) *ring {
	first := h.exact[topic]
	if h.patterns.count.Load() == 0 {
		return first
	}
	var few [8]*ring
	for _, ring := range h.patterns.match(few[:0], topic) {
		if first == nil || ring.rank < first.rank {
			first = ring
		}
	}
	return first
}
