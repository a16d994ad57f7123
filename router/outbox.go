package router

import "sync"

const (
	// keepFrames is how many queue slots an idle session has.
	keepFrames = 2

	// burstFrames is how many it borrows when more wait. Only beyond that a
	// queue allocates.
	burstFrames = 64
)

var bursts = sync.Pool{New: func() any { return new([burstFrames][]byte) }}

// A pushed is what became of a frame that was to be queued.
type pushed uint8

const (
	queued   pushed = iota // someone else is flushing, or will
	flushIt                // queued, and the caller must now have the session flushed
	overflow               // not queued: the queue is full
	refused                // not queued: the session is ending
)

// An outbox holds the framed bytes that wait to be written to one peer.
//
// At most one goroutine at a time has the duty to write: the one that got
// flushIt from push, or whoever it handed the duty to. It calls take until that
// reports that nothing is left.
type outbox struct {
	mu sync.Mutex // guards the following

	frames   [][]byte             // waiting, in order
	bytes    int                  // in frames and being written
	limit    int                  // of bytes
	flushing bool                 // somebody has the duty to write
	over     bool                 // a frame did not fit: the session will be ended
	closed   bool                 // nothing more is taken in
	room     chan struct{}        // closed when there is room again; nil: nobody waits
	keep     [keepFrames][]byte   // frames begins here, so that an idle session owns no other memory
	burst    *[burstFrames][]byte // borrowed; nil if keep was enough
}

// push queues frame.
func (o *outbox) push(frame []byte) pushed {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.pushLocked(frame)
}

func (o *outbox) pushLocked(frame []byte) pushed {
	if o.closed || o.over {
		return refused
	}
	// A frame that is larger than the whole limit may pass alone.
	if o.bytes > 0 && o.bytes+len(frame) > o.limit {
		o.over = true // or a later frame could pass before the session is ended
		return overflow
	}
	o.addLocked(frame)
	if o.flushing {
		return queued
	}
	o.flushing = true
	return flushIt
}

func (o *outbox) addLocked(frame []byte) {
	switch len(o.frames) {
	case 0:
		o.frames = o.keep[:0]
	case keepFrames:
		if o.burst == nil {
			o.burst = bursts.Get().(*[burstFrames][]byte)
			o.frames = append(o.burst[:0], o.frames...)
			clear(o.keep[:])
		}
	}
	o.frames = append(o.frames, frame)
	o.bytes += len(frame)
}

// close queues the last frames, beyond the limit if need be, and refuses all
// later ones. With discard it first drops what nobody began to write and
// returns how many frames that were. first is false if it was closed before.
func (o *outbox) close(discard bool, last ...[]byte) (first, flush bool, dropped int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false, false, 0
	}
	o.closed = true
	if discard {
		dropped = len(o.frames)
		for _, f := range o.frames {
			o.bytes -= len(f)
		}
		clear(o.frames)
		o.frames = o.keep[:0]
		o.giveBackLocked()
	}
	for _, f := range last {
		if f != nil {
			o.addLocked(f)
		}
	}
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
	flush = !o.flushing
	o.flushing = true
	return true, flush, dropped
}

// take counts the bytes that the caller has written since it last took, and
// appends all waiting frames to dst, which it returns with their size. When
// nothing waits, it ends the caller's duty and returns an empty dst; last then
// says that nothing will ever be queued again, and is true only once.
func (o *outbox) take(dst [][]byte, written int) (_ [][]byte, size int, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wroteLocked(written)
	if len(o.frames) == 0 {
		if o.closed {
			return dst, 0, true // flushing stays set: nobody flushes a closed outbox again
		}
		o.flushing = false
		return dst, 0, false
	}
	for i, f := range o.frames {
		dst = append(dst, f)
		size += len(f)
		o.frames[i] = nil
	}
	o.frames = o.keep[:0]
	o.giveBackLocked()
	return dst, size, false
}

// giveBackLocked returns what the queue has borrowed. It keeps no frame alive.
func (o *outbox) giveBackLocked() {
	if o.burst != nil {
		clear(o.burst[:]) // frames may have grown out of it
		bursts.Put(o.burst)
		o.burst = nil
	}
}

// wrote counts bytes that the caller has written and keeps the duty to flush.
func (o *outbox) wrote(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wroteLocked(n)
}

func (o *outbox) wroteLocked(n int) {
	o.bytes -= n
	if o.room != nil && o.bytes <= o.limit/2 {
		close(o.room)
		o.room = nil
	}
}

// waitLocked returns nil if a frame of so many bytes can be queued by somebody
// who has time, which leaves the other half of the queue to those who have not.
// Otherwise it returns a channel that is closed when the queue is at most half
// full.
func (o *outbox) waitLocked(size int) <-chan struct{} {
	if o.closed || o.bytes == 0 || o.bytes <= o.limit/2 && o.bytes+size <= o.limit {
		return nil
	}
	if o.room == nil {
		o.room = make(chan struct{})
	}
	return o.room
}
