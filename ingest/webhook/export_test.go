package webhook

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Public opens the judgement of addresses to tests.
func Public(a netip.Addr) bool { return public(a) }

// StartBy is Start with another way to send requests, or to resolve names.
func StartBy(cfg Config, feed Feed, log *slog.Logger, rt http.RoundTripper, resolver *net.Resolver) *Hook {
	return start(cfg, feed, log, func(c *client) {
		if rt != nil {
			c.http.Transport = rt
		}
		if resolver != nil {
			c.dialer.Resolver = resolver
		}
	})
}

// NewCalleeBy is NewCallee with another way to send requests.
func NewCalleeBy(cfg CalleeConfig, log *slog.Logger, rt http.RoundTripper) *Callee {
	c := NewCallee(cfg, log)
	c.client.http.Transport = rt
	return c
}

// Sign opens the making of signatures to tests.
func Sign(h http.Header, s Secret, id string, now time.Time, body []byte) {
	key, _ := s.key()
	sign(h, key, id, now, body)
}

// Below opens the joining of URLs to tests.
var Below = below
