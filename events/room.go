package events

import (
	"context"
	"sync"
	"sync/atomic"
)

// A room bounds what is under way, in events and in bytes. Who finds it full
// waits, first come first served.
type room struct {
	maxEvents, maxBytes int

	waits atomic.Uint64 // how many had to wait

	// mu guards the following.
	mu      sync.Mutex
	events  int
	bytes   int
	waiting []*waiter
	closed  bool
	empty   chan struct{} // closed when the room is closed and empty
}

// A waiter waits to be let in.
type waiter struct {
	events, bytes int
	in            chan struct{} // closed when let in, or when the room closes
	refused       bool          // the room closed; read after in is closed
}

func newRoom(maxEvents, maxBytes int) *room {
	return &room{maxEvents: maxEvents, maxBytes: maxBytes, empty: make(chan struct{})}
}

// enter waits until there is room. It returns ErrClosed or the context's error
// if it gave up. Whoever was let in must leave with the same numbers.
func (r *room) enter(ctx context.Context, events, bytes int) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return ErrClosed
	}
	if len(r.waiting) == 0 && r.fits(events, bytes) {
		r.events += events
		r.bytes += bytes
		r.mu.Unlock()
		return nil
	}
	w := &waiter{events: events, bytes: bytes, in: make(chan struct{})}
	r.waiting = append(r.waiting, w)
	r.mu.Unlock()

	r.waits.Add(1)
	select {
	case <-w.in:
		if w.refused {
			return ErrClosed
		}
		return nil
	case <-ctx.Done():
		return r.giveUp(ctx, w)
	}
}

// giveUp takes a waiter out again.
func (r *room) giveUp(ctx context.Context, w *waiter) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.waiting {
		if r.waiting[i] == w {
			r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
			r.admit() // who stood behind may be smaller
			return context.Cause(ctx)
		}
	}
	if w.refused {
		return ErrClosed
	}
	return nil // was let in at the same moment
}

// leave makes room.
func (r *room) leave(events, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events -= events
	r.bytes -= bytes
	r.admit()
	if r.closed && r.events == 0 {
		close(r.empty)
	}
}

// close lets nobody in any more, and returns a channel that is closed when all
// have left. It must be called once.
func (r *room) close() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, w := range r.waiting {
		w.refused = true
		close(w.in)
	}
	r.waiting = nil
	if r.events == 0 {
		close(r.empty)
	}
	return r.empty
}

// load returns what is in the room.
func (r *room) load() (events, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events, r.bytes
}

// admit lets in whom there is room for. mu is held.
func (r *room) admit() {
	for len(r.waiting) > 0 && r.fits(r.waiting[0].events, r.waiting[0].bytes) {
		w := r.waiting[0]
		r.waiting[0] = nil
		r.waiting = r.waiting[1:]
		r.events += w.events
		r.bytes += w.bytes
		close(w.in)
	}
}

// fits reports whether there is room. What is larger than the whole room fits
// when there is nothing else. mu is held.
func (r *room) fits(events, bytes int) bool {
	return r.events == 0 || r.events+events <= r.maxEvents && r.bytes+bytes <= r.maxBytes
}
