package events_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

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
