package events

import "sync"

// A classLog is how far the events of a retained class were routed.
type classLog struct {
	// mu is the delivery lock of the class. It is held while an event of the
	// class is routed, and while a replay goes live, never while a replay
	// sends. It guards the following.
	mu     sync.Mutex
	epoch  string
	routed uint64  // offset of the last event that was routed
	line   Lineage // of the epoch

	// Replays wait for the offset awaited of the epoch to be routed, which is
	// the least that any waits for; moved is closed then, and nil if none does.
	moved   chan struct{}
	awaited uint64

	told string // the epoch that live subscribers go by; owned by the deliverer
}

// position returns how far the events of the class were routed.
func (l *classLog) position() (epoch string, routed uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch, l.routed
}

// moveLocked says how far the events of the class were routed, and wakes who
// waits for that. The caller holds mu.
func (l *classLog) moveLocked(epoch string, routed uint64) {
	if l.moved != nil && (routed >= l.awaited || epoch != l.epoch) {
		close(l.moved)
		l.moved = nil
	}
	l.epoch, l.routed = epoch, routed
}

// until returns nil if the log has another epoch, or has routed the offset.
// Otherwise it returns a channel that is closed when that may be so.
func (l *classLog) until(epoch string, offset uint64) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch != epoch || l.routed >= offset {
		return nil
	}
	if l.moved == nil {
		l.moved, l.awaited = make(chan struct{}), offset
	}
	l.awaited = min(l.awaited, offset)
	return l.moved
}

// renew makes the log that has the bounds the one that the hub knows, if it
// still knows the one of before, so that a quiet class need not wait for an
// event until it can be replayed again. What the log kept was routed, as far as
// anything was; if nobody knows what it kept, all of that.
func (l *classLog) renew(before string, b Bounds) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch != before || b.Epoch == before {
		return
	}
	routed := b.Base
	if shared, ok := b.Line.Shared(before); ok {
		routed = min(l.routed, shared)
	} else if shared, ok := l.line.Shared(b.Epoch); ok { // a server that was the primary before answers again
		routed = min(l.routed, shared)
	}
	l.line = b.Line
	l.moveLocked(b.Epoch, routed)
}

// follows reports whether the log is known to go on from one in that epoch.
func (l *classLog) follows(epoch string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.line.Shared(epoch)
	return ok
}

// keeps reports whether the log has an event that was appended at at, as far as
// the hub knows: not if another epoch began before that.
func (l *classLog) keeps(at Appended) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	shared, ok := l.line.Shared(at.Epoch)
	return l.epoch == at.Epoch || ok && at.Offset <= shared
}

// carry returns a position of an epoch, with spans, as it is in the epoch that
// the log has now: as far as both have the same. Without that it is the
// beginning.
func (l *classLog) carry(p progress) progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	to := progress{Position: Position{Epoch: l.epoch}}
	shared, ok := l.line.Shared(p.Epoch)
	if !ok {
		return to
	}
	to.Offset = min(p.Offset, shared)
	for _, s := range p.acked {
		if s.From <= shared {
			to.addSpan(Span{s.From, min(s.Through, shared)})
		}
	}
	return to
}
