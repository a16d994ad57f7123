package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/ingest/webhook"
)

// patience bounds every wait for what must happen.
const patience = 60 * time.Second

// listenOn returns a server on an address of the loopback network.
func listenOn(t *testing.T, address string, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	ln, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Skipf("no server on %s here: %v", address, err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = ln
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func allow(networks ...string) (all []netip.Prefix) {
	for _, n := range networks {
		all = append(all, netip.MustParsePrefix(n))
	}
	return all
}

// A logBuffer keeps what is logged.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// A server that fails, hangs up and comes back gets every event in the end, in
// order and once, and each signed.
func TestFlappingServer(t *testing.T) {
	var n atomic.Int64
	var mu sync.Mutex
	var got []string
	s := listenOn(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case 2:
			panic(http.ErrAbortHandler)
		}
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, string(body))
	})
	f := newFeed(false)
	cfg := config()
	cfg.URL, cfg.Allow, cfg.QueueBytes = s.URL, allow("127.0.0.1/32"), 1<<20
	h := webhook.Start(cfg, f, slog.New(slog.DiscardHandler))
	defer h.Close(t.Context())
	f.put(events(1, 20)...)
	until(t, "all events", func() bool { return h.Stats().Delivered == 20 })
	mu.Lock()
	defer mu.Unlock()
	if all := strings.Join(got, "\n"); all != bodies(1, 20) {
		t.Errorf("the server got\n%s", all)
	}
}

// refusedBy calls through an endpoint and wants the address refused.
func refusedBy(t *testing.T, e webhook.Endpoint) {
	t.Helper()
	var log logBuffer
	e.Timeout = patience
	c := webhook.NewCallee(webhook.CalleeConfig{Endpoint: e, MaxAnswer: 1 << 20}, slog.New(slog.NewTextHandler(&log, nil)))
	defer c.Close()
	_, err := c.Call(t.Context(), &webhook.Invocation{ID: "1", Procedure: "p"})
	f, ok := errors.AsType[*webhook.Failure](err)
	if !ok || f.URI != "wireroom.error.unavailable" || strings.Contains(err.Error(), "127.0") {
		t.Errorf("Call = %v, want a failure that does not tell addresses", err)
	}
	if !strings.Contains(log.String(), "is no public address") {
		t.Errorf("the log says %s", log.String())
	}
}

// No request goes to this machine, by whatever name or way, unless its network
// is allowed.
func TestPrivateAddresses(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // which nobody looks at
	var hits atomic.Int64
	hit := func(w http.ResponseWriter, _ *http.Request) { hits.Add(1) }
	inner := listenOn(t, "127.0.0.1", hit)
	_, port, _ := net.SplitHostPort(inner.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		t.Run(host, func(t *testing.T) {
			refusedBy(t, webhook.Endpoint{URL: "http://" + host + ":" + port})
		})
	}
	t.Run("another network is allowed", func(t *testing.T) {
		refusedBy(t, webhook.Endpoint{URL: inner.URL, Allow: allow("10.0.0.0/8", "127.0.0.2/32")})
	})
	for _, status := range []int{http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		t.Run(fmt.Sprintf("redirect %d", status), func(t *testing.T) {
			outer := listenOn(t, "127.0.0.2", func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, inner.URL, status)
			})
			refusedBy(t, webhook.Endpoint{URL: outer.URL, Allow: allow("127.0.0.2/32")})
		})
	}
	if hits.Load() != 0 {
		t.Errorf("the server was asked %d times", hits.Load())
	}
}

// A name that leads to an allowed address the first time and to another one
// the second time does not lead there.
func TestRebinding(t *testing.T) {
	var hits, inner atomic.Int64
	good := listenOn(t, "127.0.0.2", func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.Header().Set("Connection", "close")
	})
	_, port, _ := net.SplitHostPort(good.Listener.Addr().String())
	ln, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Skip("the port is taken on the other address")
	}
	bad := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inner.Add(1) })}
	go func() { _ = bad.Serve(ln) }()
	defer bad.Close()

	var rebound atomic.Bool
	resolver := newResolver(t, func() netip.Addr {
		if rebound.Load() {
			return netip.MustParseAddr("127.0.0.1")
		}
		return netip.MustParseAddr("127.0.0.2")
	})
	var log logBuffer
	f := newFeed(false)
	cfg := config()
	cfg.URL, cfg.Allow, cfg.GiveUp = "http://hook.example:"+port, allow("127.0.0.2/32"), time.Second
	h := webhook.StartBy(cfg, f, slog.New(slog.NewTextHandler(&log, nil)), nil, resolver)
	defer h.Close(t.Context())
	f.put(event(1))
	until(t, "the first event", func() bool { return h.Stats().Delivered == 1 })
	rebound.Store(true)
	f.put(event(2))
	until(t, "the end of the second", func() bool { return h.Stats().GivenUp == 1 })
	if hits.Load() != 1 || inner.Load() != 0 || !strings.Contains(log.String(), "127.0.0.1 is no public address") {
		t.Errorf("the endpoint was asked %d times, what the name led to later %d times; the log says\n%s", hits.Load(), inner.Load(), log.String())
	}
}

// newResolver returns one that answers every question for an IPv4 address with
// what address returns then.
func newResolver(t *testing.T, address func() netip.Addr) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = pc.WriteTo(answerTo(buf[:n], address()), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// answerTo answers a question of DNS: with the address if it is for one of
// IPv4, with nothing otherwise.
func answerTo(query []byte, a netip.Addr) []byte {
	end := 12
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	end += 5
	kind := query[end-3]
	out := append([]byte{}, query[:2]...)
	out = append(out, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
	out = append(out, query[12:end]...)
	if kind == 1 {
		out[7] = 1
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		out = append(out, a.AsSlice()...)
	}
	return out
}

// A certificate that nobody vouches for is refused.
func TestCertificates(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	defer s.Close()
	c := webhook.NewCallee(webhook.CalleeConfig{Endpoint: webhook.Endpoint{URL: s.URL, Timeout: patience, Allow: allow("127.0.0.0/8")}, MaxAnswer: 1 << 20}, slog.New(slog.DiscardHandler))
	defer c.Close()
	if r, err := c.Call(t.Context(), &webhook.Invocation{ID: "1"}); err == nil {
		t.Errorf("Call = %+v, want an error", r)
	}
}

// Where a redirect leads to does not learn the address that it came from, which
// may hold a token.
func TestRedirectTellsNoAddress(t *testing.T) {
	referer := make(chan string, 1)
	inner := listenOn(t, "127.0.0.1", func(_ http.ResponseWriter, r *http.Request) { referer <- r.Header.Get("Referer") })
	outer := listenOn(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inner.URL, http.StatusTemporaryRedirect)
	})
	e := webhook.Endpoint{URL: outer.URL + "/?token=secret", Allow: allow("127.0.0.1/32"), Timeout: patience}
	c := webhook.NewCallee(webhook.CalleeConfig{Endpoint: e, MaxAnswer: 1 << 20}, slog.New(slog.DiscardHandler))
	defer c.Close()
	_, _ = c.Call(t.Context(), &webhook.Invocation{ID: "1", Procedure: "p"}) // the answer does not matter
	select {
	case got := <-referer:
		if got != "" {
			t.Errorf("Referer: %s", got)
		}
	default:
		t.Error("the redirect was not followed")
	}
}
