//go:build linux

package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// readBuffer is how much a loop reads from a socket at once.
const readBuffer = 128 << 10

// epoch is when the clock of the generator began.
var epoch = time.Now()

// clock returns the nanoseconds since epoch. All times of a run are read from
// it, by one process, so that they can be compared.
func clock() int64 { return int64(time.Since(epoch)) }

// A loop reads many connections in one goroutine, which ends when close is
// called, and which close waits for. Connections over TLS have a goroutine
// each; these share the lock and the statistics of the loop.
type loop struct {
	epfd int
	wake int // an eventfd; written to end the loop
	wg   sync.WaitGroup

	mu sync.Mutex // guards the following, and the peers
	// What the receivers of this loop count.
	latency   histogram
	warm      uint64 // of the warm-up
	measured  uint64
	errors    uint64 // errors that the server sent, and answers that make no sense
	lastError error
	bytes     uint64 // received
	packed    uint64 // messages that came compressed
	pings     uint64 // pings received
	inflater  inflater
	last      int64 // when something measured was received last
	peers     []*peer
	broken    int // peers whose connection ended before its time
	closing   bool
}

// newLoop starts a loop.
func newLoop() (*loop, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(epfd)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	l := &loop{epfd: epfd, wake: wake}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1}); err != nil {
		_ = unix.Close(epfd)
		_ = unix.Close(wake)
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	l.wg.Go(l.run)
	return l, nil
}

// attach hands a session over to the loop, which closes it in the end.
// Whatever it has already received goes to the receiver first.
func (l *loop) attach(s *session, to receiver) (*peer, error) {
	p := &peer{loop: l, fd: -1, framing: s.framing, ser: s.ser, mask: s.mask, to: to}
	_ = s.conn.SetDeadline(time.Time{})
	if f, ok := s.conn.(interface{ File() (*os.File, error) }); ok {
		// The duplicate leaves Go's own poller, which would wake up for
		// every arrival too.
		fd, err := takeSocket(f)
		_ = s.conn.Close()
		if err != nil {
			return nil, err
		}
		p.fd = fd
	} else {
		p.conn = s.conn
	}
	s.conn = nil
	return p, l.adopt(p, s.unread)
}

// adopt begins to read a peer, whose connection the loop closes in the end, and
// which has received unread already.
func (l *loop) adopt(p *peer, unread []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.index = len(l.peers)
	l.peers = append(l.peers, p)
	if len(unread) > 0 {
		l.feed(p, unread, clock())
	}
	if p.conn != nil {
		l.wg.Go(func() { l.readConn(p) })
		return nil
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(p.index)}
	if err := unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, p.fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// takeSocket returns a non-blocking descriptor of the same socket.
func takeSocket(c interface{ File() (*os.File, error) }) (int, error) {
	f, err := c.File()
	if err != nil {
		return -1, err
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1, fmt.Errorf("dup: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// run reads until the loop is closed.
func (l *loop) run() {
	events := make([]unix.EpollEvent, 256)
	buf := make([]byte, readBuffer)
	for {
		n, err := unix.EpollWait(l.epfd, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return // the descriptor was closed
		}
		if !l.handle(events[:max(n, 0)], buf) {
			return
		}
	}
}

// handle reads what is ready. It reports false when the loop is to end.
func (l *loop) handle(events []unix.EpollEvent, buf []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		ev := &events[i]
		if ev.Fd < 0 {
			if l.closing {
				return false
			}
			continue
		}
		p := l.peers[ev.Fd]
		if p.closed {
			continue
		}
		if ev.Events&unix.EPOLLOUT != 0 {
			p.flush()
		}
		if ev.Events&^unix.EPOLLOUT == 0 {
			continue
		}
		n, err := unix.Read(p.fd, buf)
		switch {
		case n > 0:
			l.feed(p, buf[:n], clock())
		case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		case err == nil:
			p.end(errors.New("the server closed the connection"))
		default:
			p.end(err)
		}
	}
	return true
}

// readConn reads one connection that the loop can't poll.
func (l *loop) readConn(p *peer) {
	buf := make([]byte, 4<<10) // one for each connection
	for {
		n, err := p.conn.Read(buf)
		l.mu.Lock()
		if n > 0 && !p.closed {
			l.feed(p, buf[:n], clock())
		}
		if err != nil && !p.closed {
			if errors.Is(err, io.EOF) {
				err = errors.New("the server closed the connection")
			}
			p.end(err)
		}
		done := p.closed
		l.mu.Unlock()
		if done {
			return
		}
	}
}

// feed hands the messages in data to the receiver of p, and writes what that
// answered.
func (l *loop) feed(p *peer, data []byte, now int64) {
	l.bytes += uint64(len(data))
	if len(p.partial) > 0 {
		p.partial = append(p.partial, data...)
		data = p.partial
	}
	for !p.closed {
		kind, body, n, err := p.framing.next(data)
		if err != nil {
			p.end(err)
			return
		}
		if n == 0 {
			break
		}
		data = data[n:]
		p.frame(kind, body, now)
	}
	p.partial = append(p.partial[:0], data...)
	if len(p.out) > 0 && !p.waiting && !p.closed {
		p.flush()
	}
}

// fail counts an error.
func (l *loop) fail(err error) {
	l.errors++
	l.lastError = err
}

// close ends the loop and closes its connections. It may be called again.
func (l *loop) close() {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		return
	}
	l.closing = true
	for _, p := range l.peers {
		p.end(nil)
	}
	l.mu.Unlock()
	_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	l.wg.Wait()
	_ = unix.Close(l.epfd)
	_ = unix.Close(l.wake)
}
