// Package storetool does what an operator does to a store as a whole: look at
// it, take it somewhere else, trim and verify it.
//
// It starts goroutines only within a call, and waits for them. Nothing here is
// for a gateway that runs: [Open] and what reads by it never write, and what
// writes keeps gateways off, or goes on beside them, as the store allows.
package storetool

import (
	"context"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/embedded"
	"github.com/wireroom/wireroom/events/store/redis"
)

// lockWait is how long to wait for another process that has a file open.
const lockWait = time.Second

// A Source is a store that is read. It is for one goroutine at a time.
type Source interface {
	EachLog(ctx context.Context, f func(class string, b events.Bounds, stale bool) error) error
	Bounds(ctx context.Context, class string) (events.Bounds, error)
	Records(ctx context.Context, class string, after, through uint64) ([]events.Record, error)
	LogBytes(ctx context.Context, class string) (int64, error)
	Token(ctx context.Context, hash [32]byte) (*auth.Token, error)
	EachToken(ctx context.Context, f func(t *auth.Token) bool) error
	EachPersistent(ctx context.Context, afterOwner, afterName string, f func(*events.Persistent) bool) error
	Verify(ctx context.Context, fault func(where, what string), record func(r *events.Record)) error
	Close() error
}

var (
	_ Source = (*embedded.View)(nil)
	_ Source = (*redis.View)(nil)
)

// Open opens a store to read it. A file that a gateway has open cannot be.
func Open(ctx context.Context, place config.Store) (Source, error) {
	if place.Redis.URL != "" {
		v, err := redis.OpenView(ctx, place.Redis)
		if err != nil {
			return nil, err
		}
		return v, nil
	}
	v, err := embedded.OpenView(place.Path, lockWait)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// A Progress is told how far work has come, by one goroutine at a time.
type Progress interface {
	Part(what string, total uint64) // another part begins; total 0: nobody knows how much
	Add(n int)                      // so much of it is done
}

// eachPersistent calls f for every persistent subscription.
func eachPersistent(ctx context.Context, s Source, f func(p *events.Persistent) error) error {
	var failed error
	err := s.EachPersistent(ctx, "", "", func(p *events.Persistent) bool {
		failed = f(p)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// eachToken calls f for every token.
func eachToken(ctx context.Context, s Source, f func(t *auth.Token) error) error {
	var failed error
	err := s.EachToken(ctx, func(t *auth.Token) bool {
		failed = f(t)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// A log is what a store has of a class.
type log struct {
	class  string
	bounds events.Bounds
	stale  bool
}

func logsOf(ctx context.Context, s Source) (list []log, err error) {
	err = s.EachLog(ctx, func(class string, b events.Bounds, stale bool) error {
		list = append(list, log{class, b, stale})
		return nil
	})
	return list, err
}
