package transport

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wireroom/wireroom/router/sockio"
)

// errNothing is what a lean read returns when no whole record is there. TLS
// keeps its state when an error is temporary, and can be read again.
var errNothing net.Error = noRecord{}

type noRecord struct{}

func (noRecord) Error() string   { return "no whole TLS record is there yet" }
func (noRecord) Timeout() bool   { return true }
func (noRecord) Temporary() bool { return true }

// mostKept is how much ciphertext a group becomes at most, in whatever records.
const mostKept = groupSize + 2<<10

// A leanConn is a socket below TLS. At first it is that socket and nothing
// else, so that the handshake and HTTP wait in it as in any other. When it is
// made lean, nothing waits in it any more:
//
// Read gives TLS the next record of what fetch has read if that is there
// whole, and otherwise fails with errNothing. TLS allocates a buffer by the
// length that a record announces, and keeps it for ever; so it is shown no
// record before all of it has come.
//
// Write takes everything: what the socket does not take is kept. Whoever writes
// through TLS has it sent before the next write, so that no more is kept than
// one write makes. TLS also writes by itself when it reads (the answer to a key
// update, an alert). If that is kept, it is owed, and the reader sends it
// before it reads on, so that a peer that does not read cannot make it grow.
//
// Deadlines are those of the socket, and for TLS have no effect any more.
type leanConn struct {
	// Fixed at construction.
	socket
	rc syscall.RawConn

	lean bool // nothing waits; set before others than the HTTP server know the connection

	// Owned by the reader.
	meter recordMeter // of what TLS has got
	in    inbox       // ciphertext, lean only
	ready int         // bytes of in that TLS may have

	mu      sync.Mutex // guards the following
	out     inbox      // ciphertext that the socket did not take
	writing bool       // somebody writes through TLS

	owed atomic.Bool // out has something that TLS wrote by itself; set with mu held
}

// newLean returns nc as a leanConn if it is a socket.
func newLean(nc net.Conn) net.Conn {
	if s, rc, ok := rawConn(nc); ok {
		return &leanConn{socket: s, rc: rc}
	}
	return nc
}

// Read implements [net.Conn].
func (c *leanConn) Read(p []byte) (int, error) {
	if !c.lean {
		n, err := c.socket.Read(p)
		c.meter.pass(p[:n])
		return n, err
	}
	if !c.whole() {
		return 0, errNothing
	}
	n := copy(p, c.in.bytes()[:c.ready])
	c.in.take(n)
	c.ready -= n
	return n, nil
}

// whole reports whether there is something to read.
func (c *leanConn) whole() bool {
	if c.ready > 0 {
		return true
	}
	if c.in.buf == nil {
		return false
	}
	if c.ready, _ = c.meter.rest(c.in.bytes()); c.ready == 0 {
		return false
	}
	c.meter = recordMeter{}
	return true
}

// fetch waits for more of a record that is not whole, and reads it.
func (c *leanConn) fetch(p *puller) error {
	have := len(c.in.bytes())
	_, need := c.meter.rest(c.in.bytes())
	_, err := p.pull(&c.in, need)
	if err == io.EOF && (have > 0 || c.meter.inside()) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Write implements [net.Conn].
func (c *leanConn) Write(p []byte) (int, error) {
	if !c.lean {
		return c.socket.Write(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	size := len(p)
	if c.out.buf == nil {
		n, err := c.sendLocked(p)
		if err != nil {
			return n, err
		}
		p = p[n:]
	}
	if len(p) == 0 {
		return size, nil
	}
	for len(p) > 0 {
		n := copy(c.out.room(len(c.out.bytes())+len(p)), p)
		c.out.added(n)
		p = p[n:]
	}
	c.out.trim()
	// While others write it cannot be known whose this is, but they make no
	// more than that.
	if !c.writing || len(c.out.bytes()) > mostKept {
		c.owed.Store(true)
	}
	return size, nil
}

// begin and end enclose what is written through TLS on behalf of others; end
// reports whether the socket did not take everything.
func (c *leanConn) begin() {
	c.mu.Lock()
	c.writing = true
	c.mu.Unlock()
}

func (c *leanConn) end() (left bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	return c.out.buf != nil
}

// push sends what the socket takes of what was kept, and reports whether
// something is left.
func (c *leanConn) push() (left bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.buf == nil {
		return false, nil
	}
	n, err := c.sendLocked(c.out.bytes())
	c.sentLocked(n)
	return c.out.buf != nil, err
}

// drain sends all that was kept, waiting until the write deadline of the
// socket.
func (c *leanConn) drain() error {
	if left, err := c.push(); !left || err != nil {
		return err
	}
	s := sends.Get().(*send)
	s.conn = c
	err := c.rc.Write(s.kept)
	if err == nil {
		err = s.err
	}
	s.giveBack()
	return err
}

// sendLocked writes what the socket takes of p. It does not wait, not even for
// a drain: that is why it goes by Control.
func (c *leanConn) sendLocked(p []byte) (int, error) {
	s := sends.Get().(*send)
	s.p = p
	err := c.rc.Control(s.once)
	n := s.n
	if err == nil {
		err = s.err
	}
	s.giveBack()
	return n, err
}

// sentLocked counts n kept bytes as sent.
func (c *leanConn) sentLocked(n int) {
	c.out.take(n)
	if c.out.buf == nil {
		c.owed.Store(false)
	} else {
		c.out.trim()
	}
}

// SetDeadline implements [net.Conn].
func (c *leanConn) SetDeadline(t time.Time) error {
	if c.lean {
		return nil
	}
	return c.socket.SetDeadline(t)
}

// SetReadDeadline implements [net.Conn].
func (c *leanConn) SetReadDeadline(t time.Time) error {
	if c.lean {
		return nil
	}
	return c.socket.SetReadDeadline(t)
}

// SetWriteDeadline implements [net.Conn].
func (c *leanConn) SetWriteDeadline(t time.Time) error {
	if c.lean {
		return nil
	}
	return c.socket.SetWriteDeadline(t)
}

// A send is one attempt to write to a socket. It comes from a pool with its
// functions made, so that writing does not allocate.
type send struct {
	// Fixed at construction.
	once func(fd uintptr)      // writes p
	kept func(fd uintptr) bool // writes what conn has kept; is called again until that is all

	p    []byte
	conn *leanConn
	n    int
	err  error
}

var sends = sync.Pool{New: func() any {
	s := new(send)
	s.once = func(fd uintptr) { s.n, s.err = writeNow(int(fd), s.p) }
	s.kept = func(fd uintptr) bool {
		c := s.conn
		c.mu.Lock()
		defer c.mu.Unlock()
		var n int
		n, s.err = writeNow(int(fd), c.out.bytes())
		c.sentLocked(n)
		return c.out.buf == nil || s.err != nil
	}
	return s
}}

func (s *send) giveBack() {
	s.p, s.conn, s.n, s.err = nil, nil, 0, nil
	sends.Put(s)
}

// writeNow writes as much of p as the socket takes.
func writeNow(fd int, p []byte) (n int, err error) {
	for n < len(p) {
		wrote, err := sockio.Write(fd, p[n:])
		switch {
		case err == nil && wrote < len(p)-n:
			return n + wrote, nil // full; another call would say EAGAIN
		case err == nil:
			n += wrote
		case err == syscall.EAGAIN:
			return n, nil
		case err != syscall.EINTR:
			return n, os.NewSyscallError("write", err)
		}
	}
	return n, nil
}
