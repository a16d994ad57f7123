package wamp

import (
	"math"
	"unicode/utf8"
)

// CBOR is read as RFC 8949 defines it, in definite and indefinite lengths.
// Tags are read over, except for those of bignums that fit into 64 bits.

// The major types of CBOR, as the high bits of an initial byte.
const (
	cborUint   = 0 << 5
	cborNeg    = 1 << 5
	cborBinary = 2 << 5
	cborString = 3 << 5
	cborList   = 4 << 5
	cborDict   = 5 << 5
	cborTag    = 6 << 5
	cborSimple = 7 << 5

	cborOpen  = 31   // additional information of an indefinite length
	cborBreak = 0xff // ends an indefinite length

	tagBignum         = 2
	tagNegativeBignum = 3
)

func (c *scanner) nextCBOR() {
	tag := uint64(math.MaxUint64) // the innermost
	for {
		if c.pos >= len(c.data) {
			c.malformed(unexpectedEnd)
			return
		}
		major, info := c.data[c.pos]&0xe0, c.data[c.pos]&0x1f
		c.pos++
		if major == cborSimple {
			c.simple(info)
			return
		}
		if info == cborOpen {
			c.openCBOR(major)
			if major == cborBinary && isBignum(tag) {
				c.tok.kind = kindOther // nobody writes it in chunks
			}
			return
		}
		n, ok := c.argument(info)
		if !ok {
			return
		}
		switch major {
		case cborUint:
			c.tok.kind, c.tok.n = kindUint, n
		case cborNeg:
			c.negative(n)
		case cborBinary:
			c.sized(kindBinary, n)
			if isBignum(tag) {
				c.bignum(tag)
			}
		case cborString:
			c.sized(kindString, n)
		case cborList:
			c.counted(kindList, n)
		case cborDict:
			c.counted(kindDict, n)
		case cborTag:
			// Who reads this may count a tag as a level of nesting.
			if c.tok.tags++; c.depth+int(c.tok.tags) > c.max {
				c.violation("nested deeper than %d", c.max)
				return
			}
			tag = n
			continue
		}
		return
	}
}

func isBignum(tag uint64) bool { return tag == tagBignum || tag == tagNegativeBignum }

// argument reads the number that the additional information stands for.
func (c *scanner) argument(info byte) (uint64, bool) {
	switch {
	case info < 24:
		return uint64(info), true
	case info < 28:
		return c.number(1 << (info - 24))
	}
	c.pos--
	c.malformed("reserved additional information")
	return 0, false
}

// negative makes tok the integer -1-n. One beyond 64 bits becomes a float.
func (c *scanner) negative(n uint64) {
	if n > math.MaxInt64 {
		v := float64(1 << 64)
		if n < math.MaxUint64 {
			v = float64(n + 1) // rounds once
		}
		c.tok.kind, c.tok.n = kindFloat, math.Float64bits(-v)
		return
	}
	c.tok.kind, c.tok.n = kindNegative, n
}

// bignum makes tok, a binary, the integer that it stands for.
func (c *scanner) bignum(tag uint64) {
	var n uint64
	for _, b := range c.tok.b {
		if n > math.MaxUint64>>8 {
			c.tok.kind = kindOther
			return
		}
		n = n<<8 | uint64(b)
	}
	c.tok.b = nil
	if tag == tagNegativeBignum {
		c.negative(n)
		return
	}
	c.tok.kind, c.tok.n = kindUint, n
}

// openCBOR makes tok what begins an indefinite length. The chunks of a string
// are read and checked here.
func (c *scanner) openCBOR(major byte) {
	switch major {
	case cborList:
		c.tok.kind, c.tok.open = kindList, true
	case cborDict:
		c.tok.kind, c.tok.open = kindDict, true
	case cborBinary, cborString:
		start := c.pos
		for {
			b, ok := c.take(1)
			if !ok {
				return
			}
			if b[0] == cborBreak {
				break
			}
			if b[0]&0xe0 != major || b[0]&0x1f == cborOpen {
				c.pos--
				c.malformed("expected a chunk of the string")
				return
			}
			n, ok := c.argument(b[0] & 0x1f)
			if !ok {
				return
			}
			if n > uint64(len(c.data)-c.pos) {
				c.malformed(unexpectedEnd)
				return
			}
			if major == cborString && !utf8.Valid(c.data[c.pos:c.pos+int(n)]) {
				c.malformed("string is not valid UTF-8")
				return
			}
			c.pos += int(n)
		}
		c.tok.kind, c.tok.chunked = kindBinary, true
		if major == cborString {
			c.tok.kind = kindString
		}
		c.tok.b = c.data[start : c.pos-1]
	default:
		c.pos--
		c.malformed("indefinite length where there is none")
	}
}

// moreCBOR reports whether another element stands before the break.
func (c *scanner) moreCBOR() bool {
	if c.pos >= len(c.data) {
		c.malformed(unexpectedEnd)
		return false
	}
	if c.data[c.pos] == cborBreak {
		c.pos++
		return false
	}
	return true
}

// simple reads what major type 7 begins.
func (c *scanner) simple(info byte) {
	switch info {
	case 20, 21:
		c.tok.kind, c.tok.n = kindBool, uint64(info&1)
	case 22, 23: // null, undefined
		c.tok.kind = kindNil
	case 24:
		n, ok := c.number(1)
		if ok && n < 32 {
			c.pos--
			c.malformed("bad simple value")
		}
		c.tok.kind = kindOther
	case 25:
		if n, ok := c.number(2); ok {
			c.tok.kind, c.tok.short = kindFloat, true
			c.tok.n = math.Float64bits(float16(uint16(n)))
		}
	case 26:
		if n, ok := c.number(4); ok {
			c.tok.kind, c.tok.short = kindFloat, true
			c.tok.n = math.Float64bits(float64(math.Float32frombits(uint32(n))))
		}
	case 27:
		if n, ok := c.number(8); ok {
			c.tok.kind, c.tok.n = kindFloat, n
		}
	case 28, 29, 30:
		c.pos--
		c.malformed("reserved additional information")
	case cborOpen:
		c.pos--
		c.malformed("break outside of an indefinite length")
	default:
		c.tok.kind = kindOther
	}
}

// float16 returns the value of a half-precision float.
func float16(h uint16) float64 {
	exponent, fraction := int(h>>10&0x1f), float64(h&0x3ff)
	var v float64
	switch exponent {
	case 0:
		v = math.Ldexp(fraction, -24)
	case 31:
		v = math.Inf(1)
		if fraction != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(fraction+1024, exponent-25)
	}
	if h&0x8000 != 0 {
		return math.Copysign(v, -1)
	}
	return v
}

// appendChunks appends the content of a string of indefinite length, which
// openCBOR has checked.
func appendChunks(dst, b []byte) []byte {
	c := scanner{s: CBOR, data: b}
	for c.pos < len(b) {
		head, _ := c.take(1)
		n, _ := c.argument(head[0] & 0x1f)
		chunk, _ := c.take(int(n))
		dst = append(dst, chunk...)
	}
	return dst
}
