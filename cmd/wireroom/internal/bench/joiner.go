//go:build linux

package bench

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A crowd is sessions that join, subscribe to a topic each, and are then read
// by the loops of a swarm.
type crowd struct {
	n        int // sessions
	abreast  int // how many join at the same time
	ser      func(i int) serializer
	topic    func(i int) string
	to       receiver
	progress func(done int)
}

// joinAll lets the crowd join, and returns the first error. Over WebSocket
// without TLS, compression and authentication a joiner does it, at a fraction of
// what it costs to dial each by itself.
func (w *swarm) joinAll(ctx context.Context, c *crowd) error {
	j, err := newJoiner(ctx, w, c)
	if err != nil {
		return err
	}
	if j != nil {
		defer j.close()
		return j.run(ctx)
	}
	return openMany(ctx, c.n, c.abreast, c.progress, func(ctx context.Context, i int) error {
		s, err := w.open(ctx, c.ser(i))
		if err != nil {
			return err
		}
		if err := s.subscribe(c.topic(i)); err != nil {
			_ = s.conn.Close()
			return err
		}
		_, err = w.attach(s, i, c.to)
		return err
	})
}

// A stage is how far a session has come.
type stage uint8

const (
	connecting stage = iota
	upgrading        // the request is written
	greeting         // HELLO is written
	subscribing
	joined
)

var stageNames = [...]string{"connect", "upgrade", "join", "subscribe", "read"}

// A joiner lets many sessions join, in one goroutine that waits for all of
// them at once, with raw system calls and bytes that are prepared. It must cost
// little, since it shares the machine with the server: what the generator needs
// is missing there.
type joiner struct {
	swarm   *swarm
	crowd   *crowd
	address *net.TCPAddr
	epfd    int
	mask    [4]byte
	accept  string // what the server must answer to our key

	// By serializer, made when needed.
	requests [len(serializerNames)][]byte
	hellos   [len(serializerNames)][]byte

	started, done int
	joins         []*joining // started, by number
	oldest        int        // in joins: all before have joined
	buf           []byte
}

// A joining is a session on its way.
type joining struct {
	number  int
	fd      int
	ser     serializer
	stage   stage
	since   time.Time
	partial []byte // of an answer, the rest of which is to come
}

// joinKey is the key of every upgrade request. The generator does not need
// what different keys are for.
const joinKey = "d2lyZXJvb20tYmVuY2ghIQ=="

// newJoiner returns a joiner, or nil if the server must be joined by other
// means.
func newJoiner(ctx context.Context, w *swarm, c *crowd) (*joiner, error) {
	u, err := url.Parse(w.url)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "ws" || u.User != nil || w.login.authID != "" || w.login.deflate {
		return nil, nil
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", w.url, err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", w.url, err)
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	sum := sha1.Sum([]byte(joinKey + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455, 1.3
	j := &joiner{
		swarm:   w,
		crowd:   c,
		address: &net.TCPAddr{IP: ips[0], Port: number},
		epfd:    epfd,
		mask:    [4]byte{0x9e, 0x37, 0x79, 0xb9},
		accept:  base64.StdEncoding.EncodeToString(sum[:]),
		buf:     make([]byte, 16<<10),
	}
	for s := range j.requests {
		ser := serializer(s)
		j.requests[s] = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
			u.RequestURI(), u.Host, joinKey, ser.subprotocol())
		j.hellos[s] = frameWebSocket.append(nil, ser, kindMessage, newMessage(ser, codeHello, w.login.realm, w.login.hello()), j.mask)
	}
	return j, nil
}

// run lets everybody join.
func (j *joiner) run(ctx context.Context) error {
	events := make([]unix.EpollEvent, 256)
	for j.done < j.crowd.n {
		for j.started < j.crowd.n && j.started-j.done < j.crowd.abreast {
			if err := j.start(); err != nil {
				return j.failed(j.started, err)
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := unix.EpollWait(j.epfd, events, 200) // milliseconds, for ctx and the deadline
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		for _, ev := range events[:max(n, 0)] {
			c := j.joins[ev.Fd]
			ended := ev.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
			if err := j.step(c, ended); err != nil {
				return j.failed(c.number, fmt.Errorf("%s: %w", stageNames[c.stage], err))
			}
		}
		if err := j.checkOldest(); err != nil {
			return err
		}
	}
	return nil
}

func (j *joiner) failed(i int, err error) error {
	return fmt.Errorf("session %d of %d: %w", i+1, j.crowd.n, err)
}

// checkOldest returns an error if the session that began first is too late.
func (j *joiner) checkOldest() error {
	for j.oldest < len(j.joins) && j.joins[j.oldest] == nil {
		j.oldest++
	}
	if j.oldest == len(j.joins) {
		return nil
	}
	if c := j.joins[j.oldest]; time.Since(c.since) > joinTimeout {
		return j.failed(c.number, fmt.Errorf("%s: no answer within %v", stageNames[c.stage], joinTimeout))
	}
	return nil
}

// close ends what has not joined.
func (j *joiner) close() {
	_ = unix.Close(j.epfd)
	for _, c := range j.joins[j.oldest:] {
		if c != nil {
			_ = unix.Close(c.fd)
		}
	}
}

// start begins to connect the next session.
func (j *joiner) start() error {
	i := j.started
	fd, remote, err := j.socket(int(j.swarm.next.Add(1) - 1))
	if err != nil {
		return err
	}
	c := &joining{number: i, fd: fd, ser: j.crowd.ser(i), since: time.Now()}
	j.joins = append(j.joins, c)
	j.started++
	if err := unix.Connect(fd, remote); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connect to %s: %w", j.address, err)
	}
	// Edges only: it may stay here after it has joined.
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(i)}
	if err := unix.EpollCtl(j.epfd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// socket returns a socket that leaves from the client address that connection
// nth should have.
func (j *joiner) socket(nth int) (fd int, remote unix.Sockaddr, err error) {
	ip4 := j.address.IP.To4()
	family := unix.AF_INET
	if ip4 == nil {
		family = unix.AF_INET6
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, nil, fmt.Errorf("socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		_ = unix.Close(fd)
		return -1, nil, fmt.Errorf("setsockopt: %w", err)
	}
	if ip4 == nil {
		return fd, &unix.SockaddrInet6{Port: j.address.Port, Addr: [16]byte(j.address.IP.To16())}, nil
	}
	if local := localIP(j.address.IP, nth); local != nil {
		// Without the option, bind looks for a port that is free for all
		// destinations, which takes long when thousands are in use.
		err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte(local.To4())})
		}
		if err != nil {
			_ = unix.Close(fd)
			return -1, nil, fmt.Errorf("bind to %s: %w", local, err)
		}
	}
	return fd, &unix.SockaddrInet4{Port: j.address.Port, Addr: [4]byte(ip4)}, nil
}

// step does what an event of c allows. ended says that nothing comes behind
// what is there to be read.
func (j *joiner) step(c *joining, ended bool) error {
	if c == nil {
		return nil // it has joined; somebody else reads it
	}
	if c.stage == connecting {
		code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil {
			return err
		}
		if code != 0 {
			return unix.Errno(code)
		}
		c.stage = upgrading
		return j.write(c, j.requests[c.ser])
	}
	for {
		n, err := unix.Read(c.fd, j.buf)
		switch {
		case n > 0:
			data := j.buf[:n]
			if len(c.partial) > 0 {
				c.partial = append(c.partial, data...)
				data = c.partial
			}
			if data, err = j.answered(c, data); err != nil || c.stage == joined {
				return err
			}
			c.partial = append(c.partial[:0], data...)
			if n < len(j.buf) && !ended {
				return nil // that was all
			}
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
		case err == nil:
			return errors.New("the server closed the connection")
		default:
			return err
		}
	}
}

// write writes a few bytes to a connection that nothing else was written to
// for a while.
func (j *joiner) write(c *joining, b []byte) error {
	n, err := unix.Write(c.fd, b)
	if err != nil {
		return err
	}
	if n < len(b) {
		return fmt.Errorf("the socket took %d of %d bytes", n, len(b))
	}
	return nil
}

// answered handles what the server sent and returns the rest, which is not
// whole yet.
func (j *joiner) answered(c *joining, data []byte) ([]byte, error) {
	if c.stage == upgrading {
		end := bytes.Index(data, []byte("\r\n\r\n"))
		if end < 0 {
			return data, nil
		}
		if err := j.checkUpgrade(string(data[:end]), c.ser); err != nil {
			return nil, err
		}
		data = data[end+4:]
		c.stage = greeting
		if err := j.write(c, j.hellos[c.ser]); err != nil {
			return nil, err
		}
	}
	for {
		kind, body, n, err := frameWebSocket.next(data)
		if err != nil || n == 0 {
			return data, err
		}
		data = data[n:]
		switch kind {
		case kindMessage:
			if err := j.message(c, body); err != nil {
				return nil, err
			}
			if c.stage == joined {
				return nil, j.finish(c, data)
			}
		case kindPing:
			if err := j.write(c, frameWebSocket.append(nil, c.ser, kindPong, body, j.mask)); err != nil {
				return nil, err
			}
		case kindClose:
			return nil, closedError(body)
		case kindFragment, kindLast:
			return nil, errors.New("a fragmented answer, which the generator can't read while it joins")
		case kindPong:
		}
	}
}

// message handles WELCOME and SUBSCRIBED.
func (j *joiner) message(c *joining, msg []byte) error {
	code, rest, ok := c.ser.readCode(msg)
	switch {
	case !ok:
		return unexpected(c.ser, msg)
	case c.stage == greeting && code == codeWelcome:
		c.stage = subscribing
		subscribe := newMessage(c.ser, codeSubscribe, uint64(1), dict{}, j.crowd.topic(c.number))
		return j.write(c, frameWebSocket.append(nil, c.ser, kindMessage, subscribe, j.mask))
	case c.stage == subscribing && code == codeSubscribed:
		if id, _, ok := c.ser.readUint(rest); ok && id == 1 {
			c.stage = joined
			return nil
		}
	}
	return unexpected(c.ser, msg)
}

// finish hands a session that has joined to a loop.
func (j *joiner) finish(c *joining, unread []byte) error {
	l := j.swarm.loops[c.number%len(j.swarm.loops)]
	p := &peer{loop: l, fd: c.fd, ser: c.ser, mask: j.mask, to: j.crowd.to}
	j.joins[c.number] = nil // the loop closes it from now on
	if err := l.adopt(p, unread); err != nil {
		return err
	}
	j.done++
	if j.crowd.progress != nil && j.done%1000 == 0 {
		j.crowd.progress(j.done)
	}
	return nil
}

// checkUpgrade reports what is wrong with the answer to an upgrade request.
func (j *joiner) checkUpgrade(head string, ser serializer) error {
	status, lines, _ := strings.Cut(head, "\r\n")
	var accept, protocol string
	for line := range strings.SplitSeq(lines, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		switch {
		case strings.EqualFold(name, "Sec-WebSocket-Accept"):
			accept = strings.TrimSpace(value)
		case strings.EqualFold(name, "Sec-WebSocket-Protocol"):
			protocol = strings.TrimSpace(value)
		}
	}
	switch {
	case !strings.HasPrefix(status, "HTTP/1.1 101"):
		return fmt.Errorf("the server answered %q", status)
	case accept != j.accept:
		return fmt.Errorf("the server answered with Sec-WebSocket-Accept %q, expected %q", accept, j.accept)
	case protocol != ser.subprotocol():
		return fmt.Errorf("the server agreed to subprotocol %q, expected %q", protocol, ser.subprotocol())
	}
	return nil
}
