package events_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

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

// A client that does not answer has nothing, however long that takes; it is asked
// again, as the question may have been lost with its connection.
func TestKeeperUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		s := d.session("joe")
		r := d.mustAttach(s, onLog)
		d.publish(1)
		pass(time.Minute)
		if at, _ := r.held.Position(); at.Offset != 0 {
			t.Errorf("the position is %d, and nothing was answered", at.Offset)
		}
		asked := s.questions()
		if n := len(asked); n < 2 || n > 7 {
			t.Fatalf("the client was asked %d times in a minute, want once each 10 s", n)
		}
		d.publish(1)
		s.Answered(asked[len(asked)-1])
		if at, _ := r.held.Position(); at.Offset != 1 {
			t.Errorf("the position is %d after the answer to the last question, want 1", at.Offset)
		}
		d.detach(r)
	})
}

// What was acknowledged out of order in another log says nothing of this one.
func TestHeldHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		d.detach(d.mustAttach(d.session("joe"), onLog))
		pass(2 * time.Second)
		d.shelf.mu.Lock()
		p := d.shelf.all[[2]string{"joe", "log"}]
		p.Position, p.Acked = events.Position{Epoch: "of before", Offset: 1}, []events.Span{{From: 3, Through: 3}}
		d.shelf.all[[2]string{"joe", "log"}] = p
		d.shelf.mu.Unlock()
		r := d.mustAttach(d.session("joe"), onLog)
		for _, tt := range []struct {
			epoch  string
			offset uint64
			had    bool
		}{{"of before", 2, false}, {"of before", 3, true}, {"of before", 4, false}, {d.hub.Mark("log").Epoch, 3, false}} {
			if got := r.held.Had(&events.Event{Epoch: tt.epoch, Offset: tt.offset}); got != tt.had {
				t.Errorf("had %d of the epoch %s: %v, want %v", tt.offset, tt.epoch, got, tt.had)
			}
		}
		d.detach(r)
	})
}
