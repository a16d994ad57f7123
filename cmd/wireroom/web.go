package main

import (
	"log/slog"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// pollCORS is what pages of other origins may do at /lp, if they may connect.
var pollCORS = auth.CORS{
	Methods: "GET, POST",
	Headers: "Content-Type, Last-Event-ID, Cache-Control",
	Expose:  "Wireroom-Seq, Retry-After",
}

// streamCORS is what they may do at /events, but for posting.
var streamCORS = auth.CORS{Methods: "GET", Headers: "Authorization, Last-Event-ID, Cache-Control", Expose: "Retry-After"}

// newLongPoll returns the handler of WAMP by HTTP requests.
func newLongPoll(rt transport.Attacher, cfg *config.Config, sessions *auth.Sessions, log *slog.Logger) *transport.LongPoll {
	c := cfg.LongPoll
	c.MaxMessage = cfg.Transport.MaxMessage
	c.BodyTimeout = cfg.Ingest.Timeout
	c.WriteTimeout = cfg.Router.WriteTimeout
	c.Identify = identify(sessions)
	return transport.NewLongPoll(rt, c, log)
}

// newEventSource returns the handler of event streams of topics.
func newEventSource(rt transport.Attacher, cfg *config.Config, open *realms, sessions *auth.Sessions, log *slog.Logger) *transport.EventSource {
	c := cfg.EventSource
	c.Realm = cfg.Realms[0].Name
	c.WriteTimeout = cfg.Router.WriteTimeout
	c.Identify = identify(sessions)
	c.Position = func(name, topic wamp.URI) (at transport.LogPosition, ok bool) {
		one := open.get(name)
		if one == nil {
			return at, false
		}
		class, _, isClass := one.hub.Catalogue().Lookup(string(topic))
		if !isClass || !class.Retain().Retained() {
			return at, false
		}
		mark := one.hub.Mark(class.Name())
		return transport.LogPosition(mark), mark.Epoch != ""
	}
	return transport.NewEventSource(rt, c, log)
}
