package wamp

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON is read strictly as RFC 8259 has it. Strings must be valid UTF-8, and
// escaped surrogates must come in pairs.

const unexpectedEnd = "unexpected end"

// space skips white space.
func (c *scanner) space() {
	for c.pos < len(c.data) {
		switch c.data[c.pos] {
		case ' ', '\n', '\r', '\t':
			c.pos++
		default:
			return
		}
	}
}

func (c *scanner) nextJSON() {
	c.space()
	if c.pos >= len(c.data) {
		c.malformed(unexpectedEnd)
		return
	}
	switch b := c.data[c.pos]; b {
	case '"':
		c.stringJSON()
	case '[':
		c.pos++
		c.tok.kind, c.tok.open = kindList, true
	case '{':
		c.pos++
		c.tok.kind, c.tok.open = kindDict, true
	case 't':
		c.literal("true", kindBool)
		c.tok.n = 1
	case 'f':
		c.literal("false", kindBool)
	case 'n':
		c.literal("null", kindNil)
	default:
		if b != '-' && !isDigit(b) {
			c.malformed("expected a value")
			return
		}
		c.numberJSON()
	}
}

func (c *scanner) literal(word string, k kind) {
	if len(c.data)-c.pos < len(word) || string(c.data[c.pos:c.pos+len(word)]) != word {
		c.malformed("expected a value")
		return
	}
	c.pos += len(word)
	c.tok.kind = k
}

// moreJSON reads the comma or closing mark in front of q's next element.
func (c *scanner) moreJSON(q *seq) bool {
	c.space()
	if c.pos >= len(c.data) {
		c.malformed(unexpectedEnd)
		return false
	}
	switch b := c.data[c.pos]; {
	case b == q.close:
		c.pos++
		return false
	case q.i == 0:
		return true
	case b == ',':
		c.pos++
		return true
	}
	if q.close == ']' {
		c.malformed("expected ',' or ']'")
	} else {
		c.malformed("expected ',' or '}'")
	}
	return false
}

// colon reads the colon after a key.
func (c *scanner) colon() {
	c.space()
	if c.pos >= len(c.data) || c.data[c.pos] != ':' {
		c.malformed("expected ':' after a key")
		return
	}
	c.pos++
}

// numberJSON reads a number. One without fraction and exponent that fits into
// 64 bits is an integer, anything else a float.
func (c *scanner) numberJSON() {
	data, start, i := c.data, c.pos, c.pos
	negative := data[i] == '-'
	if negative {
		i++
	}
	digits := i
	var n uint64
	fits := true
	for ; i < len(data) && isDigit(data[i]); i++ {
		d := uint64(data[i] - '0')
		if i-digits >= 19 { // 19 digits always fit
			hi, lo := bits.Mul64(n, 10)
			var carry uint64
			n, carry = bits.Add64(lo, d, 0)
			fits = fits && hi == 0 && carry == 0
			continue
		}
		n = n*10 + d
	}
	if i == digits || data[digits] == '0' && i > digits+1 {
		c.malformed("bad number")
		return
	}
	float := false
	if i < len(data) && data[i] == '.' {
		float = true
		first := i + 1
		for i = first; i < len(data) && isDigit(data[i]); i++ {
		}
		if i == first {
			c.malformed("bad number")
			return
		}
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		float = true
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		first := i
		for ; i < len(data) && isDigit(data[i]); i++ {
		}
		if i == first {
			c.malformed("bad number")
			return
		}
	}
	c.pos = i
	switch {
	case !float && fits && (!negative || n == 0):
		c.tok.kind, c.tok.n = kindUint, n
	case !float && fits && n <= 1<<63:
		c.tok.kind, c.tok.n = kindNegative, n-1
	default:
		c.tok.kind, c.tok.b = kindFloat, data[start:i]
	}
}

// stringJSON reads a string.
func (c *scanner) stringJSON() {
	data, i := c.data, c.pos+1
	start, ascii := i, true
	for {
		end, plain := runJSON(data, i)
		i, ascii = end, ascii && plain
		if i >= len(data) {
			c.pos = i
			c.malformed(unexpectedEnd)
			return
		}
		switch data[i] {
		case '"':
			if !ascii && !utf8.Valid(data[start:i]) {
				c.malformed("string is not valid UTF-8")
				return
			}
			c.tok.kind, c.tok.b = kindString, data[start:i]
			c.pos = i + 1
			return
		case '\\':
			n := escapeLen(data[i:])
			if n == 0 {
				c.pos = i
				c.malformed("bad escape sequence")
				return
			}
			c.tok.escaped = true
			i += n
		default:
			c.pos = i
			c.malformed("control character in a string")
			return
		}
	}
}

// runJSON returns where the run of string content that begins at i ends: at a
// quote, a backslash, a control character or the end of data; and whether the
// run is ASCII. It goes eight bytes at a time where it can.
func runJSON(data []byte, i int) (end int, ascii bool) {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	var high uint64 // has a high bit if a byte was not ASCII
	for len(data)-i >= 8 {
		// A byte of special has its high bit set where a byte of w ends the
		// run; the lowest of them is exact.
		w := binary.LittleEndian.Uint64(data[i:])
		quote, slash := w^ones*'"', w^ones*'\\'
		special := ((w-ones*0x20)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & highs
		if special != 0 {
			n := bits.TrailingZeros64(special) / 8
			high |= w & (1<<(8*n) - 1)
			return i + n, high&highs == 0
		}
		high |= w
		i += 8
	}
	for ; i < len(data); i++ {
		b := data[i]
		if b == '"' || b == '\\' || b < 0x20 {
			break
		}
		high |= uint64(b)
	}
	return i, high&highs == 0
}

// escapeLen returns the length of the escape sequence at the start of b, or 0
// if it is none, or half of a surrogate pair.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r, ok := hex4(b[2:])
		switch {
		case !ok:
			return 0
		case !utf16.IsSurrogate(r):
			return 6
		}
		if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
			return 0
		}
		low, ok := hex4(b[8:])
		if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
			return 0
		}
		return 12
	}
	return 0
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, d := range b[:4] {
		switch {
		case isDigit(d):
			d -= '0'
		case d|0x20 >= 'a' && d|0x20 <= 'f':
			d = d | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

// appendUnescaped appends the content of a JSON string, which stringJSON has
// checked, without its escape sequences.
func appendUnescaped(dst, b []byte) []byte {
	for i := 0; i < len(b); {
		if b[i] != '\\' {
			run := i + 1
			for run < len(b) && b[run] != '\\' {
				run++
			}
			dst = append(dst, b[i:run]...)
			i = run
			continue
		}
		switch e := b[i+1]; e {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(b[i+2:])
			i += 6
			if utf16.IsSurrogate(r) {
				low, _ := hex4(b[i+2:])
				r = utf16.DecodeRune(r, low)
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
			continue
		default:
			dst = append(dst, e)
		}
		i += 2
	}
	return dst
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }
