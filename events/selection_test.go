package events_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/events"
)

// A gatedReader is a store of which nobody reads until the gate is opened.
type gatedReader struct {
	events.Store
	gate    chan struct{}
	reading atomic.Int64
}

func (s *gatedReader) Read(ctx context.Context, r events.Range) (events.Page, error) {
	s.reading.Add(1)
	defer s.reading.Add(-1)
	<-s.gate
	return s.Store.Read(ctx, r)
}

// However many replays search by queries that are true of little, few do so at a
// time, those that look for the last included. Other replays do not wait for them,
// and who has gone waits for nobody.
func TestReplaysSearchInTurn(t *testing.T) {
	for _, start := range []events.Start{events.Since(0), events.Last(1)} {
		synctest.Test(t, func(t *testing.T) {
			store := &gatedReader{Store: openStore(t), gate: make(chan struct{})}
			h := newHub(t, store, new(recorder), events.DefaultConfig())
			const count = 10
			for n := range count {
				mustPublish(t, h, event("log", n))
			}
			ended := make(chan error, 100)
			replay := func(ctx context.Context, sel events.Selection) {
				go func() { ended <- h.Replay(ctx, "log", start, sel, new(lister)) }()
			}
			where := events.Selection{Where: parseQuery(t, `n > 1000`)}
			for range 40 {
				replay(t.Context(), where)
			}
			synctest.Wait()
			most := int64(max(1, runtime.GOMAXPROCS(0)/2))
			if got := store.reading.Load(); got != most {
				t.Errorf("%d replays by queries read at a time, want %d", got, most)
			}
			replay(t.Context(), events.Selection{})
			synctest.Wait()
			if got := store.reading.Load(); got != most+1 {
				t.Errorf("with a replay of all, %d read at a time, want %d", got, most+1)
			}
			ctx, cancel := context.WithCancel(t.Context())
			replay(ctx, where)
			synctest.Wait()
			cancel()
			if err := <-ended; err != context.Canceled {
				t.Errorf("who waits and goes gets %v", err)
			}
			close(store.gate)
			for range 41 {
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
		})
	}
}
