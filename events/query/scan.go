package query

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// quoted reads a string, and reports whether it stands in the data as it is.
func (s *scanner) quoted(i int) (end int, plain bool, err error) {
	data, beyond := s.data, uint64(highs) // the bits that only bytes beyond ASCII have
	if s.trusted {
		beyond = 0
	}
	plain = true
	for i++; ; {
		for len(data)-i >= 8 {
			w := binary.LittleEndian.Uint64(data[i:])
			low, slash := w^0x02*ones, w^0x5c*ones // low is less than 0x21 for '"' and what is less than ' '
			stop := ((low-0x21*ones)&^low|(slash-ones)&^slash)&highs | w&beyond
			if stop != 0 {
				i += bits.TrailingZeros64(stop) / 8
				break
			}
			i += 8
		}
		if i >= len(data) {
			return 0, false, s.unexpected(i, "the end of the string")
		}
		switch b := data[i]; {
		case b == '"':
			return i + 1, plain, nil
		case b == '\\':
			n := escapeLen(data[i:])
			if n == 0 {
				return 0, false, s.unexpected(i, "an escape sequence of JSON")
			}
			plain = false
			i += n
		case b < ' ':
			return 0, false, s.unexpected(i, "a character, not a control character")
		case b < utf8.RuneSelf || s.trusted:
			i++
		default:
			r, n := utf8.DecodeRune(data[i:])
			if r == utf8.RuneError && n == 1 {
				return 0, false, s.unexpected(i, "UTF-8")
			}
			i += n
		}
	}
}

// escapeLen returns how long the escape sequence is that b begins with, the two
// halves of a surrogate pair as one, or 0 if it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r, ok := hex4(b)
		switch {
		case !ok:
			return 0
		case !utf16.IsSurrogate(r):
			return 6
		}
		if low, ok := hex4(b[6:]); ok && b[6] == '\\' && b[7] == 'u' && utf16.DecodeRune(r, low) != utf8.RuneError {
			return 12
		}
	}
	return 0
}

// hex4 returns what the four digits of a \u are.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// text reads a string, and keeps it if n asks for that.
func (s *scanner) text(i int, n *trieNode, frame uint32) (int, error) {
	end, plain, err := s.quoted(i)
	if err != nil || n == nil || n.cell < 0 {
		return end, err
	}
	c := &s.flat.frames[frame+uint32(n.cell)]
	c.kind, c.off, c.len = cellString, uint32(i+1), uint32(end-i-2)
	if !plain {
		off := len(s.flat.text)
		s.flat.text = appendUnescaped(s.flat.text, s.data[i+1:end-1])
		c.off, c.len = uint32(off)|inText, uint32(len(s.flat.text)-off)
	}
	return end, nil
}

// appendUnescaped appends what a string that was checked means.
func appendUnescaped(dst, b []byte) []byte {
	for i := 0; i < len(b); {
		if b[i] != '\\' {
			dst = append(dst, b[i])
			i++
			continue
		}
		switch n := escapeLen(b[i:]); n {
		case 2:
			c := b[i+1]
			switch c {
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			}
			dst = append(dst, c)
			i += n
		default:
			r, _ := hex4(b[i:])
			if n == 12 {
				low, _ := hex4(b[i+6:])
				r = utf16.DecodeRune(r, low)
			}
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return dst
}

// powers of ten that a double has exactly.
var powers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// number reads a number, to which it gives the same value as parseNumber, and
// keeps it if n asks for that.
func (s *scanner) number(i int, n *trieNode, frame uint32) (int, error) {
	data, start := s.data, i
	negative := s.at(i) == '-'
	if negative {
		i++
	}
	first := i
	var whole uint64
	for i < len(data) && data[i]-'0' <= 9 {
		whole = whole*10 + uint64(data[i]-'0')
		i++
	}
	digits := i - first
	switch {
	case digits == 0:
		return 0, s.unexpected(start, "a value")
	case digits > 1 && data[first] == '0':
		return 0, s.unexpected(first+1, "a value")
	}
	fraction := 0
	if s.at(i) == '.' {
		point := i
		for i++; i < len(data) && data[i]-'0' <= 9; i++ {
			whole = whole*10 + uint64(data[i]-'0')
		}
		if fraction = i - point - 1; fraction == 0 {
			return 0, s.unexpected(i, "a digit behind the point")
		}
	}
	exponent := s.at(i)|0x20 == 'e'
	if exponent {
		if i++; s.at(i) == '+' || s.at(i) == '-' {
			i++
		}
		begin := i
		for i < len(data) && data[i]-'0' <= 9 {
			i++
		}
		if i == begin {
			return 0, s.unexpected(i, "a digit of the exponent")
		}
	}
	switch {
	case exponent || digits+fraction > 18 || negative && whole == 0:
		v, err := parseNumber(string(data[start:i]))
		if err != nil {
			return 0, fmt.Errorf("the data of the event: at byte %d: %w", start, err)
		}
		s.keep(n, frame, cellKind(v.kind)+1, v.num)
	case fraction > 0:
		s.keep(n, frame, cellDouble, math.Float64bits(decimal(data[start:i], whole, fraction, negative)))
	case negative:
		s.keep(n, frame, cellInt, -whole)
	default:
		s.keep(n, frame, cellInt, whole)
	}
	return i, nil
}

// decimal returns the double that is nearest to a number with a fraction, given
// its digits without the point, and how many of them are behind it.
func decimal(text []byte, whole uint64, fraction int, negative bool) float64 {
	if whole > 1<<53 {
		f, _ := strconv.ParseFloat(string(text), 64) // its form was checked, and it is short
		return f
	}
	f := float64(whole) / powers[fraction] // both exact, so the quotient is the nearest
	if negative {
		return -f
	}
	return f
}
