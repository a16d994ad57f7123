//go:build linux

package bench

// A callee answers each invocation with its payload.
type callee struct {
	yield *template
	buf   []byte
}

func (c *callee) receive(p *peer, code uint64, rest, msg []byte, _ int64) {
	id, _, ok := p.ser.readUint(rest)
	payload := findPayload(msg, c.yield.payloadLen)
	if code != codeInvocation || !ok || payload == nil {
		p.loop.fail(unexpected(p.ser, msg))
		return
	}
	c.buf = c.yield.append(c.buf[:0], id, payload)
	p.queue(c.buf)
}

// A caller keeps calls in flight. It belongs to its loop.
type caller struct {
	call    *template
	payload []byte
	buf     []byte
	nextID  uint64
	pending map[uint64]struct{} // calls in flight

	stopped bool
	mixed   uint64 // answers to no call, or with another's payload
	failed  uint64 // calls answered with ERROR
	refusal error  // the last of these
}

// next makes a call.
func (c *caller) next(p *peer, now int64) {
	c.nextID++
	c.pending[c.nextID] = struct{}{}
	stampPayload(c.payload, phaseMeasured, c.nextID, now)
	c.buf = c.call.append(c.buf[:0], c.nextID, c.payload)
	p.queue(c.buf)
}

func (c *caller) receive(p *peer, code uint64, rest, msg []byte, now int64) {
	l := p.loop
	switch code {
	case codeResult:
		id, _, ok := p.ser.readUint(rest)
		if _, known := c.pending[id]; !ok || !known {
			c.mixed++
			return
		}
		delete(c.pending, id)
		if _, number, sent, ok := readPayload(msg); ok && number == id {
			l.latency.record(now - sent)
			l.measured++
			l.last = now
		} else {
			c.mixed++
		}
	case codeError:
		_, rest, _ = p.ser.readUint(rest) // the type of the request
		id, _, ok := p.ser.readUint(rest)
		if _, known := c.pending[id]; !ok || !known {
			c.mixed++
			return
		}
		delete(c.pending, id)
		c.failed++
		c.refusal = unexpected(p.ser, msg)
	default:
		l.fail(unexpected(p.ser, msg))
		return
	}
	if !c.stopped {
		c.next(p, now)
	}
}
