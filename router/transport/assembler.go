package transport

import (
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// A found is what an assembler found at the start of the bytes it was given.
type found struct {
	// op is opText or opBinary for a whole message, a control opcode for a
	// control frame, and opContinuation for a fragment after which the
	// message is not yet whole.
	op      opcode
	payload []byte // unmasked
	packed  int    // bytes of the message before it was inflated; 0: it was not compressed
	size    int    // bytes used up; 0: the frame is not there whole
	need    int    // with size 0: at least so many bytes are needed to go on
}

// An assembler turns frames into messages. Those of RawSocket are messages
// already.
type assembler struct {
	// Fixed at construction.
	max     int    // bytes of a message, before and after it is inflated
	data    opcode // opText or opBinary: what messages must be
	deflate bool   // permessage-deflate was negotiated
	raw     bool   // the frames are those of RawSocket

	begun  bool    // the last data frame was not the final one of its message
	packed bool    // begun: the message is compressed
	length int     // bytes in parts
	parts  *buffer // fragments of the message so far, or all of it inflated; may be nil even if begun
}

// next takes the first frame out of b and unmasks it in place. A payload that
// it returns is valid until the next call of next or release.
func (a *assembler) next(b []byte) (f found, bad *violation) {
	if a.raw {
		return a.nextRaw(b)
	}
	if len(b) == 0 {
		return found{need: 1}, nil
	}
	h, bad := firstByte(b[0], a.deflate)
	if bad == nil {
		bad = a.admit(h.op)
	}
	if bad != nil {
		return found{}, bad
	}
	size, bad := h.parse(b)
	switch {
	case bad != nil:
		return found{}, bad
	case size == 0:
		return found{need: len(b) + 1}, nil
	case !h.op.control() && h.length > int64(a.max-a.length):
		return found{}, violates(closeTooBig, "a message has more than %d bytes", a.max)
	}
	whole := size + int(h.length)
	if len(b) < whole {
		return found{need: whole}, nil
	}
	payload := b[size:whole:whole]
	ws.Cipher(payload, h.mask, 0)

	switch {
	case h.op.control():
		return found{op: h.op, payload: payload, size: whole}, nil
	case !h.fin:
		if !a.begun {
			a.begun, a.packed = true, h.packed
		}
		a.add(payload)
		return found{op: opContinuation, size: whole}, nil
	case a.begun:
		a.add(payload)
		a.begun = false
		h.packed = a.packed
		payload = nil
		if a.parts != nil {
			payload = a.parts.b[:a.length]
		}
	}
	packed := 0
	if h.packed {
		packed = len(payload)
		if payload, bad = a.inflate(payload); bad != nil {
			return found{}, bad
		}
	}
	if a.data == opText && !utf8.Valid(payload) {
		return found{}, violates(closeBadData, "a text message is not UTF-8")
	}
	return found{op: a.data, payload: payload, packed: packed, size: whole}, nil
}

// inflate returns the message that came compressed as payload, in place of
// which it is kept. RFC 7692 has no status for data that cannot be inflated;
// 1007 is for data that is not what it is said to be (RFC 6455, 7.4.1).
func (a *assembler) inflate(payload []byte) ([]byte, *violation) {
	out, n, err := inflate(payload, a.max)
	switch err {
	case nil:
	case errInflatesTooBig:
		return nil, violates(closeTooBig, "a compressed message has more than %d bytes", a.max)
	default:
		return nil, violates(closeBadData, "a compressed message of %d bytes cannot be inflated", len(payload))
	}
	if a.parts != nil {
		a.parts.free()
	}
	a.parts, a.length = out, n
	return out.b[:n], nil
}

// admit checks whether a frame with the opcode may come here.
func (a *assembler) admit(op opcode) *violation {
	switch {
	case op.control():
		return nil
	case op == opContinuation && !a.begun:
		return violates(closeProtocol, "a continuation frame came where no message had begun")
	case op != opContinuation && a.begun:
		return violates(closeProtocol, "a %v frame came in the middle of a fragmented message", op)
	case op != opContinuation && op != a.data:
		return violates(closeDataType, "a %v message came, but those of the chosen subprotocol are %v", op, a.data)
	}
	return nil
}

// add appends a fragment to the message. It allocates by what has arrived.
func (a *assembler) add(fragment []byte) {
	if len(fragment) == 0 {
		return
	}
	switch total := a.length + len(fragment); {
	case a.parts == nil:
		a.parts = getBuffer(total)
	case total > len(a.parts.b):
		old := a.parts
		a.parts = getBuffer(max(total, min(a.max, 2*len(old.b))))
		copy(a.parts.b, old.b[:a.length])
		old.free()
	}
	a.length += copy(a.parts.b[a.length:], fragment)
}

// release gives back the memory of a message that next put together.
func (a *assembler) release() {
	if a.parts != nil && !a.begun {
		a.parts.free()
		a.parts, a.length = nil, 0
	}
}
