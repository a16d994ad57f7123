package events_test

import (
	"context"
	"errors"
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
