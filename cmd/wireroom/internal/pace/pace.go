// Package pace has work that can wait give way to what cannot.
//
// Thousands of clients that come back at the same moment have the scheduler
// queue thousands of goroutines, and an event that is live waits behind them
// each time that it goes from one goroutine to the next. A [Pace] keeps that
// queue short: those who work off what can wait call [Pace.Step] after each
// piece of it. Every few pieces, one of them naps for a moment. While it does,
// others have the processor; and how late it is back tells how long anything
// else would have waited, which decides how many pieces may be done until the
// next nap.
//
// The package starts no goroutine, and costs nothing while nobody calls Step. A
// Pace is safe for concurrent use.
package pace

import (
	"runtime"
	"sync"
	"time"
)

const (
	// nap is how long a nap is meant to be. A millisecond is what the kernel's
	// timers can do.
	nap = time.Millisecond

	// tolerance is how much later than it was meant to a nap may be over: what a
	// millisecond is rounded up to, and what a machine that is busy, but does
	// not fall behind, adds to it.
	tolerance = 2 * time.Millisecond

	// calm is after what time without a step it is not remembered that the
	// machine was late.
	calm = time.Second
)

// A Pace says when to take a nap.
type Pace struct {
	most int // fixed at construction

	mu    sync.Mutex // guards the following
	quota int        // pieces until the next nap, in 1 to most
	done  int        // of them
	last  time.Time  // when the last one was
}

// New returns a pace of at most so many pieces between two naps, at least 1. As
// long as anybody goes on, at least one is done between two.
func New(most int) *Pace { return &Pace{most: most, quota: most} }

// Step says that a piece of work is done. It naps if that is due: for a
// millisecond, and as long as the machine is late. Pieces that come one by one
// need no naps, since the time between them is as good.
func (p *Pace) Step() {
	if !p.due(time.Now()) {
		return
	}
	began := time.Now()
	time.Sleep(nap)
	// Whom a timer wakes is run next, whoever else waits: so it takes its place
	// at the end of the queue, and sees how long that is.
	runtime.Gosched()
	p.woke(time.Now(), time.Since(began)-nap)
}

// due counts a piece, and reports whether it is time for a nap.
func (p *Pace) due(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch pause := now.Sub(p.last); {
	case pause >= calm:
		p.quota, p.done = p.most, 0
	case pause >= nap:
		p.done = 0
	}
	p.last = now
	if p.done++; p.done < p.quota {
		return false
	}
	p.done = 0
	return true
}

// woke is told how late a nap ended. Lateness halves the quota, and its absence
// lets it grow by one, so that several who share a processor come to terms.
func (p *Pace) woke(now time.Time, late time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = now
	if late > tolerance {
		p.quota = max(p.quota/2, 1)
	} else {
		p.quota = min(p.quota+1, p.most)
	}
}
