package transport

import (
	"encoding/binary"
	"fmt"
)

// An opcode is the kind of a frame (RFC 6455, 5.2).
type opcode byte

const (
	opContinuation opcode = 0
	opText         opcode = 1
	opBinary       opcode = 2
	opClose        opcode = 8
	opPing         opcode = 9
	opPong         opcode = 10
)

const (
	bitFin  = 0x80
	bitsRsv = 0x70
	bitRsv1 = 0x40 // permessage-deflate: the message is compressed
	bitMask = 0x80

	maxControl = 125 // bytes of payload of a control frame
)

func (o opcode) control() bool { return o >= opClose }

// String returns the name of the kind of frame.
func (o opcode) String() string {
	switch o {
	case opContinuation:
		return "continuation"
	case opText:
		return "text"
	case opBinary:
		return "binary"
	case opClose:
		return "close"
	case opPing:
		return "ping"
	case opPong:
		return "pong"
	default:
		return fmt.Sprintf("reserved (opcode %d)", byte(o))
	}
}

// A header is the beginning of a frame from a client.
type header struct {
	op     opcode
	fin    bool
	packed bool // RSV1 is set: it begins a compressed message
	mask   [4]byte
	length int64 // of the payload; not negative
}

// firstByte reads the first byte of a frame. deflate says whether
// permessage-deflate was negotiated: it allows RSV1 in the first frame of a
// message (RFC 7692, 6).
func firstByte(b byte, deflate bool) (h header, bad *violation) {
	h.op, h.fin, h.packed = opcode(b&0x0f), b&bitFin != 0, b&bitRsv1 != 0
	switch {
	case b&bitsRsv != 0 && !deflate:
		return h, violates(closeProtocol, "reserved bits %#02x are set in a frame, and no extension was negotiated", b&bitsRsv)
	case b&bitsRsv&^bitRsv1 != 0:
		return h, violates(closeProtocol, "reserved bits %#02x are set in a frame, of which permessage-deflate allows only 0x40", b&bitsRsv)
	case h.op > opBinary && h.op < opClose || h.op > opPong:
		return h, violates(closeProtocol, "a frame has the reserved opcode %d", byte(h.op))
	case h.packed && (h.op.control() || h.op == opContinuation):
		return h, violates(closeProtocol, "the bit 0x40 is set in a %v frame, not in the first of a compressed message", h.op)
	case h.op.control() && !h.fin:
		return h, violates(closeProtocol, "a %v frame is fragmented, which control frames must not be", h.op)
	}
	return h, nil
}

// parse reads the rest of a header whose first byte is b[0], and returns the
// size of the header, or 0 and no violation if b does not hold all of it. What
// is wrong is reported as soon as the byte that shows it is there.
func (h *header) parse(b []byte) (size int, bad *violation) {
	if len(b) < 2 {
		return 0, nil
	}
	size = 2
	h.length = int64(b[1] &^ bitMask)
	switch {
	case b[1]&bitMask == 0:
		return 0, violates(closeProtocol, "a %v frame is not masked, which frames of a client must be", h.op)
	case h.op.control() && h.length > maxControl:
		return 0, violates(closeProtocol, "a %v frame has more than %d bytes", h.op, maxControl)
	case h.length == 126:
		if size += 2; len(b) < size {
			return 0, nil
		}
		h.length = int64(binary.BigEndian.Uint16(b[2:]))
		if h.length < 126 {
			return 0, violates(closeProtocol, "the length %d of a frame is written in 16 bits, not in 7", h.length)
		}
	case h.length == 127:
		if size += 8; len(b) < size {
			return 0, nil
		}
		length := binary.BigEndian.Uint64(b[2:])
		switch {
		case length>>63 != 0:
			return 0, violates(closeProtocol, "the 64-bit length of a frame has its first bit set")
		case length < 1<<16:
			return 0, violates(closeProtocol, "the length %d of a frame is written in 64 bits, not in fewer", length)
		}
		h.length = int64(length)
	}
	if size += 4; len(b) < size {
		return 0, nil
	}
	h.mask = [4]byte(b[size-4 : size])
	return size, nil
}

// controlFrame returns a control frame of a server.
func controlFrame(op opcode, payload []byte) []byte {
	f := make([]byte, 2, 2+len(payload))
	f[0], f[1] = bitFin|byte(op), byte(len(payload))
	return append(f, payload...)
}
