package transport_test

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/pprof"
	"syscall"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
)

// BenchmarkIdleTLS is BenchmarkIdle over TLS, for each version.
func BenchmarkIdleTLS(b *testing.B) {
	const n = 2000
	hello := mask(fin|text, `[1,"realm1",{"roles":{"subscriber":{}}}]`)
	subscribe := mask(fin|text, `[32,1,{},"com.example.topic"]`)
	for _, bb := range []struct {
		name    string
		version uint16
		real    bool
		more    []string
	}{
		{"session=none/tls=1.3", tls.VersionTLS13, false, nil},
		{"session=subscribed/tls=1.2", tls.VersionTLS12, true, []string{hello, subscribe}},
		{"session=subscribed/tls=1.3", tls.VersionTLS13, true, []string{hello, subscribe}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			cfg := transport.DefaultConfig()
			cfg.PingTimeout = 400 * time.Millisecond // so that stacks are replaced within 200ms
			l := listenTLS(b)
			l.client.MinVersion, l.client.MaxVersion = bb.version, bb.version
			if bb.real {
				routed(b, cfg, l)
			} else {
				s := new(mute)
				h := &house{t: b}
				h.srv = transport.NewTestServer(func(router.Link, router.Peer) transport.Session { return s }, cfg, slog.New(slog.DiscardHandler))
				h.serve(h.srv, l)
			}
			fds := make([]int, 0, n)
			defer func() {
				for _, fd := range fds {
					syscall.Close(fd)
				}
			}()
			open := func(count int) {
				for range count {
					fds = append(fds, secureConnect(b, l, bb.more...))
				}
			}
			for b.Loop() {
				open(100) // what the first ones cost for all
				heap, rss := settle()
				open(n)
				heap2, rss2 := settle()
				b.ReportMetric(float64(heap2-heap)/n, "B/conn")
				b.ReportMetric(float64(rss2-rss)/n, "rss-B/conn")
				if f := os.Getenv("HEAP"); f != "" {
					w, _ := os.Create(f)
					pprof.Lookup("heap").WriteTo(w, 0)
					w.Close()
					w, _ = os.Create(f + ".stacks")
					pprof.Lookup("goroutine").WriteTo(w, 1)
					w.Close()
				}
			}
		})
	}
}

// secureConnect upgrades a connection over TLS, sends each of more and reads an
// answer to it, and returns a descriptor that keeps the connection open when
// everything else of it is gone.
func secureConnect(b *testing.B, l *secureListener, more ...string) int {
	b.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	var fd int
	raw.Control(func(old uintptr) { fd, err = syscall.Dup(int(old)) })
	if err != nil {
		b.Fatal(err)
	}
	secure := tls.Client(conn, l.client)
	answer := make([]byte, 4096)
	for _, say := range append([]string{handshake + "Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n"}, more...) {
		if _, err := fmt.Fprint(secure, say); err != nil {
			b.Fatal(err)
		}
		if _, err := secure.Read(answer); err != nil {
			b.Fatal(err)
		}
	}
	return fd
}
