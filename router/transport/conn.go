package transport

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A session is what a connection hands its messages to: a [router.Session].
// Receive, Flush and Detach are for the reader, the others for any goroutine.
type session interface {
	Receive(msg []byte) error
	Flush()
	Detach(err error)
	SendControl(frame []byte)
	End(why *wamp.Error)

	// Busy reports whether Receive waits for something, so that silence
	// does not mean that the peer has gone.
	Busy() bool
}

// A wire is how the bytes of a connection are read and written. fill belongs
// to the reader; the others are as in [router.Link].
type wire interface {
	// fill reads at least one byte into in and returns how many, or an
	// error. It may wait. need is as for inbox.room.
	fill(in *inbox, need int) (n int, err error)

	tryWrite(bufs [][]byte) (n int, err error)
	write(bufs [][]byte, deadline time.Time) error

	// finish tells the peer that nothing more will be written, and reports
	// whether that can be told without closing.
	finish() bool

	// nudge makes fill return os.ErrDeadlineExceeded, once, unless it finds
	// something to read before.
	nudge()

	// hangUp closes the connection in good order, which may take a moment.
	// close closes it at once. Both may be called again.
	hangUp()
	close()
}

var (
	_ router.Link   = (*conn)(nil)
	_ router.Pinger = (*conn)(nil)
)

// A conn is one WebSocket or RawSocket connection, and the link of its session.
//
// One goroutine at a time owns it, the reader: that in wait, or the worker of
// the crew that it has handed over to. The methods of [router.Link] are called by
// the router; the sweeper uses sess, slot and wire.nudge.
type conn struct {
	// Fixed at construction.
	srv   *Server
	shard *shard
	wire  wire
	batch bool // WebSocket messages hold several of WAMP
	takes int  // bytes of a message that a RawSocket peer takes; 0: it is a WebSocket

	// Set by begin before the sweeper gets to know the connection.
	sess session
	slot *slot

	// Owned by the reader.
	young uint8 // how often it will still hand over to the crew
	in    inbox
	asm   assembler
	mode  mode
	skip  int64  // leaving: bytes of a data frame that are still to come
	pongs int    // answered since the last wait
	late  []byte // a pong beyond maxPongs: only the last one is sent

	// Safe for any goroutine.
	ping    queuedPing
	verdict atomic.Pointer[violation] // the close frame that the peer's own frames call for

	mu        sync.Mutex  // guards the following
	timer     *time.Timer // closes; nil before Finish
	finishing bool        // everything was written
	parted    bool        // the peer sent its close frame
	failed    bool        // the peer broke the protocol: no closing handshake
	closed    bool
}

// TryWrite implements [router.Link].
func (c *conn) TryWrite(bufs [][]byte) (int, error) {
	n, err := c.wire.tryWrite(bufs)
	if n > 0 {
		frames, left := 0, n
		for _, b := range bufs {
			if left < len(b) {
				break
			}
			left -= len(b)
			frames++
		}
		if c.ping.waits.Load() {
			c.ping.wrote(c.slot, holdsPing(bufs[:frames]))
		}
		c.shard.bytesOut.Add(uint64(n))
		c.shard.framesOut.Add(uint64(frames))
	}
	return n, err
}

// Write implements [router.Link].
func (c *conn) Write(bufs [][]byte, deadline time.Time) error {
	size, frames := 0, len(bufs)
	for _, b := range bufs {
		size += len(b)
	}
	waits := c.ping.waits.Load()
	ping := waits && holdsPing(bufs) // before write changes bufs
	if err := c.wire.write(bufs, deadline); err != nil {
		return err
	}
	if waits {
		c.ping.wrote(c.slot, ping)
	}
	c.shard.bytesOut.Add(uint64(size))
	c.shard.framesOut.Add(uint64(frames))
	return nil
}

// CloseFrame implements [router.Link]. What the peer's own frames call for
// (the code that fits its violation, or the echo of its close frame) goes
// before why. RawSocket has no close frame.
func (c *conn) CloseFrame(why *wamp.Error) []byte {
	if c.takes > 0 {
		return nil
	}
	if v := c.verdict.Load(); v != nil {
		return closeFrame(v.code, v.text)
	}
	return closeFrame(codeFor(why), reasonFor(why))
}

// PingFrame implements [router.Pinger].
func (c *conn) PingFrame(data []byte, wanted bool) []byte {
	switch {
	case c.takes == 0:
		return controlFrame(opPing, data)
	case wanted || c.srv.cfg.PingRawSockets:
		return rawControl(rawPing, data)
	default:
		return nil // not every client knows them
	}
}

// Finish implements [router.Link]. The connection is closed as soon as the
// peer has sent its close frame too (RFC 6455, 7.1.1), or right after ours if
// the peer broke the protocol (7.1.7). In the latter case, and if the system
// can do it, only our direction is closed at first: closing a socket while
// unread bytes are in it makes the system throw away what the peer has not
// read yet, the close frame among it. On a RawSocket, which has no close
// frames, that is how the peer is asked to close, and its end of file is what
// the reader waits for.
func (c *conn) Finish(patience time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finishing || c.closed {
		return
	}
	c.finishing = true
	if c.parted || (c.failed || c.takes > 0) && !c.wire.finish() {
		patience = 0
	}
	c.timer = time.AfterFunc(min(patience, c.srv.cfg.CloseTimeout), c.hangUp)
}

// Close implements [router.Link].
func (c *conn) Close() error {
	c.mu.Lock()
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.wire.close()
	return nil
}

// hangUp closes the connection in good order unless that has been done.
func (c *conn) hangUp() {
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	if !closed {
		c.wire.hangUp()
	}
}

// part notes that the peer sent its close frame, and reports whether ours was
// written too.
func (c *conn) part() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parted = true
	return c.finishing
}

// ended turns the error of a read into the reason for [router.Session.Detach].
func ended(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return net.ErrClosed
	}
	return err
}
