//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A swarm is the connections of one run, read by a few loops.
type swarm struct {
	url   string
	login *login
	loops []*loop
	next  atomic.Int64 // connections made
}

// newSwarm returns a swarm without connections, with n loops.
func newSwarm(url string, lg *login, n int) (*swarm, error) {
	w := &swarm{url: url, login: lg}
	for range n {
		l, err := newLoop()
		if err != nil {
			w.close()
			return nil, err
		}
		w.loops = append(w.loops, l)
	}
	return w, nil
}

// open connects and joins one session.
func (w *swarm) open(ctx context.Context, ser serializer) (*session, error) {
	return w.openAs(ctx, ser, w.login)
}

// openAs is open with another login.
func (w *swarm) openAs(ctx context.Context, ser serializer, lg *login) (*session, error) {
	s, err := dial(ctx, w.url, ser, lg, int(w.next.Add(1)-1))
	if err != nil {
		return nil, err
	}
	if err := s.join(lg); err != nil {
		_ = s.conn.Close()
		return nil, err
	}
	return s, nil
}

// openMany calls open for 0 to n-1, at most abreast at once, and returns the
// first error. Progress is told to progress, if that is not nil.
func openMany(ctx context.Context, n, abreast int, progress func(done int), open func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var next, done atomic.Int64
	for range min(abreast, n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				if err := open(ctx, i); err != nil {
					cancel(fmt.Errorf("session %d of %d: %w", i+1, n, err))
					return
				}
				if d := int(done.Add(1)); progress != nil && d%1000 == 0 {
					progress(d)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// attach gives a session to one of the loops.
func (w *swarm) attach(s *session, i int, to receiver) (*peer, error) {
	return w.loops[i%len(w.loops)].attach(s, to)
}

// totals is what the loops of a swarm have counted so far.
type totals struct {
	warm, measured, errors, bytes uint64
	packed, pings                 uint64
	last                          int64
	broken                        int
	lastError                     error
}

// totals adds up the loops.
func (w *swarm) totals() totals {
	var t totals
	for _, l := range w.loops {
		l.mu.Lock()
		t.warm += l.warm
		t.measured += l.measured
		t.errors += l.errors
		t.bytes += l.bytes
		t.packed += l.packed
		t.pings += l.pings
		t.last = max(t.last, l.last)
		t.broken += l.broken
		if l.lastError != nil {
			t.lastError = l.lastError
		}
		l.mu.Unlock()
	}
	return t
}

// latency returns the latencies that the loops recorded.
func (w *swarm) latency() *histogram {
	h := new(histogram)
	for _, l := range w.loops {
		l.mu.Lock()
		h.add(&l.latency)
		l.mu.Unlock()
	}
	return h
}

// reset forgets the latencies so far.
func (w *swarm) reset() {
	for _, l := range w.loops {
		l.mu.Lock()
		l.latency = histogram{}
		l.mu.Unlock()
	}
}

// errStalled is why settle gave up.
var errStalled = errors.New("nothing more arrives")

// settle waits until count reaches want, or has not moved for patience: then
// it returns errStalled.
func settle(ctx context.Context, count func() uint64, want uint64, patience time.Duration) error {
	const step = 5 * time.Millisecond
	seen, since := count(), time.Now()
	for seen < want {
		if err := pause(ctx, step); err != nil {
			return err
		}
		if now := count(); now != seen {
			seen, since = now, time.Now()
		} else if time.Since(since) > patience {
			return errStalled
		}
	}
	return nil
}

// pause waits for d, or until ctx is done: then it returns why.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// close closes all connections and ends the loops.
func (w *swarm) close() {
	for _, l := range w.loops {
		l.close()
	}
}
