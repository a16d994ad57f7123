package transport_test

import (
	"bufio"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A drain reads what comes to bare connections and throws it away, on a thread
// of its own whose CPU time is known.
type drain struct {
	epoll int
	stop  atomic.Bool
	wg    sync.WaitGroup
	bytes atomic.Int64
	cpu   atomic.Int64 // nanoseconds
}

func newDrain(b *testing.B, fds []int) *drain {
	epoll, err := unix.EpollCreate1(0)
	if err != nil {
		b.Fatal(err)
	}
	d := &drain{epoll: epoll}
	for _, fd := range fds {
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			b.Fatal(err)
		}
	}
	d.wg.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		buf := make([]byte, 1<<16)
		events := make([]unix.EpollEvent, 64)
		for !d.stop.Load() {
			n, _ := unix.EpollWait(epoll, events, 20) // EINTR is no event
			for _, e := range events[:max(n, 0)] {
				n, _ := unix.Read(int(e.Fd), buf)
				d.bytes.Add(int64(max(n, 0)))
			}
			d.cpu.Store(int64(threadTime()))
		}
	})
	return d
}

func (d *drain) close() {
	d.stop.Store(true)
	d.wg.Wait()
	unix.Close(d.epoll)
}

// BenchmarkPublish publishes events to 100 subscribers and reports the CPU
// time that the server needs for each delivery (with that of the publisher,
// which is the same for all, and without that of the receivers), and how many
// bytes it writes for each.
func BenchmarkPublish(b *testing.B) {
	const subscribers = 100
	subscribe := mask(fin|text, `[1,"realm1",{"roles":{"subscriber":{}}}]`) + mask(fin|text, `[32,1,{},"com.example.topic"]`)
	for _, bb := range []struct {
		name  string
		offer func(i int) string
	}{
		{"plain", func(int) string { return "" }},
		{"mixed", func(i int) string { return [2]string{"", "permessage-deflate"}[i%2] }},
		{"deflate", func(int) string { return "permessage-deflate" }},
	} {
		for _, size := range []int{128, 256, 1 << 10, 16 << 10} {
			b.Run(fmt.Sprintf("peers=%s/size=%d", bb.name, size), func(b *testing.B) {
				cfg := testConfig()
				cfg.Deflate, cfg.PingInterval = true, 0
				l := listenTCP(b)
				h, _ := routed(b, cfg, l)
				fds := make([]int, subscribers)
				for i := range fds {
					fds[i] = bareConnect(b, l.Addr().(*net.TCPAddr), bb.offer(i), subscribe)
					defer unix.Close(fds[i])
				}
				pub, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				defer pub.Close()
				p := &peer{t: b, conn: pub, br: bufio.NewReader(pub)}
				p.send(handshake + "Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n" + mask(fin|text, `[1,"realm1",{"roles":{"publisher":{}}}]`))
				for line := ""; line != "\r\n"; line, err = p.br.ReadString('\n') {
					if err != nil {
						b.Fatal(err)
					}
				}
				read := func() {
					if _, err := p.read(); err != nil {
						b.Fatal(err)
					}
				}
				read() // WELCOME
				message := []byte(mask(fin|text, fmt.Sprintf(`[16,1,{"acknowledge":true},"com.example.topic",[],{"event":%s}]`, sample(size))))
				d := newDrain(b, fds)
				defer d.close()
				settled := func() int64 { // all was written and read
					for before := int64(-1); ; {
						<-time.After(50 * time.Millisecond)
						now := d.bytes.Load()
						if now == before {
							return now
						}
						before = now
					}
				}
				from := settled()
				out := h.srv.Stats().BytesOut
				all, drained := processTime(), d.cpu.Load()
				for b.Loop() {
					pub.Write(message)
					read() // PUBLISHED
				}
				bytes := settled() - from
				spent := int64(processTime()-all) - (d.cpu.Load() - drained)
				deliveries := float64(b.N * subscribers)
				b.ReportMetric(float64(spent)/deliveries, "cpu-ns/delivery")
				b.ReportMetric(float64(bytes)/deliveries, "B/delivery")
				if sent := h.srv.Stats().BytesOut - out; sent < uint64(bytes) {
					b.Errorf("%d bytes came, %d were sent", bytes, sent)
				}
			})
		}
	}
}
