package transport

import (
	"encoding/binary"
	"unicode/utf8"
)

// nextRaw is next for RawSocket: it takes the first frame out of b. Nothing of
// it is copied.
func (a *assembler) nextRaw(b []byte) (f found, bad *violation) {
	if len(b) == 0 {
		return found{need: 1}, nil
	}
	if b[0]&rawReserved != 0 {
		return found{}, violates(closeProtocol, "reserved bits %#02x are set in a frame", b[0]&rawReserved)
	}
	t := rawType(b[0] & rawTypes)
	if t > rawPong {
		return found{}, violates(closeProtocol, "a frame has the reserved type %d", byte(t))
	}
	if len(b) < rawHeader {
		return found{need: rawHeader}, nil
	}
	length := int(binary.BigEndian.Uint32(b) & (maxRaw - 1))
	if b[0]&rawExtra != 0 {
		if length != 0 {
			return found{}, violates(closeProtocol, "the length of a frame has its 25th bit set, and %#x beside it", length)
		}
		length = maxRaw
	}
	if length > a.max {
		return found{}, violates(closeTooBig, "a frame has %d bytes, and at most %d are taken", length, a.max)
	}
	whole := rawHeader + length
	if len(b) < whole {
		return found{need: whole}, nil
	}
	f = found{payload: b[rawHeader:whole:whole], size: whole}
	switch t {
	case rawPing:
		f.op = opPing
	case rawPong:
		f.op = opPong
	default:
		f.op = a.data
		if a.data == opText && !utf8.Valid(f.payload) {
			return found{}, violates(closeBadData, "a message in JSON is not UTF-8")
		}
	}
	return f, nil
}
