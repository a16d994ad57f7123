package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// newWire returns how to read and write nc.
func newWire(nc net.Conn) wire {
	switch nc := nc.(type) {
	case *net.TCPConn:
		if rc, err := nc.SyscallConn(); err == nil {
			return newRawWire(nc, rc)
		}
	case *net.UnixConn:
		if rc, err := nc.SyscallConn(); err == nil {
			return newRawWire(nc, rc)
		}
	}
	return &plainWire{nc: nc}
}

// A rawWire is a TCP or Unix socket, read and written by system calls that do
// not wait. Waiting is left to the runtime's poller.
type rawWire struct {
	// Fixed at construction.
	nc interface {
		net.Conn
		CloseWrite() error
	}
	rc      syscall.RawConn
	attempt func(fd uintptr) bool // tryRead, made once

	// Owned by the reader: arguments and results of tryRead.
	in   *inbox
	need int
	n    int
	err  error
}

func newRawWire(nc interface {
	net.Conn
	CloseWrite() error
}, rc syscall.RawConn,
) *rawWire {
	w := &rawWire{nc: nc, rc: rc}
	w.attempt = w.tryRead
	return w
}

func (w *rawWire) fill(in *inbox, need int) (int, error) {
	w.in, w.need = in, need
	err := w.rc.Read(w.attempt)
	if err == nil {
		return w.n, w.err
	}
	in.trim()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		_ = w.nc.SetReadDeadline(time.Time{}) // fails only if closed
	}
	return 0, err
}

func (w *rawWire) nudge() { _ = w.nc.SetReadDeadline(longAgo) } // fails only if closed

// tryRead reads once. If nothing is there it gives its buffer back and reports
// false, upon which the runtime waits until there is something.
func (w *rawWire) tryRead(fd uintptr) bool {
	space := w.in.room(w.need)
	for {
		n, err := syscall.Read(int(fd), space)
		switch {
		case n > 0:
			w.in.added(n)
			w.n, w.err = n, nil
			return true
		case err == syscall.EINTR:
			continue
		}
		w.in.trim()
		switch err {
		case nil:
			w.n, w.err = 0, io.EOF
		case syscall.EAGAIN:
			return false
		default:
			w.n, w.err = 0, os.NewSyscallError("read", err)
		}
		return true
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
