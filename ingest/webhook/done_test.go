package webhook_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/ingest/webhook"
)

// A bookmark notes up to where nothing more is to be done.
type bookmark struct {
	mu  sync.Mutex
	all []string
}

func (b *bookmark) put(position string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, position)
}

func (b *bookmark) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.all, " ")
}

// Done is told, in order, of what was taken, refused or given up, and of nothing else;
// a hook that begins there tells the rest.
func TestDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		f, e := newFeed(true), &endpoint{answer: func(n int, w http.ResponseWriter, _ *http.Request) {
			switch {
			case n == 1:
				w.WriteHeader(http.StatusBadRequest)
			case down.Load():
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}}
		var done bookmark
		cfg := config()
		cfg.Again, cfg.Position, cfg.Done, cfg.GiveUp = true, "e:0", done.put, time.Minute
		_, closeIt := run(t, cfg, f, e)
		f.put(events(1, 3)...)
		synctest.Wait()
		if got := done.String(); got != "e:1 e:2 e:3" {
			t.Errorf("done = %s, want all three, of which the second is refused", got)
		}
		down.Store(true)
		f.put(events(4, 4)...)
		time.Sleep(2 * time.Minute)
		if got := done.String(); got != "e:1 e:2 e:3 e:4" {
			t.Errorf("done = %s, want the fourth given up", got)
		}
		f.put(events(5, 6)...)
		time.Sleep(time.Second)
		closeIt(0)
		if got := done.String(); got != "e:1 e:2 e:3 e:4" {
			t.Errorf("done = %s, and the rest was still to be sent", got)
		}

		// Another one goes on there. The feed begins with everything that it has.
		down.Store(false)
		cfg.Position = "e:4"
		_, closeIt = run(t, cfg, f, e)
		time.Sleep(time.Second)
		closeIt(0)
		if runs := f.runs(); fmt.Sprint(runs) != "[e:0 e:4]" {
			t.Errorf("the feed was run from %q", runs)
		}
		if got := done.String(); got != "e:1 e:2 e:3 e:4 e:5 e:6" || !strings.HasSuffix(e.bodies(), bodies(5, 6)) {
			t.Errorf("done = %s, and the endpoint took\n%s", got, e.bodies())
		}
	})
}

// A hook that may not send any more sends nothing, not even once more what it has
// tried, and waits for its end.
func TestHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var held atomic.Bool
		held.Store(true)
		f, e := newFeed(true), &endpoint{answer: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n >= 2 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}}
		var done bookmark
		cfg := config()
		cfg.Again, cfg.Done, cfg.Held = true, done.put, held.Load
		h, closeIt := run(t, cfg, f, e)
		f.put(events(1, 3)...)
		synctest.Wait() // the third will be tried again
		held.Store(false)
		f.put(events(4, 5)...)
		time.Sleep(24 * time.Hour)
		closeIt(0)
		if got := done.String(); got != "e:1 e:2" || e.n != 3 {
			t.Errorf("done = %s after %d requests, want two events done by three", got, e.n)
		}
		if s := h.Stats(); s.Delivered != 2 || s.GivenUp != 0 {
			t.Errorf("Stats = %+v", s)
		}
	})
}

// A CloudEvent says that it comes from the log.
func TestReplayedCloudEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, e := newFeed(true), &endpoint{}
		cfg := config()
		cfg.Format = webhook.CloudEvents
		run(t, cfg, f, e)
		again := event(1)
		again.Class, again.Replayed = "t", true
		f.put(again, event(2))
		synctest.Wait()
		if lines := strings.Split(e.bodies(), "\n"); len(lines) != 2 || !strings.Contains(lines[0], `"replayed":true`) || strings.Contains(lines[1], "replayed") {
			t.Errorf("the endpoint took\n%s", e.bodies())
		}
	})
}

// gap returns what says that events up to the one with the number are missing.
func gap(n int) *webhook.Event {
	return &webhook.Event{ID: "gap", Topic: "t", Lost: true, Position: fmt.Sprintf("e:%d", n)}
}

// What is missing is looked for in the log, behind the last event that came. If it is
// not there, the endpoint is told so, and the feed goes on.
func TestGapIsLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, e := newFeed(true), &endpoint{}
		cfg := config()
		cfg.Again, cfg.Position = true, "e:0"
		run(t, cfg, f, e)
		f.put(event(1))
		synctest.Wait()
		f.mu.Lock()
		f.all = append(f.all, events(2, 3)...) // what nobody was handed
		f.mu.Unlock()
		f.events <- gap(3) // is not in the log
		synctest.Wait()
		if got := e.bodies(); got != bodies(1, 3) {
			t.Errorf("the endpoint took\n%s\nwant what was missing", got)
		}
		f.put(gap(5), event(6))
		synctest.Wait()
		if got := e.bodies(); got != bodies(1, 3)+"\n"+`{"topic":"t","args":[],"kwargs":{},"details":{}}`+"\n"+bodies(6, 6) {
			t.Errorf("the endpoint took\n%s\nwant to be told once of what is gone", got)
		}
		if got := fmt.Sprint(f.runs()); got != "[e:0 e:1 e:3]" {
			t.Errorf("the feed was run from %s", got)
		}
	})
}
