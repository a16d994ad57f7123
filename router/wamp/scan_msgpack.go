package wamp

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

func (c *scanner) nextMessagePack() {
	if c.pos >= len(c.data) {
		c.malformed(unexpectedEnd)
		return
	}
	code := c.data[c.pos]
	c.pos++
	switch {
	case code < 0x80:
		c.tok.kind, c.tok.n = kindUint, uint64(code)
	case code < 0x90:
		c.counted(kindDict, uint64(code&0x0f))
	case code < 0xa0:
		c.counted(kindList, uint64(code&0x0f))
	case code < 0xc0:
		c.sized(kindString, uint64(code&0x1f))
	case code >= 0xe0:
		c.signed(int64(int8(code)))
	default:
		c.nextMessagePackLong(code)
	}
}

// nextMessagePackLong reads what the codes 0xc0 to 0xdf begin.
func (c *scanner) nextMessagePackLong(code byte) {
	switch code {
	case 0xc0:
		c.tok.kind = kindNil
	case 0xc2, 0xc3:
		c.tok.kind, c.tok.n = kindBool, uint64(code&1)
	case 0xc4, 0xc5, 0xc6:
		if n, ok := c.number(1 << (code - 0xc4)); ok {
			c.sized(kindBinary, n)
		}
	case 0xc7, 0xc8, 0xc9:
		if n, ok := c.number(1 << (code - 0xc7)); ok {
			c.extension(n)
		}
	case 0xca:
		if n, ok := c.number(4); ok {
			c.tok.kind, c.tok.short = kindFloat, true
			c.tok.n = math.Float64bits(float64(math.Float32frombits(uint32(n))))
		}
	case 0xcb:
		if n, ok := c.number(8); ok {
			c.tok.kind, c.tok.n = kindFloat, n
		}
	case 0xcc, 0xcd, 0xce, 0xcf:
		if n, ok := c.number(1 << (code - 0xcc)); ok {
			c.tok.kind, c.tok.n = kindUint, n
		}
	case 0xd0, 0xd1, 0xd2, 0xd3:
		size := 1 << (code - 0xd0)
		if n, ok := c.number(size); ok {
			unused := 64 - 8*size
			c.signed(int64(n<<unused) >> unused)
		}
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		c.extension(1 << (code - 0xd4))
	case 0xd9, 0xda, 0xdb:
		if n, ok := c.number(1 << (code - 0xd9)); ok {
			c.sized(kindString, n)
		}
	case 0xdc, 0xdd:
		if n, ok := c.number(2 << (code - 0xdc)); ok {
			c.counted(kindList, n)
		}
	case 0xde, 0xdf:
		if n, ok := c.number(2 << (code - 0xde)); ok {
			c.counted(kindDict, n)
		}
	default:
		c.pos--
		c.malformed("the code 0xc1 is never used")
	}
}

// take returns the next n bytes.
func (c *scanner) take(n int) ([]byte, bool) {
	if len(c.data)-c.pos < n {
		c.malformed(unexpectedEnd)
		return nil, false
	}
	b := c.data[c.pos : c.pos+n]
	c.pos += n
	return b, true
}

// number reads a big-endian number of 1, 2, 4 or 8 bytes.
func (c *scanner) number(size int) (uint64, bool) {
	b, ok := c.take(size)
	if !ok {
		return 0, false
	}
	switch size {
	case 1:
		return uint64(b[0]), true
	case 2:
		return uint64(binary.BigEndian.Uint16(b)), true
	case 4:
		return uint64(binary.BigEndian.Uint32(b)), true
	default:
		return binary.BigEndian.Uint64(b), true
	}
}

// signed makes tok the integer v.
func (c *scanner) signed(v int64) {
	if v >= 0 {
		c.tok.kind, c.tok.n = kindUint, uint64(v)
	} else {
		c.tok.kind, c.tok.n = kindNegative, uint64(-1-v)
	}
}

// counted makes tok the head of a list or dict. Each element takes at least a
// byte, so that a count beyond what is left is refused here, before anything
// is done n times.
func (c *scanner) counted(k kind, n uint64) {
	least := n
	if k == kindDict && n <= math.MaxInt64 {
		least = 2 * n
	}
	if least > uint64(len(c.data)-c.pos) {
		c.malformed("more elements announced than bytes left")
		return
	}
	c.tok.kind, c.tok.n = k, n
}

// sized makes tok a string or binary of the next n bytes.
func (c *scanner) sized(k kind, n uint64) {
	if n > uint64(len(c.data)-c.pos) {
		c.malformed(unexpectedEnd)
		return
	}
	b := c.data[c.pos : c.pos+int(n)]
	if k == kindString && !utf8.Valid(b) {
		c.malformed("string is not valid UTF-8")
		return
	}
	c.pos += int(n)
	c.tok.kind, c.tok.b = k, b
}

// undefinedMessagePack is how codecs of JavaScript write undefined: an extension
// of type 0 with one byte.
var undefinedMessagePack = []byte{0xd4, 0, 0}

// extension makes tok an extension value of n bytes, whose type comes next.
func (c *scanner) extension(n uint64) {
	code, ok := c.take(1)
	if !ok {
		return
	}
	c.sized(kindExt, n)
	c.tok.n = uint64(int64(int8(code[0])))
	if code[0] == 0 && n == 1 && len(c.tok.b) == 1 && c.tok.b[0] == 0 {
		// undefined, see undefinedMessagePack
		c.tok = token{kind: kindNil}
	}
}
