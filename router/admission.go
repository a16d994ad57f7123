package router

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// Admission says how fast sessions may join, so that the moment after a
// restart, when everybody comes back at once, does not take the machine from
// those who are there already.
type Admission struct {
	// Rate is how many sessions may join per second, over time: 1 to
	// 100,000; 0: any number, and the rest has no meaning.
	Rate int

	// Burst is how many may join at once after a time in which few did: 1
	// to 1,000,000; 0: as many as in a second.
	Burst int

	// Wait is how long a HELLO that comes too early may wait for its turn: 0
	// to 30s. It waits with its connection's reader, so at most Rate × Wait
	// sessions do. Who would have to wait longer gets ABORT with
	// wireroom.error.unavailable and, in Details._retry_after, when to come.
	Wait time.Duration
}

// DefaultAdmission returns the defaults: any number may join.
func DefaultAdmission() Admission { return Admission{Wait: 2 * time.Second} }

// maxRetry bounds how late anybody is told to come back.
const maxRetry = 5 * time.Minute

// Shutdown has no rate to go by if there is no Admission. Then its sessions
// are told to come back so far apart, after a time in which another router may
// have started.
const (
	returnGap   = time.Millisecond
	returnFirst = time.Second
)

// An admission gives sessions their turns, by the generic cell rate algorithm:
// a virtual clock that each admitted session moves on by one interval, and
// that may be ahead of the time by what a burst needs.
//
// Upgrades of connections go by a clock of their own with more tolerance, so
// that a storm is refused before it costs a connection; and everybody who is
// refused gets, by a third clock, a slot of its own to come back at.
type admission struct {
	// Fixed at construction.
	interval time.Duration // between two sessions; 0: there is no limit
	burst    time.Duration // how far ahead the clock may be at no wait
	wait     time.Duration
	begin    time.Time // clocks count from here, and do not jump

	mu       sync.Mutex // guards the following
	sessions time.Duration
	upgrades time.Duration
	retries  time.Duration
}

func (a *admission) init(c Admission) {
	a.begin = time.Now()
	if c.Rate <= 0 {
		return
	}
	burst := c.Burst
	if burst <= 0 {
		burst = c.Rate
	}
	a.interval = time.Second / time.Duration(c.Rate)
	a.burst = a.interval * time.Duration(burst-1)
	a.wait = c.Wait
}

// take moves clock on by one session, unless that would have to wait for more
// than most. It returns how long it has to wait.
func (a *admission) take(clock *time.Duration, now, most time.Duration) (wait time.Duration, ok bool) {
	at := max(*clock, now)
	wait = max(0, at-now-a.burst)
	if wait > most {
		return wait, false
	}
	*clock = at + a.interval
	return wait, true
}

// turn returns how long a session has to wait for its turn, or else when to try
// again.
func (a *admission) turn() (wait time.Duration, ok bool) {
	now := time.Since(a.begin)
	a.mu.Lock()
	defer a.mu.Unlock()
	if wait, ok = a.take(&a.sessions, now, a.wait); !ok {
		return a.slotLocked(now), false
	}
	return wait, true
}

// upgrade reports whether one more connection may be upgraded, or else when to
// try again. Connections that never say HELLO count as well.
func (a *admission) upgrade() (retryAfter time.Duration, ok bool) {
	if a.interval == 0 {
		return 0, true
	}
	now := time.Since(a.begin)
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.take(&a.upgrades, now, 2*a.wait); ok {
		return 0, true
	}
	return a.slotLocked(now), false
}

// slotLocked returns when somebody who is refused shall come back: behind those
// who wait or are connected now and those who were refused before, one interval
// each, and up to a tenth sooner or later. If there are more than fit into
// maxRetry, the rest are spread over its second half.
func (a *admission) slotLocked(now time.Duration) time.Duration {
	at := max(a.retries, max(a.sessions, a.upgrades)-a.burst, now)
	after := at - now
	if after >= maxRetry {
		return maxRetry/2 + rand.N(maxRetry/2)
	}
	a.retries = at + a.interval
	after += rand.N(after/5+1) - after/10
	return min(after, maxRetry)
}

// comeBack returns when the i-th session that a shutdown ends shall come back.
func (a *admission) comeBack(i int) time.Duration {
	gap := a.interval
	if gap == 0 {
		gap = returnGap
	}
	after := returnFirst + time.Duration(i)*gap
	if after > maxRetry {
		return maxRetry/2 + rand.N(maxRetry/2)
	}
	return after
}

// retryDetails returns what tells a peer in ABORT or GOODBYE when to try again:
// in seconds, as everything that is told to people and to JavaScript, with at
// most three decimals.
func retryDetails(after time.Duration) map[string]any {
	return map[string]any{"_retry_after": math.Round(after.Seconds()*1000) / 1000}
}

// awaitTurn returns when the session may join, or why it may not. The reader
// waits, and nobody with it.
//
// The HELLO came in time, so the hello timeout does not run on; what comes
// after the turn has the whole of it.
func (s *Session) awaitTurn() error {
	a := &s.router.admit
	if a.interval == 0 {
		return nil
	}
	wait, ok := a.turn()
	switch {
	case !ok:
		s.router.stats.turnedAway.Add(1)
		return &wamp.Error{
			URI:     wamp.URIUnavailableHere,
			Text:    "too many sessions want to join at the same time; try again later",
			Details: retryDetails(wait),
		}
	case wait == 0:
		return nil
	}
	s.router.stats.waited.Add(1)
	s.mu.Lock()
	stopTimer(s.hello)
	s.mu.Unlock()
	if err := s.pause(wait); err != nil {
		return err
	}
	s.expect("end of the authentication", s.router.cfg.HelloTimeout)
	return nil
}

// Admit reports whether one more connection may be upgraded now; if not, it
// counts that, and says after which time, at most 5 minutes, the peer shall try
// again. Package transport asks before each upgrade: to refuse one costs less
// than to turn away a HELLO.
func (r *Router) Admit() (retryAfter time.Duration, ok bool) {
	r.mu.Lock()
	closing := r.closing
	r.mu.Unlock()
	if closing {
		return time.Second, false
	}
	retryAfter, ok = r.admit.upgrade()
	if !ok {
		r.stats.upgradesRefused.Add(1)
	}
	return retryAfter, ok
}
