package transport_test

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// A peer that does not greet in time is closed, however slowly it goes on.
func TestRawGreetingDeadline(t *testing.T) {
	t.Run("pipe", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			cfg := testConfig()
			h := openRaw(t, cfg, newPipeListener())
			for _, bytes := range []string{"", "\x7f", greetJSON[:3]} {
				start := time.Now()
				p := h.connectRaw(bytes, 1)
				if rest, err := io.ReadAll(p.br); len(rest) > 0 || err != nil {
					t.Errorf("after %q: %q, %v; want the end", bytes, rest, err)
				}
				if d := time.Since(start); d != cfg.UpgradeTimeout {
					t.Errorf("after %q: closed after %v, want %v", bytes, d, cfg.UpgradeTimeout)
				}
			}
			synctest.Wait()
			if n := h.srv.Stats().Refused; n != 3 {
				t.Errorf("%d refused, want 3", n)
			}
		})
	})
	for name, l := range map[string]net.Listener{
		"tcp": listenTCP(t), "front": frontListener{listenTCP(t)}, "unix": listenUnix(t), "tls": listenTLS(t),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			cfg.UpgradeTimeout = 30 * time.Millisecond
			if name == "tls" {
				cfg.UpgradeTimeout = time.Second // the handshake is in it
			}
			h := openRaw(t, cfg, l)
			p := h.connectRaw("\x7f", 1)
			if rest, _ := io.ReadAll(p.br); len(rest) > 0 {
				t.Errorf("%q came, want the end", rest)
			}
		})
	}
	t.Run("no handshake of TLS", func(t *testing.T) {
		cfg := testConfig()
		cfg.UpgradeTimeout = 30 * time.Millisecond
		l := listenTLS(t)
		h := openRaw(t, cfg, l)
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if rest, _ := io.ReadAll(nc); len(rest) > 0 {
			t.Errorf("%q came, want the end", rest)
		}
		if n := h.srv.Stats().Upgraded; n != 0 {
			t.Errorf("%d accepted, want 0", n)
		}
	})
}

// A shutdown does not wait for peers that have not greeted.
func TestRawShutdownBeforeGreeting(t *testing.T) {
	everyRaw(t, func(t *testing.T, l net.Listener) {
		h := openRaw(t, testConfig(), l)
		p := h.connectRaw("\x7f", 1)
		p.sent()
		if err := h.srv.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if rest, _ := io.ReadAll(p.br); len(rest) > 0 {
			t.Errorf("%q came, want the end", rest)
		}
		if err := h.srv.ServeRawSocket(newPipeListener()); err != nil {
			t.Errorf("ServeRawSocket after Shutdown: %v", err)
		}
	})
}

// A listener that breaks ends the serving, not what is served.
func TestRawListenerBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openRaw(t, testConfig(), newPipeListener())
		l := newPipeListener()
		l.Close()
		if err := h.srv.ServeRawSocket(l); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ServeRawSocket = %v, want that the listener is closed", err)
		}
		p := h.connectRaw(greetJSON+raw(1, "x"), 100)
		if got, err := p.take(4 + 5); err != nil || got != "\x7f\x91\x00\x00"+raw(2, "x") {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// A silent peer is pinged, and ended if it does not answer; any PONG will do.
func TestRawPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig() // pings after 30s, 10s to answer: a look takes 1.25s
		cfg.PingRawSockets = true
		const look = 10 * time.Second / 8
		h := openRaw(t, cfg, newPipeListener())
		p := h.connectRaw(greetMsgpack, 4)
		if _, err := p.take(4); err != nil {
			t.Fatal(err)
		}
		s := <-h.sessions
		for range 3 {
			start := time.Now()
			f, err := p.readRaw()
			if err != nil || f != (frame{1, ""}) {
				t.Fatalf("got %.80q, %v; want a PING", f, err)
			}
			if d := time.Since(start); !within(d, cfg.PingInterval-look, cfg.PingInterval+2*look) {
				t.Errorf("pinged after %v, want about %v", d, cfg.PingInterval)
			}
			p.send(raw(2, ""))
		}
		if f, err := p.readRaw(); err != nil || f != (frame{1, ""}) {
			t.Fatalf("got %.80q, %v; want a PING", f, err)
		}
		start := time.Now()
		if rest, _ := io.ReadAll(p.br); len(rest) > 0 {
			t.Errorf("%q came, want the end", rest)
		}
		if d := time.Since(start); !within(d, cfg.PingTimeout, cfg.PingTimeout+2*look) {
			t.Errorf("ended after %v, want about %v", d, cfg.PingTimeout)
		}
		<-s.detached
		if why, _ := s.reason(); why == nil || why.URI != wamp.URINetworkFailure {
			t.Errorf("ended with %v, want %s", why, wamp.URINetworkFailure)
		}
	})
}

// Peers that are not to be pinged are not, and may be silent as long as they
// like.
func TestRawWithoutPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openRaw(t, testConfig(), newPipeListener())
		p := h.connectRaw(greetMsgpack, 4)
		if _, err := p.take(4); err != nil {
			t.Fatal(err)
		}
		s := <-h.sessions
		p.conn.SetReadDeadline(time.Now().Add(time.Hour))
		if f, err := p.readRaw(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q, %v came in an hour, want nothing", f, err)
		}
		p.send(raw(0, "m") + raw(1, "x"))
		p.conn.SetReadDeadline(time.Time{})
		if f, err := p.readRaw(); err != nil || f != (frame{2, "x"}) || len(s.got()) != 1 {
			t.Errorf("got %q, %v and %d messages; want a PONG and one", f, err, len(s.got()))
		}
		if n := h.srv.Stats().Pings; n != 0 {
			t.Errorf("%d pings counted, want 0", n)
		}
	})
}

// When the session ends, the server closes its direction, skips what still
// comes, and closes when the peer does, or after a while.
func TestRawEnd(t *testing.T) {
	for _, name := range []string{"tcp", "unix", "tls"} {
		t.Run(name, func(t *testing.T) {
			l := map[string]func() net.Listener{
				"tcp": func() net.Listener { return listenTCP(t) }, "unix": func() net.Listener { return listenUnix(t) },
				"tls": func() net.Listener { return listenTLS(t) },
			}[name]()
			h := openRaw(t, testConfig(), l)
			p := h.connectRaw(greetJSON, 4)
			if _, err := p.take(4); err != nil {
				t.Fatal(err)
			}
			s := <-h.sessions
			s.End(&wamp.Error{URI: wamp.URICloseKilled})
			if rest, err := io.ReadAll(p.br); len(rest) > 0 || err != nil {
				t.Errorf("%q, %v; want a clean end", rest, err)
			}
			select {
			case <-s.detached:
				t.Error("the connection was closed before the peer closed")
			default:
			}
			p.send(raw(0, "late") + "\xff\xff")
			p.conn.Close()
			<-s.detached
			if why, _ := s.reason(); why == nil || why.URI != wamp.URICloseKilled {
				t.Errorf("ended with %v, want %s", why, wamp.URICloseKilled)
			}
		})
	}
	t.Run("patience", func(t *testing.T) {
		cfg := testConfig()
		cfg.CloseTimeout = 20 * time.Millisecond
		h := openRaw(t, cfg, listenTCP(t))
		p := h.connectRaw(greetJSON, 4)
		if _, err := p.take(4); err != nil {
			t.Fatal(err)
		}
		s := <-h.sessions
		s.End(nil)
		<-s.detached // the peer has not closed
	})
}

// Of the peers that come too fast, or while the server shuts down, each is told
// so.
func TestRawAdmission(t *testing.T) {
	everyRaw(t, func(t *testing.T, l net.Listener) {
		h := openRaw(t, testConfig(), l)
		transport.SetAdmit(h.srv, func() (time.Duration, bool) { return time.Second, false })
		p := h.connectRaw(greetJSON, 4)
		if got, _ := io.ReadAll(p.br); string(got) != "\x7f\x40\x00\x00" {
			t.Errorf("answer %q, want that there are too many", got)
		}
		if st := h.srv.Stats(); st.TooMany != 1 || st.Refused != 1 || st.Upgraded != 0 {
			t.Errorf("%d too many of %d refused, %d accepted; want 1, 1, 0", st.TooMany, st.Refused, st.Upgraded)
		}
	})
}

// What peers are known by, and the counters.
func TestRawPeer(t *testing.T) {
	everyRaw(t, func(t *testing.T, l net.Listener) {
		h := openRaw(t, testConfig(), l)
		p := h.connectRaw("\x7f\x73\x00\x00", 4)
		if _, err := p.take(4); err != nil {
			t.Fatal(err)
		}
		s := <-h.sessions
		_, secure := l.(*secureListener)
		if q := s.peer; q.Serializer != wamp.CBOR || q.Framing != transport.RawSocket || q.Transport != "rawsocket" ||
			q.RemoteAddr == "" || q.Secure != secure || q.Identity != nil || q.MaxFrame != 4+1<<16 {
			t.Errorf("the session's peer is %+v", q)
		}
		if st := h.srv.Stats(); st.Upgraded != 1 || st.RawSockets != 1 || st.Open != 1 {
			t.Errorf("%d accepted, %d of them RawSocket, %d open; want 1 of each", st.Upgraded, st.RawSockets, st.Open)
		}
	})
}

func TestListenUnix(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "socket")
	l, err := transport.ListenUnix(t.Context(), path, 0o620)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o620 {
		t.Errorf("the socket is %v, %v; want permissions 0620", info, err)
	}
	if _, err := transport.ListenUnix(t.Context(), path, 0o600); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second listener: %v, want that the address is in use", err)
	}
	// A program that is killed leaves its socket behind.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if l, err = transport.ListenUnix(t.Context(), path, 0o600); err != nil {
		t.Fatalf("a stale socket is not replaced: %v", err)
	}
	l.Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close the socket is still there: %v", err)
	}

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := transport.ListenUnix(t.Context(), file, 0o600); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file: %v, want that it is no socket", err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file holds %q, %v", b, err)
	}
	if _, err := transport.ListenUnix(t.Context(), filepath.Join(dir, "no", "folder"), 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v, want that it does not exist", err)
	}
}

// A PING that the peer wants is sent to it, whether or not the silent are
// pinged; one that only the router wants is not.
func TestRawPingFrame(t *testing.T) {
	for _, pings := range []bool{false, true} {
		for _, wanted := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig()
				cfg.PingRawSockets = pings
				h := openRaw(t, cfg, newPipeListener())
				p := h.connectRaw(greetJSON, 4)
				if _, err := p.take(4); err != nil {
					t.Fatal(err)
				}
				s := <-h.sessions
				got := string(s.link.(router.Pinger).PingFrame([]byte("a mark"), wanted))
				want := ""
				if pings || wanted {
					want = raw(1, "a mark")
				}
				if got != want {
					t.Errorf("pings %v, wanted %v: the frame is %q, want %q", pings, wanted, got, want)
				}
			})
		}
	}
}
