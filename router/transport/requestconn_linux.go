package transport

import (
	"net"
	"syscall"
)

// A requestConn is a bare TCP connection of the HTTP server, with a replay.
//
// It embeds no *net.TCPConn: what that can do beyond a [net.Conn] (ReadFrom,
// WriteTo) would go past the deadlines.
type requestConn struct {
	requestSocket
	replay
	patience
}

// forHTTP returns nc as the HTTP server gets it.
func forHTTP(nc *net.TCPConn, again replay) net.Conn {
	rc, err := nc.SyscallConn()
	if err != nil {
		return &replayedTCP{nc, again}
	}
	c := &requestConn{replay: again}
	c.requestSocket.init(nc, rc)
	c.patience.gone = c.gone
	return c
}

// Read reads the first bytes again, and then the connection.
func (c *requestConn) Read(b []byte) (int, error) {
	if len(c.head) > 0 {
		return c.read(b), nil
	}
	if len(b) == 1 && c.spare() {
		return 0, nil
	}
	return c.requestSocket.Read(b)
}

// RemoteAddr returns the address of the client.
func (c *requestConn) RemoteAddr() net.Addr { return c.addr(c.socket) }

// Close closes the connection, and ends what its requests wait for.
func (c *requestConn) Close() error {
	c.leave()
	return c.socket.Close()
}

func (c *requestConn) original() (net.Conn, []byte) {
	c.release()
	return c.socket, c.head
}

// gone reports whether the client has closed the connection, or its half of it,
// and nothing that it sent is still to be read.
func (c *requestConn) gone() bool {
	is := true
	_ = c.rc.Control(func(fd uintptr) { // fails only if closed
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		is = n <= 0 && err != syscall.EAGAIN && err != syscall.EINTR
	})
	return is
}
