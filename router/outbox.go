package router

import (
	"sync"
	"time"
)

const (
	// keepFrames is how many queue slots an idle session has.
	keepFrames = 2

	// burstFrames is how many it borrows when more wait. Only beyond that a
	// queue allocates.
	burstFrames = 64

	// takeBytes is how much a flush takes at a time, a larger frame apart:
	// what is being written can't be dropped any more.
	takeBytes = 64 << 10

	// gatherBytes is how much may wait for a lingering flush. More gains
	// nothing from waiting.
	gatherBytes = 16 << 10

	// patientBytes is how much those queue ahead who have time to wait.
	patientBytes = 32 << 10

	// missedRoom is by how much saying how many events were missed before
	// an event may lengthen it.
	missedRoom = 40
)

var bursts = sync.Pool{New: func() any { return new([burstFrames]entry) }}

// A pushed is what became of a frame that was to be queued.
type pushed uint8

const (
	queued   pushed = iota // someone else is flushing, or will
	flushIt                // queued, and the caller must now have the session flushed
	lingerIt               // queued, and the caller must see to it that the session is flushed within the frame's linger
	dropped                // not queued: too long, or the queue is full of what is worth no less; its member will be told
	overflow               // not queued: the queue is full, and the session must end
	tooLong                // not queued: the peer takes no frame as long as this, and the session must end
	refused                // not queued: the session is ending, or does not want the frame
)

// An entry is a frame in a queue, or a hole: where events were dropped.
type entry struct {
	frame  []byte  // nil: a hole
	member *member // whose event it is, or was; nil: no event
	key    uint64  // what may be done with the event when the queue is full; of a hole, how many there were; of others, the seat that they are for
}

// Keys of entries: what may be done when the queue is full. Greater ones are
// those of KeepLatest.
const (
	keyOldest uint64 = iota // may be dropped
	keyFirm                 // must not be dropped
	keyAny                  // KeepLatest for a publication without a key
)

func (e *entry) mayDrop() bool { return e.member != nil && e.key == keyOldest }
func (e *entry) latest() bool  { return e.member != nil && e.key >= keyAny }

// A duty says who writes what waits.
type outboxDuty uint8

const (
	nobody    outboxDuty = iota // nothing waits
	lingering                   // a lane will, unless somebody takes the duty from it
	flushing                    // somebody writes, or is about to
)

// An outbox holds the framed bytes that wait to be written to one peer.
//
// At most one goroutine at a time has the duty to write: the one that got
// flushIt from push, or whoever it handed the duty to. It calls take until that
// reports that nothing is left.
type outbox struct {
	mu sync.Mutex // guards the following

	entries []entry // waiting, in order
	bytes   int     // in entries and being written
	limit   int     // of bytes
	loose   int     // in entries that may be dropped
	duty    outboxDuty
	over    bool                // a frame did not fit, or was too long: the session will be ended
	closed  bool                // nothing more is taken in
	hold    outboxHold          // nothing is written as long as WELCOME is not known
	most    uint32              // bytes of a frame that the peer takes; 0: any. Set before anything is queued
	backlog *backlog            // nil unless much waits
	burst   *[burstFrames]entry // borrowed; nil if keep was enough
	room    chan struct{}       // closed when there is room again; nil: nobody waits
	linger  time.Duration       // of the shortest lane in which the session stands; 0: in none
	keep    [keepFrames]entry   // entries begins here, so that an idle session owns no other memory
}

// push queues a frame that is no event.
func (o *outbox) push(frame []byte) pushed {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.pushLocked(entry{frame: frame}, 0)
}

// pushLocked queues e, which may wait for linger to be written, if at most 0
// not at all.
func (o *outbox) pushLocked(e entry, linger time.Duration) pushed {
	if o.closed || o.over {
		return refused
	}
	if o.most > 0 && len(e.frame) > int(o.most)-missedRoom {
		switch {
		case e.member != nil:
			e.member.behind++
			e.member.session.router.stats.tooLong.Add(1)
			return dropped
		case len(e.frame) > int(o.most):
			o.over = true
			return tooLong
		}
	}
	if o.backlog != nil && e.latest() {
		o.supersede(&e)
	}
	// A frame that is larger than the whole limit may pass alone.
	if over := o.bytes + len(e.frame) - o.limit; over > 0 && o.bytes > 0 {
		if o.makeRoom(&e, over); o.bytes > 0 && o.bytes+len(e.frame) > o.limit {
			if e.mayDrop() {
				e.member.behind++
				e.member.session.router.stats.droppedOldest.Add(1)
				return dropped
			}
			o.over = true // or a later frame could pass before the session is ended
			return overflow
		}
	}
	if m := e.member; m != nil && m.behind > 0 {
		b := o.note()
		o.appendLocked(entry{member: m, key: m.behind})
		b.dead++
		m.behind = 0
	}
	o.addLocked(e)
	return o.dutyFor(linger)
}

// resize changes how many bytes may wait.
func (o *outbox) resize(limit int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.limit = limit
}

// dutyFor decides who writes a frame that was queued.
func (o *outbox) dutyFor(linger time.Duration) pushed {
	switch {
	case o.duty == flushing:
		return queued
	case linger <= 0 || o.bytes >= gatherBytes:
		o.duty = flushing
		return flushIt
	}
	o.duty = lingering
	if o.linger > 0 && o.linger <= linger {
		return queued // it is due no later than this frame
	}
	o.linger = linger
	return lingerIt
}

// lapse is called when the session has stood in the lane for as long as that
// says. It reports whether the caller now has the duty to flush.
func (o *outbox) lapse(lane time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.linger == lane {
		o.linger = 0
	}
	if o.duty != lingering {
		return false // somebody wrote it meanwhile
	}
	o.duty = flushing
	return true
}

func (o *outbox) addLocked(e entry) {
	o.appendLocked(e)
	o.bytes += len(e.frame)
	if e.mayDrop() {
		o.loose += len(e.frame)
	}
	if e.latest() {
		o.indexLast()
	}
}

func (o *outbox) appendLocked(e entry) {
	switch len(o.entries) {
	case 0:
		o.entries = o.keep[:0]
	case keepFrames:
		if o.burst == nil {
			o.burst = bursts.Get().(*[burstFrames]entry)
			o.entries = append(o.burst[:0], o.entries...)
			clear(o.keep[:])
		}
	}
	grows := o.burst != nil && len(o.entries) == cap(o.entries)
	o.entries = append(o.entries, e)
	if grows {
		o.giveBack() // it held copies of the entries
	}
}

// close queues the last message and the end of the connection, if they are
// there, beyond the limit if need be, and refuses all later ones. With discard it first drops what nobody began to write and
// returns how many frames that were, also if the outbox was closed before.
// first is false then, and no frames are queued.
func (o *outbox) close(discard bool, message []byte, end entry) (first, flush bool, lost int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if discard {
		for _, e := range o.entries {
			if e.frame != nil {
				o.bytes -= len(e.frame)
				lost++
			}
		}
		o.drainedLocked()
	}
	if o.closed {
		return false, false, lost
	}
	o.closed = true
	for _, e := range [...]entry{{frame: message}, end} {
		if e.frame != nil {
			o.addLocked(e)
		}
	}
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
	flush = o.duty != flushing
	o.duty = flushing
	return true, flush, lost
}

// A gap is where a session missed events of a subscription: before a frame that
// was taken.
type gap struct {
	at     int // of the frames that were taken together
	missed uint64
}

// take counts the bytes that the caller has written since it last took, and
// appends waiting frames to dst, which it returns with their size and with the
// gaps between them. When nothing waits, or the queue is withheld, it ends the
// caller's duty and returns an empty dst; last then says that nothing will ever
// be queued again, and is true only once.
func (o *outbox) take(dst [][]byte, written int) (_ [][]byte, size int, gaps []gap, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wroteLocked(written)
	if o.hold != free {
		o.hold = parked // the duty stays: release takes it over
		return dst, 0, nil, false
	}
	n := 0
	for i := range o.entries {
		e := &o.entries[i]
		if size > 0 && size+len(e.frame) > takeBytes {
			break
		}
		n++
		if e.frame == nil {
			if e.member != nil {
				e.member.missed += e.key
			}
			continue
		}
		if m := e.member; m != nil && m.missed > 0 {
			gaps = append(gaps, gap{at: len(dst), missed: m.missed})
			m.missed = 0
		}
		dst = append(dst, e.frame)
		size += len(e.frame)
		if e.mayDrop() {
			o.loose -= len(e.frame)
		}
	}
	o.tookLocked(n)
	if len(dst) > 0 {
		return dst, size, gaps, false
	}
	if o.closed {
		return dst, 0, nil, true // the duty stays: nobody flushes a closed outbox again
	}
	o.duty = nobody
	return dst, 0, nil, false
}

// tookLocked removes the first n entries.
func (o *outbox) tookLocked(n int) {
	if n == len(o.entries) {
		o.drainedLocked()
		return
	}
	if o.backlog != nil {
		o.backlog.took(o.entries[:n], len(o.entries)-n)
	}
	clear(o.entries[:n])
	o.entries = o.entries[n:]
}

// drainedLocked forgets all entries and returns what the queue has borrowed.
// It keeps no frame alive.
func (o *outbox) drainedLocked() {
	clear(o.entries)
	o.entries, o.loose, o.backlog = o.keep[:0], 0, nil
	if o.burst != nil {
		bursts.Put(o.burst)
		o.burst = nil
	}
}

// giveBack returns a burst that entries have grown out of.
func (o *outbox) giveBack() {
	clear(o.burst[:])
	bursts.Put(o.burst)
	o.burst = nil
}

// wrote counts bytes that the caller has written and keeps the duty to flush.
// Negative n is for bytes that will be written and were not queued.
func (o *outbox) wrote(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wroteLocked(n)
}

func (o *outbox) wroteLocked(n int) {
	o.bytes -= n
	if o.room != nil && o.roomyLocked() {
		close(o.room)
		o.room = nil
	}
}

// waitLocked returns nil if a frame of so many bytes can be queued by somebody
// who has time, which leaves the rest of the queue to those who have not.
// Otherwise it returns a channel that is closed when the queue is roomy.
func (o *outbox) waitLocked(size int) <-chan struct{} {
	if o.closed || o.bytes == 0 || o.roomyLocked() && o.bytes+size <= o.limit {
		return nil
	}
	if o.room == nil {
		o.room = make(chan struct{})
	}
	return o.room
}

// roomyLocked reports whether those who have time may queue: the queue is at
// most half full, and has little enough for memory to last if thousands are
// sent much.
func (o *outbox) roomyLocked() bool { return o.bytes <= min(o.limit/2, patientBytes) }
