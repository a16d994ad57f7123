package main

import (
	"log/slog"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/router/transport"
)

// pollCORS is what pages of other origins may do at /lp, if they may connect.
var pollCORS = auth.CORS{
	Methods: "GET, POST",
	Headers: "Content-Type, Last-Event-ID, Cache-Control",
	Expose:  "Wireroom-Seq, Retry-After",
}

// newLongPoll returns the handler of WAMP by HTTP requests.
func newLongPoll(rt transport.Attacher, cfg *config.Config, sessions *auth.Sessions, log *slog.Logger) *transport.LongPoll {
	c := cfg.LongPoll
	c.MaxMessage = cfg.Transport.MaxMessage
	c.BodyTimeout = cfg.Ingest.Timeout
	c.WriteTimeout = cfg.Router.WriteTimeout
	c.Identify = identify(sessions)
	return transport.NewLongPoll(rt, c, log)
}
