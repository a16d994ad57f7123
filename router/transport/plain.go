package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"
)

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// A plainWire is any connection that is neither a raw socket nor TLS over a lean
// one: a pipe, or TLS over something else.
type plainWire struct {
	nc   net.Conn
	full bool // the last read left no space; reader only
}

// fill waits with a small buffer in hand, because it has to give one to Read.
// Only after a read that filled its buffer, when more is likely to be there,
// does it offer a large one.
func (w *plainWire) fill(in *inbox, need int) (int, error) {
	var space []byte
	if w.full {
		space = in.room(need)
	} else {
		in.trim()
		space = in.slack(need)
	}
	n, err := w.nc.Read(space)
	in.added(n)
	w.full = n == len(space)
	if n > 0 {
		return n, nil // the error comes again
	}
	in.trim()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		_ = w.nc.SetReadDeadline(time.Time{}) // fails only if closed
	}
	return 0, err
}

func (w *plainWire) nudge() { _ = w.nc.SetReadDeadline(longAgo) } // fails only if closed

func (w *plainWire) tryWrite([][]byte) (int, error) { return 0, nil }

// write gathers small buffers, so that they become few TLS records.
func (w *plainWire) write(bufs [][]byte, deadline time.Time) error {
	if err := w.nc.SetWriteDeadline(deadline); err != nil {
		return err
	}
	if err := w.writeAll(bufs); err != nil {
		return err
	}
	// TLS may write by itself when it reads, and a deadline that has passed
	// would make that fail.
	return w.nc.SetWriteDeadline(time.Time{})
}

func (w *plainWire) writeAll(bufs [][]byte) error {
	if len(bufs) == 1 {
		_, err := w.nc.Write(bufs[0])
		return err
	}
	g := grouper{bufs: bufs}
	defer g.release()
	for {
		b := g.next()
		if len(b) == 0 {
			return nil
		}
		if _, err := w.nc.Write(b); err != nil {
			return err
		}
	}
}

func (w *plainWire) finish() bool {
	half, ok := underTLS(w.nc).(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

// hangUp of a TLS connection says so in TLS, which waits a few seconds for a
// peer that does not read.
func (w *plainWire) hangUp() { w.nc.Close() }

func (w *plainWire) close() { underTLS(w.nc).Close() }

// underTLS returns the connection that TLS runs over, or the connection.
func underTLS(nc net.Conn) net.Conn {
	if t, ok := nc.(*tls.Conn); ok {
		return t.NetConn()
	}
	return nc
}
