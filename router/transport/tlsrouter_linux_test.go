package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// routedTLS is routed over TLS, with a configuration of the router.
func routedTLS(t *testing.T, change func(*router.Config)) (*house, *router.Router, *secureListener) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	cfg := router.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	l := listenTLS(t)
	rt := router.New(cfg, everyone{}, log)
	rt.AddRealm("realm1", everyone{}, nil)
	h := &house{t: t, srv: transport.NewServer(rt, testConfig(), log)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := rt.Shutdown(ctx); err != nil {
			t.Errorf("Router.Shutdown: %v", err)
		}
	})
	h.serve(h.srv, l)
	return h, rt, l
}

const (
	helloFrame     = `[1,"realm1",{"roles":{"subscriber":{},"publisher":{}}}]`
	subscribeFrame = `[32,1,{},"com.example.topic"]`
)

// subscriber connects over TLS, joins and subscribes.
func (h *house) subscriber() *peer {
	h.t.Helper()
	p := h.connect("wamp.2.json", mask(fin|text, helloFrame)+mask(fin|text, subscribeFrame))
	for _, want := range []string{"[2,", "[33,"} {
		if f, err := p.read(); err != nil || !strings.HasPrefix(f.payload, want) {
			h.t.Fatalf("got %q, %v; want %s", f, err, want)
		}
	}
	return p
}

// publisher connects over TLS and joins.
func (h *house) publisher() *peer {
	h.t.Helper()
	p := h.connect("wamp.2.json", mask(fin|text, helloFrame))
	if f, err := p.read(); err != nil || !strings.HasPrefix(f.payload, "[2,") {
		h.t.Fatalf("got %q, %v; want WELCOME", f, err)
	}
	return p
}

// publish publishes text and waits for the acknowledgement.
func (p *peer) publish(request int, text string) {
	p.t.Helper()
	p.send(mask(fin|1, fmt.Sprintf(`[16,%d,{"acknowledge":true},"com.example.topic",["%s"]]`, request, text)))
	if f, err := p.read(); err != nil || !strings.HasPrefix(f.payload, "[17,") {
		p.t.Fatalf("got %q, %v; want PUBLISHED", f, err)
	}
}

// A fan-out over TLS starts no goroutine, and everybody gets everything.
func TestTLSFanOut(t *testing.T) {
	const subscribers, events = 100, 200
	h, _, _ := routedTLS(t, nil)
	var all []*peer
	for range subscribers {
		all = append(all, h.subscriber())
	}
	pub := h.publisher()
	var read sync.WaitGroup
	for _, p := range all {
		read.Go(func() {
			for i := range events {
				if f, err := p.read(); err != nil || !strings.Contains(f.payload, fmt.Sprintf(`"event %d"`, i)) {
					t.Errorf("got %q, %v; want event %d", f, err, i)
					return
				}
			}
		})
	}
	before := runtime.NumGoroutine()
	most := 0
	for i := range events {
		pub.publish(i+1, fmt.Sprintf("event %d", i))
		most = max(most, runtime.NumGoroutine())
	}
	read.Wait()
	// Besides a reader that is replaced, whose goroutine may not be gone yet.
	if most > before+8 {
		t.Errorf("%d goroutines while %d events go to %d sessions, %d before", most, events, subscribers, before)
	}
}

// A subscriber over TLS that stops reading delays nobody and is ended within
// the write timeout; one that reads slowly, a byte at a time, stays and gets
// everything.
func TestTLSSlowReaders(t *testing.T) {
	const timeout = time.Second
	h, rt, l := routedTLS(t, func(c *router.Config) {
		c.WriteTimeout = timeout
		c.QueueBytes = 64 << 20
	})
	var conn net.Conn // below TLS
	below := func(wrap func(net.Conn) net.Conn) func() (net.Conn, error) {
		return func() (net.Conn, error) {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				return nil, err
			}
			conn = c
			return tls.Client(wrap(c), l.client), nil
		}
	}
	h.dial = below(func(c net.Conn) net.Conn { return c })
	h.subscriber()
	stalled := conn
	h.dial = below(func(c net.Conn) net.Conn { return &trickleConn{c, 20_000} })
	slow := h.subscriber()
	h.dial = l.dial
	healthy, pub := h.subscriber(), h.publisher()

	const events = 100
	body := strings.Repeat("x", 100_000)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range events {
			if f, err := healthy.read(); err != nil || !strings.Contains(f.payload, fmt.Sprintf(`"%d%s"`, i, body)) {
				t.Errorf("healthy: got %.60q, %v; want event %d", f, err, i)
			}
		}
	})
	wg.Go(func() {
		for i := range events {
			if f, err := slow.read(); err != nil || !strings.Contains(f.payload, fmt.Sprintf(`"%d%s"`, i, body)) {
				t.Errorf("slow: got %.60q, %v; want event %d", f, err, i)
				return
			}
		}
	})
	begin := time.Now()
	for i := range events {
		pub.publish(i+1, fmt.Sprintf("%d%s", i, body))
	}
	wg.Wait()
	for rt.Stats().WriteTimeouts == 0 {
		if time.Since(begin) > 10*timeout {
			t.Fatal("the subscriber that does not read is not ended")
		}
		runtime.Gosched()
	}
	if err := stalled.SetReadDeadline(time.Now().Add(10 * timeout)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, stalled); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection of the subscriber that does not read is open")
	}
	if st := rt.Stats(); st.WriteTimeouts != 1 {
		t.Errorf("%d sessions ended by the write timeout, want 1", st.WriteTimeouts)
	}
}

// A trickleConn is read a byte at a time for the first n bytes.
type trickleConn struct {
	net.Conn
	n int
}

func (c *trickleConn) Read(p []byte) (int, error) {
	if c.n > 0 {
		c.n--
		p = p[:1]
	}
	return c.Conn.Read(p)
}

// Big messages pass both ways at the same time, with somebody else's client.
func TestTLSBigMessages(t *testing.T) {
	_, _, l := routedTLS(t, nil)
	url := "wss://" + l.Addr().String() + "/ws"
	d := websocket.Dialer{TLSClientConfig: l.client}
	sub, pub := dialWAMP(t, url, d, wamp.CBOR), dialWAMP(t, url, d, wamp.JSON)
	sub.join()
	pub.join()
	sub.send(32, 1, map[string]any{}, "com.example.topic")
	sub.expect(wamp.TypeSubscribed)
	pub.send(32, 1, map[string]any{}, "com.example.back")
	pub.expect(wamp.TypeSubscribed)
	const events = 20
	body := strings.Repeat("big ", 50_000)
	var wg sync.WaitGroup
	for _, side := range []struct {
		c     *wampClient
		topic string
	}{{pub, "com.example.topic"}, {sub, "com.example.back"}} {
		wg.Go(func() {
			for i := range events {
				side.c.send(16, 2, map[string]any{}, side.topic, []any{i, body})
			}
		})
		wg.Go(func() {
			for i := range events {
				msg, err := side.c.read()
				if err != nil || len(msg) < 5 {
					t.Errorf("got %.60v, %v; want EVENT", msg, err)
					return
				}
				if args, ok := msg[4].([]any); !ok || number(args[0]) != uint64(i) || args[1] != body {
					t.Errorf("got %.60v; want event %d", msg[4], i)
				}
			}
		})
	}
	wg.Wait()
}
