package transport_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
)

// A pollHouse is a LongPoll behind an HTTP server over pipes, in fake time.
type pollHouse struct {
	t        *testing.T
	lp       *transport.LongPoll
	l        *pipeListener
	line     gate // of the client's connections
	http     *http.Client
	sessions chan *fakeSession
	attached func(s *fakeSession) // before the router knows more of it; may be nil
	receive  func(s *fakeSession, msg []byte) error
	identify func(r *http.Request) (any, error)
}

func openPolls(t *testing.T, change func(*transport.LongPollConfig), v httpVersion) *pollHouse {
	h := &pollHouse{t: t, l: newPipeListener(), sessions: make(chan *fakeSession, 100)}
	cfg := transport.DefaultLongPollConfig()
	cfg.MaxMessage = 4 << 10
	cfg.Identify = func(r *http.Request) (any, error) {
		if h.identify != nil {
			return h.identify(r)
		}
		return nil, nil
	}
	if change != nil {
		change(&cfg)
	}
	h.lp = transport.NewTestLongPoll(func(link router.Link, peer router.Peer) transport.Session {
		s := newFakeSession(link, peer)
		if h.receive != nil {
			s.receive = func(msg []byte) error { return h.receive(s, msg) }
		}
		if h.attached != nil {
			h.attached(s)
		}
		h.sessions <- s
		return s
	}, cfg, slog.New(slog.DiscardHandler))
	hs := &http.Server{
		Handler: h.lp, ReadTimeout: 35 * time.Second, WriteTimeout: 40 * time.Second,
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Protocols: v.protocols(), HTTP2: &http.HTTP2Config{WriteByteTimeout: 10 * time.Second},
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = hs.Serve(h.l) })
	h.http = &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return h.line.dial(h.l) },
		Protocols:   v.protocols(),
	}}
	t.Cleanup(func() {
		h.http.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := h.lp.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		hs.Close()
		wg.Wait()
		if n := h.lp.Stats().Open; n != 0 {
			t.Errorf("%d clients are left", n)
		}
	})
	return h
}

// A reply is an answer to a request, and when it came.
type reply struct {
	status int
	body   string
	seq    string
	header http.Header
	after  time.Duration
}

// do sends a request and reads the answer; the status is 0 if there is none.
func (h *pollHouse) do(ctx context.Context, method, path, body string) reply {
	begin := time.Now()
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	resp, err := h.http.Do(r)
	if err != nil {
		return reply{after: time.Since(begin)}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{after: time.Since(begin)}
	}
	return reply{resp.StatusCode, string(b), resp.Header.Get("Wireroom-Seq"), resp.Header, time.Since(begin)}
}

func (h *pollHouse) post(path, body string) reply {
	return h.do(context.Background(), http.MethodPost, path, body)
}

// later sends a request, whose answer is to be had from the channel.
func (h *pollHouse) later(ctx context.Context, method, path, body string) <-chan reply {
	c := make(chan reply, 1)
	go func() { c <- h.do(ctx, method, path, body) }()
	synctest.Wait()
	return c
}

// A pollClient is a client that has opened a transport.
type pollClient struct {
	*pollHouse
	path string
	sess *fakeSession
}

func (h *pollHouse) open(protocol string) *pollClient {
	h.t.Helper()
	r := h.post("/open", fmt.Sprintf(`{"protocols":[%q]}`, protocol))
	var opened struct{ Protocol, Transport string }
	if err := json.Unmarshal([]byte(r.body), &opened); r.status != 200 || err != nil || opened.Protocol != protocol || len(opened.Transport) < 22 {
		h.t.Fatalf("open is answered with %d %q", r.status, r.body)
	}
	return &pollClient{h, "/" + opened.Transport, <-h.sessions}
}

// say queues messages of the session.
func (c *pollClient) say(msgs ...string) {
	for _, m := range msgs {
		buf := append(make([]byte, transport.WebSocket.Headroom), m...)
		c.sess.queue <- transport.WebSocket.Seal(buf, c.sess.peer.Serializer)
	}
	synctest.Wait()
}

func (c *pollClient) want(path, body string, status int, answer string) {
	c.t.Helper()
	if r := c.post(c.path+path, body); r.status != status || !strings.Contains(r.body, answer) {
		c.t.Errorf("%s is answered with %d %q, want %d and %q", path, r.status, r.body, status, answer)
	}
}

// wantDetached waits until the session is detached, and checks when and why.
func (c *pollClient) wantDetached(since time.Time, after time.Duration, why string) {
	c.t.Helper()
	<-c.sess.detached
	got, err := c.sess.reason()
	if took := time.Since(since); took != after || !strings.Contains(fmt.Sprint(got, err), why) {
		c.t.Errorf("the session is detached after %v because of %v and %v, want %v and %q", took, got, err, after, why)
	}
	c.want("/receive", "", 404, "no such transport")
}

// polls runs a test over each version of HTTP.
func polls(t *testing.T, change func(*transport.LongPollConfig), f func(t *testing.T, h *pollHouse)) {
	httpVersions(t, func(t *testing.T, v httpVersion) { f(t, openPolls(t, change, v)) })
}

// A gate keeps the connections that are dialed through it from being read.
type gate struct{ held atomic.Pointer[chan struct{}] }

// hold lets nothing more through until release is called; what is being read at
// this moment still is.
func (g *gate) hold() (release func()) {
	c := make(chan struct{})
	g.held.Store(&c)
	return func() { close(c) }
}

func (g *gate) dial(l *pipeListener) (net.Conn, error) {
	nc, err := l.dial()
	return gatedConn{nc, g}, err
}

type gatedConn struct {
	net.Conn
	gate *gate
}

func (c gatedConn) Read(b []byte) (int, error) {
	if held := c.gate.held.Load(); held != nil {
		<-*held
	}
	return c.Conn.Read(b)
}

// pollsByHand runs a test that writes its requests byte by byte, in HTTP/1.
func pollsByHand(t *testing.T, change func(*transport.LongPollConfig), f func(t *testing.T, h *pollHouse)) {
	synctest.Test(t, func(t *testing.T) { f(t, openPolls(t, change, 1)) })
}

// httpVersion is one of HTTP.
type httpVersion int

func (v httpVersion) protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(v == 1)
	p.SetUnencryptedHTTP2(v == 2)
	return p
}

// httpVersions runs a test in fake time with each version.
func httpVersions(t *testing.T, f func(t *testing.T, v httpVersion)) {
	for _, v := range []httpVersion{1, 2} {
		t.Run(fmt.Sprintf("HTTP/%d", v), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, v) })
		})
	}
}
