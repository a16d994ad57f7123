package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// A socket is a TCP or Unix socket.
type socket interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

// rawConn returns how to reach the descriptor of nc, if it is a socket.
func rawConn(nc net.Conn) (socket, syscall.RawConn, bool) {
	var s socket
	switch nc := nc.(type) {
	case *net.TCPConn:
		s = nc
	case *net.UnixConn:
		s = nc
	default:
		return nil, nil, false
	}
	rc, err := s.SyscallConn()
	return s, rc, err == nil
}

// newWire returns how to read and write nc.
func newWire(nc net.Conn) wire {
	switch nc := nc.(type) {
	case *leanConn:
		return newRawWire(nc.socket, nc.rc)
	case *tls.Conn:
		if lean, ok := nc.NetConn().(*leanConn); ok {
			return newTLSWire(nc, lean)
		}
	}
	if s, rc, ok := rawConn(nc); ok {
		return newRawWire(s, rc)
	}
	return &plainWire{nc: nc}
}

// socketOf returns what nc runs over.
func socketOf(nc net.Conn) net.Conn {
	nc = underTLS(nc)
	if lean, ok := nc.(*leanConn); ok {
		return lean.socket
	}
	return nc
}

// A rawWire is a TCP or Unix socket, read and written by system calls that do
// not wait. Waiting is left to the runtime's poller.
type rawWire struct {
	nc socket // fixed at construction
	puller
}

func newRawWire(nc socket, rc syscall.RawConn) *rawWire {
	w := &rawWire{nc: nc}
	w.puller.init(rc)
	return w
}

func (w *rawWire) fill(in *inbox, need int) (int, error) {
	n, err := w.pull(in, need)
	if err != nil {
		unnudge(w.nc, err)
	}
	return n, err
}

func (w *rawWire) nudge() { nudge(w.nc) }

// nudge ends a read that waits, and unnudge lets the next one wait again.
func nudge(nc net.Conn) { _ = nc.SetReadDeadline(longAgo) } // fails only if closed

func unnudge(nc net.Conn, err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		_ = nc.SetReadDeadline(time.Time{}) // fails only if closed
	}
}

func (w *rawWire) tryWrite(bufs [][]byte) (int, error) {
	out := outputs.Get().(*output)
	out.bufs = bufs
	err := w.rc.Write(out.once)
	n, err := out.result(err)
	outputs.Put(out)
	return n, err
}

func (w *rawWire) write(bufs [][]byte, deadline time.Time) error {
	if err := w.nc.SetWriteDeadline(deadline); err != nil {
		return err
	}
	out := outputs.Get().(*output)
	out.bufs = bufs
	err := w.rc.Write(out.all)
	_, err = out.result(err)
	outputs.Put(out)
	if err != nil {
		return err
	}
	// A deadline that has passed would make tryWrite fail.
	return w.nc.SetWriteDeadline(time.Time{})
}

func (w *rawWire) finish() bool { return w.nc.CloseWrite() == nil }

func (w *rawWire) hangUp() { w.nc.Close() }

func (w *rawWire) close() { w.nc.Close() }

// fillNow reads what is there, if w can do that without waiting.
func fillNow(w wire, in *inbox) (int, error) { return w.fill(in, pollOnly) }
