package router

import "time"

// A meter says whether a peer may be heard: a bucket of messages and one of
// bytes, which fill at the rate of the limits and hold what a second brings. A
// bucket may go below empty by one message, of whatever size.
type meter struct {
	messages, bytes bucket
	last            time.Time
}

// newMeter returns the meter for the limits, or nil if they do not limit what
// is read.
func newMeter(l *Limits) *meter {
	if l.MessageRate == 0 && l.ByteRate == 0 {
		return nil
	}
	return &meter{messages: fullBucket(l.MessageRate), bytes: fullBucket(l.ByteRate), last: time.Now()}
}

// take counts a message and returns how long the peer must wait before it is
// handled.
func (m *meter) take(now time.Time, size int) time.Duration {
	passed := now.Sub(m.last)
	m.last = now
	return max(m.messages.take(passed, 1), m.bytes.take(passed, size))
}

// A bucket fills with rate units a second. Without a rate it is never empty.
type bucket struct {
	rate, level float64
}

func fullBucket(rate int) bucket { return bucket{rate: float64(rate), level: float64(rate)} }

// take fills the bucket for the time that has passed, takes n from it, and
// returns after what time it would not have been empty before that.
func (b *bucket) take(passed time.Duration, n int) time.Duration {
	if b.rate == 0 {
		return 0
	}
	b.level = min(b.level+passed.Seconds()*b.rate, b.rate)
	wait := time.Duration(0)
	if b.level < 1 {
		wait = time.Duration((1 - b.level) / b.rate * float64(time.Second))
	}
	b.level -= float64(n)
	return wait
}

// pace has the reader wait until the peer may be heard again.
func (s *Session) pace(size int) error {
	wait := s.meter.take(time.Now(), size)
	if wait <= 0 {
		return nil
	}
	s.router.stats.pauses.Add(1)
	return s.pause(wait)
}

// pause has the reader wait, or returns errEnded as soon as the session ends.
// Nothing is held that another session may wait for. Reader only.
func (s *Session) pause(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	return s.await(func(done <-chan struct{}) bool {
		select {
		case <-timer.C:
			return true
		case <-done:
			return false
		}
	})
}

// await calls wait, which has the reader wait for something and returns false
// if done is closed before. It returns errEnded then. What the workspace held
// is gone afterwards. Reader only.
func (s *Session) await(wait func(done <-chan struct{}) bool) error {
	s.Flush()
	if err := s.idle(wait); err != nil {
		return err
	}
	s.ws = getWorkspace()
	return nil
}

// idle is await for a reader that keeps its workspace, and has flushed it.
func (s *Session) idle(wait func(done <-chan struct{}) bool) error {
	done := s.leaving()
	s.busy.Store(true)
	defer s.busy.Store(false)
	if done == nil || s.ending.Load() { // fail may have looked at busy before
		return errEnded
	}
	if !wait(done) {
		return errEnded
	}
	return nil
}

// leaving returns a channel that is closed when the session leaves, or nil if it
// has.
func (s *Session) leaving() <-chan struct{} {
	if l := s.lasting(); l != nil {
		return l.leaving()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return nil
	}
	if s.done == nil {
		s.done = make(chan struct{})
	}
	return s.done
}

// Busy reports whether the session's reader waits for something else than the
// peer, so that silence does not mean that the peer has gone.
func (s *Session) Busy() bool {
	if st := s.seat(); st != nil {
		return st.lasting.session.busy.Load()
	}
	return s.busy.Load()
}
