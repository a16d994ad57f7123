package transport

import (
	"encoding/binary"
	"math/bits"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// RawSocket frames messages as WAMP's RawSocket does: four bytes that hold the
// length, and the message. A message of more than 16 MiB has no frame; what it
// is framed to is longer than any peer takes ([router.Peer.MaxFrame]).
var RawSocket = &router.Framing{Index: 2, Headroom: rawHeader, Seal: sealRaw, Open: openRaw}

const (
	rawMagic  = 0x7f // the first byte of a connection, which no HTTP request and no TLS has
	rawHeader = 4    // bytes of the greeting, of its answer, and in front of each message

	maxRaw = 1 << 24 // bytes of the longest message that a frame can hold
)

// A rawType is the kind of a RawSocket frame.
type rawType byte

const (
	rawMessage rawType = 0
	rawPing    rawType = 1
	rawPong    rawType = 2
)

const (
	rawReserved = 0xf0 // bits of a frame's first byte that must be zero
	rawExtra    = 0x08 // the 25th bit of its length
	rawTypes    = 0x07
)

// sealRaw writes the header in front of the message.
func sealRaw(buf []byte, _ wamp.Serializer) []byte {
	putRawHeader(buf, rawMessage, len(buf)-rawHeader)
	return buf
}

func openRaw(frame []byte) []byte { return frame[rawHeader:] }

// putRawHeader writes the header of a frame with n bytes, at most maxRaw. The
// bit for exactly maxRaw is the one above the 24 of other lengths.
func putRawHeader(b []byte, t rawType, n int) {
	binary.BigEndian.PutUint32(b, uint32(t)<<24|uint32(n&(maxRaw-1)))
	if n == maxRaw {
		b[0] |= rawExtra
	}
}

// rawControl returns a PING or PONG.
func rawControl(t rawType, payload []byte) []byte {
	f := make([]byte, rawHeader, rawHeader+len(payload))
	putRawHeader(f, t, len(payload))
	return append(f, payload...)
}

// A rawRefusal is why a greeting is refused: the code that the answer has.
type rawRefusal byte

const (
	rawAccepted      rawRefusal = 0
	rawNoSerializer  rawRefusal = 1
	rawBadLength     rawRefusal = 2
	rawReservedBits  rawRefusal = 3
	rawTooManyOrLate rawRefusal = 4 // "maximum connection count reached"
)

// String says what the code means.
func (r rawRefusal) String() string {
	switch r {
	case rawAccepted:
		return "accepted"
	case rawNoSerializer:
		return "serializer unsupported"
	case rawBadLength:
		return "maximum message length unacceptable"
	case rawReservedBits:
		return "reserved bits are set"
	default:
		return "too many connections"
	}
}

// answer returns the four bytes that refuse a greeting.
func (r rawRefusal) answer() []byte { return []byte{rawMagic, byte(r) << 4, 0, 0} }

// rawSerializers are the serializers by their numbers in a greeting.
var rawSerializers = [...]wamp.Serializer{1: wamp.JSON, 2: wamp.MessagePack, 3: wamp.CBOR}

// minRawTake is how long the messages are that a peer must take at least:
// WELCOME, which nobody can do without, has more than 512 bytes.
const minRawTake = 1 << 10

// A greeting is what a peer asks for with its first four bytes.
type greeting struct {
	serializer wamp.Serializer
	number     byte // of the serializer
	takes      int  // bytes of the longest message that the peer takes
}

// parseGreeting reads the first four bytes of a peer. ok is false if they are
// no greeting, which deserve no answer.
func parseGreeting(b [rawHeader]byte) (g greeting, no rawRefusal, ok bool) {
	g.number = b[1] & 0x0f
	g.takes = 1 << (9 + b[1]>>4)
	switch {
	case b[0] != rawMagic || g.number == 0:
		return g, 0, false
	case b[2] != 0 || b[3] != 0:
		return g, rawReservedBits, true
	case int(g.number) >= len(rawSerializers):
		return g, rawNoSerializer, true
	case g.takes < minRawTake:
		return g, rawBadLength, true
	}
	g.serializer = rawSerializers[g.number]
	return g, rawAccepted, true
}

// rawLimit returns how long a message a RawSocket may have for the server to
// take it, as a power of two, which is all that can be told in an answer: at
// most limit, which is at least minMaxMessage.
func rawLimit(limit int) int { return 1 << (bits.Len(uint(min(limit, maxRaw))) - 1) }

// answer returns the four bytes that accept the greeting, and tell how long
// the messages are that the server takes, a power of two.
func (g greeting) answer(limit int) []byte {
	return []byte{rawMagic, byte(bits.Len(uint(limit))-10)<<4 | g.number, 0, 0}
}
