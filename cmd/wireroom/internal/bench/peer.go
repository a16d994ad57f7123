//go:build linux

package bench

import (
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// A receiver handles what one peer receives. It is called by the loop of the
// peer, which holds its lock.
type receiver interface {
	// receive handles one message, valid during the call, that was received
	// at now. code is its type code and rest what follows that.
	receive(p *peer, code uint64, rest, msg []byte, now int64)
}

// A mourner is a receiver that is told when its peer is gone before its time,
// by whoever holds the lock of the loop.
type mourner interface {
	ended(p *peer, why error)
}

// A peer is a connection that a loop reads. All fields but the fixed ones
// belong to whoever holds the lock of the loop.
type peer struct {
	// Fixed at construction.
	loop    *loop
	conn    net.Conn // nil if the loop has the socket itself
	fd      int
	index   int
	framing framing
	ser     serializer
	mask    [4]byte
	to      receiver

	partial []byte // the start of a frame, the rest of which is to come
	message []byte // the fragments of a message, so far
	packed  bool   // … which are compressed
	out     []byte // frames to be written
	waiting bool   // the socket was full; out goes on when it is writable
	closed  bool
	err     error // why it was closed
}

// frame handles one frame.
func (p *peer) frame(kind frameKind, body []byte, now int64) {
	switch kind {
	case kindFragment, kindLast, kindPackedFragment:
		p.packed = p.packed || kind == kindPackedFragment
		if len(p.message)+len(body) > maxFrame {
			p.end(fmt.Errorf("a message of more than %d bytes", maxFrame))
			return
		}
		p.message = append(p.message, body...)
		if kind == kindLast {
			if p.packed {
				p.unpack(p.message, now)
			} else {
				p.deliver(p.message, now)
			}
			p.message, p.packed = nil, false
		}
	case kindPacked:
		p.unpack(body, now)
	case kindMessage:
		p.deliver(body, now)
	case kindAnswer:
		p.to.receive(p, statusOf(body), nil, body, now)
	case kindPing:
		p.loop.pings++
		p.out = p.framing.append(p.out, p.ser, kindPong, body, p.mask)
	case kindClose:
		p.end(closedError(body))
	case kindPong:
	}
}

// deliver hands one message to the receiver.
func (p *peer) deliver(msg []byte, now int64) {
	code, rest, ok := p.ser.readCode(msg)
	if !ok {
		p.loop.fail(unexpected(p.ser, msg))
		return
	}
	p.to.receive(p, code, rest, msg, now)
	if code == codeAbort || code == codeGoodbye {
		p.end(unexpected(p.ser, msg))
	}
}

// queue adds a message to what is written when the loop has handled the
// input at hand, or when flush is called.
func (p *peer) queue(msg []byte) {
	p.out = p.framing.append(p.out, p.ser, kindMessage, msg, p.mask)
}

// flush writes what is queued, as far as the socket takes it.
func (p *peer) flush() {
	if p.conn != nil {
		_ = p.conn.SetWriteDeadline(time.Now().Add(joinTimeout))
		if _, err := p.conn.Write(p.out); err != nil {
			p.end(err)
		}
		p.out = p.out[:0]
		return
	}
	for len(p.out) > 0 {
		n, err := unix.Write(p.fd, p.out)
		if n > 0 {
			p.out = p.out[:copy(p.out, p.out[n:])]
			continue
		}
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if !errors.Is(err, unix.EAGAIN) {
			p.end(err)
			return
		}
		break
	}
	if full := len(p.out) > 0; full != p.waiting {
		p.waiting = full
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(p.index)}
		if full {
			ev.Events |= unix.EPOLLOUT
		}
		if err := unix.EpollCtl(p.loop.epfd, unix.EPOLL_CTL_MOD, p.fd, &ev); err != nil {
			p.end(err)
		}
	}
}

// end closes the connection. Unless the loop is closing, it counts as broken.
func (p *peer) end(why error) {
	if p.closed {
		return
	}
	p.closed, p.err = true, why
	p.partial, p.message, p.out = nil, nil, nil
	if p.conn != nil {
		_ = p.conn.Close()
	} else {
		_ = unix.Close(p.fd) // leaves the epoll instance by that, too
	}
	if p.loop.closing {
		return
	}
	if why != errClosing {
		p.loop.broken++
		p.loop.lastError = why
	}
	if m, ok := p.to.(mourner); ok {
		m.ended(p, why)
	}
}
