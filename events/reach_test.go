package events_test

import (
	"context"
	"testing"

	"github.com/wireroom/wireroom/events"
)

// A counter counts how often it is asked for the bounds of logs.
type counter struct {
	keptEpoch
	asked int
}

func (s *counter) Bounds(ctx context.Context, class string) (events.Bounds, error) {
	s.asked++
	return s.keptEpoch.Bounds(ctx, class)
}

// A store is asked once about the log for who comes back from an epoch of which the
// hub knows that the log goes on from it, as thousands may do after a failover.
func TestReplayFromKnownEpoch(t *testing.T) {
	s := &counter{keptEpoch: keptEpoch{Store: openStore(t)}}
	old := newHub(t, s, new(recorder), events.DefaultConfig())
	var at events.Receipt
	for n := range 3 {
		at = mustPublish(t, old, event("log", n))
	}
	old.Close()
	s.epoch, s.base, s.line = "new", 3, events.Lineage(at.Epoch+":3")
	h := newHub(t, s, new(recorder), events.DefaultConfig())
	for _, test := range []struct {
		name, epoch string
		asked       int
		told        string
	}{
		{"known", at.Epoch, 1, "complete 3 live"},
		{"strange", "other", 2, "lost 0-0 1 2 3 live"},
	} {
		s.asked = 0
		var l listener
		if err := h.Replay(t.Context(), "log", events.SincePosition(test.epoch, 2), events.Selection{}, &l); err != nil {
			t.Fatal(err)
		}
		l.want(t, test.told)
		if s.asked != test.asked {
			t.Errorf("%s: the store was asked %d times, want %d", test.name, s.asked, test.asked)
		}
	}
}
