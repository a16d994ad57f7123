package events_test

import (
	"cmp"
	"context"
	"errors"
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

// A shelf is a store of persistent subscriptions in memory.
type shelf struct {
	mu   sync.Mutex
	all  map[[2]string]events.Persistent
	fail error // of MovePersistents
	puts int
	hold func(ctx context.Context, name string) error // called by Persistent; may be nil
	late func()                                       // called by Persistent with what it has found; may be nil
}

func newShelf() *shelf { return &shelf{all: make(map[[2]string]events.Persistent)} }

func copyOf(p events.Persistent) events.Persistent {
	p.Acked = slices.Clone(p.Acked)
	return p
}

func (s *shelf) PutPersistent(_ context.Context, p *events.Persistent, most int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{p.Owner, p.Name}
	n := 0
	for k, old := range s.all {
		if k[0] == p.Owner && k != key && old.Expires.After(p.Seen) {
			n++
		}
	}
	if n >= most {
		return fmt.Errorf("%w: %d", events.ErrTooManyPersistent, n)
	}
	s.all[key] = copyOf(*p)
	s.puts++
	return nil
}

func (s *shelf) Persistent(ctx context.Context, owner, name string) (*events.Persistent, error) {
	if s.hold != nil {
		if err := s.hold(ctx, name); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	p, ok := s.all[[2]string{owner, name}]
	p = copyOf(p)
	s.mu.Unlock()
	if s.late != nil {
		s.late()
	}
	if !ok {
		return nil, events.ErrNotPersistent
	}
	return &p, nil
}

func (s *shelf) Persistents(_ context.Context, owner string) ([]events.Persistent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []events.Persistent
	for k, p := range s.all {
		if k[0] == owner {
			all = append(all, copyOf(p))
		}
	}
	slices.SortFunc(all, func(a, b events.Persistent) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

func (s *shelf) MovePersistents(_ context.Context, moves []events.Move) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	for _, m := range moves {
		key := [2]string{m.Owner, m.Name}
		p, ok := s.all[key]
		if !ok {
			continue
		}
		switch {
		case p.Position.Epoch == m.Position.Epoch:
			if m.Position.Offset >= p.Position.Offset {
				p.Position, p.Acked = m.Position, slices.Clone(m.Acked)
			}
		case p.Position.Epoch == m.Was:
			p.Position, p.Acked = m.Position, slices.Clone(m.Acked)
		}
		if m.Seen.After(p.Seen) {
			p.Seen = m.Seen
		}
		if m.Expires.After(p.Expires) {
			p.Expires = m.Expires
		}
		s.all[key] = p
	}
	return nil
}

func (s *shelf) DeletePersistent(_ context.Context, owner, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, [2]string{owner, name})
	return nil
}

func (s *shelf) DeleteOwner(context.Context, string) (int, error) { return 0, errors.ErrUnsupported }

func (s *shelf) DeleteExpiredPersistents(context.Context, time.Time) (int, error) {
	return 0, errors.ErrUnsupported
}

func (s *shelf) EachPersistent(context.Context, string, string, func(*events.Persistent) bool) error {
	return errors.ErrUnsupported
}

func (s *shelf) fails(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// put changes a position as a store does that loses its end, or another gateway.
func (s *shelf) put(owner, name string, at events.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.all[[2]string{owner, name}]
	p.Position, p.Acked = at, nil
	s.all[[2]string{owner, name}] = p
}

func (s *shelf) position(owner, name string) events.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[[2]string{owner, name}].Position
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

// A client that answers gets each event once; what it did not answer for comes
// again, marked.
func TestKeeperAuto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		d.publish(3)
		s := d.session("joe")
		r := d.mustAttach(s, onLog)
		if !r.held.Fresh() {
			t.Error("a subscription that nobody had is not fresh")
		}
		d.publish(2)
		d.want(r, "4", "5")
		if len(s.questions()) != 0 {
			t.Error("the client was asked at once")
		}
		pass(time.Second)
		if len(s.questions()) != 1 {
			t.Fatalf("the client was asked %d times within a second, want once", len(s.questions()))
		}
		d.publish(1)
		s.Answered(s.questions()[0]) // behind 5
		pass(2 * time.Second)
		if got := d.shelf.position("joe", "log").Offset; got != 5 {
			t.Errorf("the position is %d, want 5", got)
		}
		d.want(r, "6")
		d.detach(r)
		pass(time.Minute)
		if len(s.questions()) != 2 {
			t.Errorf("the client was asked %d times, want twice", len(s.questions()))
		}
		if st := d.k.Stats(); st.Attached != 0 || st.Waiting != 0 {
			t.Errorf("the keeper has %+v of a client that has gone", st)
		}
		s.Answered(s.questions()[1]) // too late
		d.publish(2)

		s = d.session("joe")
		r = d.mustAttach(s, onLog)
		d.want(r, "6r", "7r", "8r")
		d.publish(1)
		d.want(r, "9")
		pass(time.Second)
		s.Answered(s.questions()[0])
		d.detach(r)
		r = d.mustAttach(d.session("joe"), onLog)
		d.want(r)
		other := d.mustAttach(d.session("ada"), onLog)
		d.want(other)
		d.publish(1)
		d.want(r, "10")
		d.want(other, "10")
	})
}

// A client that answers late, while more is sent all the time, moves on all the
// same.
func TestKeeperHearsLateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		s := d.session("joe")
		r := d.mustAttach(s, onLog)
		const late = 8 // questions are on their way
		for range 300 {
			d.publish(1)
			pass(50 * time.Millisecond)
			if asked := s.questions(); len(asked) > late {
				s.Answered(asked[len(asked)-late])
			}
		}
		at, _ := r.held.Position()
		last := s.questions()
		if sent := s.before(last[len(last)-late]); at.Offset > sent || at.Offset < sent/2 {
			t.Errorf("the position is %d, and all up to %d was answered", at.Offset, sent)
		}
		s.Answered(last[len(last)-1])
		if at, _ := r.held.Position(); at.Offset != s.before(last[len(last)-1]) {
			t.Errorf("the position is %d after the last answer, want %d", at.Offset, s.before(last[len(last)-1]))
		}
		d.detach(r)
	})
}

// What is sent is asked for at most four times a second, and not at all if
// nothing is sent; an answer that does not come is asked for again.
func TestKeeperAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		s := d.session("joe")
		r := d.mustAttach(s, onLog)
		for range 100 {
			d.publish(1)
			pass(20 * time.Millisecond)
		}
		if n := len(s.questions()); n < 4 || n > 9 {
			t.Errorf("asked %d times in 2 seconds, want at most 9", n)
		}
		s.Answered(s.questions()[len(s.questions())-1] + 10) // nobody asked that
		pass(30 * time.Second)
		if got := d.shelf.position("joe", "log").Offset; got != 0 {
			t.Errorf("the position is %d, and nothing was answered", got)
		}
		again := len(s.questions())
		s.Answered(s.questions()[again-1])
		pass(time.Hour)
		if len(s.questions()) != again {
			t.Errorf("asked %d times more for nothing", len(s.questions())-again)
		}
		if got := d.shelf.position("joe", "log").Offset; got != 100 {
			t.Errorf("the position is %d, want 100", got)
		}
		s.deaf.Store(true)
		d.publish(1)
		pass(time.Minute)
		s.deaf.Store(false)
		pass(time.Minute)
		s.Answered(s.questions()[len(s.questions())-1])
		pass(2 * time.Second)
		if got := d.shelf.position("joe", "log").Offset; got != 101 {
			t.Errorf("the position is %d, want 101: a client that was away can be asked later", got)
		}
		d.detach(r)
	})
}

// Where nothing is sent the position follows the log.
func TestKeeperQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		s := d.session("joe")
		a := onLog
		a.Class, a.Name = "other", "other"
		d.mustAttach(s, a)
		held, err := s.Attach(t.Context(), onLog) // it is sent nothing, as by a query
		if err != nil {
			t.Fatal(err)
		}
		held.Live(true)
		d.publish(50)
		pass(2 * time.Minute)
		if got := d.shelf.position("joe", "log").Offset; got != 50 {
			t.Errorf("the position is %d, want 50", got)
		}
		if len(s.questions()) != 0 {
			t.Errorf("asked %d times for nothing", len(s.questions()))
		}
	})
}

// Explicit acknowledgement: what is not acknowledged comes again, and nothing
// else.
func TestKeeperExplicit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		s := d.session("joe")
		a := onLog
		a.Explicit = true
		r := d.mustAttach(s, a)
		d.publish(10)
		r.take()
		epoch := d.hub.Mark("log").Epoch
		ack := func(epoch string, through uint64, single ...uint64) error { return r.held.Ack(epoch, through, single) }
		for _, err := range []error{ack(epoch, 2), ack("", 1), ack("", 0, 4, 6, 5), ack(epoch, 0, 9, 3)} {
			if err != nil {
				t.Error(err)
			}
		}
		for _, tt := range []struct {
			err   error
			epoch bool
		}{{ack(epoch, 11), false}, {ack(epoch, 0, 12), false}, {ack("another", 1), true}} {
			if e, ok := errors.AsType[*events.AckError](tt.err); !ok || e.Epoch != tt.epoch {
				t.Errorf("got %v, want an AckError about the epoch: %v", tt.err, tt.epoch)
			}
		}
		if at, acked := r.held.Position(); at.Offset != 6 || !slices.Equal(acked, []events.Span{{From: 9, Through: 9}}) {
			t.Errorf("acknowledged up to %d and %v, want 6 and 9", at.Offset, acked)
		}
		if len(s.questions()) != 0 {
			t.Error("the client was asked what it says itself")
		}
		d.detach(r)
		pass(5 * time.Second)
		r = d.mustAttach(d.session("joe"), a)
		d.want(r, "7r", "8r", "10r")
		if err := r.held.Ack("", 10, nil); err != nil {
			t.Error(err)
		}
		d.detach(r)
		d.want(d.mustAttach(d.session("joe"), a))
	})
}

// A client may acknowledge an event of a replay before the one who has queued it
// comes to say so.
func TestKeeperExplicitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		a := onLog
		a.Explicit = true
		d.detach(d.mustAttach(d.session("joe"), a))
		d.publish(3)
		s := d.session("joe")
		s.quick = true
		r := d.mustAttach(s, a)
		d.want(r, "1r", "2r", "3r")
		if at, _ := r.held.Position(); at.Offset != 3 {
			t.Errorf("acknowledged up to %d, want 3", at.Offset)
		}
	})
}

// Several sessions of an owner each get everything; the furthest has the
// position. Who says where to begin does not move it back.
func TestKeeperShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		one, two := d.session("joe"), d.session("joe")
		first := d.mustAttach(one, onLog)
		d.publish(5)
		pass(time.Second)
		one.Answered(one.questions()[0])
		second := d.mustAttach(two, onLog)
		d.publish(1)
		d.want(first, "1", "2", "3", "4", "5", "6")
		d.want(second, "6")
		pass(time.Second)
		two.Answered(two.questions()[0])
		pass(2 * time.Second)
		if got := d.shelf.position("joe", "log").Offset; got != 6 {
			t.Errorf("the position is %d, want 6", got)
		}
		d.detach(second)
		back := onLog
		back.Start, back.Since = events.Since(2), true
		third := d.mustAttach(two, back)
		d.want(third, "3r", "4r", "5r", "6r")
		pass(time.Second)
		two.Answered(two.questions()[len(two.questions())-1])
		d.detach(first)
		d.detach(third)
		pass(2 * time.Second)
		d.publish(1)
		d.want(d.mustAttach(one, onLog), "7r")
	})
}

// A new subscription can begin in the past, and keeps that place.
func TestKeeperBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		d.publish(5)
		a := onLog
		a.Start, a.Since = events.Last(2), true
		r := d.mustAttach(d.session("joe"), a)
		d.want(r, "4r", "5r")
		d.detach(r)
		d.want(d.mustAttach(d.session("joe"), onLog), "4r", "5r")
	})
}

// Who asks for a part of the past of a subscription that there is gets at least
// what nobody has acknowledged, and more if that is what was asked for.
func TestKeeperNeverSkips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		a := onLog
		a.Explicit = true
		r := d.mustAttach(d.session("joe"), a)
		d.publish(5)
		if err := r.held.Ack("", 2, nil); err != nil {
			t.Fatal(err)
		}
		at, _ := r.held.Position()
		d.detach(r)
		for _, test := range []struct {
			start events.Start
			want  []string
		}{
			{events.Last(1), []string{"3r", "4r", "5r"}},
			{events.Last(0), []string{"3r", "4r", "5r"}},
			{events.Last(4), []string{"2r", "3r", "4r", "5r"}},
			{events.Since(4), []string{"3r", "4r", "5r"}},
			{events.Since(400), []string{"1r", "2r", "3r", "4r", "5r"}}, // the log never got there: all there is
			{events.Since(1), []string{"2r", "3r", "4r", "5r"}},
			{events.SincePosition(at.Epoch, 4), []string{"3r", "4r", "5r"}},
			{events.SincePosition(at.Epoch, 0), []string{"1r", "2r", "3r", "4r", "5r"}},
			{events.SinceTime(time.Now().Add(-time.Hour)), []string{"1r", "2r", "3r", "4r", "5r"}},
			{events.SinceTime(time.Now().Add(time.Hour)), []string{"3r", "4r", "5r"}},
		} {
			a.Start, a.Since = test.start.At(d.hub.Mark("log")), true
			r := d.mustAttach(d.session("joe"), a)
			d.want(r, test.want...)
			d.detach(r)
		}
	})
}

// What another gateway has appended, and this one has not routed yet, comes by the
// replay, marked, and not again when this one gets there: the client may have had
// it there.
func TestKeeperMarksWhatOthersRouted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := openStore(t)
		d := newDeskOver(t, persistentClasses(), store)
		r := d.mustAttach(d.session("joe"), onLog)
		d.publish(1)
		d.want(r, "1")
		other := newHub(t, store, new(recorder), events.DefaultConfig())
		for n := range 3 {
			mustPublish(t, other, event("log", n))
		}
		late := d.attach(d.session("joe"), onLog, 0)
		d.want(late, "1r", "2r", "3r", "4r")
		d.want(r)
		select {
		case <-late.ended:
			t.Error("it is live, and would get all of that again")
		default:
		}
		gone := d.attach(d.session("joe"), onLog, 0)
		d.detach(gone) // while it waits
		pass(2 * time.Second)
		<-late.ended
		d.want(r, "2", "3", "4")
		d.publish(1)
		d.want(late, "5")
		d.want(r, "5")
	})
}

// A subscription lives as long as it was asked to after its last session, and as
// long as it has one.
func TestKeeperExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		a := onLog
		a.For = 10 * time.Minute
		r := d.mustAttach(d.session("joe"), a)
		pass(24 * time.Hour)
		if p := must(d.shelf.Persistent(t.Context(), "joe", "log"))(t); time.Until(p.Expires) < 8*time.Minute {
			t.Errorf("it has a session, and expires in %v", time.Until(p.Expires))
		}
		d.detach(r)
		pass(9 * time.Minute)
		d.publish(1)
		r = d.mustAttach(d.session("joe"), a)
		d.want(r, "1r")
		d.detach(r)
		pass(11 * time.Minute)
		if all := must(d.k.List(t.Context(), "joe"))(t); len(all) != 0 {
			t.Errorf("the list has %v, which has expired", all)
		}
		d.publish(1)
		r = d.mustAttach(d.session("joe"), a)
		d.want(r)
		if !r.held.Fresh() {
			t.Error("a subscription that has expired is there still")
		}
	})
}

// What cannot be attached, and why.
func TestKeeperRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := persistentClasses()
		all[1].Persistent = 0
		d := newDesk(t, all)
		s := d.session("joe")
		d.mustAttach(s, onLog)
		errs := func(a events.Attach) error {
			_, err := s.Attach(t.Context(), a)
			return err
		}
		if _, ok := errors.AsType[*events.UnknownClassError](errs(events.Attach{Name: "x", Class: "none"})); !ok {
			t.Error("a class that there is not")
		}
		if err := errs(events.Attach{Name: "x", Class: "free"}); !errors.Is(err, events.ErrNotRetained) {
			t.Errorf("a class without a log: %v", err)
		}
		if err := errs(events.Attach{Name: "x", Class: "other"}); !errors.Is(err, events.ErrNotPersistable) {
			t.Errorf("a class that has none: %v", err)
		}
		if err := errs(events.Attach{Name: "x", Class: "log", Again: true}); !errors.Is(err, events.ErrNotPersistent) {
			t.Errorf("again, though there is none: %v", err)
		}
		for _, long := range []time.Duration{time.Second, 2 * time.Hour} {
			if _, ok := errors.AsType[*events.OptionError](errs(events.Attach{Name: "x", Class: "log", For: long})); !ok {
				t.Errorf("for %v: no error", long)
			}
		}
		if e, ok := errors.AsType[*events.OtherClassError](errs(events.Attach{Name: "log", Class: "log", Channel: "a"})); !ok || e.Topic != "log" {
			t.Error("the same name for another channel")
		}
		if e, ok := errors.AsType[*events.OtherAckError](errs(events.Attach{Name: "log", Class: "log", Explicit: true})); !ok || e.Explicit {
			t.Error("the same name, acknowledged in another way")
		}
		if held, err := d.session("joe").Attach(t.Context(), events.Attach{Name: "log", Class: "log", Explicit: true, AnyAck: true}); err != nil || held.Explicit() {
			t.Errorf("the same name, acknowledged in whatever way: %v", err)
		}
		for n := range 2 {
			if err := errs(events.Attach{Name: fmt.Sprint(n), Class: "log"}); err != nil {
				t.Error(err)
			}
		}
		if err := errs(events.Attach{Name: "x", Class: "log"}); !errors.Is(err, events.ErrTooManyPersistent) {
			t.Errorf("one too many: %v", err)
		}
		puts := d.shelf.puts
		if err := d.k.Remove(t.Context(), "joe", "none"); !errors.Is(err, events.ErrNotPersistent) {
			t.Errorf("Remove of none: %v", err)
		}
		held := s.Held("log")
		if err := d.k.Remove(t.Context(), "joe", "log"); err != nil {
			t.Error(err)
		}
		d.publish(1)
		if err := held.Ack("", 1, nil); !errors.Is(err, events.ErrNotPersistent) {
			t.Errorf("Ack of what was removed: %v", err)
		}
		held.Detach()
		held.Detach()
		if got := len(must(d.k.List(t.Context(), "joe"))(t)); got != 2 || d.shelf.puts != puts {
			t.Errorf("%d are left, want 2", got)
		}
		d.k.Close(t.Context())
		if err := errs(onLog); !errors.Is(err, events.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// A store that fails costs nothing but time; what could not be written is when
// it can be.
func TestKeeperStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		s := d.session("joe")
		a := onLog
		a.Explicit = true
		r := d.mustAttach(s, a)
		d.publish(3)
		d.shelf.fails(events.ErrUnavailable)
		for n := range 3 {
			if err := r.held.Ack("", uint64(n+1), nil); err != nil {
				t.Error(err)
			}
			pass(5 * time.Second)
		}
		d.detach(r)
		if st := d.k.Stats(); st.Failed == 0 || st.Waiting != 1 {
			t.Errorf("the counters are %+v", st)
		}
		d.want(d.mustAttach(s, a)) // memory knows better than the store
		d.shelf.fails(nil)
		pass(time.Minute)
		if got := d.shelf.position("joe", "log").Offset; got != 3 {
			t.Errorf("the position is %d, want 3", got)
		}
	})
}

// What passes a session by, while another replay runs or as it has unsubscribed, is
// not taken for sent.
func TestKeeperPassedBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		s := d.session("joe")
		r := d.mustAttach(s, onLog)
		d.publish(3)
		pass(time.Second)
		s.Answered(s.questions()[0])
		at, _ := r.held.Position()
		for asked, want := range map[events.Start]events.Start{
			events.Since(2):                         events.Since(2),
			events.Since(9):                         events.SincePosition(at.Epoch, 3),
			events.SincePosition(at.Epoch, 9):       events.SincePosition(at.Epoch, 3),
			events.SincePosition("of-elsewhere", 9): events.SincePosition("of-elsewhere", 9),
			events.Last(1):                          events.Last(1),
		} {
			if got, ok := r.held.Rewind(asked); !ok || got != want {
				t.Errorf("a replay from %+v begins with %+v, %v; want %+v", asked, got, ok, want)
			}
		}
		r.mu.Lock()
		r.live = false
		r.held.Live(false)
		r.mu.Unlock()
		if _, ok := r.held.Rewind(events.Since(0)); ok {
			t.Error("two replays at a time")
		}
		d.publish(4)
		r.held.Queued() // the replay sends something old
		pass(time.Second)
		asked := s.questions()
		s.Answered(asked[len(asked)-1])
		pass(time.Minute)
		if got := d.shelf.position("joe", "log").Offset; got != 3 {
			t.Errorf("the position is %d, want 3", got)
		}
		d.detach(r)
		d.want(d.mustAttach(d.session("joe"), onLog), "4r", "5r", "6r", "7r")
	})
}

// The position does not pass what the hub could not read, until a replay has
// brought that.
func TestKeeperMends(t *testing.T) {
	for _, explicit := range []bool{false, true} {
		t.Run(fmt.Sprintf("explicit=%v", explicit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gate{Store: openStore(t)}
				f := &flakyReader{Store: g}
				d := newDeskOver(t, persistentClasses(), f)
				s, a := d.session("joe"), onLog
				a.Explicit = explicit
				r := d.mustAttach(s, a)
				answer := func(through uint64) error {
					pass(time.Second)
					if explicit {
						return r.held.Ack("", through, nil)
					}
					for _, number := range s.questions() {
						s.Answered(number)
					}
					return nil
				}
				position := func(want uint64) {
					t.Helper()
					pass(time.Minute)
					if at, _ := r.held.Position(); at.Offset != want {
						t.Errorf("the position is %d, want %d", at.Offset, want)
					}
				}
				d.publish(1)
				if err := answer(1); err != nil {
					t.Error(err)
				}
				unacknowledged(t, d.hub, g, 2)
				f.fails.Store(1000)
				d.publish(2)
				r.held.Queued() // of a replay that sends something old
				if err := answer(4); (err == nil) == explicit {
					t.Errorf("what was not sent is acknowledged: %v", err)
				}
				position(1)
				f.fails.Store(0)
				d.want(r, "1")
				at := r.held.Reached()
				if err := d.hub.Replay(t.Context(), "log", events.SincePosition(at.Epoch, at.Offset), events.Selection{}, r); err != nil {
					t.Fatal(err)
				}
				d.want(r, "2r", "3r", "4r", "5r")
				d.publish(1)
				d.want(r, "6")
				if err := answer(6); err != nil {
					t.Error(err)
				}
				position(6)
			})
		})
	}
}

// To acknowledge nothing, or in a class that has no log any more, changes nothing.
func TestKeeperAcksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		a := onLog
		a.Explicit = true
		r := d.mustAttach(d.session("joe"), a)
		d.publish(3)
		if err := errors.Join(r.held.Ack("", 2, nil), r.held.Ack("", 0, nil)); err != nil {
			t.Error(err)
		}
		all := persistentClasses()
		all[0].Retain, all[0].Persistent = events.Retain{}, 0
		if err := d.hub.SetCatalogue(t.Context(), catalogue(t, all)); err != nil {
			t.Fatal(err)
		}
		for _, through := range []uint64{0, 2, 3} {
			if err := r.held.Ack("", through, nil); !errors.Is(err, events.ErrNotRetained) {
				t.Errorf("Ack up to %d in a class without a log: %v", through, err)
			}
		}
		pass(time.Minute)
		if got := d.shelf.position("joe", "log"); got.Offset != 2 || got.Epoch == "" {
			t.Errorf("the position is %v, want 2", got)
		}
	})
}

// Who waits for a store that does not answer holds up nobody else, and leaves
// when it need not wait any more.
func TestKeeperStoreWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		d.shelf.hold = func(ctx context.Context, name string) error {
			if name != "log" {
				return nil
			}
			<-ctx.Done()
			return context.Cause(ctx)
		}
		first, goAway := context.WithCancel(t.Context())
		second, giveUp := context.WithTimeout(t.Context(), time.Second)
		defer giveUp()
		begun := time.Now()
		for i, ctx := range []context.Context{first, second} {
			go func() {
				if _, err := d.session("joe").Attach(ctx, onLog); err == nil {
					t.Errorf("session %d has the subscription", i)
				}
			}()
			synctest.Wait()
		}
		for n := range 3 {
			d.mustAttach(d.session("joe"), events.Attach{Name: fmt.Sprint(n), Class: "log"})
		}
		if err := d.k.Remove(second, "joe", "log"); err == nil || time.Since(begun) != time.Second {
			t.Errorf("Remove: %v after %v", err, time.Since(begun))
		}
		goAway()
		synctest.Wait()
	})
}

// What a store has read is out of date if the position is written before it
// answers.
func TestKeeperStoreAnswersLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		a := onLog
		a.Explicit = true
		r := d.mustAttach(d.session("joe"), a)
		d.publish(3)
		if err := r.held.Ack("", 2, nil); err != nil {
			t.Error(err)
		}
		d.detach(r)
		d.shelf.late = func() { time.Sleep(10 * time.Second) }
		d.want(d.mustAttach(d.session("joe"), a), "3r")
		if at := d.shelf.position("joe", "log"); at.Offset != 2 {
			t.Errorf("the position %v was not written meanwhile", at)
		}
	})
}

// What was made for a session that never heard of it goes with it, but not from
// under another session.
func TestKeeperAbandon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		for _, tt := range []struct {
			others int // sessions that attach it, too
			want   int
		}{{0, 0}, {1, 1}, {0, 1}} {
			held := must(d.session("joe").Attach(t.Context(), onLog))(t)
			for range tt.others {
				d.mustAttach(d.session("joe"), onLog)
			}
			if err := held.Abandon(t.Context()); err != nil {
				t.Error(err)
			}
			if got := len(must(d.k.List(t.Context(), "joe"))(t)); got != tt.want {
				t.Errorf("with %d others, %d are left, want %d", tt.others, got, tt.want)
			}
		}
	})
}

// The position of a subscription that begins in the past is where the replay
// begins, whatever happens in between.
func TestKeeperBeginsWhereTheReplayDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		d.publish(5)
		a := onLog
		a.Start, a.Since = events.Last(2).At(d.hub.Mark("log")), true
		d.publish(2)
		r := d.mustAttach(d.session("joe"), a)
		if at, _ := r.held.Position(); at.Offset != 3 {
			t.Errorf("the position is %d, want 3", at.Offset)
		}
		d.want(r, "4r", "5r", "6r", "7r")
	})
}

// A store that has lost its end has positions of earlier epochs than those that
// it was told last. What moves on in the next epoch is written all the same, but
// not over what somebody else has written of a newer one.
func TestKeeperStoreLosesPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &keptEpoch{Store: openStore(t)}
		d := newDeskOver(t, persistentClasses(), g)
		a := onLog
		a.Explicit = true
		r := d.mustAttach(d.session("joe"), a)
		move := func(epoch string, base, through uint64) {
			t.Helper()
			pass(time.Minute) // what is being written is written
			g.epoch, g.base = epoch, base
			d.publish(1)
			if err := r.held.Ack("", through, nil); err != nil {
				t.Errorf("Ack in the epoch %q: %v", epoch, err)
			}
			pass(10 * time.Second)
		}
		want := func(epoch string, offset uint64) {
			t.Helper()
			if got, want := d.shelf.position("joe", "log"), (events.Position{Epoch: epoch, Offset: offset}); got != want {
				t.Errorf("the position is %v, want %v", got, want)
			}
		}
		move("first", 0, 1)
		want("first", 1)
		move("second", 1, 2)
		want("second", 2)
		d.shelf.put("joe", "log", events.Position{Epoch: "first", Offset: 1})
		move("third", 2, 3)
		want("third", 3)

		d.shelf.put("joe", "log", events.Position{Epoch: "first", Offset: 1})
		move("fourth", 3, 4)
		d.detach(r) // with its position written, nobody has it in memory
		pass(10 * time.Second)
		want("fourth", 4)

		r = d.mustAttach(d.session("joe"), a)
		pass(time.Minute)
		g.epoch, g.base = "fifth", 4
		d.publish(1)
		if err := r.held.Ack("", 5, nil); err != nil {
			t.Error(err)
		}
		g.epoch = "sixth" // before it is written, another gateway knows this one
		d.shelf.put("joe", "log", events.Position{Epoch: "sixth", Offset: 5})
		pass(10 * time.Second)
		want("sixth", 5)
	})
}

// Close writes what has moved a moment ago.
func TestKeeperClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		a := onLog
		a.Explicit = true
		r := d.mustAttach(d.session("joe"), a)
		d.publish(2)
		if err := r.held.Ack("", 2, nil); err != nil {
			t.Error(err)
		}
		d.k.Close(t.Context())
		if got := d.shelf.position("joe", "log").Offset; got != 2 {
			t.Errorf("the position is %d, want 2", got)
		}
	})
}
