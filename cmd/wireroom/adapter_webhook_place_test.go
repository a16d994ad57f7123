package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A placeStore keeps the place of one webhook, as far as it answers.
type placeStore struct {
	events.PersistentStore // what a place has no need of

	mu    sync.Mutex
	has   *events.Persistent // nil: none
	err   error
	moves int
	puts  int
}

func (s *placeStore) Persistent(context.Context, string, string) (*events.Persistent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return nil, s.err
	case s.has == nil:
		return nil, events.ErrNotPersistent
	}
	p := *s.has
	return &p, nil
}

func (s *placeStore) PutPersistent(_ context.Context, p *events.Persistent, _ int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = p.Check()
	}
	if s.err == nil {
		was := *p
		s.has = &was
		s.puts++
	}
	return s.err
}

func (s *placeStore) MovePersistents(_ context.Context, moves []events.Move) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.moves++
	for _, m := range moves {
		if s.has != nil && m.Owner == s.has.Owner && m.Name == s.has.Name && m.Position.Epoch == s.has.Position.Epoch {
			s.has.Position.Offset = max(s.has.Position.Offset, m.Position.Offset)
		}
	}
	return nil
}

// answer has the store answer with an error, or as it should.
func (s *placeStore) answer(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// at returns the place that is stored, and how often it was written.
func (s *placeStore) at() (at events.Position, moves, puts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has != nil {
		at = s.has.Position
	}
	return at, s.moves, s.puts
}

func place(s *placeStore, class string, start events.Position) *hookPlace {
	return &hookPlace{
		store: s, owner: "realm1 webhook w", name: "t", class: class, start: start,
		log: slog.New(slog.DiscardHandler), moved: make(chan struct{}, 1),
	}
}

// A webhook that is new begins where the log was when the gateway started, and one
// that is not where it was.
func TestHookPlaceBegins(t *testing.T) {
	s := &placeStore{}
	begin := func(p *hookPlace) string {
		t.Helper()
		at, err := p.begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	first := place(s, "c", events.Position{Epoch: "x:y", Offset: 17})
	if at := begin(first); at != "x:y:17" {
		t.Errorf("a new webhook begins at %s", at)
	}
	first.move("x:y:20")
	first.move("nonsense")
	first.flush()
	if at := begin(place(s, "c", events.Position{Epoch: "x:y", Offset: 30})); at != "x:y:20" {
		t.Errorf("the next one begins at %s", at)
	}
	if at := begin(place(s, "other", events.Position{Epoch: "z", Offset: 3})); at != "z:3" {
		t.Errorf("with another class for its topic it begins at %s", at)
	}
}

// The place is written ten times a second at most, and what is written last is where
// the webhook is.
func TestHookPlaceMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &placeStore{}
		p := place(s, "c", events.Position{Epoch: "a", Offset: 1})
		if _, err := p.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { p.run(ctx) })
		check := func(what, epoch string, offset uint64, wantMoves, wantPuts int) {
			t.Helper()
			synctest.Wait()
			if at, moves, puts := s.at(); at != (events.Position{Epoch: epoch, Offset: offset}) || moves != wantMoves || puts != wantPuts {
				t.Errorf("%s: stored is %v, after %d moves and %d puts, want %s:%d after %d and %d", what, at, moves, puts, epoch, offset, wantMoves, wantPuts)
			}
		}
		p.move("a:2")
		check("at once", "a", 2, 1, 1)
		p.move("a:3")
		p.move("a:4")
		check("not at once", "a", 2, 1, 1)
		time.Sleep(placeEvery)
		check("a moment later", "a", 4, 2, 1)

		s.answer(errors.New("it is away"))
		time.Sleep(placeEvery)
		p.move("a:5")
		time.Sleep(10 * time.Second)
		check("while the store is away", "a", 4, 2, 1)
		s.answer(nil)
		time.Sleep(placeRetry)
		check("when it is back", "a", 5, 3, 1)

		// A new epoch, of a store that has lost the place.
		s.mu.Lock()
		s.has = nil
		s.mu.Unlock()
		time.Sleep(placeEvery)
		p.move("b:2")
		check("in another epoch", "b", 2, 3, 2)
		p.move("b:3")
		synctest.Wait()
		cancel()
		running.Wait()
		p.flush()
		check("at the end", "b", 3, 4, 2)
	})
}

// Where a webhook has to begin is asked until the store answers, or it is of no use any
// more.
func TestHookPlaceWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &placeStore{err: errors.New("it is away")}
		begun := time.Now()
		time.AfterFunc(time.Minute, func() { s.answer(nil) })
		if at, err := place(s, "c", events.Position{Epoch: "a", Offset: 1}).begin(t.Context()); at != "a:1" || err != nil || time.Since(begun) > time.Minute+placeRetry {
			t.Errorf("begin = %s, %v after %v", at, err, time.Since(begun))
		}
		s.answer(errors.New("it is away"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if at, err := place(s, "c", events.Position{Epoch: "a", Offset: 1}).begin(ctx); at != "" || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("begin = %s, %v", at, err)
		}
	})
}
