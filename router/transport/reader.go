package transport

import (
	"errors"
	"io"
	"os"

	"github.com/wireroom/wireroom/router"
)

// maxPongs is how many pings are answered one by one before the reader waits
// again. Of more than that only the last is answered, which RFC 6455, 5.5.3
// allows, so that a flood of pings does not become a flood of pongs.
const maxPongs = 16

// A mode is what a reader does with what it reads.
type mode uint8

const (
	reading mode = iota // frames are handled
	leaving             // the session ends: frames are skipped up to the close frame
	deaf                // the peer said its last word, or broke the protocol: bytes are skipped
)

// run serves the connection until it ends. It is the reader's goroutine.
func (c *conn) run(peer *router.Peer) {
	c.sess = c.srv.attach(c, *peer)
	c.srv.add(c)
	c.loop()
}

// youngWaits is how often the reader of a new connection hands over to a new
// goroutine before it waits. Most peers join, subscribe and then only listen.
const youngWaits = 8

// errYoung is why read returns so that a new goroutine waits.
var errYoung = errors.New("young connection")

// loop reads until the connection ends or a new goroutine takes over.
//
// Handling messages makes a goroutine's stack grow, and the collector shrinks
// none to what a parked reader needs. So a reader that is likely to wait long
// has a new goroutine wait in its place: at first, because few messages come
// after those of joining, and later when the sweeper has found the connection
// silent.
func (c *conn) loop() {
	err := c.read()
	if err == errYoung || errors.Is(err, os.ErrDeadlineExceeded) {
		c.srv.wg.Go(c.loop)
		return
	}
	_ = c.Close() // always nil
	c.srv.remove(c)
	c.sess.Detach(ended(err))
	c.srv.done()
}

// read handles what the peer sends until the connection ends or the sweeper
// nudges it, and returns why.
func (c *conn) read() error {
	for fresh := true; ; fresh = false { // fresh: the stack is
		need, err := c.consume()
		c.sess.Flush()
		if err != nil {
			return err
		}
		if c.young > 0 && !fresh && c.in.buf == nil {
			c.young--
			c.slot.heard.CompareAndSwap(heardMessage, heardBytes) // nothing for the sweeper to do
			return errYoung
		}
		n, err := c.wire.fill(&c.in, need)
		if err != nil {
			if err == io.EOF && c.mode == reading && len(c.in.bytes()) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if c.slot.heard.Load() == heardNothing {
			c.slot.heard.Store(heardBytes)
		}
		c.shard.bytesIn.Add(uint64(n))
	}
}

// consume uses up whole frames, and returns how many bytes there must be for
// more to be done, or an error to end the connection.
func (c *conn) consume() (need int, err error) {
	messages := uint64(0)
	for {
		b := c.in.bytes()
		if len(b) == 0 {
			need = 1
			break
		}
		if c.mode != reading {
			need, err = c.discard(b)
			break
		}
		f, bad := c.asm.next(b)
		if bad != nil {
			c.fail(bad)
			continue
		}
		if f.size == 0 {
			need = f.need
			break
		}
		if f.op == c.asm.data {
			messages++
			if f.packed > 0 {
				c.shard.inflated.Add(1)
				c.shard.inflatedFrom.Add(uint64(f.packed))
				c.shard.inflatedTo.Add(uint64(len(f.payload)))
			}
		}
		c.handle(f)
		c.in.take(f.size)
	}
	if messages > 0 {
		c.shard.messagesIn.Add(messages)
		if c.slot.heard.Load() != heardMessage {
			c.slot.heard.Store(heardMessage)
		}
	}
	if c.late != nil {
		c.sess.SendControl(controlFrame(opPong, c.late))
		c.late = nil
	}
	c.pongs = 0
	return need, err
}

// handle carries out one frame.
func (c *conn) handle(f found) {
	switch f.op {
	case opText, opBinary:
		if c.sess.Receive(f.payload) != nil {
			c.mode = leaving
		}
		c.asm.release()

	case opPing:
		if c.pongs++; c.pongs > maxPongs {
			c.late = append(c.late[:0], f.payload...)
			if c.late == nil {
				c.late = []byte{}
			}
			return
		}
		c.sess.SendControl(controlFrame(opPong, f.payload))

	case opClose:
		code, bad := parseClose(f.payload)
		if bad != nil {
			c.fail(bad)
			return
		}
		c.verdict.CompareAndSwap(nil, &violation{code: code})
		c.mode = deaf
		c.sess.End(nil)
		if c.part() {
			c.hangUp() // our close frame went first
		}
	}
}

// fail ends the session because of what the peer sent.
func (c *conn) fail(bad *violation) {
	c.srv.stats.violation(bad.code)
	c.verdict.CompareAndSwap(nil, bad)
	c.mode = deaf
	c.mu.Lock()
	c.failed = true
	c.mu.Unlock()
	c.sess.End(bad.err())
}

// discard uses up b while the session is ending. It looks for the peer's close
// frame only, and returns io.EOF when both close frames are exchanged.
func (c *conn) discard(b []byte) (need int, err error) {
	for c.mode == leaving && len(b) > 0 {
		if c.skip > 0 {
			n := int(min(c.skip, int64(len(b))))
			c.skip -= int64(n)
			c.in.take(n)
			b = b[n:]
			continue
		}
		h, bad := firstByte(b[0], c.asm.deflate)
		size := 0
		if bad == nil {
			size, bad = h.parse(b)
		}
		switch {
		case bad != nil:
			c.mode = deaf
			continue
		case size == 0:
			return len(b) + 1, nil
		case !h.op.control():
			c.skip = h.length
		case len(b) < size+int(h.length):
			return size + int(h.length), nil
		case h.op == opClose:
			c.mode = deaf
			if c.part() {
				c.hangUp()
				return 0, io.EOF
			}
			continue
		default:
			size += int(h.length)
		}
		c.in.take(size)
		b = b[size:]
	}
	if c.mode == deaf {
		c.in.take(len(b))
	}
	return 1, nil
}
