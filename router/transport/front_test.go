package transport_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
)

// A fronted is a house with a front and other pages beside the WebSocket. It
// counts the requests that went through the HTTP server.
type fronted struct {
	*house
	requests atomic.Int64
}

func openFronted(t *testing.T, cfg transport.Config) *fronted {
	return openFrontedOn(t, cfg, frontListener{listenTCP(t)})
}

func openFrontedOn(t *testing.T, cfg transport.Config, l net.Listener) *fronted {
	f := &fronted{house: &house{t: t, sessions: make(chan *fakeSession, 100)}}
	f.srv = transport.NewTestServer(func(link router.Link, peer router.Peer) transport.Session {
		s := newFakeSession(link, peer)
		f.sessions <- s
		return s
	}, cfg, slog.New(slog.DiscardHandler))
	mux := http.NewServeMux()
	mux.Handle("/ws", f.srv)
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			_, _ = io.WriteString(w, r.RemoteAddr)
		}
	})
	f.serve(f.srv.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.requests.Add(1)
		mux.ServeHTTP(w, r)
	})), l)
	return f
}

// Whatever is no plain upgrade gets through to the HTTP server with all of its
// bytes: bodies, requests one after the other, and upgrades in pieces.
func TestFrontPassesOn(t *testing.T) {
	f := openFronted(t, testConfig())
	base := "http://" + must(f.dial())(t).RemoteAddr().String()
	var client http.Client
	defer client.CloseIdleConnections()
	for _, size := range []int{0, 1, 10_000, 1 << 20} { // one connection, kept alive
		body := strings.Repeat("b", size)
		resp, err := client.Post(base+"/echo", "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(got) != body {
			t.Errorf("echo of %d bytes: %d bytes, %v", size, len(got), err)
		}
	}
	if n := f.requests.Load(); n != 4 {
		t.Errorf("%d requests reached the HTTP server, want 4", n)
	}

	for _, tt := range []struct {
		name    string
		request string
		at      int // where it is cut
		http    int64
	}{
		{"whole", change() + mask(fin|text, "m"), 0, 0},
		{"first byte apart", change() + mask(fin|text, "m"), 1, 1},
		{"last byte apart", change() + mask(fin|text, "m"), len(change()) - 1, 1},
		{"frame apart", change() + mask(fin|text, "m"), len(change()), 0},
		{"too long for plain", change("X-Long: "+strings.Repeat("x", 9000)) + mask(fin|text, "m"), 0, 1},
		{"behind another request", "GET /none HTTP/1.1\r\nHost: x\r\n\r\n" + change() + mask(fin|text, "m"), 0, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := f.requests.Load()
			conn := must(f.dial())(t)
			conn.(*net.TCPConn).SetNoDelay(true)
			if tt.at > 0 {
				io.WriteString(conn, tt.request[:tt.at])
				<-time.After(20 * time.Millisecond) // so that the pieces arrive apart
			}
			io.WriteString(conn, tt.request[tt.at:])
			br := bufio.NewReader(conn)
			resp, err := http.ReadResponse(br, nil)
			if err == nil && resp.StatusCode == http.StatusNotFound {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp, err = http.ReadResponse(br, nil)
			}
			if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("got %v, %v", resp, err)
			}
			s := <-f.sessions
			if s.peer.RemoteAddr != conn.LocalAddr().String() {
				t.Errorf("peer is %s, want %s", s.peer.RemoteAddr, conn.LocalAddr())
			}
			io.WriteString(conn, bye)
			p := &peer{t: t, conn: conn, br: br, sess: s}
			if fr, err := p.read(); err != nil || fr.code() != 1000 {
				t.Errorf("got %q, %v; want the echo of the close frame", fr, err)
			}
			if got := s.got(); len(got) != 1 || got[0] != "m" {
				t.Errorf("delivered %q, want m", got)
			}
			if n := f.requests.Load() - before; n != tt.http {
				t.Errorf("%d requests went through the HTTP server, want %d", n, tt.http)
			}
		})
	}
}

// must returns what a function returned, which closes with the test.
func must(c net.Conn, err error) func(t *testing.T) net.Conn {
	return func(t *testing.T) net.Conn {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
}

// A request that anybody could read in two ways is never answered in front of
// the HTTP server, so there is one opinion about it.
func TestFrontLeavesDoubts(t *testing.T) {
	f := openFronted(t, testConfig())
	for _, tt := range notPlain {
		if tt.name == "unfinished" {
			continue
		}
		conn := must(f.dial())(t)
		io.WriteString(conn, tt.request)
		conn.(*net.TCPConn).CloseWrite()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if resp.StatusCode == 101 {
			<-f.sessions
		}
		conn.Close()
	}
	st := f.srv.Stats()
	if n := f.requests.Load(); n < int64(st.Upgraded+st.Refused) {
		t.Errorf("%d upgrades were answered, but only %d requests went through the HTTP server", st.Upgraded+st.Refused, n)
	}
}

// A connection from which nothing comes is closed in time, and at once when the
// listener is.
func TestFrontSilence(t *testing.T) {
	cfg := testConfig()
	cfg.UpgradeTimeout = 20 * time.Millisecond
	f := openFronted(t, cfg)
	conn := must(f.dial())(t)
	start := time.Now()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("got %d bytes, %v; want the end", n, err)
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("closed after %v, want 20ms", d)
	}

	cfg.UpgradeTimeout = time.Hour
	f = openFronted(t, cfg)
	conn = must(f.dial())(t)
	other := must(f.dial())(t)
	io.WriteString(other, change()) // the first one is waited for by now
	<-f.sessions
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_ = f.srv.Shutdown(ctx)
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("got %d bytes, %v; want the end", n, err)
	}
}

// An Identify that panics costs its connection and nothing else.
func TestFrontPanic(t *testing.T) {
	cfg := testConfig()
	cfg.Identify = func(r *http.Request) (any, error) {
		if r.Header.Get("Cookie") == "boom" {
			panic("boom")
		}
		return nil, nil
	}
	f := openFronted(t, cfg)
	conn := must(f.dial())(t)
	io.WriteString(conn, change("Cookie: boom"))
	if b, _ := io.ReadAll(conn); len(b) > 0 {
		t.Errorf("got %q, want the end", b)
	}
	f.connect("wamp.2.json", "")
}

// Errors of the listener reach the HTTP server, and so does the end.
func TestFrontErrors(t *testing.T) {
	h := &house{t: t}
	h.srv = transport.NewTestServer(nil, testConfig(), slog.New(slog.DiscardHandler))
	l := &faultyListener{Listener: listenTCP(t), errs: make(chan error)}
	front := h.srv.Front(l, "/ws")
	for _, want := range []error{errors.New("too many open files"), errors.New("out of memory")} {
		l.errs <- want
		if _, err := front.Accept(); !errors.Is(err, want) {
			t.Errorf("Accept: %v, want %v", err, want)
		}
	}
	if front.Addr() != l.Addr() {
		t.Errorf("address %v, want %v", front.Addr(), l.Addr())
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := front.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept of a closed listener: %v", err)
		}
	})
	close(l.errs)
	if err := front.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := front.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v, want ErrClosed", err)
	}
	wg.Wait()
	if err := h.srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	late := h.srv.Front(listenTCP(t), "/ws")
	if _, err := late.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Shutdown: %v, want ErrClosed", err)
	}
	if err := late.Close(); err != nil { // as the HTTP server does when it shuts down a moment later
		t.Errorf("Close after Shutdown: %v", err)
	}
}

// A faultyListener fails as it is told to.
type faultyListener struct {
	net.Listener
	errs chan error
}

func (l *faultyListener) Accept() (net.Conn, error) {
	if err, ok := <-l.errs; ok {
		return nil, err
	}
	return nil, net.ErrClosed
}

// Many that come at the same time are served, each by its own request.
func TestFrontCrowd(t *testing.T) {
	f := openFronted(t, testConfig())
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			conn, err := f.dial()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprint(conn, change(), mask(fin|text, fmt.Sprint(i)), bye)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
				t.Errorf("got %v, %v", resp, err)
			}
		})
	}
	wg.Wait()
	seen := make(map[string]bool)
	for range 64 {
		s := <-f.sessions
		<-s.detached
		for _, m := range s.got() {
			seen[m] = true
		}
	}
	if len(seen) != 64 {
		t.Errorf("%d different messages arrived, want 64", len(seen))
	}
}
