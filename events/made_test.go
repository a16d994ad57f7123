package events_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/events"
)

// A sharer leaves its name at each event, unless another one has, and holds back
// what it is offered.
type sharer struct {
	listener
	name    string
	held    int // offered since the last Flush
	flushes int
	theirs  int // events at which another one's name was
	alone   int // events that nobody shares
	wait    <-chan struct{}
}

func (s *sharer) Offer(e *events.Event, made *events.Made) (<-chan struct{}, error) {
	if wait := s.wait; wait != nil {
		s.wait = nil
		return wait, nil
	}
	s.held++
	switch {
	case made == nil:
		s.alone++
	case made.By(func() any { return s.name }) != s.name:
		s.theirs++
	}
	return nil, s.Send(context.Background(), e)
}

func (s *sharer) Flush() { s.held, s.flushes = 0, s.flushes+1 }

// What one subscriber has made of an event the others find, while replays share
// what they read. Nothing is held back for ever, or while somebody waits.
func TestReplaysShareWhatIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, openStore(t), new(recorder), events.DefaultConfig())
		for n := range 100 {
			mustPublish(t, h, event("log", n))
		}
		replay := func(s *sharer) {
			t.Helper()
			if err := h.Replay(t.Context(), "log", events.Since(0), events.Selection{}, s); err != nil {
				t.Error(err)
			}
			s.want(t, "complete "+span(1, 100)+"live")
			if s.held != 0 || s.flushes == 0 {
				t.Errorf("%s: %d events are held back after %d flushes", s.name, s.held, s.flushes)
			}
		}
		alone := &sharer{name: "alone"}
		if replay(alone); alone.alone != 100 {
			t.Errorf("a replay by itself shares %d of 100 events with nobody, want all", alone.alone)
		}

		room := make(chan struct{})
		slow := &sharer{name: "slow", wait: room}
		var waiting sync.WaitGroup
		waiting.Go(func() { replay(slow) })
		synctest.Wait()
		if slow.flushes != 1 {
			t.Errorf("%d flushes before a wait for room, want 1", slow.flushes)
		}
		first, second := &sharer{name: "first"}, &sharer{name: "second"}
		if replay(first); first.theirs != 0 {
			t.Errorf("the first finds what others made of %d events", first.theirs)
		}
		if replay(second); second.theirs != 100 {
			t.Errorf("the second finds what the first made of %d events, want 100", second.theirs)
		}
		close(room)
		waiting.Wait()
	})
}
