package events_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A gate is a store whose appends can be held back, or made to fail.
type gate struct {
	events.Store

	mu     sync.Mutex
	closed bool
	held   []func()
	fail   error // for every append, before it is done
	lie    error // for every append, although it is done
}

func (g *gate) Append(records []events.Record, done func([]events.Appended, error)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fail, lie := g.fail, g.lie
	run := func() {
		switch {
		case fail != nil:
			done(nil, fail)
		case lie != nil:
			g.Store.Append(records, func([]events.Appended, error) { done(nil, lie) })
		default:
			g.Store.Append(records, done)
		}
	}
	if g.closed {
		g.held = append(g.held, run)
		return
	}
	run()
}

func (g *gate) set(fail, lie error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail, g.lie = fail, lie
}

// shut holds back every append until open.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
	for _, run := range g.held {
		run()
	}
	g.held = nil
}

// outcomes collects what done is called with.
type outcomes struct {
	wg  sync.WaitGroup
	mu  sync.Mutex
	got []string // "n: offset" or "n: error", in order
}

// expect returns a done for the n-th publication, which it waits for.
func (o *outcomes) expect(n int) func(events.Receipt, error) {
	o.wg.Add(1)
	return func(r events.Receipt, err error) {
		o.mu.Lock()
		o.got = append(o.got, fmt.Sprintf("%d: %d %v", n, r.Offset, err))
		o.mu.Unlock()
		o.wg.Done() // panics if it is called twice
	}
}

func (o *outcomes) want(t *testing.T, want ...string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Equal(o.got, want) {
		t.Errorf("done was called with %q, want %q", o.got, want)
	}
}

func TestAsync(t *testing.T) {
	r := new(recorder)
	g := &gate{Store: openStore(t)}
	h := newHub(t, g, r, events.DefaultConfig())
	var o outcomes
	g.shut()
	h.PublishAsync(event("free", 1), o.expect(1)) // nothing is before it
	h.PublishAsync(event("log", 2), o.expect(2))
	h.PublishAsync(event("free", 3), o.expect(3)) // waits for 2
	h.PublishAsync(event("other", 4), o.expect(4))
	h.PublishAsync(event("none", 5), o.expect(5))
	h.PublishAsync(&events.Event{Class: "free", Data: []byte(`{}`)}, o.expect(6))
	h.PublishAsync(event("free", 7), o.expect(7)) // waits for 4
	h.NewLine().Publish(event("free", 8), o.expect(8))
	unknown, invalid := `5: 0 no event class has the name "none"`, "6: 0 free: field n: expected an integer, found nothing"
	o.want(t, "1: 0 <nil>", unknown, invalid, "8: 0 <nil>")
	r.want(t, `free {"n":1}`, `free {"n":8}`)
	if got := h.Stats(); got.Pending != 4 || got.PendingBytes != 4*7 {
		t.Errorf("Stats: %+v, want 4 events pending", got)
	}

	g.open()
	o.wg.Wait()
	o.want(t, "1: 0 <nil>", unknown, invalid, "8: 0 <nil>", "2: 1 <nil>", "3: 0 <nil>", "4: 1 <nil>", "7: 0 <nil>")
	r.want(t, `free {"n":1}`, `free {"n":8}`, `log {"n":2}`, `free {"n":3}`, `other {"n":4}`, `free {"n":7}`)
}

// A failure lets those behind it through.
func TestAsyncFailure(t *testing.T) {
	r := new(recorder)
	g := &gate{Store: openStore(t), fail: fmt.Errorf("%w: no room", events.ErrFull)}
	h := newHub(t, g, r, events.DefaultConfig())
	var o outcomes
	g.shut()
	h.PublishAsync(event("log", 1), o.expect(1))
	g.set(nil, nil)
	h.PublishAsync(event("free", 2), o.expect(2))
	h.PublishAsync(event("log", 3), o.expect(3))
	g.open()
	o.wg.Wait()
	o.want(t, "1: 0 events: the store is full: no room", "2: 0 <nil>", "3: 1 <nil>")
	r.want(t, `free {"n":2}`, `log {"n":3}`)
	if got := h.Stats(); got.Failed != 1 || got.Pending != 0 {
		t.Errorf("Stats: %+v, want 1 failed and none pending", got)
	}
}

// Events that are not retained only wait for their turn behind those that are,
// and do not share their fate.
func TestAsyncFreeOutlivesStore(t *testing.T) {
	r := new(recorder)
	g := &gate{Store: openStore(t), fail: fmt.Errorf("%w: no room", events.ErrFull)}
	h := newHub(t, g, r, events.DefaultConfig())
	var o outcomes
	g.shut()
	h.PublishAsync(event("log", 1), o.expect(1))
	h.PublishAsync(event("free", 2), o.expect(2))
	h.PublishAsync(event("log", 3), o.expect(3))
	h.PublishAsync(event("free", 4), o.expect(4))
	g.open()
	o.wg.Wait()
	o.want(t, "1: 0 events: the store is full: no room", "2: 0 <nil>", "3: 0 events: the store is full: no room", "4: 0 <nil>")
	r.want(t, `free {"n":2}`, `free {"n":4}`)
	if got := h.Stats(); got.Failed != 2 || got.Routed != 2 || got.Pending != 0 {
		t.Errorf("Stats: %+v, want 2 failed, 2 routed and none pending", got)
	}
}

// Each of many callers has its events routed in its order, whatever classes
// they are of, and every done is called once.
func TestAsyncOrder(t *testing.T) {
	const callers, each = 8, 200
	for _, test := range []struct {
		name  string
		lines bool
	}{{"a line each", true}, {"one line for all", false}} {
		t.Run(test.name, func(t *testing.T) {
			r := new(recorder)
			h := newHub(t, openStore(t), r, events.DefaultConfig())
			var o outcomes
			var wg sync.WaitGroup
			for caller := range callers {
				publish := h.PublishAsync
				if test.lines {
					publish = h.NewLine().Publish
				}
				wg.Go(func() {
					for i := range each {
						e := event([]string{"log", "free", "other", "free", "free"}[(i*7+caller)%5], caller*each+i)
						publish(e, o.expect(i))
					}
				})
			}
			wg.Wait()
			o.wg.Wait()
			next := make([]int, callers)
			for _, x := range r.routed {
				var n int
				fmt.Sscanf(string(x.event.Data), `{"n":%d}`, &n)
				caller := n / each
				if n%each != next[caller] {
					t.Fatalf("caller %d: event %d is routed after %d", caller, n%each, next[caller]-1)
				}
				next[caller]++
			}
			for caller, n := range next {
				if n != each {
					t.Errorf("caller %d: %d events were routed, want %d", caller, n, each)
				}
			}
		})
	}
}

// Whoever finds the hub full waits, and is counted.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(recorder)
		g := &gate{Store: openStore(t)}
		config := events.DefaultConfig()
		config.PendingEvents = 3
		h := newHub(t, g, r, config)
		g.shut()
		var o outcomes
		var published atomic.Int64
		var publisher sync.WaitGroup
		publisher.Go(func() {
			for n := range 5 {
				h.PublishAsync(event([]string{"log", "free"}[n%2], n), o.expect(n))
				published.Add(1)
			}
		})
		synctest.Wait()
		if got := h.Stats(); published.Load() != 3 || got.Waits != 1 || got.Pending != 3 {
			t.Errorf("%d calls returned, want 3; %+v", published.Load(), got)
		}

		// One that gives up, before the store has anything of it.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := h.Publish(ctx, event("log", 9)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Publish into a full hub: %v, want DeadlineExceeded", err)
		}
		// A free event that need not wait for anything goes its way.
		mustPublish(t, h, event("free", 10))

		g.open()
		publisher.Wait()
		o.wg.Wait()
		r.want(t, `free {"n":10}`, `log {"n":0}`, `free {"n":1}`, `log {"n":2}`, `free {"n":3}`, `log {"n":4}`)
		// The fifth waits, too, unless there is room again when it comes.
		if got := h.Stats(); got.Pending != 0 || got.PendingBytes != 0 || got.Waits < 2 || got.Waits > 3 {
			t.Errorf("%+v, want nothing pending", got)
		}
	})
}

// A batch that is larger than what may be pending gets in alone.
func TestFullLarge(t *testing.T) {
	r := new(recorder)
	config := events.DefaultConfig()
	config.PendingEvents, config.PendingBytes = 2, 10
	h := newHub(t, openStore(t), r, config)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if _, err := h.PublishMany(t.Context(), []*events.Event{event("log", 1), event("log", 2), event("log", 3)}); err != nil {
					t.Error(err)
				}
				mustPublish(t, h, event("other", 4))
			}
		})
	}
	wg.Wait()
	if got := len(r.seen()); got != 4*5*4 {
		t.Errorf("%d events were routed, want %d", got, 4*5*4)
	}
}

// Publish returns when its context ends, and the event may be accepted
// nevertheless.
func TestPublishCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(recorder)
		g := &gate{Store: openStore(t)}
		h := newHub(t, g, r, events.DefaultConfig())
		g.shut()
		gone := errors.New("the client is gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(gone) })
		if _, err := h.Publish(ctx, event("log", 1)); !errors.Is(err, gone) {
			t.Errorf("Publish: %v, want the cause of the cancellation", err)
		}
		g.open()
		mustPublish(t, h, event("log", 2))
		r.want(t, `log {"n":1}`, `log {"n":2}`)
	})
}

// Close delivers what was accepted, and refuses who still waits.
func TestCloseDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(recorder)
		g := &gate{Store: openStore(t)}
		config := events.DefaultConfig()
		config.PendingEvents = 2
		h := newHub(t, g, r, config)
		g.shut()
		var o outcomes
		h.PublishAsync(event("log", 1), o.expect(1))
		h.PublishAsync(event("free", 2), o.expect(2))
		var waiter, closer sync.WaitGroup
		waiter.Go(func() { h.PublishAsync(event("log", 3), o.expect(3)) })
		synctest.Wait()
		closer.Go(h.Close)
		waiter.Wait()
		o.want(t, "3: 0 events: closed")
		g.open()
		closer.Wait()
		o.want(t, "3: 0 events: closed", "1: 1 <nil>", "2: 0 <nil>")
		r.want(t, `log {"n":1}`, `free {"n":2}`)
	})
}

func TestStoreFails(t *testing.T) {
	r := new(recorder)
	g := &gate{Store: openStore(t), fail: fmt.Errorf("%w: no room", events.ErrFull)}
	h := newHub(t, g, r, events.DefaultConfig())
	if _, err := h.Publish(t.Context(), event("log", 1)); !errors.Is(err, events.ErrFull) {
		t.Errorf("Publish: %v, want ErrFull", err)
	}
	if _, err := h.PublishMany(t.Context(), []*events.Event{event("free", 2), event("log", 3)}); !errors.Is(err, events.ErrFull) {
		t.Errorf("PublishMany: %v, want ErrFull", err)
	}
	r.want(t)
	if got := h.Stats(); got.Failed != 3 || got.Routed != 0 {
		t.Errorf("Stats: %+v, want 3 failed", got)
	}
	g.set(nil, nil)
	if got := mustPublish(t, h, event("log", 4)); got.Offset != 1 {
		t.Errorf("the first event that the store takes: %+v", got)
	}
}

// What the store has, although it said that it failed, is routed in its place
// before what follows, and acknowledged if it is sent again.
func TestStoreLies(t *testing.T) {
	r := new(recorder)
	g := &gate{Store: openStore(t), lie: events.ErrUnavailable}
	h := newHub(t, g, r, events.DefaultConfig())
	for n := range 100 {
		e := withID(event("log", n), fmt.Sprint(n))
		e.Data = fmt.Appendf(nil, `{"n":%d,"room":"a"}`, n)
		if _, err := h.Publish(t.Context(), e); !errors.Is(err, events.ErrUnavailable) {
			t.Fatalf("Publish: %v, want ErrUnavailable", err)
		}
	}
	r.want(t)
	g.set(nil, nil)
	mustPublish(t, h, event("log", 100))
	if len(r.routed) != 101 {
		t.Fatalf("%d events were routed, want 101", len(r.routed))
	}
	for i, x := range r.routed {
		if x.event.Offset != uint64(i+1) || x.event.Epoch == "" || i < 100 && x.channel != "a" || x.event.Replayed {
			t.Errorf("event %d was routed as %+v of the channel %q", i, x.event, x.channel)
		}
	}
	again := withID(event("log", 7), "7")
	again.Data = []byte(`{"n":7,"room":"a"}`)
	if got := mustPublish(t, h, again); !got.Duplicate || got.Offset != 8 {
		t.Errorf("an event sent again: %+v", got)
	}
}

// Concurrent publishers of the same event: it is routed once, and all get the
// same receipt.
func TestConcurrentDuplicates(t *testing.T) {
	for _, class := range []string{"free", "log"} {
		t.Run(class, func(t *testing.T) {
			r := new(recorder)
			h := newHub(t, openStore(t), r, events.DefaultConfig())
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for n := range 30 {
						mustPublish(t, h, withID(event(class, n), fmt.Sprint(n)))
					}
				})
			}
			wg.Wait()
			if got := len(r.seen()); got != 30 {
				t.Errorf("%d events were routed, want 30", got)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := events.DefaultConfig()
		config.DuplicateIDs, config.DuplicateFor = 100, time.Minute
		h := newHub(t, openStore(t), new(recorder), config)
		publish := func(n int, want bool) {
			t.Helper()
			if got := mustPublish(t, h, withID(event("free", n), fmt.Sprint(n))); got.Duplicate != want {
				t.Errorf("event %d: Duplicate is %v, want %v", n, got.Duplicate, want)
			}
		}
		publish(0, false)
		time.Sleep(59 * time.Second)
		publish(0, true)
		time.Sleep(time.Second)
		publish(0, false) // it is remembered since it was first seen
		for n := 1; n <= 250; n++ {
			publish(n, false)
			publish(max(n-99, 0), true)
		}
		publish(150, false)
		publish(152, true)
		time.Sleep(2 * time.Minute)
		publish(250, false)
	})
}

func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := classes()
		cs[0].Retain = events.Retain{For: time.Hour}
		cs[1].Retain = events.Retain{Events: 2, For: 24 * time.Hour}
		s := openStore(t)
		h := newHub(t, s, new(recorder), events.DefaultConfig())
		for n := range 10 {
			mustPublish(t, h, event("log", n))
			mustPublish(t, h, event("other", n))
			time.Sleep(10 * time.Minute)
		}
		if err := h.SetCatalogue(t.Context(), catalogue(t, cs)); err != nil {
			t.Fatal(err)
		}
		wantFirst := func(class string, want uint64) {
			t.Helper()
			if b, err := s.Bounds(t.Context(), class); err != nil || b.First != want {
				t.Errorf("the log of %s begins at %d, %v; want %d", class, b.First, err, want)
			}
		}
		wantFirst("log", 1)
		time.Sleep(2 * time.Minute)
		wantFirst("log", 6) // 42 minutes ago
		wantFirst("other", 9)
		time.Sleep(time.Hour)
		wantFirst("log", 11)
		wantFirst("other", 9)
		time.Sleep(24 * time.Hour)
		wantFirst("other", 11)
	})
}
