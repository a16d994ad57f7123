package events_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A flakyReader is a store of which so many of the next reads fail.
type flakyReader struct {
	events.Store
	fails atomic.Int64
}

func (f *flakyReader) Read(ctx context.Context, r events.Range) (events.Page, error) {
	if f.fails.Add(-1) >= 0 {
		return events.Page{}, fmt.Errorf("%w: cannot read", events.ErrUnavailable)
	}
	return f.Store.Read(ctx, r)
}

// unacknowledged publishes events 0 to n-1 of the class "log", with their
// numbers as ids, to a store that has them and says that it failed.
func unacknowledged(t *testing.T, h *events.Hub, g *gate, n int) {
	t.Helper()
	g.set(nil, events.ErrUnavailable)
	defer g.set(nil, nil)
	for i := range n {
		if _, err := h.Publish(t.Context(), withID(event("log", i), fmt.Sprint(i))); !errors.Is(err, events.ErrUnavailable) {
			t.Fatalf("Publish: %v, want ErrUnavailable", err)
		}
	}
}

// What the store has, although it said that it failed, is routed when it is
// sent again, together with what is before it.
func TestStoreLiesAndRetry(t *testing.T) {
	r := new(recorder)
	g := &gate{Store: openStore(t)}
	h := newHub(t, g, r, events.DefaultConfig())
	unacknowledged(t, h, g, 4)
	r.want(t)
	if got := mustPublish(t, h, withID(event("log", 1), "1")); got.Duplicate || got.Offset != 2 || got.Epoch == "" {
		t.Errorf("an event that was not acknowledged, sent again: %+v", got)
	}
	r.want(t, `log {"n":0}`, `log {"n":1}`)
	if len(r.routed) != 2 {
		t.FailNow()
	}
	if e := r.routed[1].event; e.Offset != 2 || e.Epoch == "" || e.Replayed {
		t.Errorf("routed: %+v", e)
	}
	for i := range 2 {
		if got := mustPublish(t, h, withID(event("log", i), fmt.Sprint(i))); !got.Duplicate || got.Offset != uint64(i+1) {
			t.Errorf("event %d, sent again after it was routed: %+v", i, got)
		}
	}
	var l listener
	if err := h.Replay(t.Context(), "log", events.Since(0), events.Selection{}, &l); err != nil {
		t.Fatal(err)
	}
	l.want(t, "complete 1 2 live")

	receipts, err := h.PublishMany(t.Context(), []*events.Event{
		event("free", 8), withID(event("log", 3), "3"), event("log", 9), withID(event("log", 3), "3"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []events.Receipt{1: {Offset: 4}, 2: {Offset: 5}, 3: {Offset: 4, Duplicate: true}} {
		if got := receipts[i]; got.Offset != want.Offset || got.Duplicate != want.Duplicate {
			t.Errorf("receipt %d of the batch: %+v, want %+v", i, got, want)
		}
	}
	r.want(t, `log {"n":0}`, `log {"n":1}`, `free {"n":8}`, `log {"n":2}`, `log {"n":3}`, `log {"n":9}`)
	if got := h.Stats(); got.Duplicates != 3 || got.Routed != 6 || got.Skipped != 0 {
		t.Errorf("Stats: %+v, want 3 duplicates, 6 routed and none skipped", got)
	}
}

// What was trimmed before it could be routed is announced to live subscribers.
func TestFillFindsTrimmed(t *testing.T) {
	for _, test := range []struct {
		keep int
		want []string
	}{
		{2, []string{`log {"n":4}`, `log {"n":5}`, `log {"n":9}`}},
		{0, []string{`log {"n":9}`}},
	} {
		r := new(recorder)
		g := &gate{Store: openStore(t)}
		h := newHub(t, g, r, events.DefaultConfig())
		unacknowledged(t, h, g, 6)
		keep := events.Retain{Events: test.keep}
		if test.keep == 0 {
			keep = events.Retain{For: time.Nanosecond}
		}
		if _, err := g.Trim(t.Context(), "log", keep, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		mustPublish(t, h, event("log", 9))
		r.want(t, test.want...)
		if want, got := fmt.Sprintf("[log 1-%d]", 6-test.keep), fmt.Sprint(r.lost); got != want {
			t.Errorf("of 6 events %d are kept: the losses told are %s, want %s", test.keep, got, want)
		}
	}
}

// As long as the store cannot be read, an event that depends on it is not
// acknowledged when it is sent again.
func TestFillFailsForDuplicate(t *testing.T) {
	r := new(recorder)
	g := &gate{Store: openStore(t)}
	f := &flakyReader{Store: g}
	h := newHub(t, f, r, events.DefaultConfig())
	unacknowledged(t, h, g, 2)
	f.fails.Store(1)
	if _, err := h.Publish(t.Context(), withID(event("log", 1), "1")); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("Publish of an event whose predecessor cannot be read: %v, want ErrUnavailable", err)
	}
	r.want(t)
	if got := h.Stats(); got.Failed != 3 || got.Duplicates != 0 {
		t.Errorf("Stats: %+v, want 3 failed and no duplicates", got)
	}
	mustPublish(t, h, withID(event("log", 1), "1"))
	r.want(t, `log {"n":0}`, `log {"n":1}`)
}

// Before a new event, reading is tried again for a while. What cannot be read
// at all is counted, and stays in the log for replays.
func TestFillFailsForNew(t *testing.T) {
	for _, test := range []struct {
		name    string
		fails   int64
		want    []string
		skipped uint64
		lost    string
		took    time.Duration
	}{
		{"for a moment", 4, []string{`log {"n":0}`, `log {"n":1}`, `log {"n":7}`}, 0, "", 300 * time.Millisecond},
		{"for long", 5, []string{`log {"n":7}`}, 2, "log 1-2, or late", 300 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := new(recorder)
				g := &gate{Store: openStore(t)}
				f := &flakyReader{Store: g}
				h := newHub(t, f, r, events.DefaultConfig())
				unacknowledged(t, h, g, 2)
				f.fails.Store(test.fails)
				start := time.Now()
				if got := mustPublish(t, h, event("log", 7)); got.Offset != 3 {
					t.Errorf("receipt: %+v, want offset 3", got)
				}
				if took := time.Since(start); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				r.want(t, test.want...)
				if lost := strings.Join(r.lost, ", "); lost != test.lost {
					t.Errorf("subscribers are told that they miss %q, want %q", lost, test.lost)
				}
				if got := h.Stats(); got.Skipped != test.skipped {
					t.Errorf("%d events skipped, want %d", got.Skipped, test.skipped)
				}
				f.fails.Store(0)
				var l listener
				if err := h.Replay(t.Context(), "log", events.Since(0), events.Selection{}, &l); err != nil {
					t.Fatal(err)
				}
				l.want(t, "complete 1 2 3 live")
			})
		})
	}
}

// In a batch that is not acknowledged, what is in the log for good is routed.
func TestFillFailsInBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(recorder)
		g := &gate{Store: openStore(t)}
		f := &flakyReader{Store: g}
		h := newHub(t, f, r, events.DefaultConfig())
		unacknowledged(t, h, g, 2)
		f.fails.Store(2)
		batch := func() []*events.Event {
			return []*events.Event{withID(event("log", 1), "1"), withID(event("log", 2), "2")}
		}
		if receipts, err := h.PublishMany(t.Context(), batch()); receipts != nil || !errors.Is(err, events.ErrUnavailable) {
			t.Errorf("PublishMany: %v, %v; want ErrUnavailable", receipts, err)
		}
		r.want(t, `log {"n":0}`, `log {"n":1}`, `log {"n":2}`)
		receipts, err := h.PublishMany(t.Context(), batch())
		if err != nil || !receipts[0].Duplicate || !receipts[1].Duplicate {
			t.Errorf("PublishMany once more: %+v, %v; want duplicates", receipts, err)
		}
		r.want(t, `log {"n":0}`, `log {"n":1}`, `log {"n":2}`)
	})
}
