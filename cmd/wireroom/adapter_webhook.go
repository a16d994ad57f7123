package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/lease"
	"github.com/wireroom/wireroom/ingest/webhook"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/local"
	"github.com/wireroom/wireroom/router/wamp"
)

// Webhooks are the endpoints that are told of events, and those that answer
// calls: [webhook.Feed] and [webhook.Callee] by way of [local.Client]. Each has
// a session of its realm, as long as it is this gateway's affair.
type webhooks struct {
	running sync.WaitGroup
	stop    context.CancelFunc
	ending  context.Context // of what waits for endpoints; set before stop
}

// startWebhooks starts all that are configured. Which gateway tells an endpoint of
// events the leases say. patience is how long events of a topic without a log, which
// wait, are sent when another gateway tells of those to come.
func startWebhooks(rt *router.Router, realms *realms, leases *lease.Keeper, cfg []config.Webhook, patience time.Duration, log *slog.Logger) *webhooks {
	ctx, stop := context.WithCancel(context.Background())
	w := &webhooks{stop: stop}
	for _, c := range cfg {
		s := &hookSeat{router: rt, realms: realms, cfg: c}
		if c.Topic == "" {
			w.running.Go(func() { s.answer(ctx, log) })
			continue
		}
		t := s.teller(leases, patience, log)
		w.running.Go(func() { t.run(ctx, func() context.Context { return w.ending }) })
	}
	return w
}

// close ends everything. What waits for endpoints is sent as long as ctx lasts.
func (w *webhooks) close(ctx context.Context) {
	w.ending = ctx
	w.stop()
	w.running.Wait()
}

// methodWebhook is the authmethod of the sessions of webhooks.
const methodWebhook = "webhook"

// A hookSeat is one webhook's place in its realm.
type hookSeat struct {
	router *router.Router
	realms *realms
	cfg    config.Webhook
}

// errRealmClosed is that a webhook's realm is not there now.
var errRealmClosed = errors.New("the realm is closed")

// join returns a client of the realm.
func (s *hookSeat) join() (*local.Client, error) {
	one := s.realms.get(wamp.URI(s.cfg.Realm))
	if one == nil {
		return nil, errRealmClosed
	}
	grant := router.Grant{AuthID: s.cfg.Name, AuthRole: "wireroom.webhook", AuthMethod: methodWebhook, Provider: "static", Trusted: true}
	if role := s.cfg.Role; role != "" {
		grant.AuthRole, grant.Trusted, grant.Limits = role, false, one.limits[role]
	}
	return local.Join(s.router, one.name, grant)
}

// over is err, or [webhook.ErrOver] if the gateway is about to stop.
func over(err error) error {
	if errors.Is(err, &wamp.Error{URI: wamp.URISystemShutdown}) {
		return webhook.ErrOver
	}
	return err
}

// ended returns err, by which a session of the webhook ended, or
// [webhook.ErrOver] if the gateway is about to stop. Whoever may end sessions may
// give that for a reason, too; then there will be another session.
func (s *hookSeat) ended(err error) error {
	if over(err) != webhook.ErrOver {
		return err
	}
	again, refused := s.join()
	if refused != nil {
		return over(refused)
	}
	again.Close()
	return err
}

// Run implements [webhook.Feed].
func (s *hookSeat) Run(ctx context.Context, position string, take func(*webhook.Event) bool) error {
	c, err := s.join()
	if err != nil {
		return over(err)
	}
	defer c.Close()
	options := wamp.SubscribeOptions{Match: s.cfg.Match}
	if position != "" {
		options.Extra = map[string]any{"_since": position}
	}
	enough := make(chan struct{})
	done := false // of the handler
	sub, err := c.Subscribe(ctx, s.cfg.Topic, options, func(_ context.Context, e *wamp.Event) {
		if done {
			return
		}
		if done = !take(hookEvent(e, s.cfg.Topic)); done {
			close(enough)
		}
	})
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return s.ended(err)
	}
	select {
	case <-ctx.Done():
		return nil
	case <-enough:
		return nil
	case <-sub.Gone():
		return errors.New("the subscription was revoked")
	case <-c.Done():
		return s.ended(c.Err())
	}
}

// hookEvent returns what a webhook tells of an event of a subscription to topic.
func hookEvent(e *wamp.Event, topic wamp.URI) *webhook.Event {
	d := &e.Details
	out := &webhook.Event{ID: strconv.FormatUint(uint64(e.Publication), 10), Topic: string(topic), Args: e.Payload.Args, KwArgs: e.Payload.KwArgs}
	if d.Topic != "" {
		out.Topic = string(d.Topic)
	}
	if e.Payload.Opaque != nil {
		out.Args = append(append([]byte("["), e.Payload.Opaque...), ']')
	}
	if id, ok := d.Extra["_event_id"].(string); ok { // there is one of the class, and not only something to be told
		out.ID = id
		out.Class, _ = d.Extra["_class"].(string)
		out.Time, _ = d.Extra["_time"].(string)
	}
	if whole, ok := d.Extra["_recovered"].(bool); ok {
		out.Lost = !whole
	}
	out.Replayed, _ = d.Extra["_replayed"].(bool)
	out.Position = positionAfter(d.Extra)
	details := map[string]any{"publication": e.Publication}
	maps.Copy(details, d.Extra)
	set(details, "publisher", d.Publisher)
	set(details, "publisher_authid", d.PublisherAuthID)
	set(details, "publisher_authrole", d.PublisherAuthRole)
	set(details, "retained", d.Retained)
	set(details, "ppt_scheme", d.Passthru.Scheme)
	set(details, "ppt_serializer", d.Passthru.Serializer)
	set(details, "ppt_cipher", d.Passthru.Cipher)
	set(details, "ppt_keyid", d.Passthru.KeyID)
	out.Details, _ = wamp.AppendValue(nil, wamp.JSON, details) // what was decoded can be encoded
	return out
}

// positionAfter returns from where on what follows an event with such details is
// to be read, or "" if they do not say. An event that only tells of a gap has no
// offset of its own.
func positionAfter(details map[string]any) string {
	epoch, ok := details["_epoch"].(string)
	if !ok {
		return ""
	}
	at, ok := details["_offset"]
	if !ok {
		if at, ok = details["_lost_through"]; !ok {
			return ""
		}
	}
	offset, err := wamp.AppendValue(nil, wamp.JSON, at)
	if err != nil {
		return ""
	}
	return epoch + ":" + string(offset)
}

// rejoinEvery is how long a webhook that cannot answer calls waits before it
// tries to again.
const rejoinEvery = 5 * time.Second

// answer registers the webhook's procedure, again and again, and has its
// endpoint answer the calls, until ctx is done.
func (s *hookSeat) answer(ctx context.Context, log *slog.Logger) {
	callee := webhook.NewCallee(s.cfg.Callee, log)
	defer callee.Close()
	said := ""
	for {
		err := s.serve(ctx, callee)
		if ctx.Err() != nil || errors.Is(err, webhook.ErrOver) {
			return
		}
		if text := err.Error(); text != said {
			said = text
			log.Warn("the webhook answers no calls, and tries to again", "webhook", s.cfg.Name, "err", err)
		}
		select {
		case <-time.After(rejoinEvery):
		case <-ctx.Done():
			return
		}
	}
}

// serve registers the procedure once, and returns why that has ended.
func (s *hookSeat) serve(ctx context.Context, callee *webhook.Callee) error {
	c, err := s.join()
	if err != nil {
		return over(err)
	}
	defer c.Close()
	options := wamp.RegisterOptions{Match: s.cfg.Match, Invoke: s.cfg.Invoke, Concurrency: uint64(s.cfg.Concurrency)}
	reg, err := c.Register(ctx, s.cfg.Procedure, options, func(ctx context.Context, inv *wamp.Invocation) (wamp.Payload, error) {
		result, err := callee.Call(ctx, hookInvocation(inv, s.cfg.Procedure))
		return wamp.Payload{Serializer: wamp.JSON, Args: result.Args, KwArgs: result.KwArgs}, calleeError(err)
	})
	if err != nil {
		return s.ended(err)
	}
	select {
	case <-ctx.Done():
		return nil
	case <-reg.Gone():
		return errors.New("the registration was revoked")
	case <-c.Done():
		return s.ended(c.Err())
	}
}

// hookInvocation returns what an endpoint is asked by a call of procedure, or of
// what fits it.
func hookInvocation(inv *wamp.Invocation, procedure wamp.URI) *webhook.Invocation {
	out := &webhook.Invocation{ID: "call-" + strconv.FormatUint(uint64(router.NewID()), 10), Procedure: string(procedure), Args: inv.Payload.Args, KwArgs: inv.Payload.KwArgs}
	if inv.Procedure != "" {
		out.Procedure = string(inv.Procedure)
	}
	details := map[string]any{}
	set(details, "caller", inv.Caller)
	set(details, "caller_authid", inv.CallerAuthID)
	set(details, "caller_authrole", inv.CallerAuthRole)
	out.Details, _ = json.Marshal(details) // numbers and strings never fail
	return out
}

// calleeError returns what the caller is told.
func calleeError(err error) error {
	if f, ok := errors.AsType[*webhook.Failure](err); ok {
		return &local.Error{URI: wamp.URI(f.URI), Payload: wamp.Payload{Serializer: wamp.JSON, Args: f.Args, KwArgs: f.KwArgs}}
	}
	return err
}
