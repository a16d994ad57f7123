package lease_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/lease"
)

// A holder is one in memory.
type holder struct {
	mu    sync.Mutex
	has   map[string]bool // this gateway
	other map[string]bool
	sure  time.Duration
	err   error
	asked [][]string
}

func (h *holder) Hold(_ context.Context, tasks []string) (mine []bool, sure time.Duration, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, slices.Clone(tasks))
	if h.err != nil {
		return nil, 0, h.err
	}
	for _, task := range tasks {
		h.has[task] = !h.other[task]
		mine = append(mine, h.has[task])
	}
	return mine, h.sure, nil
}

func (h *holder) LetGo(_ context.Context, tasks ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, task := range tasks {
		delete(h.has, task)
	}
	return h.err
}

// set changes what the holder says.
func (h *holder) set(other bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for task := range h.other {
		h.other[task] = other
	}
	h.err = err
}

// A scene is a keeper that runs, in fake time, with a strict and a loose task.
type scene struct {
	*holder
	t             *testing.T
	keeper        *lease.Keeper
	strict, loose *lease.Lease
}

func play(t *testing.T, other bool, f func(s *scene)) {
	synctest.Test(t, func(t *testing.T) {
		h := &holder{has: map[string]bool{}, other: map[string]bool{"strict": other, "loose": other}, sure: 4 * time.Second}
		k := lease.New(h, slog.New(slog.DiscardHandler))
		s := &scene{holder: h, t: t, keeper: k, strict: k.Add("strict", true), loose: k.Add("loose", false)}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { k.Run(ctx) })
		defer running.Wait()
		defer cancel()
		synctest.Wait()
		f(s)
	})
}

// tenure returns the tenure that there is now, or nil.
func (s *scene) tenure(l *lease.Lease) *lease.Tenure {
	s.t.Helper()
	synctest.Wait()
	ctx, cancel := context.WithCancel(s.t.Context())
	var got *lease.Tenure
	var waiting sync.WaitGroup
	waiting.Go(func() { got = l.Wait(ctx) })
	synctest.Wait()
	cancel()
	waiting.Wait()
	return got
}

// is checks whether a tenure goes on.
func (s *scene) is(what string, t *lease.Tenure, on bool) {
	s.t.Helper()
	synctest.Wait()
	if t == nil {
		s.t.Fatalf("%s: there is no tenure", what)
	}
	if held, over := t.Held(), t.Context().Err() != nil; held != on || over == on {
		s.t.Errorf("%s: held = %t, over = %t, want it to go on: %t", what, held, over, on)
	}
}

// While the holder answers, tenures go on; when another gateway has the tasks, they
// are over within a second.
func TestOfAnother(t *testing.T) {
	play(t, false, func(s *scene) {
		strict, loose := s.tenure(s.strict), s.tenure(s.loose)
		time.Sleep(time.Hour)
		s.is("strict, after an hour", strict, true)
		s.is("loose, after an hour", loose, true)
		s.set(true, nil)
		time.Sleep(time.Second)
		s.is("strict, of another one", strict, false)
		s.is("loose, of another one", loose, false)
		if s.tenure(s.strict) != nil || s.tenure(s.loose) != nil {
			t.Error("there is a tenure of what another gateway has")
		}
		s.set(false, nil)
		time.Sleep(time.Second)
		s.is("strict, again", s.tenure(s.strict), true)
		s.is("loose, again", s.tenure(s.loose), true)
	})
}

// A gateway that waits for a task has it as soon as it looks.
func TestLook(t *testing.T) {
	play(t, true, func(s *scene) {
		time.Sleep(100 * time.Millisecond)
		s.set(false, nil)
		if s.tenure(s.strict) != nil {
			t.Error("there is a tenure before anybody has looked")
		}
		begun := time.Now()
		s.keeper.Look()
		s.is("strict", s.tenure(s.strict), true)
		if d := time.Since(begun); d != 0 {
			t.Errorf("it took %v", d)
		}
	})
}

// When the holder does not answer, what is strict ends when the time is over for which
// it last answered, and what is loose goes on.
func TestSilence(t *testing.T) {
	play(t, false, func(s *scene) {
		strict, loose := s.tenure(s.strict), s.tenure(s.loose)
		s.set(false, errors.New("it is away"))
		time.Sleep(3900 * time.Millisecond)
		s.is("strict, before its time is over", strict, true)
		time.Sleep(100 * time.Millisecond)
		s.is("strict, when its time is over", strict, false)
		s.is("loose", loose, true)
		time.Sleep(time.Hour)
		if s.tenure(s.strict) != nil {
			t.Error("there is a tenure, though nobody knows who has the task")
		}
		s.is("loose, after an hour", loose, true)
		s.set(false, nil)
		time.Sleep(time.Second)
		again := s.tenure(s.strict)
		s.is("strict, again", again, true)
		if again == strict {
			t.Error("a tenure that was over goes on")
		}
		if s.tenure(s.loose) != loose {
			t.Error("what is loose has another tenure, though nobody else had the task")
		}
	})
}

// A lease that is over when it is known is none.
func TestNoTime(t *testing.T) {
	play(t, true, func(s *scene) {
		s.mu.Lock()
		s.sure = 0
		s.mu.Unlock()
		s.set(false, nil)
		time.Sleep(time.Second)
		if s.tenure(s.strict) != nil {
			t.Error("there is a strict tenure without any time")
		}
		s.is("loose", s.tenure(s.loose), true)
	})
}

// What was given back is not asked for again; its tenure goes on for who has it.
func TestLetGo(t *testing.T) {
	play(t, false, func(s *scene) {
		strict, loose := s.tenure(s.strict), s.tenure(s.loose)
		if err := s.loose.LetGo(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		s.mu.Lock()
		has, last := s.has["loose"], s.asked[len(s.asked)-1]
		s.mu.Unlock()
		if has || !slices.Equal(last, []string{"strict"}) {
			t.Errorf("after it was given back: has it = %t, asked for %q", has, last)
		}
		s.is("loose", loose, true)
		s.is("strict", strict, true)
		s.set(false, errors.New("it is away"))
		if err := s.loose.LetGo(t.Context()); err != nil {
			t.Errorf("what was given back before is given back again: %v", err)
		}
		if err := s.strict.LetGo(t.Context()); err == nil {
			t.Error("LetGo has no error when the holder has one")
		}
		time.Sleep(4 * time.Second)
		s.is("strict, after its time", strict, false)
	})
}

// Without a holder every task is this gateway's.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := lease.New(nil, slog.New(slog.DiscardHandler))
		l := k.Add("strict", true)
		k.Run(t.Context()) // has nothing to do
		k.Look()
		tenure := l.Wait(t.Context())
		time.Sleep(24 * time.Hour)
		if !k.Alone() || !tenure.Held() || tenure.Context().Err() != nil {
			t.Error("the tenure is over")
		}
		if err := l.LetGo(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
