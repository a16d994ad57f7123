package events

import (
	"context"
	"sync"
)

// A Line keeps the order of one caller's asynchronous publications: they are
// routed in the order of the calls of [Line.Publish], also those of classes
// that are not retained among those of classes that are. [Hub.NewLine] makes
// one for each caller, such as a session. Of one line, Publish must not be
// called concurrently.
type Line struct {
	hub *Hub

	// mu guards the following.
	mu       sync.Mutex
	sent     uint64    // retained events that were handed to the store
	finished uint64    // of these, the ones that were routed, or failed
	waiting  []waiting // not retained, published after a retained one that is not finished
	draining bool      // somebody routes what waited
}

// A waiting event is routed once so many retained ones are finished.
type waiting struct {
	after    uint64
	admitted admitted
	done     func(Receipt, error)
}

// NewLine returns a new line.
func (h *Hub) NewLine() *Line { return &Line{hub: h} }

// PublishAsync publishes on a line that all callers of PublishAsync share. It
// keeps the order of each of them, but an event of a class that is not
// retained may wait for the retained ones of others: see [Line.Publish].
func (h *Hub) PublishAsync(e *Event, done func(Receipt, error)) { h.shared.Publish(e, done) }

// Publish takes one event and calls done once, when it is safe and routed, or
// has failed; errors are those of [Hub.Publish]. The hub owns e and its Data
// from the call on.
//
// Publish never waits for the store. If the hub has as much under way as it
// may ([Config]), Publish waits for room. done is called by this goroutine or
// by the hub's own; it must not wait and must not publish.
func (l *Line) Publish(e *Event, done func(Receipt, error)) {
	h := l.hub
	a, err := h.admit(e)
	if err != nil {
		done(Receipt{}, h.refuse(err, 0))
		return
	}
	if a.member.log == nil && l.clear() {
		l.route(a, done)
		return
	}
	if err := h.room.enter(context.Background(), 1, len(e.Data)); err != nil {
		done(Receipt{}, err)
		return
	}
	if a.member.log == nil {
		l.mu.Lock()
		l.waiting = append(l.waiting, waiting{l.sent, a, done})
		l.mu.Unlock()
		l.drain() // perhaps it need not wait any more
		return
	}
	p := newPosting(a)
	p.line = l
	p.done = func() {
		if p.err != nil {
			done(Receipt{}, p.err)
			return
		}
		done(p.receipts[0], nil)
	}
	l.mu.Lock()
	l.sent++
	l.mu.Unlock()
	h.append(p)
}

// clear reports whether nothing of the line is under way.
func (l *Line) clear() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.finished == l.sent && len(l.waiting) == 0 && !l.draining
}

// finish notes that a retained event is routed or has failed.
func (l *Line) finish() {
	l.mu.Lock()
	l.finished++
	l.mu.Unlock()
	l.drain()
}

// drain routes the events that need not wait any more, in order.
func (l *Line) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.draining {
		return // whoever drains looks again before it stops
	}
	l.draining = true
	for len(l.waiting) > 0 && l.waiting[0].after <= l.finished {
		w := l.waiting[0]
		l.waiting[0] = waiting{}
		l.waiting = l.waiting[1:]
		l.mu.Unlock()
		l.route(w.admitted, w.done)
		l.hub.room.leave(1, len(w.admitted.event.Data))
		l.mu.Lock()
	}
	l.draining = false
}

// route routes an event of a class that is not retained.
func (l *Line) route(a admitted, done func(Receipt, error)) {
	r, err := l.hub.routeFree(a)
	if err != nil {
		err = l.hub.refuse(err, 0)
	}
	done(r, err)
}
