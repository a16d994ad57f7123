package dynamic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// An Authorizer asks procedures what sessions may do, and keeps their answers
// where they allow it.
type Authorizer struct {
	// Fixed at construction.
	caller *Caller
	cache  *cache
	log    *slog.Logger

	hits, misses, denied, failed atomic.Uint64

	warned atomic.Int64 // when a failure was logged last, in Unix nanoseconds
}

// Stats counts what an [Authorizer] did.
type Stats struct {
	Hits   uint64 // answers that were known
	Misses uint64 // questions that were asked
	Denied uint64 // answers, known or not, that forbade something
	Failed uint64 // questions that got no answer, which forbids, too
	Kept   int    // answers that are known now
}

// NewAuthorizer returns an authorizer for the realm whose procedures caller
// calls. cfg must be valid.
func NewAuthorizer(caller *Caller, cfg Config, log *slog.Logger) *Authorizer {
	return &Authorizer{
		caller: caller, log: log,
		cache: newCache(cfg.CacheEntries, cfg.CacheBytes, cfg.CacheTTL),
	}
}

// Decide asks procedure whether the session may do action on uri, as m says,
// which may be nil. An answer that is known is given at once; otherwise the
// decision is to ask. standing is the disclosure of what is allowed, if the
// procedure says nothing of it.
func (a *Authorizer) Decide(procedure wamp.URI, s *router.Session, action router.Action, uri wamp.URI, match wamp.Match, m wamp.Message, standing router.Disclosure) router.Decision {
	options, err := optionsOf(m, action, match)
	if err != nil {
		a.failed.Add(1)
		a.log.Error("the options of a message cannot be written", "err", err)
		return router.Decision{}
	}
	q := question{session: s.ID(), action: action, match: match, uri: uri, options: string(options)}
	registration := s.Realm().Registration(procedure)
	if d, ok := a.cache.get(q, registration, time.Now()); ok {
		a.hits.Add(1)
		if !d.Allow {
			a.denied.Add(1)
		}
		return d
	}
	return router.Decision{Ask: func(ctx context.Context) (router.Decision, error) {
		return a.ask(ctx, procedure, s, q, registration, standing)
	}}
}

// ask calls the procedure, which had the registration.
func (a *Authorizer) ask(ctx context.Context, procedure wamp.URI, s *router.Session, q question, registration wamp.ID, standing router.Disclosure) (router.Decision, error) {
	a.misses.Add(1)
	age := a.cache.age()
	result, err := a.caller.call(ctx, procedure, s.Describe(), q.uri, q.action.String(), wamp.Encoded(q.options))
	var answer authorization
	if err == nil {
		answer, err = parseAuthorization(result)
	}
	if err != nil {
		if ctx.Err() != nil {
			return router.Decision{}, ctx.Err() // the session has ended, and nobody is interested
		}
		a.failed.Add(1)
		a.warn(procedure, q, err)
		return router.Decision{}, wamp.Errorf(wamp.URIAuthorizationFailed, "it cannot be found out whether the session may %v %q", q.action, q.uri)
	}
	d := router.Decision{Allow: answer.allow, Disclose: answer.disclosure(standing)}
	if !d.Allow {
		a.denied.Add(1)
	}
	if answer.cache && registration != 0 {
		a.cache.put(q, s.AuthID(), registration, d, age, time.Now())
	}
	return d, nil
}

// warnEvery is how often failures are logged at most; the others are counted.
const warnEvery = time.Second

func (a *Authorizer) warn(procedure wamp.URI, q question, err error) {
	now, last := time.Now().UnixNano(), a.warned.Load()
	if now-last < int64(warnEvery) || !a.warned.CompareAndSwap(last, now) {
		return
	}
	a.log.LogAttrs(context.Background(), slog.LevelWarn, "the authorizer gave no answer: denied",
		slog.String("procedure", string(procedure)), slog.String("action", q.action.String()), slog.String("uri", string(q.uri)),
		slog.Uint64("failed_so_far", a.failed.Load()), slog.Any("err", err))
}

// Flush forgets the answers about sessions of a user, of everybody if authid is
// empty, and returns how many these were.
func (a *Authorizer) Flush(authid string) int { return a.cache.flush(authid) }

// Stats returns the counters as they are now.
func (a *Authorizer) Stats() Stats {
	return Stats{
		Hits: a.hits.Load(), Misses: a.misses.Load(), Denied: a.denied.Load(), Failed: a.failed.Load(), Kept: a.cache.size(),
	}
}

// optionsOf returns the options of a message in JSON. For a subscription and a
// registration, match is always among them.
func optionsOf(m wamp.Message, action router.Action, match wamp.Match) ([]byte, error) {
	options := []byte("{}")
	if m = withoutPayload(m); m != nil {
		var parts []json.RawMessage
		if err := json.Unmarshal(m.Append(nil, wamp.JSON), &parts); err != nil || len(parts) < 3 {
			return nil, fmt.Errorf("%v: %w", m.Type(), errors.Join(err, errors.New("it has no options")))
		}
		options = parts[2]
	}
	if match != wamp.Exact || action == router.ActionPublish || action == router.ActionCall {
		return options, nil
	}
	with := []byte(`{"match":"exact"`)
	if len(options) > len("{}") {
		with = append(with, ',')
	}
	return append(with, options[1:]...), nil
}

// withoutPayload returns a copy of a request without its payload, and without
// what differs each time: its ID.
func withoutPayload(m wamp.Message) wamp.Message {
	switch m := m.(type) {
	case *wamp.Publish:
		return &wamp.Publish{Options: m.Options, Topic: m.Topic}
	case *wamp.Call:
		return &wamp.Call{Options: m.Options, Procedure: m.Procedure}
	case *wamp.Subscribe:
		return &wamp.Subscribe{Options: m.Options, Topic: m.Topic}
	case *wamp.Register:
		return &wamp.Register{Options: m.Options, Procedure: m.Procedure}
	}
	return nil
}
