package events_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A replay that has brought more than the hub has routed is live in the moment in
// which the hub has routed that.
func TestReplayWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := openStore(t)
		d := newDeskOver(t, persistentClasses(), store)
		d.detach(d.mustAttach(d.session("joe"), onLog))
		other := newHub(t, store, new(recorder), events.DefaultConfig())
		for n := range 3 {
			mustPublish(t, other, event("log", n))
		}
		first := d.attach(d.session("joe"), onLog, 0)
		synctest.Wait()
		mustPublish(t, other, event("log", 4))
		second := d.attach(d.session("joe"), onLog, 0) // waits for more
		pass(333 * time.Millisecond)
		begin := time.Now()
		d.hub.CatchUp()
		<-first.ended
		<-second.ended
		if took := time.Since(begin); took != 0 {
			t.Errorf("the replays were live %v after the hub had got there", took)
		}
		d.publish(1)
		d.want(second, "1r", "2r", "3r", "4r", "5")
		got := strings.ReplaceAll(strings.Join(first.take(), " "), "r", "") // 4 may come either way
		if got != "1 2 3 4 5" {
			t.Errorf("the session that came first got %s", got)
		}
	})
}

// A reluctant is a store of which reading takes some time.
type reluctant struct {
	events.Store
	reading time.Duration
}

func (s *reluctant) Read(ctx context.Context, r events.Range) (events.Page, error) {
	time.Sleep(s.reading)
	return s.Store.Read(ctx, r)
}

// A replay from what another gateway has routed, and this one has not yet, goes on
// in the moment in which this one has; or after some time without.
func TestReplayWokenAtItsStart(t *testing.T) {
	for _, test := range []struct {
		name          string
		reading, want time.Duration
		told          string
	}{
		{"soon", 25 * time.Millisecond, 25 * time.Millisecond, "complete live"},
		{"late", 5*time.Second + time.Millisecond, 5 * time.Second, "lost 0-0 live"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := openStore(t)
				h, err := events.NewHub(t.Context(), catalogue(t, classes()), &reluctant{inner, test.reading}, new(recorder), events.DefaultConfig(), slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(h.Close)
				h.CatchUp() // others use the store as well
				synctest.Wait()
				other := newHub(t, inner, new(recorder), events.DefaultConfig())
				var last events.Receipt
				for n := range 3 {
					last = mustPublish(t, other, event("log", n))
				}
				begin := time.Now()
				var l listener
				if err := h.Replay(t.Context(), "log", events.SincePosition(last.Epoch, last.Offset), events.Selection{}, &l); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took != test.want {
					t.Errorf("the replay was live after %v, want %v", took, test.want)
				}
				l.want(t, test.told)
			})
		})
	}
}
