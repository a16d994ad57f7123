package events_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

// must returns what f returned without an error.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// pass lets so much time pass, and what happens in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// persistentClasses are those of the tests, where "log" and "other" can be
// subscribed to for an hour.
func persistentClasses() []events.ClassConfig {
	all := classes()
	all[0].Persistent, all[1].Persistent = time.Hour, time.Hour
	return all
}

// A reading is what one session has got of one persistent subscription.
type reading struct {
	held   *events.Held
	slow   time.Duration // that a replayed event takes
	quick  bool          // the client acknowledges each as soon as it is queued
	cancel context.CancelFunc
	ended  chan struct{} // the replay has

	mu   sync.Mutex
	live bool
	last uint64   // offset that it was sent
	got  []string // offsets, with an r behind those that are marked
	gaps int
}

func (r *reading) Recover(got events.Recovery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !got.Complete {
		r.gaps++
	}
}

func (r *reading) Send(ctx context.Context, e *events.Event) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if r.held.Had(e) {
		return nil
	}
	time.Sleep(r.slow)
	r.held.Sending(e)
	r.mu.Lock()
	r.got, r.last = append(r.got, fmt.Sprintf("%dr", e.Offset)), e.Offset
	r.mu.Unlock()
	if r.quick {
		if err := r.held.Ack(e.Epoch, e.Offset, nil); err != nil {
			return err
		}
	}
	r.held.Sent(e)
	return nil
}

func (r *reading) Live() {
	r.mu.Lock()
	r.live = true
	r.mu.Unlock()
	r.held.Live(true)
}

func (r *reading) route(e *events.Event) {
	r.mu.Lock()
	live := r.live
	if live {
		r.got, r.last = append(r.got, fmt.Sprint(e.Offset)), e.Offset
	}
	r.mu.Unlock()
	if live {
		r.held.Queued()
	}
}

// take returns what came since it was last called.
func (r *reading) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// A session of the tests is a holder and the questions that it was asked.
type session struct {
	*events.Holder
	quick bool // as its readings

	mu    sync.Mutex // guards the following
	asked []uint64
	sent  map[uint64]uint64 // by question, the last event before it

	of   atomic.Pointer[reading] // the first that it had
	deaf atomic.Bool             // it cannot be asked
}

// questions returns the numbers that the client was asked with.
func (s *session) questions() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// before returns the last event that was sent before the question.
func (s *session) before(number uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent[number]
}

// A desk is a hub with a keeper, and the readings that its router serves.
type desk struct {
	t     *testing.T
	hub   *events.Hub
	k     *events.Keeper
	shelf *shelf

	mu       sync.Mutex
	readings []*reading
}

func newDesk(t *testing.T, classes []events.ClassConfig) *desk {
	return newDeskOver(t, classes, openStore(t))
}

func newDeskOver(t *testing.T, classes []events.ClassConfig, store events.Store) *desk {
	d := &desk{t: t, shelf: newShelf()}
	rec := &recorder{hook: func(e *events.Event) {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, r := range d.readings {
			if r.held.Definition().Class == e.Class {
				r.route(e)
			}
		}
	}}
	rec.passed = func(c *events.Class, got events.Recovery) {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, r := range d.readings {
			if r.mu.Lock(); r.live && r.held.Definition().Class == c.Name() {
				r.held.Passed(events.Position{Epoch: got.Epoch, Offset: got.LostFrom - 1})
				r.live = false
				r.held.Live(false)
			}
			r.mu.Unlock()
		}
	}
	d.hub = must(events.NewHub(t.Context(), catalogue(t, classes), store, rec, events.DefaultConfig(), slog.New(slog.DiscardHandler)))(t)
	t.Cleanup(d.hub.Close)
	d.start()
	t.Cleanup(func() { d.k.Close(context.Background()) })
	return d
}

func (d *desk) start() {
	d.k = events.NewKeeper(d.shelf, d.hub, events.KeeperConfig{Most: 3}, slog.New(slog.DiscardHandler))
}

func (d *desk) session(owner string) *session {
	s := &session{sent: make(map[uint64]uint64)}
	s.Holder = d.k.NewHolder(owner, func(number uint64) bool {
		if s.deaf.Load() {
			return false
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, number)
		if r := s.of.Load(); r != nil {
			r.mu.Lock()
			s.sent[number] = r.last
			r.mu.Unlock()
		}
		return true
	})
	return s
}

// attach attaches and begins to read.
func (d *desk) attach(s *session, a events.Attach, slow time.Duration) *reading {
	d.t.Helper()
	held, err := s.Attach(d.t.Context(), a)
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &reading{held: held, slow: slow, quick: s.quick, cancel: cancel, ended: make(chan struct{})}
	s.of.CompareAndSwap(nil, r)
	d.mu.Lock()
	d.readings = append(d.readings, r)
	d.mu.Unlock()
	go func() {
		defer close(r.ended)
		if err := d.hub.Replay(ctx, a.Class, held.Start(), a.Of, r); err != nil && ctx.Err() == nil {
			d.t.Errorf("Replay: %v", err)
		}
	}()
	return r
}

// mustAttach attaches, and waits until the reading is live.
func (d *desk) mustAttach(s *session, a events.Attach) *reading {
	d.t.Helper()
	r := d.attach(s, a, 0)
	<-r.ended
	return r
}

func (d *desk) detach(r *reading) {
	r.cancel()
	<-r.ended
	d.mu.Lock()
	d.readings = slices.DeleteFunc(d.readings, func(other *reading) bool { return other == r })
	d.mu.Unlock()
	r.held.Detach()
}

func (d *desk) publish(n int) {
	for range n {
		mustPublish(d.t, d.hub, event("log", 1))
	}
	synctest.Wait()
}

func (d *desk) want(r *reading, want ...string) {
	d.t.Helper()
	synctest.Wait()
	if got := r.take(); !slices.Equal(got, want) {
		d.t.Errorf("the session got %v, want %v", got, want)
	}
}

var onLog = events.Attach{Name: "log", Class: "log"}
