package transport

import (
	"crypto/tls"
	"io"
	"net"
)

// A replay is what is known of a connection before an HTTP server gets it: its
// first bytes, which have been read already, to be read again, and who a proxy
// says that the client is. Reading belongs to one goroutine at a time.
type replay struct {
	head   []byte // still to be read
	client string // may be empty
}

// read copies first bytes to b, if there are any left.
func (r *replay) read(b []byte) int {
	n := copy(b, r.head)
	if r.head = r.head[n:]; len(r.head) == 0 {
		r.head = nil // the connection may live long
	}
	return n
}

// addr returns the client's address on nc.
func (r *replay) addr(nc net.Conn) net.Addr {
	if r.client == "" {
		return nc.RemoteAddr()
	}
	return clientAddr(r.client)
}

// A replayedTCP is a TCP connection with a replay.
type replayedTCP struct {
	*net.TCPConn
	replay
}

// Read reads the first bytes again, and then the connection.
func (c *replayedTCP) Read(b []byte) (int, error) {
	if len(c.head) > 0 {
		return c.read(b), nil
	}
	return c.TCPConn.Read(b)
}

// WriteTo is that of the connection but for the first bytes.
func (c *replayedTCP) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(c.head)
	c.head = c.head[n:]
	if err != nil {
		return int64(n), err
	}
	rest, err := c.TCPConn.WriteTo(w)
	return int64(n) + rest, err
}

// RemoteAddr returns the address of the client.
func (c *replayedTCP) RemoteAddr() net.Addr { return c.addr(c.TCPConn) }

func (c *replayedTCP) original() (net.Conn, []byte) { return c.TCPConn, c.head }

// A replayedTLS is a TLS connection with a replay. An HTTP server takes it for
// TLS because it has a ConnectionState.
type replayedTLS struct {
	*tls.Conn
	replay
}

// Read reads the first bytes again, and then the connection.
func (c *replayedTLS) Read(b []byte) (int, error) {
	if len(c.head) > 0 {
		return c.read(b), nil
	}
	return c.Conn.Read(b)
}

// RemoteAddr returns the address of the client.
func (c *replayedTLS) RemoteAddr() net.Addr { return c.addr(c.Conn) }

func (c *replayedTLS) original() (net.Conn, []byte) { return c.Conn, c.head }

// A renamedSocket is one of which a proxy says who the client is.
type renamedSocket struct {
	socket
	client net.Addr
}

// RemoteAddr returns the address of the client.
func (s renamedSocket) RemoteAddr() net.Addr { return s.client }

// rename gives a TLS connection that an HTTP server is about to get, as it is,
// the address of the client; an empty one changes nothing.
func rename(t *tls.Conn, client string) {
	if lean, ok := t.NetConn().(*leanConn); ok && client != "" {
		lean.socket = renamedSocket{lean.socket, clientAddr(client)}
	}
}

// unreplayed returns the connection behind a replay, and what is still to be
// read of that.
func unreplayed(nc net.Conn) (net.Conn, []byte) {
	if c, ok := nc.(interface{ original() (net.Conn, []byte) }); ok {
		return c.original()
	}
	return nc, nil
}
