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

// A Trimmed says what was removed, or would be.
type Trimmed struct {
	Logs          []TrimmedLog `json:"logs"`
	Tokens        int          `json:"tokens"`        // expired
	Subscriptions int          `json:"subscriptions"` // expired
}

// A TrimmedLog says what was removed of a log, or would be.
type TrimmedLog struct {
	Log     string `json:"log"`
	Removed uint64 `json:"removed"`
	Left    uint64 `json:"left"`
	first   uint64 // offset of the first event that is left

	// Unknown says that the configuration has no such class, so that nothing
	// is removed.
	Unknown bool `json:"unknown,omitempty"`
}

// A TrimConfig says what is removed.
type TrimConfig struct {
	Keep func(class string) (keep events.Retain, known bool)
	Logs func(class string) bool // of which logs, and that nothing else is looked at; nil: all
	Now  time.Time
}

// PlanTrim says what [Trim] would remove.
func PlanTrim(ctx context.Context, s Source, c TrimConfig) (t Trimmed, err error) {
	logs, err := logsOf(ctx, s)
	if err != nil {
		return t, err
	}
	for _, l := range logs {
		if c.Logs != nil && !c.Logs(l.class) {
			continue
		}
		b := l.bounds
		keep, known := c.Keep(l.class)
		first, err := keep.First(b, c.Now, func(t time.Time) (uint64, error) { return firstFrom(ctx, s, l.class, b, t) })
		if err != nil {
			return t, err
		}
		t.Logs = append(t.Logs, TrimmedLog{Log: l.class, Removed: first - b.First, Left: b.Next - first, first: first, Unknown: !known})
	}
	if c.Logs != nil {
		return t, nil
	}
	err = eachToken(ctx, s, func(token *auth.Token) error {
		if !token.Expires.After(c.Now) {
			t.Tokens++
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	err = eachPersistent(ctx, s, func(p *events.Persistent) error {
		if !p.Expires.After(c.Now) {
			t.Subscriptions++
		}
		return nil
	})
	return t, err
}

// A trimmer is a store from which things are removed.
type trimmer interface {
	TrimBefore(ctx context.Context, class string, first uint64) (n int, err error)
	DeleteExpired(ctx context.Context, now time.Time) (n int, err error)
	DeleteExpiredPersistents(ctx context.Context, now time.Time) (n int, err error)
	Close() error
}

func openTrimmer(ctx context.Context, place config.Store) (trimmer, error) {
	if place.Redis.URL != "" {
		s, err := redis.Attach(ctx, place.Redis)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	s, err := embedded.Open(place.Path, embedded.DefaultConfig(), discard)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Trim removes what the configuration does not keep any more, and what has
// expired. With an error it says what was removed before.
func Trim(ctx context.Context, place config.Store, c TrimConfig, p Progress) (done Trimmed, err error) {
	s, err := Open(ctx, place)
	if err != nil {
		return done, err
	}
	plan, err := PlanTrim(ctx, s, c)
	if closed := s.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return done, err
	}
	t, err := openTrimmer(ctx, place)
	if err != nil {
		return done, err
	}
	defer func() {
		if closed := t.Close(); err == nil {
			err = closed
		}
	}()
	for _, l := range plan.Logs {
		planned := l.Removed
		l.Left, l.Removed = l.Left+l.Removed, 0
		if planned > 0 {
			p.Part("events of "+l.Log, planned)
			err = repeat(ctx, func() (int, error) {
				n, err := t.TrimBefore(ctx, l.Log, l.first)
				l.Removed, l.Left = l.Removed+uint64(n), l.Left-min(l.Left, uint64(n))
				p.Add(n)
				return n, err
			})
		}
		done.Logs = append(done.Logs, l)
		if err != nil {
			return done, err
		}
	}
	if plan.Tokens > 0 {
		p.Part("expired tokens", uint64(plan.Tokens))
		if done.Tokens, err = t.DeleteExpired(ctx, c.Now); err != nil {
			return done, err
		}
	}
	if plan.Subscriptions > 0 {
		p.Part("expired subscriptions", uint64(plan.Subscriptions))
		err = repeat(ctx, func() (int, error) {
			n, err := t.DeleteExpiredPersistents(ctx, c.Now)
			done.Subscriptions += n
			return n, err
		})
	}
	return done, err
}

// repeat calls fn until it has nothing to do.
func repeat(ctx context.Context, fn func() (int, error)) error {
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if n, err := fn(); err != nil || n == 0 {
			return err
		}
	}
}
