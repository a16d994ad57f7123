package bench

import (
	"encoding/binary"
	"fmt"

	"github.com/gobwas/ws"
)

// A framing is how messages are told apart on a connection.
type framing uint8

const (
	frameWebSocket framing = iota
	frameRaw               // RawSocket: a type byte and three bytes of length
	frameDeflate           // WebSocket with permessage-deflate, without context takeover
	frameHTTP              // answers to HTTP requests; requests are written as they are
)

// A frameKind is what a frame is for.
type frameKind uint8

const (
	kindMessage  frameKind = iota // a whole message
	kindFragment                  // a part of one, more to come
	kindLast                      // its last part
	kindPing
	kindPong
	kindClose
	kindPacked         // a whole message, compressed
	kindPackedFragment // the first part of one
	kindAnswer         // a whole HTTP answer, its head included
)

// maxFrame is how many bytes a frame may have. It is far more than any server
// is asked to send.
const maxFrame = 16 << 20

// next reads the first frame of b and returns its kind, its body, which is a
// part of b, and its whole length: 0 if b does not hold all of it yet.
func (f framing) next(b []byte) (kind frameKind, body []byte, n int, err error) {
	switch f {
	case frameRaw:
		return nextRaw(b)
	case frameHTTP:
		return nextAnswer(b)
	}
	return nextWebSocket(b, f == frameDeflate)
}

func nextRaw(b []byte) (kind frameKind, body []byte, n int, err error) {
	if len(b) < 4 {
		return 0, nil, 0, nil
	}
	if b[0] > 2 {
		return 0, nil, 0, fmt.Errorf("a RawSocket frame of unknown type %d", b[0])
	}
	n = 4 + int(binary.BigEndian.Uint32(b)&0xffffff)
	if len(b) < n {
		return 0, nil, 0, nil
	}
	return [...]frameKind{kindMessage, kindPing, kindPong}[b[0]], b[4:n], n, nil
}

func nextWebSocket(b []byte, deflate bool) (kind frameKind, body []byte, n int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, nil
	}
	head, size, reserved := 2, uint64(b[1]), b[0]&0x70
	packed := deflate && reserved == 0x40 && (b[0]&0x0f == 1 || b[0]&0x0f == 2)
	switch b[1] {
	case 126:
		head = 4
		if len(b) < head {
			return 0, nil, 0, nil
		}
		size = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		head = 10
		if len(b) < head {
			return 0, nil, 0, nil
		}
		size = binary.BigEndian.Uint64(b[2:])
	}
	switch {
	case b[1] >= 128:
		return 0, nil, 0, fmt.Errorf("a masked WebSocket frame from a server")
	case size > maxFrame:
		return 0, nil, 0, fmt.Errorf("a WebSocket frame of %d bytes, expected at most %d", size, maxFrame)
	case reserved != 0 && !packed:
		return 0, nil, 0, fmt.Errorf("a WebSocket frame with reserved bits %#x, which nothing that was agreed gives a meaning", reserved)
	}
	if n = head + int(size); len(b) < n {
		return 0, nil, 0, nil
	}
	final := b[0]&0x80 != 0
	switch op := b[0] & 0x0f; {
	case packed && final:
		kind = kindPacked
	case packed:
		kind = kindPackedFragment
	case op == 0 && final:
		kind = kindLast
	case op <= 2 && !final:
		kind = kindFragment
	case op <= 2:
		kind = kindMessage
	case op == 8:
		kind = kindClose
	case op == 9:
		kind = kindPing
	case op == 10:
		kind = kindPong
	default:
		return 0, nil, 0, fmt.Errorf("a WebSocket frame with unknown opcode %d", op)
	}
	return kind, b[head:n], n, nil
}

// append appends a frame of a client: a message in the serialization s, or a
// pong. mask is the masking key of a WebSocket frame.
func (f framing) append(dst []byte, s serializer, kind frameKind, body []byte, mask [4]byte) []byte {
	n := len(body)
	if f == frameRaw {
		typ := byte(0)
		if kind == kindPong {
			typ = 2
		}
		return append(append(dst, typ, byte(n>>16), byte(n>>8), byte(n)), body...)
	}
	first := byte(0x81) // text
	if s != serJSON {
		first = 0x82
	}
	if kind == kindPong {
		first = 0x8a
	}
	dst = append(dst, first)
	switch {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = append(dst, mask[:]...)
	at := len(dst)
	dst = append(dst, body...)
	ws.Cipher(dst[at:], mask, 0)
	return dst
}

// appendServerFrame appends an unmasked WebSocket text frame, as a server
// sends it.
func appendServerFrame(dst, body []byte) []byte {
	dst = append(dst, 0x81)
	switch n := len(body); {
	case n < 126:
		dst = append(dst, byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
	return append(dst, body...)
}
