package events_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A shelf is a store of persistent subscriptions in memory.
type shelf struct {
	mu   sync.Mutex
	all  map[[2]string]events.Persistent
	fail error // of MovePersistents
	puts int
	hold func(ctx context.Context, name string) error // called by Persistent; may be nil
	late func()                                       // called by Persistent with what it has found; may be nil
	busy func()                                       // called by MovePersistents with what it is given; may be nil
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
	if s.busy != nil {
		s.busy()
	}
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
