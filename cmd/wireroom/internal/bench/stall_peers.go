//go:build linux

package bench

// The phases by which a caller tells the callee of a stall what it wants.
const (
	phaseLarge byte = 'l' // a large result
	phaseFeed  byte = 'f' // progressive results, until it is interrupted
)

// maxUnsent is how much may wait for a server that does not read, before the
// generator leaves out what would come next.
const maxUnsent = 1 << 20

// send writes the message msg on a peer and reports whether it could: not if
// the connection has ended, or the server does not read. The peer's loop is
// locked.
func (p *peer) send(msg []byte) bool {
	if p.closed || len(p.out) > maxUnsent {
		return false
	}
	p.queue(msg)
	if !p.waiting {
		p.flush()
	}
	return !p.closed
}

// A feedCallee answers calls with their payload, or with a large one, or with
// progressive results. It belongs to its loop.
type feedCallee struct {
	echo, large, part *template
	feed              []byte // the large payload
	buf               []byte
	feeding           uint64 // the invocation that takes progressive results; 0: none
	interrupted       bool   // the server said that nobody takes them any more
}

func newFeedCallee(ser serializer, size int, feed []byte) *feedCallee {
	return &feedCallee{
		echo:  newTemplate(ser, newPayload(size), codeYield, dict{}),
		large: newTemplate(ser, feed, codeYield, dict{}),
		part:  newTemplate(ser, feed, codeYield, dict{"progress": true}),
		feed:  feed,
	}
}

func (c *feedCallee) receive(p *peer, code uint64, rest, msg []byte, _ int64) {
	id, _, ok := p.ser.readUint(rest)
	if code == codeInterrupt && ok {
		if id == c.feeding {
			c.feeding, c.interrupted = 0, true
		}
		p.queue(c.large.append(c.buf[:0], id, c.feed))
		return
	}
	payload := findPayload(msg, c.echo.payloadLen)
	if code != codeInvocation || !ok || payload == nil {
		// An ERROR says that the caller of a feed is gone: no surprise.
		if code != codeError {
			p.loop.fail(unexpected(p.ser, msg))
		}
		return
	}
	switch payload[phaseAt] {
	case phaseFeed:
		c.feeding = id
		return
	case phaseLarge:
		c.buf = c.large.append(c.buf[:0], id, c.feed)
	default:
		c.buf = c.echo.append(c.buf[:0], id, payload)
	}
	p.queue(c.buf)
}

// next sends one progressive result, if anybody takes them.
func (c *feedCallee) next(p *peer) bool {
	if c.feeding == 0 {
		return false
	}
	c.buf = c.part.append(c.buf[:0], c.feeding, c.feed)
	return p.send(c.buf)
}

// A waiter is one of the others: it calls on time, or waits for events, and
// notes how long it takes. It belongs to its loop.
type waiter struct {
	call    *template // nil: it subscribes
	payload []byte
	buf     []byte
	nextID  uint64
	pending map[uint64]int64 // when calls were due, by request id

	phase  byte // what counts
	times  histogram
	got    uint64
	failed uint64
}

// begin starts to count anew.
func (w *waiter) begin(phase byte) {
	w.phase = phase
	w.times = histogram{}
	w.got, w.failed = 0, 0
	clear(w.pending)
}

// next makes a call that is due.
func (w *waiter) next(p *peer, due int64) {
	w.nextID++
	w.pending[w.nextID] = due
	stampPayload(w.payload, w.phase, w.nextID, due)
	w.buf = w.call.append(w.buf[:0], w.nextID, w.payload)
	p.send(w.buf)
}

func (w *waiter) receive(p *peer, code uint64, rest, msg []byte, now int64) {
	if code == codeEvent && w.call == nil {
		if phase, _, due, ok := readPayload(msg); ok && phase == w.phase {
			w.times.record(now - due)
			w.got++
		}
		return
	}
	if code == codeError {
		_, rest, _ = p.ser.readUint(rest) // the type of the request
	}
	id, _, ok := p.ser.readUint(rest)
	if !ok || code != codeResult && code != codeError {
		p.loop.fail(unexpected(p.ser, msg))
		return
	}
	due, known := w.pending[id]
	if !known {
		return // of a run before, and given up then
	}
	delete(w.pending, id)
	if code == codeError {
		w.failed++
		p.loop.lastError = unexpected(p.ser, msg)
		return
	}
	w.times.record(now - due)
	w.got++
}

// giveUp counts calls that are not answered by now as if they were, and
// returns how many these are: a delay of at least so much.
func (w *waiter) giveUp(now int64) int {
	n := len(w.pending)
	for _, due := range w.pending {
		w.times.record(now - due)
	}
	clear(w.pending)
	return n
}

// A sink takes whatever comes.
type sink struct{}

func (sink) receive(*peer, uint64, []byte, []byte, int64) {}
