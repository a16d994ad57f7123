package pace_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/pace"
)

// work does n pieces that take no time, and returns how long it napped.
func work(p *pace.Pace, n int) time.Duration {
	began := time.Now()
	for range n {
		p.Step()
	}
	return time.Since(began)
}

// A machine that is late lets less be done between two naps, down to one piece
// and no further; one that is not lets it be more again.
func TestPaceGivesWayAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace.New(16)
		if got := work(p, 160); got != 10*time.Millisecond {
			t.Errorf("160 pieces take naps of %v, want 10ms: one for each 16", got)
		}
		for range 10 {
			p.Woke(20 * time.Millisecond)
		}
		if got := work(p, 1); got != time.Millisecond {
			t.Errorf("one piece on a late machine takes naps of %v, want 1ms", got)
		}
		p.Woke(20 * time.Millisecond)
		if got := work(p, 1000); got <= 62*time.Millisecond || got > 90*time.Millisecond {
			t.Errorf("1,000 pieces on a machine that is late no more take naps of %v, want little more than 62ms", got)
		}
		for range 10 {
			p.Woke(20 * time.Millisecond)
		}
		time.Sleep(time.Second)
		if got := work(p, 15); got != 0 {
			t.Errorf("after a calm second the first 15 pieces take naps of %v, want none", got)
		}
	})
}

// What comes one by one does not wait.
func TestPaceNoNapsForFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace.New(4)
		for range 100 {
			time.Sleep(time.Millisecond)
			if got := work(p, 1); got != 0 {
				t.Fatalf("a piece each millisecond: a nap of %v, want none", got)
			}
		}
	})
}

// Many share a pace, and each of them gets on.
func TestPaceShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace.New(8)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { work(p, 100) })
		}
		all.Wait()
	})
}
