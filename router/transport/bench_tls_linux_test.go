package transport_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router/transport"
)

// BenchmarkIdleTLS is BenchmarkIdle over TLS, for subscribed sessions that sent
// only small records, or also one that was as large as may be.
func BenchmarkIdleTLS(b *testing.B) {
	n := crowd(2000)
	hello := mask(fin|text, `[1,"realm1",{"roles":{"subscriber":{}}}]`)
	subscribe := mask(fin|text, `[32,1,{},"com.example.topic"]`)
	large := mask(fin|text, `[32,2,{},"com.example.other"`+strings.Repeat(" ", 16_300)+`]`)
	for _, bb := range []struct {
		name    string
		version uint16
		more    []string
	}{
		{"tls=1.2/records=small", tls.VersionTLS12, []string{hello, subscribe}},
		{"tls=1.3/records=small", tls.VersionTLS13, []string{hello, subscribe}},
		{"tls=1.3/records=16KiB", tls.VersionTLS13, []string{hello, subscribe, large}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			cfg := transport.DefaultConfig()
			cfg.PingTimeout = 400 * time.Millisecond // so that stacks are replaced within 200ms
			l := listenTLS(b)
			l.client.MinVersion, l.client.MaxVersion = bb.version, bb.version
			routed(b, cfg, l)
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
				b.ReportMetric(float64(heap2-heap)/float64(n), "B/conn")
				b.ReportMetric(float64(rss2-rss)/float64(n), "rss-B/conn")
			}
		})
	}
}

// BenchmarkFanOutTLS compares what a delivery costs with TLS and without, in
// CPU time of the thread that writes: frames of 150 bytes, alone or gathered,
// to 100 connections whose other ends are read in between. The two take turns,
// and medians are reported.
func BenchmarkFanOutTLS(b *testing.B) {
	const n = 100
	type end struct {
		sess *mute
		conn net.Conn
	}
	plainHouse, plainSessions := muteHouse(b)
	secureHouse, secureSessions, l := muteTLS(b)
	var ends [2][n]end
	for i := range n {
		ends[0][i].conn = plainHouse.connect("wamp.2.json", "").conn
		ends[0][i].sess = <-plainSessions
		ends[1][i].conn = secureHouse.connectSealed(l).raw
		ends[1][i].sess = <-secureSessions
	}
	for _, frames := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("frames=%d", frames), func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			bufs := make([][]byte, frames)
			for i := range bufs {
				bufs[i] = make([]byte, 150)
			}
			size := [2]int{150 * frames, sealedSize(150 * frames)}
			back := make([]byte, size[1])
			var spent [2][]time.Duration
			for b.Loop() {
				for way := range ends {
					begin := threadTime()
					for i := range ends[way] {
						if _, err := ends[way][i].sess.link.TryWrite(bufs); err != nil {
							b.Fatal(err)
						}
					}
					spent[way] = append(spent[way], threadTime()-begin)
					for i := range ends[way] {
						if _, err := io.ReadFull(ends[way][i].conn, back[:size[way]]); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			var median [2]float64
			for way := range spent {
				slices.Sort(spent[way])
				median[way] = float64(spent[way][len(spent[way])/2].Nanoseconds()) / n
			}
			b.ReportMetric(median[0], "plain-cpu-ns")
			b.ReportMetric(median[1], "tls-cpu-ns")
			b.ReportMetric(median[1]/median[0], "ratio")
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
