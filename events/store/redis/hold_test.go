package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/redis"
)

// holds checks which of two tasks a node gets.
func holds(t *testing.T, what string, s *redis.Store, want ...bool) {
	t.Helper()
	mine, sure, err := s.Hold(t.Context(), []string{"a task", "\xff another"})
	if err != nil || !slices.Equal(mine, want) || sure < 0 || sure > 4*time.Second {
		t.Errorf("%s: Hold = %t, %v, %v, want %t", what, mine, sure, err, want)
	}
}

// Of several nodes that ask for a task one gets it, and has it as long as it is there;
// then another one.
func TestHold(t *testing.T) {
	sv := start(t)
	a, b := openFor(t, sv.url(), time.Minute), openFor(t, sv.url(), time.Minute)
	holds(t, "the first", a, true, true)
	holds(t, "the second", b, false, false)
	holds(t, "the first again", a, true, true)
	if err := b.LetGo(t.Context(), "a task"); err != nil { // it has it not
		t.Error(err)
	}
	holds(t, "after another one has given it back", b, false, false)
	if err := a.LetGo(t.Context(), "a task", "none"); err != nil {
		t.Error(err)
	}
	holds(t, "what was given back", b, true, false)
	holds(t, "who gave it back", a, false, true)

	// One that ends, and one that dies.
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	holds(t, "when the other one has ended", b, true, true)
	if _, _, err := a.Hold(t.Context(), nil); !errors.Is(err, events.ErrClosed) {
		t.Errorf("of a closed store: %v", err)
	}
	c := openFor(t, sv.url(), time.Minute)
	holds(t, "a third", c, false, false)
	b.Crash()
	sv.do("ZREM", "{wireroom}:1:nodes", b.Node()) // as others would when its lease is over
	await(t, "the third has what the second had", func() error {
		mine, _, err := c.Hold(t.Context(), []string{"a task", "\xff another"})
		if err == nil && !slices.Equal(mine, []bool{true, true}) {
			err = fmt.Errorf("it has %t", mine)
		}
		return err
	})

	// Redis loses everything: who asks first, when it is known again, has them.
	sv.do("FLUSHALL")
	await(t, "it has them again", func() error {
		mine, _, err := c.Hold(t.Context(), []string{"a task"})
		if err == nil && !mine[0] {
			err = errors.New("it has not")
		}
		return err
	})
}

// Whom the others take for gone gets nothing until it has joined again, and a server
// that does not answer is no reason to believe anything.
func TestHoldUnknown(t *testing.T) {
	sv := start(t)
	a := openFor(t, sv.url(), time.Minute)
	sv.do("HSET", "{wireroom}:1:held", "a task", "a node that was there once")
	holds(t, "what somebody had who is gone", a, true, true)
	sv.do("SET", "{wireroom}:1:held", "nonsense")
	if mine, _, err := a.Hold(t.Context(), []string{"a task"}); err == nil {
		t.Errorf("with another thing in its place: Hold = %t", mine)
	}
	sv.do("DEL", "{wireroom}:1:held")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := a.Hold(ctx, []string{"a task"}); err == nil {
		t.Error("Hold has no error, though its context is done")
	}
	sv.do("HSET", "{wireroom}:writer", "format", "9")
	if _, _, err := a.Hold(t.Context(), []string{"a task"}); err == nil {
		t.Error("Hold has no error, though the store is of another format")
	}
	sv.kill()
	if mine, _, err := a.Hold(t.Context(), []string{"a task"}); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("without a server: Hold = %t, %v", mine, err)
	}
}
