package transport_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
)

// BenchmarkGather compares one write of frames that are copied together with
// one writev, over a loopback TCP connection, in CPU time of the writing
// thread. The two take turns, and medians are reported, so that the answer
// holds on a machine that does other things too.
func BenchmarkGather(b *testing.B) {
	l := listenTCP(b)
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	raw, err := server.(*net.TCPConn).SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{2, 4, 8, 16, 32, 100} {
		b.Run(fmt.Sprintf("frames=%d", n), func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			bufs := make([][]byte, n)
			for i := range bufs {
				bufs[i] = make([]byte, 150)
			}
			back := make([]byte, 150*n)
			var spent [2][]time.Duration
			for b.Loop() {
				for way := range spent {
					begin := threadTime()
					var err error
					raw.Control(func(fd uintptr) { _, err = transport.WriteOnce(int(fd), bufs, way == 1) })
					spent[way] = append(spent[way], threadTime()-begin)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(client, back); err != nil {
						b.Fatal(err)
					}
				}
			}
			for way, unit := range []string{"writev-cpu-ns", "gather-cpu-ns"} {
				slices.Sort(spent[way])
				b.ReportMetric(float64(spent[way][len(spent[way])/2].Nanoseconds()), unit)
			}
		})
	}
}

// threadTime returns the CPU time of the calling thread.
func threadTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// BenchmarkTryWrite is a write and the reading of it at the other end.
func BenchmarkTryWrite(b *testing.B) {
	h, sessions := muteHouse(b)
	p := h.connect("wamp.2.json", "")
	s := <-sessions
	for _, n := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("frames=%d", n), func(b *testing.B) {
			bufs := make([][]byte, n)
			for i := range bufs {
				bufs[i] = make([]byte, 150)
			}
			back := make([]byte, 150*n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.link.TryWrite(bufs); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(p.br, back); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRead counts what one message of 128 bytes costs from the client's
// write to Receive, alone and 32 at a time.
func BenchmarkRead(b *testing.B) {
	h, sessions := muteHouse(b)
	p := h.connect("wamp.2.json", "")
	s := <-sessions
	for _, n := range []int{1, 32} {
		b.Run(fmt.Sprintf("messages=%d", n), func(b *testing.B) {
			send := []byte(strings.Repeat(mask(fin|text, strings.Repeat("m", 128)), n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.conn.Write(send); err != nil {
					b.Fatal(err)
				}
				for range n {
					<-s.came
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/message")
		})
	}
}

// BenchmarkSweep is one look at each of 20,000 silent connections, of which
// one look at each is due every 1.25s.
func BenchmarkSweep(b *testing.B) {
	const n = 20_000
	sweep := transport.SweepFixture(n, transport.DefaultConfig())
	for b.Loop() {
		sweep()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/conn")
}

// BenchmarkIdle is no loop: it reports the memory of one idle connection with
// its session, as the growth of everything that the Go runtime has in use and
// as the growth of the process, over 2,000 connections. Their other ends are
// bare descriptors, which cost nothing here. Run each by itself, as in
//
//	go test -run=NONE -bench=Idle/session=subscribed -benchtime=1x ./router/transport
//
// because the runtime keeps what it allocated for goroutines and descriptors
// that are gone, so that a second run seems to need less.
func BenchmarkIdle(b *testing.B) {
	n := crowd(2000)
	hello := mask(fin|text, `[1,"realm1",{"roles":{"subscriber":{}}}]`)
	subscribe := mask(fin|text, `[32,1,{},"com.example.topic"]`)
	packedHello := mask(fin|rsv1|text, pack(`[1,"realm1",{"roles":{"subscriber":{}}}]`))
	packedSubscribe := mask(fin|rsv1|text, pack(`[32,1,{},"com.example.topic"]`))
	for _, bb := range []struct {
		name  string
		real  bool
		more  string
		offer string
	}{
		{"session=none", false, "", ""},
		{"session=joined", true, hello, ""},
		{"session=subscribed", true, hello + subscribe, ""},
		{"session=deflating", true, packedHello + packedSubscribe, "permessage-deflate"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			cfg := transport.DefaultConfig()
			cfg.Deflate, cfg.DeflateMin = true, 0
			cfg.PingTimeout = 400 * time.Millisecond // so that stacks are replaced within 200ms
			l := listenTCP(b)
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
					fds = append(fds, bareConnect(b, l.Addr().(*net.TCPAddr), bb.offer, bb.more))
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

// BenchmarkPings reports what part of a core 20,000 joined and silent sessions
// cost that are pinged every 30 seconds, from 2,000 that are pinged every 3:
// the CPU time of the process without that of the thread that answers. Run it
// with -benchtime=1x.
func BenchmarkPings(b *testing.B) {
	n, interval, timeout := crowd(2000), 3*time.Second, time.Second
	if testing.Short() {
		interval, timeout = 100*time.Millisecond, 30*time.Second
	}
	cfg := transport.DefaultConfig()
	cfg.PingInterval, cfg.PingTimeout = interval, timeout
	l := listenTCP(b)
	h, _ := routed(b, cfg, l)
	epoll, err := unix.EpollCreate1(0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(epoll)
	hello := mask(fin|text, `[1,"realm1",{"roles":{"subscriber":{}}}]`)
	for range n {
		fd := bareConnect(b, l.Addr().(*net.TCPAddr), "", hello)
		defer unix.Close(fd)
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			b.Fatal(err)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	answer := []byte(mask(fin|pong, ""))
	buf := make([]byte, 64)
	events := make([]unix.EpollEvent, 64)
	serve := func(d time.Duration) {
		for until := time.Now().Add(d); time.Now().Before(until); {
			ready, _ := unix.EpollWait(epoll, events, 20) // EINTR is no event
			for _, e := range events[:max(ready, 0)] {
				unix.Read(int(e.Fd), buf)
				unix.Write(int(e.Fd), answer)
			}
		}
	}
	serve(interval * 5 / 3) // until the rhythm is found and the stacks are small
	for b.Loop() {
		pings, all, mine, begin := h.srv.Stats().Pings, processTime(), threadTime(), time.Now()
		serve(4 * interval)
		spent := processTime() - all - (threadTime() - mine)
		pings = h.srv.Stats().Pings - pings
		b.ReportMetric(float64(pings)/time.Since(begin).Seconds(), "pings/s")
		b.ReportMetric(100*spent.Seconds()/time.Since(begin).Seconds(), "%core")
		b.ReportMetric(float64(spent.Microseconds())/float64(pings), "cpu-us/ping")
	}
	if st := h.srv.Stats(); st.PingTimeouts > 0 {
		b.Errorf("%d connections did not answer in time", st.PingTimeouts)
	}
}

// processTime returns the CPU time of the process.
func processTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// crowd returns how many connections a benchmark opens that wants n: a few
// with -short, which shows no more than that it runs.
func crowd(n int) int {
	if testing.Short() {
		return n / 50
	}
	return n
}

// settle collects garbage until stacks have shrunk, and returns how much
// memory the runtime has in use and how much the process has. With -short it
// does not wait for stacks.
func settle() (inUse, rss int64) {
	rounds := 5
	if testing.Short() {
		rounds = 1
	}
	for range rounds {
		runtime.GC()
		<-time.After(100 * time.Millisecond)
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	statm, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	return int64(m.HeapAlloc + m.StackInuse + m.MSpanInuse + m.MCacheInuse + m.OtherSys), pages * int64(os.Getpagesize())
}

// bareConnect upgrades a connection by system calls alone, with an offer of
// extensions, sends more, and returns the descriptor.
func bareConnect(b testing.TB, to *net.TCPAddr, offer, more string) int {
	b.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		b.Fatal(err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: to.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		b.Fatal(err)
	}
	request := handshake + "Sec-WebSocket-Protocol: wamp.2.json\r\n"
	if offer != "" {
		request += "Sec-WebSocket-Extensions: " + offer + "\r\n"
	}
	request += "\r\n"
	if _, err := syscall.Write(fd, []byte(request)); err != nil {
		b.Fatal(err)
	}
	answer := make([]byte, 4096)
	if _, err := syscall.Read(fd, answer); err != nil {
		b.Fatal(err)
	}
	if more != "" {
		if _, err := syscall.Write(fd, []byte(more)); err != nil {
			b.Fatal(err)
		}
		if _, err := syscall.Read(fd, answer); err != nil {
			b.Fatal(err)
		}
	}
	return fd
}

// BenchmarkJoin is connecting, HELLO and SUBSCRIBE, each answered, and the end.
// What it allocates is the server's.
func BenchmarkJoin(b *testing.B) {
	for _, front := range []bool{true, false} {
		b.Run(fmt.Sprintf("front=%v", front), func(b *testing.B) {
			l := listenTCP(b)
			addr := l.Addr().(*net.TCPAddr)
			if front {
				l = frontListener{l}
			}
			routed(b, transport.DefaultConfig(), l)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			b.ReportAllocs()
			all, mine := processTime(), threadTime()
			for b.Loop() {
				bareJoin(b, addr)
			}
			spent := processTime() - all - (threadTime() - mine)
			b.ReportMetric(float64(spent.Nanoseconds())/1000/float64(b.N), "server-us/op")
		})
	}
}

// bareJoin connects, joins, subscribes and goes, by system calls alone.
func bareJoin(b testing.TB, to *net.TCPAddr) {
	b.Helper()
	fd := bareConnect(b, to, "", bareHello)
	if _, err := syscall.Write(fd, []byte(bareSubscribe)); err != nil {
		b.Fatal(err)
	}
	if _, err := syscall.Read(fd, make([]byte, 1024)); err != nil {
		b.Fatal(err)
	}
	syscall.Close(fd)
}

var (
	bareHello     = mask(fin|text, `[1,"realm1",{"roles":{"subscriber":{}}}]`)
	bareSubscribe = mask(fin|text, `[32,1,{},"com.example.topic"]`)
)

// What a join takes: the upgrade, HELLO and SUBSCRIBE, each answered, and the
// end, those of the peer's own system calls included.
func TestJoinAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const (
		joins       = 200
		mostObjects = 60
		mostBytes   = 6800
	)
	ln := listenTCP(t)
	routed(t, transport.DefaultConfig(), frontListener{ln})
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which empties pools
	measure := func() (objects, bytes float64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range joins {
			bareJoin(t, ln.Addr().(*net.TCPAddr))
		}
		runtime.ReadMemStats(&after)
		return float64(after.Mallocs-before.Mallocs) / joins, float64(after.TotalAlloc-before.TotalAlloc) / joins
	}
	measure()
	objects, bytes := measure()
	for range 4 { // others may have allocated meanwhile
		if objects <= mostObjects && bytes <= mostBytes {
			break
		}
		o, b := measure()
		objects, bytes = min(o, objects), min(b, bytes)
	}
	t.Logf("%.1f allocations, %.0f bytes", objects, bytes)
	if objects > mostObjects || bytes > mostBytes {
		t.Errorf("a join takes %.1f allocations and %.0f bytes, want at most %d and %d", objects, bytes, mostObjects, mostBytes)
	}
}
