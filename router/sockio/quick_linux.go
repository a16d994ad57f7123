package sockio

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// Quick returns a connection that reads and writes by [Read] and [Write] and
// leaves waiting to the runtime's poller, if nc is a socket; nc itself otherwise.
// It is for connections that carry many short messages: there the scheduler's
// dealing with system calls costs more than they do. All methods may be called
// concurrently, as those of any [net.Conn].
func Quick(nc net.Conn) net.Conn {
	s, ok := nc.(syscall.Conn)
	if !ok {
		return nc
	}
	rc, err := s.SyscallConn()
	if err != nil {
		return nc
	}
	c := &quickConn{Conn: nc, rc: rc}
	c.in.attempt, c.out.attempt = c.tryRead, c.tryWrite
	return c
}

// A quickConn is a socket.
type quickConn struct {
	net.Conn
	rc      syscall.RawConn
	in, out half
}

// A half is one direction of a connection: the arguments and results of attempt.
type half struct {
	mu      sync.Mutex
	attempt func(fd uintptr) bool // made once
	b       []byte
	n       int
	err     error
}

// SyscallConn implements [syscall.Conn].
func (c *quickConn) SyscallConn() (syscall.RawConn, error) { return c.rc, nil }

// Read implements [net.Conn].
func (c *quickConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	h := &c.in
	h.mu.Lock()
	defer h.mu.Unlock()
	h.b, h.n, h.err = p, 0, nil
	err := c.rc.Read(h.attempt)
	h.b = nil
	switch {
	case err != nil:
		return 0, err
	case h.err != nil:
		return 0, c.fault("read", h.err)
	case h.n == 0:
		return 0, io.EOF
	}
	return h.n, nil
}

// tryRead reads once, and reports false if there is nothing yet.
func (c *quickConn) tryRead(fd uintptr) bool {
	for {
		n, err := Read(int(fd), c.in.b)
		switch err {
		case nil:
			c.in.n = n
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		default:
			c.in.err = err
		}
		return true
	}
}

// Write implements [net.Conn].
func (c *quickConn) Write(p []byte) (int, error) {
	h := &c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	h.b, h.n, h.err = p, 0, nil
	err := c.rc.Write(h.attempt)
	h.b = nil
	if err == nil && h.err != nil {
		err = c.fault("write", h.err)
	}
	return h.n, err
}

// tryWrite writes, and reports false if there is no room for all that is left.
func (c *quickConn) tryWrite(fd uintptr) bool {
	h := &c.out
	for len(h.b) > 0 {
		n, err := Write(int(fd), h.b)
		switch err {
		case nil:
			h.b, h.n = h.b[n:], h.n+n
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			h.err = err
			return true
		}
	}
	return true
}

// fault returns an error as [net.TCPConn] gives it.
func (c *quickConn) fault(op string, err error) error {
	a := c.LocalAddr()
	return &net.OpError{Op: op, Net: a.Network(), Source: a, Addr: c.RemoteAddr(), Err: os.NewSyscallError(op, err)}
}
