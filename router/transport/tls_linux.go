package transport

import (
	"crypto/tls"
	"errors"
	"os"
	"time"
)

// A tlsWire is TLS over a lean socket: it waits for bytes as a rawWire does,
// without a buffer and outside of TLS, and writes without waiting.
type tlsWire struct {
	// Fixed at construction.
	tls  *tls.Conn
	lean *leanConn

	// Owned by the reader.
	puller
	more  bool // TLS may have something although no record comes
	early bool // more, because TLS was given several records at a time before it was lean

	// Owned by whoever writes.
	ahead int // bytes at the start of the next write that are encrypted and kept
}

func newTLSWire(t *tls.Conn, lean *leanConn) *tlsWire {
	lean.lean = true
	w := &tlsWire{tls: t, lean: lean, more: true, early: true}
	w.puller.init(lean.rc)
	return w
}

// errOwing ends a connection whose peer has TLS answer it and reads nothing.
var errOwing = errors.New("the peer does not read what TLS answers")

func (w *tlsWire) fill(in *inbox, need int) (int, error) {
	for {
		if w.lean.owed.Load() {
			in.trim()
			if err := w.lean.drain(); errors.Is(err, os.ErrDeadlineExceeded) {
				return 0, errOwing // a writer has met its deadline; this is no nudge
			} else if err != nil {
				return 0, err
			}
		}
		if w.more || w.lean.whole() {
			n, err := w.decrypt(in.room(need))
			in.added(n)
			if n > 0 {
				return n, nil // the error comes again
			}
			if err != errNothing {
				in.trim()
				return 0, err
			}
			continue
		}
		in.trim()
		if err := w.lean.fetch(&w.puller); err != nil {
			unnudge(w.lean.socket, err)
			return 0, err
		}
	}
}

// decrypt reads what TLS makes of the records that are there, as far as there
// is space, and as long as TLS owes nothing.
func (w *tlsWire) decrypt(space []byte) (total int, err error) {
	for w.more || w.lean.whole() {
		n, err := w.tls.Read(space[total:])
		total += n
		full := total == len(space)
		w.early = w.early && err != errNothing
		w.more = full || w.early || err != nil && err != errNothing
		if full || err != nil || w.lean.owed.Load() {
			return total, err
		}
	}
	return total, nil
}

func (w *tlsWire) nudge() { nudge(w.lean.socket) }

// tryWrite writes group by group. When the socket takes only a part of a group,
// the rest is kept; the group does not count as written then, so that the
// caller comes back, but it must not be encrypted again.
func (w *tlsWire) tryWrite(bufs [][]byte) (n int, err error) {
	if left, err := w.lean.push(); left || err != nil {
		return 0, err
	}
	g := grouper{bufs: bufs}
	defer g.release()
	n = w.resume(&g)
	for {
		b := g.next()
		if len(b) == 0 {
			return n, nil
		}
		if left, err := w.encrypt(b); err != nil {
			return n, err
		} else if left {
			w.ahead = len(b)
			return n, nil
		}
		n += len(b)
	}
}

func (w *tlsWire) write(bufs [][]byte, deadline time.Time) error {
	if err := w.lean.socket.SetWriteDeadline(deadline); err != nil {
		return err
	}
	if err := w.lean.drain(); err != nil {
		return err
	}
	g := grouper{bufs: bufs}
	defer g.release()
	w.resume(&g)
	for {
		b := g.next()
		if len(b) == 0 {
			// A deadline that has passed would make the reader's drain fail.
			return w.lean.socket.SetWriteDeadline(time.Time{})
		}
		left, err := w.encrypt(b)
		if left && err == nil {
			g.release() // it may take long
			err = w.lean.drain()
		}
		if err != nil {
			return err
		}
	}
}

// resume skips what is encrypted already, when it has been sent, and returns
// how much that is.
func (w *tlsWire) resume(g *grouper) int {
	n := w.ahead
	w.ahead = 0
	g.skip(n)
	return n
}

// encrypt writes b through TLS, and reports whether the socket did not take
// everything.
func (w *tlsWire) encrypt(b []byte) (left bool, err error) {
	w.lean.begin()
	_, err = w.tls.Write(b)
	return w.lean.end(), err
}

// finish says so in TLS, too, so that the peer does not take it for a cut.
func (w *tlsWire) finish() bool {
	if w.tls.CloseWrite() != nil {
		return false
	}
	if left, err := w.lean.push(); left || err != nil {
		return false
	}
	return w.lean.socket.CloseWrite() == nil
}

// hangUp does not wait: what the socket does not take of TLS's goodbye is lost
// on a peer that does not read.
func (w *tlsWire) hangUp() { w.tls.Close() }

func (w *tlsWire) close() { w.lean.socket.Close() }
