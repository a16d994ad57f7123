package transport

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"time"
)

// Config says how a [Server] treats connections. Start from [DefaultConfig].
type Config struct {
	// MaxMessage is how many bytes a message may have, over all its
	// fragments: 1 KiB to 256 MiB. A peer that sends a larger one is ended.
	MaxMessage int

	// PingInterval is how long nothing may come from a peer before it is
	// pinged: 0 for no pings at all, or at least 10ms. The default is below
	// the minute after which common proxies give up a silent connection.
	PingInterval time.Duration

	// PingTimeout is how long nothing may come from a peer after a ping
	// before the connection is ended: at least 10ms. Both times may be longer
	// than given by an eighth of the shorter one, never shorter.
	PingTimeout time.Duration

	// PingRawSockets has RawSocket peers pinged, too. Without it the system
	// looks after those on TCP, with keep-alive, by the same two times, because
	// there are clients that take a PING for an error.
	PingRawSockets bool

	// CloseTimeout is how long a peer has to answer a close frame: at least
	// 1ms. If the router has less patience, the router's holds.
	CloseTimeout time.Duration

	// UpgradeTimeout is how long writing the answer to an upgrade request
	// may take: at least 1ms. Reading the request is timed by the HTTP
	// server, before this package.
	UpgradeTimeout time.Duration

	// Deflate lets peers negotiate permessage-deflate (RFC 7692): messages to
	// and from those that offer it may be compressed, each by itself, so that
	// an idle connection needs no more memory for it. It trades CPU time for
	// bandwidth. MaxMessage holds for a message before and after inflating.
	Deflate bool

	// DeflateMin is how many bytes a message must have to be compressed: 0 to
	// 1 MiB. Smaller ones gain little.
	DeflateMin int

	// Origins are the web pages that may connect: "https://example.com",
	// "https://*.example.com" for its subdomains, "http://localhost:8080",
	// "null" for pages without an origin, or "*" for all. If the list is
	// empty, pages of the host that they connect to may. Peers that send no
	// Origin header are not browsers and may always connect.
	Origins []string

	// Proxies are the addresses of the proxies in front of the server, whose
	// word for who a client is is taken: as far as the next field says. At
	// most 256.
	Proxies []netip.Prefix

	// ProxyProtocol has every TCP connection from Proxies begin with a PROXY
	// header, version 1 or 2, below TLS. One that does not is closed. Other
	// connections are what they seem, and must not have one.
	ProxyProtocol bool

	// Forwarded is the header in which requests from Proxies tell who sent
	// them. It is believed as far back as proxies have written it: up to the
	// first address, from the end, that is not in Proxies. Others may send
	// the header; it means nothing then, and neither do those of other kinds.
	Forwarded ForwardedHeader

	// Rest, if not nil, is called by [Server.Front] after each connection that
	// it has accepted, and may wait for a moment: when thousands come at once,
	// they wait with the kernel, and not with what is live.
	Rest func()

	// Identify, if not nil, finds out who sent an upgrade request, for
	// [router.Peer.Identity]. An error refuses the upgrade: with status 403
	// and its text if it is or wraps a [wamp.Error], with 500 otherwise.
	// It is called concurrently.
	Identify func(r *http.Request) (identity any, err error)

	// IdentifyTLS, if not nil, finds out who opened a RawSocket over TLS, for
	// [router.Peer.Identity], by what TLS knows. It is called concurrently.
	IdentifyTLS func(state *tls.ConnectionState) (identity any)
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		MaxMessage:     1 << 20,
		PingInterval:   45 * time.Second,
		PingTimeout:    10 * time.Second,
		CloseTimeout:   5 * time.Second,
		UpgradeTimeout: 5 * time.Second,
		DeflateMin:     256,
	}
}

const (
	minMaxMessage = 1 << 10
	maxMaxMessage = 256 << 20
	minPing       = 10 * time.Millisecond
	maxDeflateMin = 1 << 20
	maxProxies    = 256
)

// Validate reports each field that is out of its range, by the name that it
// has in a configuration file.
func (c Config) Validate(report func(field string, err error)) {
	if c.MaxMessage < minMaxMessage || c.MaxMessage > maxMaxMessage {
		report("max_message", fmt.Errorf("must be in %d to %d bytes, not %d", minMaxMessage, maxMaxMessage, c.MaxMessage))
	}
	if c.PingInterval != 0 && c.PingInterval < minPing {
		report("ping_interval", fmt.Errorf("must be 0 (no pings) or at least %v, not %v", minPing, c.PingInterval))
	}
	if c.PingInterval != 0 && c.PingTimeout < minPing {
		report("ping_timeout", fmt.Errorf("must be at least %v, not %v", minPing, c.PingTimeout))
	}
	if c.CloseTimeout < time.Millisecond {
		report("close_timeout", fmt.Errorf("must be at least 1ms, not %v", c.CloseTimeout))
	}
	if c.UpgradeTimeout < time.Millisecond {
		report("upgrade_timeout", fmt.Errorf("must be at least 1ms, not %v", c.UpgradeTimeout))
	}
	if c.DeflateMin < 0 || c.DeflateMin > maxDeflateMin {
		report("deflate_min", fmt.Errorf("must be in 0 to %d bytes, not %d", maxDeflateMin, c.DeflateMin))
	}
	if len(c.Proxies) > maxProxies {
		report("proxies", fmt.Errorf("must be at most %d, not %d", maxProxies, len(c.Proxies)))
	}
	for i, o := range c.Origins {
		if _, err := parseOrigin(o); err != nil {
			report(fmt.Sprintf("origins[%d]", i), err)
		}
	}
}
