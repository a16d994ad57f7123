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

	mu        sync.Mutex // guards the following
	young     generation
	old       generation
	since     time.Time // when young was begun
	forgotten time.Time // the latest time of a request that is remembered no more
}

type mac [sha256.Size / 2]byte

// A generation is requests that are forgotten together.
type generation struct {
	seen   map[mac]struct{} // nil: none yet
	latest time.Time        // of their times
}

// An admission is what a memory says of a request.
type admission uint8

const (
	admitted  admission = iota // it comes for the first time
	repeated                   // it has come before
	crowded                    // that can't be told, because too many are remembered
	untelling                  // that can't be told, because requests of its time have been forgotten
)

// admit says whether the request with that signature, whose time is within
// the skew, comes for the first time.
//
// A generation lasts as long as a request can be good, which is twice the
// skew, and is forgotten when the next one has lasted as long. How long that
// is does not depend on what people set the clock to, but whether a request's
// time is good does: when the clock is set back, requests that have been
// forgotten would be good again. So none is admitted that is as old as one of
// those. With a clock that only goes forward such a request is too old anyway.
func (m *memory) admit(s *signature, now time.Time) admission {
	id := mac(s.mac[:])
	m.mu.Lock()
	defer m.mu.Unlock()
	switch age := now.Sub(m.since); {
	case m.young.seen == nil:
		m.begin(now)
	case age >= 4*m.skew:
		m.begin(now)
		m.begin(now)
	case age >= 2*m.skew:
		m.begin(now)
	}
	_, isNew := m.young.seen[id]
	_, isOld := m.old.seen[id]
	switch {
	case isNew || isOld:
		return repeated
	case !s.at.After(m.forgotten):
		return untelling
	case len(m.young.seen) >= maxRemembered:
		return crowded
	}
	m.young.seen[id] = struct{}{}
	m.young.latest = later(m.young.latest, s.at)
	return admitted
}

// begin begins a generation, and forgets the old one.
func (m *memory) begin(now time.Time) {
	m.forgotten = later(m.forgotten, m.old.latest)
	m.old, m.young, m.since = m.young, generation{seen: map[mac]struct{}{}}, now
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
