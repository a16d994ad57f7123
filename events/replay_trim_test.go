package events_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A trimmer is a store that trims to four events right before it seeks, or
// right before it says what it holds.
type trimmer struct {
	events.Store
	beforeSeek, beforeBounds bool
}

func (s *trimmer) trim(ctx context.Context, class string) error {
	_, err := s.Store.Trim(ctx, class, events.Retain{Events: 4}, time.Now())
	return err
}

func (s *trimmer) SeekTime(ctx context.Context, class string, through uint64, t time.Time) (uint64, error) {
	if s.beforeSeek {
		if err := s.trim(ctx, class); err != nil {
			return 0, err
		}
	}
	return s.Store.SeekTime(ctx, class, through, t)
}

func (s *trimmer) Bounds(ctx context.Context, class string) (events.Bounds, error) {
	if s.beforeBounds {
		if err := s.trim(ctx, class); err != nil {
			return events.Bounds{}, err
		}
	}
	return s.Store.Bounds(ctx, class)
}

// A replay does not say that it is complete if a part of it was trimmed while
// its start was looked for.
func TestReplayTrimmedWhileSeeking(t *testing.T) {
	for _, test := range []struct {
		name                     string
		beforeSeek, beforeBounds bool
	}{{"before seeking", true, false}, {"before the bounds", false, true}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &trimmer{Store: openStore(t)}
				h := newHub(t, s, new(recorder), events.DefaultConfig())
				start := time.Now()
				for n := range 10 { // one each second, from 1s on
					time.Sleep(time.Second)
					mustPublish(t, h, event("log", n))
				}
				s.beforeSeek, s.beforeBounds = test.beforeSeek, test.beforeBounds
				var l listener
				if err := h.Replay(t.Context(), "log", events.SinceTime(start.Add(3*time.Second)), events.Selection{}, &l); err != nil {
					t.Fatal(err)
				}
				l.want(t, "lost 1-6 7 8 9 10 live")
			})
		})
	}
}
