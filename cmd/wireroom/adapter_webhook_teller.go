package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/lease"
	"github.com/wireroom/wireroom/ingest/webhook"
	"github.com/wireroom/wireroom/router/wamp"
)

// A hookTeller has one webhook tell its endpoint of events while that is this
// gateway's affair, and go on where it, or another gateway, was before
// (docs/design/034-webhooks-on-many-nodes.md).
type hookTeller struct {
	seat     *hookSeat
	lease    *lease.Lease
	place    *hookPlace // nil: its topic has no log
	alone    bool       // there can be no other gateways
	patience time.Duration
	log      *slog.Logger
}

// teller returns the teller of the webhook, which does not run yet. A webhook that was
// nowhere before begins at what comes from now on.
func (s *hookSeat) teller(leases *lease.Keeper, patience time.Duration, log *slog.Logger) *hookTeller {
	t := &hookTeller{seat: s, alone: leases.Alone(), patience: patience, log: log}
	task := s.cfg.Realm + " " + string(s.cfg.Topic) + " " + s.cfg.Match.String() + " " + s.cfg.Name
	if one, class := s.class(); class != "" {
		t.place = newHookPlace(one, s.cfg.Name, string(s.cfg.Topic), class, log)
		t.place.make()
	}
	t.lease = leases.Add(task, t.place != nil)
	return t
}

// class returns the class with a log whose topic is the webhook's, so that it can begin
// again where it was; without one, "".
func (s *hookSeat) class() (*realm, string) {
	one := s.realms.get(wamp.URI(s.cfg.Realm))
	if one == nil || s.cfg.Match != wamp.Exact {
		return nil, ""
	}
	class, _, ok := one.hub.Catalogue().Lookup(string(s.cfg.Topic))
	if !ok || !class.Retain().Retained() {
		return nil, ""
	}
	return one, class.Name()
}

// run tells until ctx is done, and then sends what waits as long as the context that
// ending returns lasts.
func (t *hookTeller) run(ctx context.Context, ending func() context.Context) {
	for tenure := t.lease.Wait(ctx); tenure != nil; tenure = t.lease.Wait(ctx) {
		t.serve(ctx, tenure, ending)
		if ctx.Err() != nil {
			break
		}
	}
	t.letGo(ending())
}

// serve tells for one tenure.
func (t *hookTeller) serve(ctx context.Context, tenure *lease.Tenure, ending func() context.Context) {
	during, over := context.WithCancel(ctx)
	defer over()
	context.AfterFunc(tenure.Context(), over)

	cfg := t.seat.cfg.Hook
	cfg.Held = tenure.Held
	var writing sync.WaitGroup
	if t.place != nil {
		at, err := t.place.begin(during)
		if err != nil {
			return
		}
		cfg.Again, cfg.Position, cfg.Done = true, at, t.place.move
		write, enough := context.WithCancel(context.Background())
		writing.Go(func() { t.place.run(write) })
		defer t.place.flush()
		defer writing.Wait()
		defer enough()
	}
	if !t.alone {
		t.log.Info("this gateway tells the endpoint of events", "webhook", cfg.Name)
	}
	h := webhook.Start(cfg, t.seat, t.log)
	<-during.Done()
	if !t.alone && ctx.Err() == nil {
		t.log.Info("this gateway does not tell the endpoint of events any more, as another one may", "webhook", cfg.Name)
	}
	last, done := t.last(ctx, tenure, ending)
	h.Close(last)
	done()
}

// last returns the context for what waits at the end of a tenure.
func (t *hookTeller) last(ctx context.Context, tenure *lease.Tenure, ending func() context.Context) (context.Context, context.CancelFunc) {
	if t.place != nil { // another one sends what this one does not
		last, done := context.WithCancel(tenure.Context())
		if ctx.Err() != nil {
			context.AfterFunc(ending(), done)
		}
		return last, done
	}
	// Nobody else has what waits. If the gateway stops, others may tell of what comes.
	last, done := context.WithTimeout(context.Background(), t.patience)
	stop := context.AfterFunc(ctx, func() { context.AfterFunc(ending(), done) })
	if ctx.Err() != nil {
		t.letGo(ending())
	}
	return last, func() { stop(); done() }
}

// letGo has other gateways tell the endpoint.
func (t *hookTeller) letGo(ctx context.Context) {
	if err := t.lease.LetGo(ctx); err != nil {
		t.log.Warn("other gateways are not told that they may tell the endpoint; they will when this one is gone", "webhook", t.seat.cfg.Name, "err", err)
	}
}
