package events_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A silentReader is a store that takes events, and while it is silent says nothing
// of what it has.
type silentReader struct {
	events.Store
	silent atomic.Bool
}

func (s *silentReader) Bounds(ctx context.Context, class string) (events.Bounds, error) {
	if s.silent.Load() {
		<-ctx.Done()
		return events.Bounds{}, fmt.Errorf("%w: %w", events.ErrUnavailable, context.Cause(ctx))
	}
	return s.Store.Bounds(ctx, class)
}

func (s *silentReader) Read(ctx context.Context, r events.Range) (events.Page, error) {
	if s.silent.Load() {
		<-ctx.Done()
		return events.Page{}, fmt.Errorf("%w: %w", events.ErrUnavailable, context.Cause(ctx))
	}
	return s.Store.Read(ctx, r)
}

// When many classes have to catch up and the store says nothing, a receipt waits
// until that is found out once, and not until it is for each class. All classes
// catch up when the store answers.
func TestSilentStoreIsWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 20
		var classes []events.ClassConfig
		for i := range count {
			classes = append(classes, events.ClassConfig{Name: fmt.Sprintf("c%02d", i), Retain: events.Retain{Events: 10}})
		}
		s := &silentReader{Store: openStore(t)}
		r := new(recorder)
		h, err := events.NewHub(t.Context(), catalogue(t, classes), s, r, events.DefaultConfig(), discard)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)
		for _, c := range classes { // by another gateway
			s.Append([]events.Record{{Class: c.Name, ID: "theirs", Time: time.Now(), Data: []byte(`{"n":-1}`)}}, func(_ []events.Appended, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		s.silent.Store(true)
		h.CatchUp()
		var want []string
		for i := range count {
			synctest.Wait() // the deliverer waits for the store, or for something to do
			began := time.Now()
			mustPublish(t, h, event(classes[i].Name, i))
			if waited := time.Since(began); waited > 1500*time.Millisecond { // it gives up after one second
				t.Errorf("receipt %d of %d classes that catch up took %v", i, count, waited)
			}
			want = append(want, fmt.Sprintf(`%s {"n":-1}`, classes[i].Name), fmt.Sprintf(`%s {"n":%d}`, classes[i].Name, i))
		}
		r.want(t)
		s.silent.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := slices.Sorted(slices.Values(r.seen())); !slices.Equal(got, want) {
			t.Errorf("when the store answers again, %q are routed, want %q in any order", got, want)
		}
	})
}
