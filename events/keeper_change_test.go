package events_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A session that got events by a query which the subscription has no more does
// not acknowledge, for others, what they want and it was not sent.
func TestKeeperOtherQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, explicit := range []bool{false, true} {
			d := newDesk(t, persistentClasses())
			a, b := onLog, onLog
			a.Where, b.Where, a.Explicit, b.Explicit = "n == 1", "n == 2", explicit, explicit
			old := d.session("joe")
			r := d.mustAttach(old, a)
			d.detach(d.mustAttach(d.session("joe"), b)) // which changes its mind, and goes away
			d.publish(5)
			if explicit {
				if _, ok := errors.AsType[*events.AckError](r.held.Ack("", 5, nil)); !ok {
					t.Error("what was sent by another query is acknowledged up to an offset")
				}
				if err := r.held.Ack("", 0, []uint64{3}); err != nil {
					t.Errorf("a single event is not acknowledged: %v", err)
				}
			} else {
				pass(time.Second)
				asked := old.questions()
				old.Answered(asked[len(asked)-1])
			}
			pass(5 * time.Minute)
			want := []string{"1r", "2r", "3r", "4r", "5r"}
			if explicit {
				want = []string{"1r", "2r", "4r", "5r"}
			}
			d.want(d.mustAttach(d.session("joe"), b), want...)
			again := d.mustAttach(d.session("joe"), a) // the query of before is the one that counts again
			d.publish(1)
			if explicit {
				if err := again.held.Ack("", 6, nil); err != nil {
					t.Error(err)
				}
				if err := r.held.Ack("", 6, nil); err != nil {
					t.Errorf("a session with the same query: %v", err)
				}
			}
		}
	})
}

// What another gateway has removed, and somebody has made anew here, has nothing
// of what was there before, also while a session has that still.
func TestKeeperMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		old := d.session("joe")
		r := d.mustAttach(old, onLog)
		d.publish(3)
		pass(time.Second)
		old.Answered(old.questions()[0])
		pass(2 * time.Second)
		if err := d.shelf.DeletePersistent(t.Context(), "joe", "log"); err != nil {
			t.Fatal(err)
		}
		a := events.Attach{Name: "log", Class: "other", Explicit: true}
		next := d.mustAttach(d.session("joe"), a)
		if !next.held.Fresh() {
			t.Error("it is not a new one")
		}
		mustPublish(t, d.hub, event("other", 1))
		d.publish(1)
		if err := next.held.Ack("", 1, nil); err != nil {
			t.Errorf("what the new one was sent is not acknowledged: %v", err)
		}
		if at, _ := next.held.Position(); at != (events.Position{Epoch: d.hub.Mark("other").Epoch, Offset: 1}) {
			t.Errorf("its position is %v", at)
		}
		if err := r.held.Ack("", 4, nil); !errors.Is(err, events.ErrNotPersistent) {
			t.Errorf("Ack of what there is no more: %v", err)
		}
		d.detach(r)
		pass(2 * time.Second)
		if got := d.shelf.position("joe", "log"); got.Offset != 1 {
			t.Errorf("the position that is stored is %v, want that of the new one", got)
		}
		d.detach(next)
		d.want(d.mustAttach(d.session("joe"), a))
	})
}

// A session can find out that what it has was removed, here or elsewhere.
func TestHeldGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		for name, remove := range map[string]func(d *desk) error{
			"here":      func(d *desk) error { return d.k.Remove(t.Context(), "joe", "log") },
			"elsewhere": func(d *desk) error { return d.shelf.DeletePersistent(t.Context(), "joe", "log") },
		} {
			d := newDesk(t, persistentClasses())
			r := d.mustAttach(d.session("joe"), onLog)
			if gone, err := r.held.Gone(t.Context()); gone || err != nil {
				t.Errorf("%s: before: %v, %v", name, gone, err)
			}
			d.shelf.hold = func(context.Context, string) error { return away }
			if _, err := r.held.Gone(t.Context()); !errors.Is(err, away) {
				t.Errorf("%s: the store cannot be asked: %v", name, err)
			}
			d.shelf.hold = nil
			if err := remove(d); err != nil {
				t.Fatal(err)
			}
			if gone, err := r.held.Gone(t.Context()); !gone || err != nil {
				t.Errorf("%s: after: %v, %v", name, gone, err)
			}
			d.publish(1)
			if err := r.held.Ack("", 1, nil); !errors.Is(err, events.ErrNotPersistent) {
				t.Errorf("%s: Ack: %v", name, err)
			}
			d.detach(r)
		}
	})
}

// What was acknowledged in the log of before, as far as that goes on in another
// epoch, stays acknowledged, single events included; and what is asked for in the
// new epoch is compared with the position as it is there.
func TestKeeperGoesOnInAnotherEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &keptEpoch{Store: openStore(t), epoch: "first"}
		d := newDeskOver(t, persistentClasses(), g)
		a := onLog
		a.Explicit = true
		r := d.mustAttach(d.session("joe"), a)
		d.publish(5)
		if err := r.held.Ack("", 2, []uint64{4, 5}); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		g.epoch, g.base, g.line = "second", 4, "first:4" // the fifth was lost
		d.publish(1)
		pass(time.Minute)
		if err := r.held.Ack("", 0, []uint64{6}); err != nil {
			t.Fatal(err)
		}
		at, acked := r.held.Position()
		if want := (events.Position{Epoch: "second", Offset: 2}); at != want || len(acked) != 2 || acked[0] != (events.Span{From: 4, Through: 4}) || acked[1] != (events.Span{From: 6, Through: 6}) {
			t.Errorf("the position is %v with %v behind it, want %v with 4 and 6", at, acked, want)
		}
		if p := must(d.k.Get(t.Context(), "joe", "log"))(t); p.Position != at || len(p.Acked) != 2 {
			t.Errorf("before it is written, others find %v with %v, want what was acknowledged", p.Position, p.Acked)
		}
		if err := r.held.Ack("", 6, nil); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		d.detach(r)
		pass(time.Minute)
		g.epoch, g.base, g.line = "third", 3, "second:3 first:3"
		d.publish(1)
		pass(time.Minute)
		a.Start, a.Since = events.Since(4), true
		d.want(d.mustAttach(d.session("joe"), a), "4r", "5r", "6r", "7r")
	})
}

// What a replay has sent of the log of before says nothing of how much was sent of
// this one.
func TestHeldReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		r := d.mustAttach(d.session("joe"), onLog)
		for _, to := range []events.Position{{Epoch: "a", Offset: 9}, {Epoch: "b", Offset: 2}, {Epoch: "b", Offset: 3}} {
			r.held.Sent(&events.Event{Epoch: to.Epoch, Offset: to.Offset})
			if got := r.held.Reached(); got != to {
				t.Errorf("all up to %v is said to be sent, want up to %v", got, to)
			}
		}
		d.detach(r)
	})
}

// Of two sessions that want a new subscription at the same time one makes it, and
// the other one finds it.
func TestKeeperMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		release := make(chan struct{})
		var asked atomic.Bool
		d.shelf.late = func() {
			if asked.CompareAndSwap(false, true) {
				<-release
			}
		}
		var got [2]*events.Held
		var both sync.WaitGroup
		for i := range got {
			both.Go(func() { got[i] = must(d.session("joe").Attach(t.Context(), onLog))(t) })
			synctest.Wait()
			d.publish(1)
		}
		close(release)
		both.Wait()
		if !got[0].Fresh() || got[1].Fresh() {
			t.Errorf("the first session has made it: %v; the second one: %v", got[0].Fresh(), got[1].Fresh())
		}
		if one, _ := got[0].Position(); one != d.shelf.position("joe", "log") {
			t.Errorf("the position is %v, and stored is %v", one, d.shelf.position("joe", "log"))
		}
	})
}

// Another time to live counts from when a session asks for it.
func TestKeeperOtherLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		a := onLog
		for _, life := range []time.Duration{10 * time.Minute, 30 * time.Minute, 5 * time.Minute} {
			a.For = life
			d.detach(d.mustAttach(d.session("joe"), a))
			pass(2 * time.Second)
			if p := must(d.k.Get(t.Context(), "joe", "log"))(t); p.For != life {
				t.Errorf("it lives for %v, want %v", p.For, life)
			}
		}
	})
}

// Positions that cannot be written, of sessions that have left, take so much room
// and no more.
func TestKeeperGivesUpMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("it takes long with the race detector")
	}
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		d.shelf.fails(errors.New("disk full"))
		const most, more = 1 << 16, 100
		for n := range most + more {
			owner := fmt.Sprint(n)
			held, err := d.k.NewHolder(owner, nil).Attach(t.Context(), onLog)
			if err != nil {
				t.Fatal(err)
			}
			held.Detach()
			_ = d.shelf.DeletePersistent(t.Context(), owner, "log") // the shelf counts all that it has each time
		}
		if s := d.k.Stats(); s.Waiting != most || s.GivenUp != more || s.Attached != 0 {
			t.Errorf("%d positions wait and %d were given up, want %d and %d", s.Waiting, s.GivenUp, most, more)
		}
		d.shelf.fails(nil)
		pass(time.Minute)
		if s := d.k.Stats(); s.Waiting != 0 {
			t.Errorf("%d positions wait still", s.Waiting)
		}
	})
}

// What is acknowledged while the position is being written is written next.
func TestKeeperMovesWhileItWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		a := onLog
		a.Explicit = true
		r := d.mustAttach(d.session("joe"), a)
		d.publish(2)
		var once sync.Once
		d.shelf.busy = func() {
			once.Do(func() {
				if err := r.held.Ack("", 2, nil); err != nil {
					t.Error(err)
				}
			})
		}
		if err := r.held.Ack("", 1, nil); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		if got := d.shelf.position("joe", "log").Offset; got != 2 {
			t.Errorf("the position that is stored is %d, want 2", got)
		}
		d.detach(r)
	})
}

// An answer to a question of before the log was made anew does not bring the
// position of before back.
func TestKeeperAnswerOfBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &keptEpoch{Store: openStore(t), epoch: "first"}
		d := newDeskOver(t, persistentClasses(), g)
		slow, quick := d.session("joe"), d.session("joe")
		one, two := d.mustAttach(slow, onLog), d.mustAttach(quick, onLog)
		d.publish(3)
		pass(time.Second)
		late := slow.questions()[0]
		g.epoch, g.base = "second", 3
		d.publish(1)
		pass(time.Second)
		asked := quick.questions()
		quick.Answered(asked[len(asked)-1])
		slow.Answered(late)
		if at, _ := one.held.Position(); at != (events.Position{Epoch: "second", Offset: 4}) {
			t.Errorf("the position is %v after a late answer, want 4 of the second epoch", at)
		}
		d.detach(one)
		d.detach(two)
	})
}
