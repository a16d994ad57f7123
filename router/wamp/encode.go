package wamp

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An encoder appends values of any serializer to b.
//
// Lists and dicts can be written without knowing their number of elements:
// MessagePack and CBOR get a head of one byte first, which is replaced if it
// turns out to be too small.
type encoder struct {
	s     Serializer
	b     []byte
	start int // where this encoder began; what stands before is not its own
}

func newEncoder(dst []byte, s Serializer) encoder {
	return encoder{s: s, b: dst, start: len(dst)}
}

// comma separates a JSON value from the one before it. No value ends in one of
// the bytes after which none is needed.
func (e *encoder) comma() {
	if e.s != JSON || len(e.b) == e.start {
		return
	}
	switch e.b[len(e.b)-1] {
	case '[', '{', ':':
	default:
		e.b = append(e.b, ',')
	}
}

// openList begins a list of any length and returns what closeList needs.
func (e *encoder) openList() int { return e.open('[') }

// openDict begins a dict of any length and returns what closeDict needs.
func (e *encoder) openDict() int { return e.open('{') }

func (e *encoder) open(mark byte) int {
	e.comma()
	e.b = append(e.b, mark) // a place to be filled, unless this is JSON
	return len(e.b) - 1
}

// closeList ends the list that began at at and has n elements.
func (e *encoder) closeList(at, n int) {
	switch e.s {
	case JSON:
		e.b = append(e.b, ']')
	case MessagePack:
		var head [5]byte
		e.replace(at, appendCount(head[:0], 0x90, 0xdc, n))
	default:
		var head [9]byte
		e.replace(at, appendHead(head[:0], cborList, uint64(n)))
	}
}

// closeDict ends the dict that began at at and has n entries.
func (e *encoder) closeDict(at, n int) {
	switch e.s {
	case JSON:
		e.b = append(e.b, '}')
	case MessagePack:
		var head [5]byte
		e.replace(at, appendCount(head[:0], 0x80, 0xde, n))
	default:
		var head [9]byte
		e.replace(at, appendHead(head[:0], cborDict, uint64(n)))
	}
}

// replace puts head in place of the byte at at.
func (e *encoder) replace(at int, head []byte) {
	if len(head) > 1 {
		more := len(head) - 1
		e.b = append(e.b, head[:more]...)
		copy(e.b[at+len(head):], e.b[at+1:len(e.b)-more])
	}
	copy(e.b[at:], head)
}

// appendCount appends the head of a MessagePack list or dict: in the code fix
// itself, or after long or long+1.
func appendCount(dst []byte, fix, long byte, n int) []byte {
	switch {
	case n <= 15:
		return append(dst, fix|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, long), uint16(n))
	default:
		return binary.BigEndian.AppendUint32(append(dst, long+1), uint32(n))
	}
}

// appendHead appends the initial bytes of a CBOR item, as short as can be.
func appendHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, major|27), n)
	}
}

// key writes the key of a dict's next entry.
func (e *encoder) key(k string) {
	e.str(k)
	if e.s == JSON {
		e.b = append(e.b, ':')
	}
}

// raw writes a value that is encoded already.
func (e *encoder) raw(b []byte) {
	e.comma()
	e.b = append(e.b, b...)
}

func (e *encoder) null() {
	e.comma()
	switch e.s {
	case JSON:
		e.b = append(e.b, "null"...)
	case MessagePack:
		e.b = append(e.b, 0xc0)
	default:
		e.b = append(e.b, 0xf6)
	}
}

func (e *encoder) bool(v bool) {
	e.comma()
	bit := byte(0)
	if v {
		bit = 1
	}
	switch e.s {
	case JSON:
		e.b = strconv.AppendBool(e.b, v)
	case MessagePack:
		e.b = append(e.b, 0xc2|bit)
	default:
		e.b = append(e.b, 0xf4|bit)
	}
}

func (e *encoder) uint(n uint64) {
	e.comma()
	switch e.s {
	case JSON:
		e.b = strconv.AppendUint(e.b, n, 10)
	case MessagePack:
		switch {
		case n < 0x80:
			e.b = append(e.b, byte(n))
		case n <= math.MaxUint8:
			e.b = append(e.b, 0xcc, byte(n))
		case n <= math.MaxUint16:
			e.b = binary.BigEndian.AppendUint16(append(e.b, 0xcd), uint16(n))
		case n <= math.MaxUint32:
			e.b = binary.BigEndian.AppendUint32(append(e.b, 0xce), uint32(n))
		default:
			e.b = binary.BigEndian.AppendUint64(append(e.b, 0xcf), n)
		}
	default:
		e.b = appendHead(e.b, cborUint, n)
	}
}

// negative writes the integer -1-n, where n is below 2^63.
func (e *encoder) negative(n uint64) {
	e.comma()
	v := -1 - int64(n)
	switch e.s {
	case JSON:
		e.b = strconv.AppendInt(e.b, v, 10)
	case MessagePack:
		switch {
		case v >= -32:
			e.b = append(e.b, byte(v))
		case v >= math.MinInt8:
			e.b = append(e.b, 0xd0, byte(v))
		case v >= math.MinInt16:
			e.b = binary.BigEndian.AppendUint16(append(e.b, 0xd1), uint16(v))
		case v >= math.MinInt32:
			e.b = binary.BigEndian.AppendUint32(append(e.b, 0xd2), uint32(v))
		default:
			e.b = binary.BigEndian.AppendUint64(append(e.b, 0xd3), uint64(v))
		}
	default:
		e.b = appendHead(e.b, cborNeg, n)
	}
}

func (e *encoder) int(v int64) {
	if v >= 0 {
		e.uint(uint64(v))
	} else {
		e.negative(uint64(-1 - v))
	}
}

// float writes v so that it is read as a float again, in 32 bits if short. It
// reports false, and writes nothing, if JSON has no number for v.
func (e *encoder) float(v float64, short bool) bool {
	if e.s == JSON && (math.IsNaN(v) || math.IsInf(v, 0)) {
		return false
	}
	e.comma()
	switch {
	case e.s == JSON:
		e.b = appendFloatJSON(e.b, v)
	case e.s == MessagePack && short:
		e.b = binary.BigEndian.AppendUint32(append(e.b, 0xca), math.Float32bits(float32(v)))
	case e.s == MessagePack:
		e.b = binary.BigEndian.AppendUint64(append(e.b, 0xcb), math.Float64bits(v))
	case short:
		e.b = binary.BigEndian.AppendUint32(append(e.b, cborSimple|26), math.Float32bits(float32(v)))
	default:
		e.b = binary.BigEndian.AppendUint64(append(e.b, cborSimple|27), math.Float64bits(v))
	}
	return true
}

// appendFloatJSON appends v in as few digits as tell it from all others, and
// with a fraction or an exponent, so that it does not become an integer.
func appendFloatJSON(dst []byte, v float64) []byte {
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e16) {
		format = 'e'
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, format, -1, 64)
	if format == 'f' && !slices.Contains(dst[start:], '.') {
		dst = append(dst, ".0"...)
	}
	return dst
}

// str writes a string. What is not valid UTF-8 becomes U+FFFD.
func (e *encoder) str(s string) {
	e.comma()
	if e.s == JSON {
		e.b = append(e.b, '"')
		e.b = appendEscaped(e.b, s)
		e.b = append(e.b, '"')
		return
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	e.stringHead(len(s))
	e.b = append(e.b, s...)
}

// stringHead writes what stands before a string of n bytes.
func (e *encoder) stringHead(n int) {
	e.b = appendStringHead(e.b, e.s, n)
}

func appendStringHead(dst []byte, s Serializer, n int) []byte {
	switch {
	case s == CBOR:
		return appendHead(dst, cborString, uint64(n))
	case n <= 31:
		return append(dst, 0xa0|byte(n))
	case n <= math.MaxUint8:
		return append(dst, 0xd9, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(n))
	default:
		return binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n))
	}
}

// binaryHead writes what stands before n bytes of binary, not for JSON.
func (e *encoder) binaryHead(n int) {
	switch {
	case e.s == CBOR:
		e.b = appendHead(e.b, cborBinary, uint64(n))
	case n <= math.MaxUint8:
		e.b = append(e.b, 0xc4, byte(n))
	case n <= math.MaxUint16:
		e.b = binary.BigEndian.AppendUint16(append(e.b, 0xc5), uint16(n))
	default:
		e.b = binary.BigEndian.AppendUint32(append(e.b, 0xc6), uint32(n))
	}
}

// jsonBinary begins a JSON string that stands for binary (WAMP "Binary
// conversion of JSON strings"); the content follows in base64.
const jsonBinary = `\u0000`

// binary writes binary.
func (e *encoder) binary(b []byte) {
	e.comma()
	if e.s != JSON {
		e.binaryHead(len(b))
		e.b = append(e.b, b...)
		return
	}
	e.b = append(e.b, '"')
	e.b = append(e.b, jsonBinary...)
	e.b = base64.StdEncoding.AppendEncode(e.b, b)
	e.b = append(e.b, '"')
}

// plainJSON tells the ASCII bytes that stand for themselves in a JSON string.
var plainJSON = func() (plain [256]bool) {
	for b := ' '; b < utf8.RuneSelf; b++ {
		plain[b] = b != '"' && b != '\\'
	}
	return plain
}()

// appendEscaped appends s as the content of a JSON string.
func appendEscaped[T []byte | string](dst []byte, s T) []byte {
	const digits = "0123456789abcdef"
	run := 0
	for i := 0; i < len(s); {
		b := s[i]
		if plainJSON[b] {
			i++
			continue
		}
		if b >= utf8.RuneSelf {
			var buf [utf8.UTFMax]byte
			n := copy(buf[:], s[i:])
			r, size := utf8.DecodeRune(buf[:n])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[run:i]...)
				dst = append(dst, "\uFFFD"...)
				run = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[run:i]...)
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[b>>4], digits[b&15])
		}
		i++
		run = i
	}
	return append(dst, s[run:]...)
}
