package transport

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/wireroom/wireroom/router/sockio"
)

// A requestSocket is a socket as an HTTP server uses one: a [net.Conn] that
// waits, and whose deadlines hold for every call. What differs is what it costs:
// it is read and written by system calls that do not wait, which the scheduler
// is not told of, and its deadlines are lazy ones.
type requestSocket struct {
	socket                 // fixed at construction
	rc     syscall.RawConn // fixed at construction

	in, out direction
}

// init makes s that of nc, which nobody else reads or writes, nor sets
// deadlines of, until release.
func (s *requestSocket) init(nc socket, rc syscall.RawConn) {
	s.socket, s.rc = nc, rc
	s.in.set, s.in.attempt = nc.SetReadDeadline, s.tryRead
	s.out.set, s.out.attempt = nc.SetWriteDeadline, s.tryWrite
}

// release lifts the deadlines of the socket, so that others may use it.
func (s *requestSocket) release() { _ = s.socket.SetDeadline(time.Time{}) } // fails only if closed

// Read implements [net.Conn].
func (s *requestSocket) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	d := &s.in
	d.op.Lock()
	defer d.op.Unlock()
	d.b, d.n, d.err = b, 0, nil
	err := d.run(s.rc.Read)
	d.b = nil
	if err == nil {
		err = d.err
	}
	if err != nil && err != io.EOF {
		err = s.opError("read", err)
	}
	return d.n, err
}

// tryRead reads once, and reports false if nothing is there.
func (s *requestSocket) tryRead(fd uintptr) bool {
	d := &s.in
	for {
		n, err := sockio.Read(int(fd), d.b)
		switch {
		case n > 0:
			d.n = n
		case err == nil:
			d.err = io.EOF
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			d.park()
			return false
		default:
			d.err = os.NewSyscallError("read", err)
		}
		return true
	}
}

// Write implements [net.Conn].
func (s *requestSocket) Write(b []byte) (int, error) {
	d := &s.out
	d.op.Lock()
	defer d.op.Unlock()
	d.b, d.n, d.err = b, 0, nil
	err := d.run(s.rc.Write)
	d.b = nil
	if err == nil {
		err = d.err
	}
	if err != nil {
		err = s.opError("write", err)
	}
	return d.n, err
}

// tryWrite writes what the socket takes, and reports false if something is left.
func (s *requestSocket) tryWrite(fd uintptr) bool {
	d := &s.out
	for d.n < len(d.b) {
		n, err := sockio.Write(int(fd), d.b[d.n:])
		switch err {
		case nil:
			d.n += n
		case syscall.EINTR:
		case syscall.EAGAIN:
			d.park()
			return false
		default:
			d.err = os.NewSyscallError("write", err)
			return true
		}
	}
	return true
}

// opError returns err as the socket's own Read or Write would have it, which
// HTTP servers rely on.
func (s *requestSocket) opError(op string, err error) error {
	if e, ok := err.(*net.OpError); ok {
		err = e.Err
	}
	addr := s.socket.LocalAddr()
	return &net.OpError{Op: op, Net: addr.Network(), Source: addr, Addr: s.socket.RemoteAddr(), Err: err}
}

// SetDeadline implements [net.Conn].
func (s *requestSocket) SetDeadline(t time.Time) error {
	s.in.setLimit(t)
	s.out.setLimit(t)
	return nil
}

// SetReadDeadline implements [net.Conn].
func (s *requestSocket) SetReadDeadline(t time.Time) error {
	s.in.setLimit(t)
	return nil
}

// SetWriteDeadline implements [net.Conn].
func (s *requestSocket) SetWriteDeadline(t time.Time) error {
	s.out.setLimit(t)
	return nil
}
