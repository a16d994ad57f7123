package events

import (
	"context"
	"sync/atomic"
)

// A Line keeps the order of one caller's asynchronous publications: they are
// routed in the order of the calls of [Line.Publish], also those of classes
// that are not retained among those of classes that are. [Hub.NewLine] makes
// one for each caller, such as a session. It costs no goroutine and need not
// be closed.
type Line struct {
	hub     *Hub
	pending atomic.Int64 // events that are under way and not routed yet
}

// NewLine returns a new line.
func (h *Hub) NewLine() *Line { return &Line{hub: h} }

// PublishAsync publishes on a line that all callers of PublishAsync share. It
// keeps the order of each of them, but an event of a class that is not
// retained may have to wait for the retained ones of others: see
// [Line.Publish].
func (h *Hub) PublishAsync(e *Event, done func(Receipt, error)) { h.shared.Publish(e, done) }

// Publish takes one event and calls done once, when it is safe and routed, or
// has failed; errors are those of [Hub.Publish]. The hub owns e and its Data
// from the call on.
//
// Publish never waits for the store. If the hub has as much under way as it
// may ([Config]), Publish waits for room. An event of a class that is not
// retained is routed at once if nothing of the line is under way, and
// otherwise takes the same way through the store's queue as those before it,
// but is routed even if the store fails.
//
// done is called by this goroutine or by the hub's own; it must not wait and
// must not publish.
func (l *Line) Publish(e *Event, done func(Receipt, error)) {
	h := l.hub
	a, err := h.admit(e)
	if err != nil {
		done(Receipt{}, h.refuse(err, 0))
		return
	}
	if a.member.log == nil && l.pending.Load() == 0 {
		r, err := h.routeFree(a)
		if err != nil {
			err = h.refuse(err, 0)
		}
		done(r, err)
		return
	}
	if err := h.room.enter(context.Background(), 1, len(e.Data)); err != nil {
		done(Receipt{}, err)
		return
	}
	p := newPosting(a)
	p.line, p.single = l, true
	p.done = func() {
		if p.err != nil {
			done(Receipt{}, p.err)
			return
		}
		done(p.receipts[0], nil)
	}
	l.pending.Add(1)
	h.append(p)
}
