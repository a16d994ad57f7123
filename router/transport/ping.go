package transport

import (
	"sync/atomic"
	"time"
)

// A queuedPing is the ping that a connection's session has queued, behind
// whatever waits for a peer that reads slowly. Such a peer can't answer what it
// has not been sent: the ping timeout holds only for a ping that was written,
// or if nothing was written since.
type queuedPing struct {
	waits atomic.Bool
	moves atomic.Bool  // something was written while it waits
	due   atomic.Int64 // when a ping that is written has waited, in Unix nanoseconds
}

// queued is called before a ping is queued. patience is for a queue in which
// nothing waits.
func (q *queuedPing) queued(patience time.Duration) {
	q.due.Store(time.Now().Add(patience).UnixNano())
	q.moves.Store(false)
	q.waits.Store(true)
}

// wrote is called when something was written, the ping among it or not. If the
// ping had to wait, the sweeper begins anew: the peer has read what was in front
// of it.
func (q *queuedPing) wrote(s *slot, ping bool) {
	if !ping {
		q.moves.Store(true)
		return
	}
	q.waits.Store(false)
	if time.Now().UnixNano() > q.due.Load() {
		s.heard.CompareAndSwap(heardNothing, heardBytes)
	}
}

// delayed reports whether the ping can't be answered yet, by a peer that reads.
func (q *queuedPing) delayed() bool { return q.waits.Load() && q.moves.Load() }

// holdsPing reports whether the end of a ping is among frames.
func holdsPing(frames [][]byte) bool {
	end, rawEnd := &pingFrame[len(pingFrame)-1], &rawPingFrame[len(rawPingFrame)-1]
	for _, b := range frames {
		if n := len(b); n > 0 && (&b[n-1] == end || &b[n-1] == rawEnd) {
			return true
		}
	}
	return false
}
