package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/transport"
	"github.com/gammazero/nexus/v3/transport/serialize"
	"github.com/gammazero/nexus/v3/wamp"
	"github.com/spf13/cobra"
)

// A wampFlags says how a command joins a realm.
type wampFlags struct {
	url        string
	realm      string
	serializer string
	ticket     string
	authid     string
	timeout    time.Duration
}

// addTo adds the flags to a command. Secrets are better handed over in the
// environment, which other users of the machine can't read.
func (f *wampFlags) addTo(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.url, "url", envOr("WIREROOM_URL", "ws://127.0.0.1:8080/ws"), "`URL` of WAMP over WebSocket or RawSocket: ws://, wss://, rs://, rss:// or unix:FILE (or $WIREROOM_URL)")
	flags.StringVar(&f.realm, "realm", envOr("WIREROOM_REALM", "realm1"), "`realm` to join (or $WIREROOM_REALM)")
	flags.StringVar(&f.serializer, "serializer", "cbor", "json, msgpack or cbor")
	flags.StringVar(&f.ticket, "ticket", "", "`JWT`, session token or, with --authid, a user's ticket to authenticate with (or $WIREROOM_TICKET)")
	flags.StringVar(&f.authid, "authid", "", "authid to ask for")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long to wait for an answer")
	_ = cmd.RegisterFlagCompletionFunc("serializer", cobra.FixedCompletions(
		[]cobra.Completion{"json", "msgpack", "cbor"}, cobra.ShellCompDirectiveNoFileComp))
}

// serializations are the serializers by the names that users give them. All
// three carry integers beyond 2^53 but JSON, which is why it is not the default.
var serializations = map[string]serialize.Serialization{
	"json":    serialize.JSON,
	"msgpack": serialize.MSGPACK,
	"cbor":    serialize.CBOR,
}

// envOr returns an environment variable, or def if it is empty.
func envOr(name, def string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return def
}

// A wampClient is a session of the command line.
type wampClient struct {
	*client.Client
	gate *gatePeer
}

// connect joins the realm.
func (f *wampFlags) connect(ctx context.Context) (*wampClient, error) {
	e, err := parseEndpoint(f.url)
	if err != nil {
		return nil, err
	}
	serialization, ok := serializations[f.serializer]
	if !ok {
		return nil, usageErrorf("--serializer: expected json, msgpack or cbor, found %q", f.serializer)
	}
	quiet := log.New(io.Discard, "", 0)
	dialing, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	peer, err := e.dial(dialing, serialization, quiet)
	if err != nil {
		return nil, dialError(ctx, e.url, err)
	}

	cfg := client.Config{Realm: f.realm, ResponseTimeout: f.timeout, Logger: quiet, HelloDetails: wamp.Dict{}}
	if f.authid != "" {
		cfg.HelloDetails["authid"] = f.authid
	}
	if ticket := envFlag(f.ticket, "WIREROOM_TICKET"); ticket != "" {
		cfg.AuthHandlers = map[string]client.AuthFunc{
			"ticket": func(*wamp.Challenge) (string, wamp.Dict) { return ticket, wamp.Dict{} },
		}
	}
	gate := newGate(peer)
	c, err := client.NewClient(gate, cfg)
	if err != nil {
		return nil, gate.explain(fmt.Errorf("join realm %s at %s: %w", f.realm, e.url, err))
	}
	return &wampClient{Client: c, gate: gate}, nil
}

// envFlag returns the value of a flag, or if it was not given, of the
// environment variable. It keeps secrets out of the help's default values.
func envFlag(value, env string) string {
	if value != "" {
		return value
	}
	return os.Getenv(env)
}

// dialError says what was tried, what came, and what may help.
func dialError(ctx context.Context, target string, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	ws, isHTTP := errors.AsType[*transport.WebsocketError](err)
	if isHTTP {
		err = ws.Err // it does not unwrap itself
	}
	e := &exitError{code: exitUnreachable, err: fmt.Errorf("connect to %s: %w", target, err)}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		e.hint = hintNotServing
	case isDNS:
		e.err = fmt.Errorf("connect to %s: no such host: %s", target, dns.Name)
		e.hint = "check the name in --url"
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded):
		e.err = fmt.Errorf("connect to %s: no answer in time", target)
		e.hint = "raise --timeout, or look for a firewall between"
	case isHTTP && ws.Response != nil:
		e.err = fmt.Errorf("connect to %s: the server answers %s instead of opening a WebSocket", target, printable(ws.Response.Status))
		e.hint = "check the path of the URL: the gateway serves WAMP at /ws; and the scheme: with TLS it is wss"
		if ws.Response.StatusCode == http.StatusServiceUnavailable {
			e.hint = "the gateway is stopping, or too many connect at the same time"
			if s, err := strconv.ParseUint(ws.Response.Header.Get("Retry-After"), 10, 20); err == nil {
				e.hint += "; " + tryAgain(time.Duration(s)*time.Second)
			}
		}
	}
	return e
}
