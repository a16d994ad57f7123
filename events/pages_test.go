package events_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/events"
)

// A readCounter counts how often a store is read.
type readCounter struct {
	events.Store
	reads atomic.Int64
}

func (c *readCounter) Read(ctx context.Context, r events.Range) (events.Page, error) {
	c.reads.Add(1)
	return c.Store.Read(ctx, r)
}

// What one replay has read, those that are under way meanwhile need not read
// again; and it is not kept for longer.
func TestReplaysShareReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &readCounter{Store: openStore(t)}
		h := newHub(t, s, new(recorder), events.DefaultConfig())
		for n := range 300 {
			mustPublish(t, h, event("log", n))
		}
		replay := func(after uint64, want string) (reads int64) {
			t.Helper()
			before, l := s.reads.Load(), &listener{}
			if err := h.Replay(t.Context(), "log", events.Since(after), events.Selection{}, l); err != nil {
				t.Error(err)
			}
			l.want(t, want)
			return s.reads.Load() - before
		}
		free := make(chan struct{})
		var slow sync.WaitGroup
		slow.Go(func() {
			l := &listener{send: func(*events.Event) error { <-free; return nil }}
			if err := h.Replay(t.Context(), "log", events.Since(299), events.Selection{}, l); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if n := replay(0, "complete "+span(1, 300)+"live"); n == 0 {
			t.Error("the first replay has read nothing")
		}
		if n := replay(0, "complete "+span(1, 300)+"live"); n != 0 {
			t.Errorf("the second replay has read %d pages, want those of the first", n)
		}
		if n := replay(10, "complete "+span(11, 300)+"live"); n != 1 {
			t.Errorf("a replay that begins elsewhere has read %d pages, want 1", n)
		}
		mustPublish(t, h, event("log", 300))
		if n := replay(0, "complete "+span(1, 301)+"live"); n != 1 {
			t.Errorf("after one more event %d pages are read, want 1", n)
		}
		close(free)
		slow.Wait()
		if n := replay(0, "complete "+span(1, 301)+"live"); n == 0 {
			t.Error("pages are kept although no replay was under way")
		}
	})
}

// A full subscriber has no room until it is told.
type full struct {
	listener
	room chan struct{}
}

func (f *full) Offer(e *events.Event, _ *events.Made) (<-chan struct{}, error) {
	select {
	case <-f.room:
		return nil, f.Send(context.Background(), e)
	default:
		return f.room, nil
	}
}

func (*full) Flush() {}

// Subscribers that take nothing do not keep others from the past, and get it
// when they have room, or nothing if they go.
func TestReplayOffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, openStore(t), new(recorder), events.DefaultConfig())
		for n := range 100 {
			mustPublish(t, h, event("log", n))
		}
		room := make(chan struct{})
		var all sync.WaitGroup
		ctx, leave := context.WithCancel(t.Context())
		waiting := 10 * runtime.GOMAXPROCS(0)
		for i := range waiting {
			all.Go(func() {
				if i == 0 { // it goes
					if err := h.Replay(ctx, "log", events.Since(0), events.Selection{}, &never{}); err == nil {
						t.Error("a replay goes live that could send nothing")
					}
					return
				}
				f := &full{room: room}
				if err := h.Replay(t.Context(), "log", events.Since(0), events.Selection{}, f); err != nil {
					t.Error(err)
				}
				f.want(t, "complete "+span(1, 100)+"live")
			})
		}
		synctest.Wait()
		l := &listener{}
		if err := h.Replay(t.Context(), "log", events.Since(90), events.Selection{}, l); err != nil {
			t.Error(err)
		}
		l.want(t, "complete "+span(91, 100)+"live")
		leave()
		close(room)
		all.Wait()
		if n := h.Stats().Replays; n != 0 {
			t.Errorf("%d replays are under way, want 0", n)
		}
	})
}

// A never has no room.
type never struct{ listener }

func (*never) Offer(*events.Event, *events.Made) (<-chan struct{}, error) {
	return make(chan struct{}), nil
}

func (*never) Flush() {}
