//go:build linux

package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// How long a session waits that failed and was not told for how long: at
// first, and at most. Each failure doubles it.
const (
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = 3 * time.Second
)

// ignoredBackoff is how long a session waits at most that does not care what
// it is told.
const ignoredBackoff = 20 * time.Millisecond

// A comeback is what sessions count that try to join until they have.
type comeback struct {
	swarm  *swarm
	ignore bool // when they are told to come back
	open   func(ctx context.Context, i int) error

	mu       sync.Mutex // guards the following
	back     []time.Duration
	joins    histogram // how long the attempts took that succeeded
	attempts uint64
	aborted  uint64 // … that were refused by ABORT and told until when
	by503    uint64 // … by HTTP, and told
	untold   uint64 // … and not told
	failed   uint64 // … without an answer
	told     []time.Duration
	lastErr  error
}

// run makes n sessions come back, at most abreast at a time, and returns when
// they have or ctx is done. Times count from began.
func (c *comeback) run(ctx context.Context, n, abreast int, began time.Time) {
	var wg sync.WaitGroup
	turn := make(chan struct{}, abreast)
	for i := range n {
		wg.Go(func() { c.session(ctx, i, turn, began) })
	}
	wg.Wait()
}

// session tries to join, when it is its turn, until it has. It does not wait
// with its turn taken.
func (c *comeback) session(ctx context.Context, i int, turn chan struct{}, began time.Time) {
	backoff := firstBackoff
	for {
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			return
		}
		start := time.Now()
		err := c.open(ctx, i)
		<-turn
		if err == nil {
			c.mu.Lock()
			c.attempts++
			c.back = append(c.back, time.Since(began))
			c.joins.record(int64(time.Since(start)))
			c.mu.Unlock()
			return
		}
		if ctx.Err() != nil {
			return
		}
		if pause(ctx, c.refused(err, &backoff)) != nil {
			return
		}
	}
}

// refused counts an attempt that failed, and returns how long to wait.
func (c *comeback) refused(err error, backoff *time.Duration) time.Duration {
	r, answered := errors.AsType[*refusedError](err)
	told := answered && r.told
	c.mu.Lock()
	c.attempts++
	c.lastErr = err
	switch {
	case told && r.status == 0:
		c.aborted++
	case told:
		c.by503++
	case answered:
		c.untold++
	default:
		c.failed++
	}
	if told {
		c.told = append(c.told, r.after)
	}
	c.mu.Unlock()
	switch {
	case c.ignore:
		return rand.N(ignoredBackoff)
	case told:
		return r.after
	}
	wait := *backoff/2 + rand.N(*backoff/2)
	*backoff = min(*backoff*2, lastBackoff)
	return wait
}

// addTo adds what was counted of n sessions to a sample.
func (c *comeback) addTo(s sample, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.back)
	for key, share := range map[string]float64{"back_50_s": 0.50, "back_95_s": 0.95, "back_all_s": 1} {
		// Rounded up: so many of all, not of those that are back.
		if need := int(share*float64(n) + 0.999999); need <= len(c.back) {
			s[key] = c.back[need-1].Seconds()
		}
	}
	if len(c.back) > 0 {
		s["joins_per_second"] = float64(len(c.back)) / c.back[len(c.back)-1].Seconds()
		s["join_p50_ms"] = milliseconds(c.joins.quantile(0.50))
		s["join_p99_ms"] = milliseconds(c.joins.quantile(0.99))
	}
	s["never_back"] = float64(n - len(c.back))
	s["attempts_per_session"] = float64(c.attempts) / float64(n)
	s["refused_by_abort"] = float64(c.aborted)
	s["refused_by_503"] = float64(c.by503)
	s["refused_otherwise"] = float64(c.untold)
	s["failed_to_connect"] = float64(c.failed)
	if k := len(c.told); k > 0 {
		slices.Sort(c.told)
		s["retry_after_p50_s"] = c.told[k/2].Seconds()
		s["retry_after_max_s"] = c.told[k-1].Seconds()
	}
}
