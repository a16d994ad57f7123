package bridge

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxRemembered is how many signed requests of one key are remembered: so many
// can come in twice the clock skew.
const maxRemembered = 1 << 18

// A memory knows the signed requests of one key that could be repeated.
//
// It knows them by their signatures, not by their nonces: what is signed is
// joined without separators, so that a nonce can lose its first digit to the
// number before it and the signature is still good.
type memory struct {
	skew time.Duration

	mu    sync.Mutex // guards the following
	young map[mac]struct{}
	old   map[mac]struct{}
	since time.Time // when young was begun
}

type mac [sha256.Size / 2]byte

// admit reports whether the request with that signature, whose time is within
// the skew, comes for the first time; full says that it can't be told, because
// too many are remembered.
//
// A generation lasts as long as a request can be good, which is twice the
// skew, and is forgotten when the next one has lasted as long.
func (m *memory) admit(s *signature, now time.Time) (first, full bool) {
	id := mac(s.mac[:])
	m.mu.Lock()
	defer m.mu.Unlock()
	switch age := now.Sub(m.since); {
	case m.young == nil || age >= 4*m.skew:
		m.young, m.old, m.since = map[mac]struct{}{}, nil, now
	case age >= 2*m.skew:
		m.young, m.old, m.since = map[mac]struct{}{}, m.young, now
	}
	_, isNew := m.young[id]
	_, isOld := m.old[id]
	switch {
	case isNew || isOld:
		return false, false
	case len(m.young) >= maxRemembered:
		return false, true
	}
	m.young[id] = struct{}{}
	return true, false
}
