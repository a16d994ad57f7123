package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/ingest"
	"github.com/wireroom/wireroom/ingest/bridge"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/local"
	"github.com/wireroom/wireroom/router/wamp"
)

// A bridged carries out what comes over the HTTP bridge: [bridge.Publisher] and
// [bridge.Caller] by way of [local.Seat]. Each principal has a session of its
// realm, under the key's name and with its role.
type bridged struct {
	// Fixed at construction.
	router *router.Router
	realms *realms
	sink   *sink // knows whether the gateway still takes publications

	mu    sync.Mutex // guards the following
	seats map[bridge.Principal]bridgeSeat
}

// A bridgeSeat is a principal's place in a realm, as long as that is the one
// that it was taken in.
type bridgeSeat struct {
	*local.Seat
	realm *realm
}

func newBridged(rt *router.Router, realms *realms, sink *sink) *bridged {
	return &bridged{router: rt, realms: realms, sink: sink, seats: make(map[bridge.Principal]bridgeSeat)}
}

// routes returns the handlers of the bridge, by path.
func (b *bridged) routes(cfg *config.Bridge, log *slog.Logger) map[string]http.Handler {
	br := bridge.New(b, b, log, cfg.Config)
	routes := map[string]http.Handler{}
	if cfg.Publish != "" {
		routes[cfg.Publish] = br.Publisher()
	}
	if cfg.Call != "" {
		routes[cfg.Call] = br.Caller()
	}
	return routes
}

// Publish implements [bridge.Publisher].
func (b *bridged) Publish(ctx context.Context, who bridge.Principal, p *bridge.Publication) (uint64, error) {
	if err := b.sink.enter(); err != nil {
		return 0, err
	}
	defer b.sink.under.Done()
	options, err := publishOptions(p.Options)
	if err != nil {
		return 0, bridgeError(err)
	}
	c, err := b.client(who)
	if err != nil {
		return 0, err
	}
	id, err := c.Publish(ctx, wamp.URI(p.Topic), options, wampPayload(p.Payload))
	return uint64(id), bridgeError(err)
}

// Call implements [bridge.Caller].
func (b *bridged) Call(ctx context.Context, who bridge.Principal, call *bridge.Call) (bridge.Payload, error) {
	options, err := callOptions(call.Options)
	if err != nil {
		return bridge.Payload{}, bridgeError(err)
	}
	c, err := b.client(who)
	if err != nil {
		return bridge.Payload{}, err
	}
	result, err := c.Call(ctx, wamp.URI(call.Procedure), options, wampPayload(call.Payload))
	return bridge.Payload{Args: result.Args, KwArgs: result.KwArgs}, bridgeError(err)
}

// client returns the client that speaks for a principal.
func (b *bridged) client(who bridge.Principal) (*local.Client, error) {
	seat, stale := b.seat(who)
	if stale != nil {
		stale.Close()
	}
	if seat == nil {
		return nil, &ingest.Error{Kind: ingest.Unavailable, Text: "the realm " + who.Realm + " is closed", Index: -1}
	}
	c, err := seat.Client()
	if err != nil {
		return nil, &ingest.Error{Kind: ingest.Unavailable, Text: "the realm " + who.Realm + " cannot be joined", Index: -1, Err: err}
	}
	return c, nil
}

// seat returns a principal's seat, or nil if its realm is closed, and the one
// that it had in an earlier realm of that name, which the caller has to close:
// somebody may be about to join from there, with what was right then.
func (b *bridged) seat(who bridge.Principal) (seat, stale *local.Seat) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.realms.get(wamp.URI(who.Realm)) // within the lock: a later one is never replaced by an earlier
	had := b.seats[who]
	switch {
	case one == had.realm:
		return had.Seat, nil
	case one == nil:
		delete(b.seats, who)
		return nil, had.Seat
	}
	seat = local.NewSeat(b.router, one.name, router.Grant{
		AuthID: who.Key, AuthRole: who.Role, AuthMethod: "bridge", Provider: "static", Limits: one.limits[who.Role],
	})
	b.seats[who] = bridgeSeat{realm: one, Seat: seat}
	return seat, had.Seat
}

// close waits until the sessions of the bridge have ended. The router has been
// shut down.
func (b *bridged) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, seat := range b.seats {
		seat.Close()
	}
}

func wampPayload(p bridge.Payload) wamp.Payload {
	return wamp.Payload{Serializer: wamp.JSON, Args: p.Args, KwArgs: p.KwArgs}
}

// publishOptions reads PUBLISH.Options as the router does.
func publishOptions(text []byte) (wamp.PublishOptions, error) {
	if text == nil {
		return wamp.PublishOptions{}, nil
	}
	m, err := decodeOptions(wamp.TypePublish, text)
	if err != nil {
		return wamp.PublishOptions{}, err
	}
	return m.(*wamp.Publish).Options, nil
}

// callOptions reads CALL.Options as the router does.
func callOptions(text []byte) (wamp.CallOptions, error) {
	if text == nil {
		return wamp.CallOptions{}, nil
	}
	m, err := decodeOptions(wamp.TypeCall, text)
	if err != nil {
		return wamp.CallOptions{}, err
	}
	return m.(*wamp.Call).Options, nil
}

// decodeOptions decodes a message that has nothing but options.
func decodeOptions(t wamp.Type, text []byte) (wamp.Message, error) {
	head := "[16,1,"
	if t == wamp.TypeCall {
		head = "[48,1,"
	}
	msg := append(append([]byte(head), text...), `,"x"]`...)
	m, err := new(wamp.Decoder).Decode(wamp.JSON, msg)
	if err != nil {
		return nil, wamp.Errorf(wamp.URIInvalidArgument, "%s", wamp.AsError(err).Text)
	}
	return m, nil
}

// bridgeError returns what the bridge tells of an error of a client.
func bridgeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, local.ErrEnded):
		return &ingest.Error{Kind: ingest.Unavailable, Text: "the session of the key has just ended", Index: -1, RetryAfter: time.Second, Err: err}
	}
	if e, ok := errors.AsType[*local.Error](err); ok {
		return &bridge.Failure{URI: string(e.URI), Payload: bridge.Payload{Args: e.Payload.Args, KwArgs: e.Payload.KwArgs}}
	}
	if e, ok := errors.AsType[*wamp.Error](err); ok {
		p, perr := wamp.NewPayload(wamp.JSON, []any{e.Text}, e.Details)
		if perr != nil {
			return err
		}
		return &bridge.Failure{URI: string(e.URI), Payload: bridge.Payload{Args: p.Args, KwArgs: p.KwArgs}}
	}
	return err
}
