package transport

import (
	"encoding/binary"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// WebSocket frames messages as unfragmented, unmasked WebSocket frames: text
// for JSON, binary for the other serializers.
var WebSocket = &router.Framing{Index: 0, Headroom: headroom, Seal: seal, Open: open}

// headroom is the longest header of a frame from a server.
const headroom = 10

// seal writes the header right in front of the message.
func seal(buf []byte, s wamp.Serializer) []byte {
	first := byte(bitFin | opText)
	if s.Binary() {
		first = bitFin | byte(opBinary)
	}
	switch n := len(buf) - headroom; {
	case n <= 125:
		buf = buf[headroom-2:]
		buf[1] = byte(n)
	case n < 1<<16:
		buf = buf[headroom-4:]
		buf[1] = 126
		binary.BigEndian.PutUint16(buf[2:], uint16(n))
	default:
		buf = buf[headroom-10:]
		buf[1] = 127
		binary.BigEndian.PutUint64(buf[2:], uint64(n))
	}
	buf[0] = first
	return buf
}

// open returns the message of a frame that seal made.
func open(frame []byte) []byte {
	switch frame[1] {
	case 126:
		return frame[4:]
	case 127:
		return frame[10:]
	default:
		return frame[2:]
	}
}
