package events_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

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
