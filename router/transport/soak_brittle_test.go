package transport_test

import (
	"errors"
	"net"
	"sync"
	"time"
)

// errBroken is what a client sees of a connection that it has broken itself.
var errBroken = errors.New("the connection is broken")

// A brittleConn is a client's end of a connection that breaks after so many
// bytes, under TLS and in the middle of frames.
type brittleConn struct {
	net.Conn

	mu      sync.Mutex // guards the following
	armed   bool
	in, out int // bytes until it breaks
	how     breakage
	broken  time.Time // when; zero: it is whole
}

// A breakage is what becomes of a connection that breaks.
type breakage int

const (
	breakFIN  breakage = iota // closed
	breakRST                  // closed with a reset
	breakHang                 // left open, and forgotten: the server does not know
	numBreakages
)

// arm has the connection break after so many bytes in one direction.
func (c *brittleConn) arm(in, out int, how breakage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed, c.in, c.out, c.how = true, in, out, how
}

// disarm has it not break any more. It reports false if it is broken.
func (c *brittleConn) disarm() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = false
	return c.broken.IsZero()
}

// brokenAt returns when the connection broke, and whether it has.
func (c *brittleConn) brokenAt() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken, !c.broken.IsZero()
}

// pass returns how many of n bytes get through, and breaks the connection if
// that is not all.
func (c *brittleConn) pass(budget *int, n int) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.broken.IsZero() {
		return 0, errBroken
	}
	if !c.armed {
		return n, nil
	}
	if n <= *budget {
		*budget -= n
		return n, nil
	}
	return *budget, errBroken
}

func (c *brittleConn) Write(p []byte) (int, error) {
	n, broken := c.pass(&c.out, len(p))
	if n > 0 {
		if n, err := c.Conn.Write(p[:n]); err != nil {
			return n, err
		}
	}
	if broken != nil {
		c.snap()
	}
	return n, broken
}

func (c *brittleConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	n, broken := c.pass(&c.in, n)
	if broken != nil {
		c.snap()
		return n, broken
	}
	return n, err
}

// snap breaks the connection.
func (c *brittleConn) snap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.broken.IsZero() {
		return
	}
	c.broken = time.Now()
	switch c.how {
	case breakHang:
		_ = c.SetDeadline(time.Unix(1, 0)) // wakes who reads and writes
	case breakRST:
		_ = c.SetLinger(0)
		fallthrough
	default:
		_ = c.Conn.Close()
	}
}

// hangs reports whether the connection is open, and forgotten.
func (c *brittleConn) hangs() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.broken.IsZero() && c.how == breakHang
}

// Close closes the connection, unless it is forgotten.
func (c *brittleConn) Close() error {
	if c.hangs() {
		return nil
	}
	return c.Conn.Close()
}

// SetLinger is that of a TCP connection; others have none.
func (c *brittleConn) SetLinger(sec int) error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.SetLinger(sec)
	}
	return nil
}

// CloseWrite closes the client's direction.
func (c *brittleConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
