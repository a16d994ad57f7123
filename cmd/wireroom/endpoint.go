package main

import (
	"context"
	"crypto/tls"
	"log"
	"net/url"
	"strings"

	"github.com/gammazero/nexus/v3/transport"
	"github.com/gammazero/nexus/v3/transport/serialize"
	"github.com/gammazero/nexus/v3/wamp"
)

// An endpoint is where a command finds a WAMP router, and by which wire.
type endpoint struct {
	url     string // for people
	network string // of a RawSocket; "" for a WebSocket
	address string // of a RawSocket
	secure  bool
}

// parseEndpoint reads the URL of the flag --url.
func parseEndpoint(text string) (endpoint, error) {
	if file, ok := strings.CutPrefix(text, "unix:"); ok {
		file = strings.TrimPrefix(file, "//")
		if file == "" {
			return endpoint{}, usageErrorf("--url: expected unix: and the name of a file, found %q", text)
		}
		return endpoint{url: "unix:" + file, network: "unix", address: file}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return endpoint{}, usageErrorf("--url: expected a URL such as ws://127.0.0.1:8080/ws, found %q", text)
	}
	switch u.Scheme {
	case "rs", "tcp", "rss":
		if u.Port() == "" || u.Path != "" && u.Path != "/" {
			return endpoint{}, usageErrorf("--url: expected a host and a port, and no path, such as rs://127.0.0.1:8080, found %q", text)
		}
		return endpoint{url: u.Scheme + "://" + u.Host, network: "tcp", address: u.Host, secure: u.Scheme == "rss"}, nil
	case "http", "ws":
		u.Scheme = "ws"
	case "https", "wss":
		u.Scheme = "wss"
	default:
		return endpoint{}, usageErrorf("--url: expected a URL that begins with ws://, wss://, rs://, rss:// or unix:, found %q", text)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/ws"
	}
	return endpoint{url: u.String(), secure: u.Scheme == "wss"}, nil
}

// dial connects to the router.
func (e endpoint) dial(ctx context.Context, s serialize.Serialization, quiet *log.Logger) (wamp.Peer, error) {
	var config *tls.Config
	if e.secure {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if e.network == "" {
		return transport.ConnectWebsocketPeer(ctx, e.url, s, config, quiet, nil)
	}
	// Its handshake does not know ctx, but the router's does not take long.
	return transport.ConnectRawSocketPeer(ctx, e.network, e.address, s, config, quiet, 0)
}
