package auth

import (
	"container/heap"
	"time"
)

// doubtPause is how much time passes between two questions to the store, when it
// is asked about all tokens.
const doubtPause = time.Millisecond

// LookAgain has the store asked about every client token that a session hangs
// on, a thousand a second, as another gateway may have revoked some of which
// this one was not told. Sessions whose tokens are gone end.
func (s *Sessions) LookAgain() { s.leases.doubt(time.Now()) }

// doubt has all leases of client tokens looked at that are of before now, those
// too that are yet to begin by what was looked up before.
func (ls *leases) doubt(now time.Time) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.doubted = now
	at := now
	for _, l := range ls.clients {
		for ; l != nil; l = l.next {
			switch {
			case l.place < 0: // the store is being asked, maybe in vain
				l.at = at
				ls.ends.Push(l)
			case at.Before(l.at):
				l.at = at
			}
			at = at.Add(doubtPause)
		}
	}
	heap.Init(&ls.ends) // all may have moved
	select {
	case ls.wake <- struct{}{}:
	default:
	}
}

// gone releases a lease whose token the store has no more, unless it hangs on
// another one since.
func (ls *leases) gone(l *Lease, token [32]byte) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l.over || l.terms.token != token {
		return false
	}
	ls.releaseLocked(l)
	return true
}
