package transport

import (
	"io"
	"net"
)

// A replayedConn is a TCP connection whose first bytes have been read already,
// to be read again by an HTTP server. Reading belongs to one goroutine at a
// time.
type replayedConn struct {
	*net.TCPConn
	head []byte // still to be read
}

// Read reads the first bytes again, and then the connection.
func (c *replayedConn) Read(b []byte) (int, error) {
	if len(c.head) == 0 {
		return c.TCPConn.Read(b)
	}
	n := copy(b, c.head)
	if c.head = c.head[n:]; len(c.head) == 0 {
		c.head = nil // the connection may live long
	}
	return n, nil
}

// WriteTo is that of the connection but for the first bytes.
func (c *replayedConn) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(c.head)
	c.head = c.head[n:]
	if err != nil {
		return int64(n), err
	}
	rest, err := c.TCPConn.WriteTo(w)
	return int64(n) + rest, err
}
