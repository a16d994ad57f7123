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

// skipString reads a string, and reports whether it stands in the data as it is.
func (s *scanner) skipString() (plain bool, err error) {
	data, i := s.data, s.pos+1
	for {
		for len(data)-i >= 8 {
			w := binary.LittleEndian.Uint64(data[i:])
			quote, slash := w^0x22*ones, w^0x5c*ones
			stop := ((quote - ones) &^ quote) | ((slash - ones) &^ slash) | ((w - 0x20*ones) &^ w) | w
			if stop &= highs; stop != 0 {
				i += bits.TrailingZeros64(stop) / 8
				break
			}
			i += 8
		}
		for i < len(data) && data[i] >= ' ' && data[i] != '"' && data[i] != '\\' && data[i] < utf8.RuneSelf {
			i++
		}
		if i >= len(data) {
			s.pos = i
			return false, s.unexpected("the end of the string")
		}
		switch b := data[i]; {
		case b == '"':
			s.pos = i + 1
			return !s.escaped(), nil
		case b >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(data[i:])
			if r == utf8.RuneError && n == 1 {
				s.pos = i
				return false, s.unexpected("UTF-8")
			}
			i += n
		case b == '\\':
			n := escapeLen(data[i:])
			if n == 0 {
				s.pos = i
				return false, s.unexpected("an escape sequence of JSON")
			}
			s.slash = true
			i += n
		default:
			s.pos = i
			return false, s.unexpected("a character, not a control character")
		}
	}
}

// escaped reports whether the string just read had escapes, and forgets it.
func (s *scanner) escaped() bool {
	slash := s.slash
	s.slash = false
	return slash
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

// text reads a string into a cell.
func (s *scanner) text() (cell, error) {
	start := s.pos + 1
	plain, err := s.skipString()
	if err != nil {
		return cell{}, err
	}
	if plain {
		return cell{kind: cellString, off: uint32(start), len: uint32(s.pos - 1 - start)}, nil
	}
	off := len(s.flat.text)
	s.flat.text = appendUnescaped(s.flat.text, s.data[start:s.pos-1])
	return cell{kind: cellString, off: uint32(off) | inText, len: uint32(len(s.flat.text) - off)}, nil
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

// number reads a number, to which it gives the same value as parseNumber.
func (s *scanner) number() (cell, error) {
	data, start := s.data, s.pos
	i := start
	negative := data[i] == '-'
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
	if digits == 0 || digits > 1 && data[first] == '0' {
		s.pos = min(i, first+1)
		if digits == 0 {
			s.pos = start
		}
		return cell{}, s.unexpected("a value")
	}
	fraction := 0
	if i < len(data) && data[i] == '.' {
		i++
		for i < len(data) && data[i]-'0' <= 9 {
			whole = whole*10 + uint64(data[i]-'0')
			fraction++
			i++
		}
		if fraction == 0 {
			s.pos = i
			return cell{}, s.unexpected("a digit behind the point")
		}
	}
	exponent := i < len(data) && data[i]|0x20 == 'e'
	if exponent {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		begin := i
		for i < len(data) && data[i]-'0' <= 9 {
			i++
		}
		if i == begin {
			s.pos = i
			return cell{}, s.unexpected("a digit of the exponent")
		}
	}
	s.pos = i
	switch {
	case exponent || digits+fraction > 18 || negative && whole == 0:
		v, err := parseNumber(string(data[start:i]))
		if err != nil {
			return cell{}, fmt.Errorf("the data of the event: at byte %d: %w", start, err)
		}
		return cell{kind: cellKind(v.kind) + 1, num: v.num}, nil
	case fraction == 0 && negative:
		return cell{kind: cellInt, num: -whole}, nil
	case fraction == 0:
		return cell{kind: cellInt, num: whole}, nil
	}
	var f float64
	if whole <= 1<<53 {
		f = float64(whole) / powers[fraction] // both exact, so the quotient is the nearest
		if negative {
			f = -f
		}
	} else {
		f, _ = strconv.ParseFloat(string(data[start:i]), 64)
	}
	return cell{kind: cellDouble, num: math.Float64bits(f)}, nil
}
