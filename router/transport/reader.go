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

// youngWaits is how many messages, or groups of messages that arrive together,
// of a new connection are handled by the crew. Most peers join, subscribe and
// then only listen.
const youngWaits = 8

// begin attaches the session and starts the connection. Whatever came with the
// upgrade request is handled first.
func (c *conn) begin(peer *router.Peer) {
	c.sess = c.srv.attach(c, *peer)
	c.srv.add(c)
	c.work()
}

// work handles what was read, and has a new goroutine wait for more: a task of
// the crew. The new goroutine's stack is as small as they come, and nothing
// that it does while it waits makes it grow.
func (c *conn) work() {
	need, err := c.consume()
	c.sess.Flush()
	if err != nil {
		c.end(err)
		return
	}
	c.slot.heard.CompareAndSwap(heardMessage, heardBytes) // nothing for the sweeper to do
	go c.wait(need)
}

// wait is the reader's goroutine. It waits for more of the peer's bytes, need
// in all to be of use, and has the crew handle them if the connection is young,
// because it is likely to wait long after that. Later it handles them by
// itself.
//
// Handling messages makes a goroutine's stack grow, and the collector shrinks
// none to what a parked reader needs. So when the sweeper finds that messages
// came and then silence, it gets the reader out of its wait, and a new goroutine
// waits in its place.
func (c *conn) wait(need int) {
	for {
		err := c.fill(need)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue // this goroutine is as good as a new one
		}
		if err != nil {
			c.end(err)
			return
		}
		break
	}
	if c.young > 0 {
		c.young--
		c.srv.crew.do(c)
		return
	}
	need, err := c.read()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		go c.wait(need)
		return
	}
	c.end(err)
}

// end ends the connection.
func (c *conn) end(err error) {
	_ = c.Close() // always nil
	c.srv.remove(c)
	c.sess.Detach(ended(err))
	c.srv.done()
}

// read handles what the peer sends until the connection ends or the sweeper
// nudges it, and returns why, and how much must be there for more to be done.
func (c *conn) read() (need int, err error) {
	for {
		need, err = c.consume()
		c.sess.Flush()
		if err != nil {
			return 0, err
		}
		if err = c.fill(need); err != nil {
			return need, err
		}
	}
}

// fill waits until at least one more byte has arrived.
func (c *conn) fill(need int) error {
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
	return nil
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
		if c.batch {
			c.receiveBatch(f.payload)
		} else if c.sess.Receive(f.payload) != nil {
			c.leave()
		}
		c.asm.release()

	case opPing:
		if c.takes > 0 {
			c.answerRaw(f.payload)
			return
		}
		if c.pongs++; c.pongs > maxPongs {
			c.late = append(c.late[:0], f.payload...)
			if c.late == nil {
				c.late = []byte{}
			}
			return
		}
		c.sess.SendControl(controlFrame(opPong, f.payload))

	case opPong:
		if s, ok := c.sess.(interface{ Pong(data []byte) }); ok {
			s.Pong(f.payload)
		}

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
	name := "WebSocket"
	if c.takes > 0 {
		name = "RawSocket"
	}
	c.sess.End(bad.err(name))
}

// leave skips what comes from now on, because the session ends. On a WebSocket
// the peer's close frame must still be found.
func (c *conn) leave() {
	c.mode = leaving
	if c.takes > 0 {
		c.mode = deaf
	}
}

// answerRaw answers a PING, each with one PONG as WAMP's RawSocket asks. A peer
// that floods and does not read ends when its queue is full.
func (c *conn) answerRaw(payload []byte) {
	if len(payload) > c.takes {
		c.fail(violates(closeTooBig, "a PING of %d bytes cannot be answered to a peer that takes %d", len(payload), c.takes))
		return
	}
	c.sess.SendControl(rawControl(rawPong, payload))
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
