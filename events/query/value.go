package query

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Kind is what a [Value] is.
type Kind uint8

// The kinds of values. Int, Uint and Double are one line of numbers: they are
// compared as what they are mathematically.
const (
	Null Kind = iota
	Bool
	Int    // int64
	Uint   // uint64
	Double // float64
	String // valid UTF-8
	Time   // nanoseconds since 1970
)

// String returns the kind as people call it.
func (k Kind) String() string {
	return [...]string{"null", "bool", "int", "uint", "double", "string", "timestamp"}[k]
}

// A Value is a scalar: a literal of a query, or what an event has in a field.
// The zero Value is null.
type Value struct {
	kind Kind
	num  uint64 // bits of what is no string
	str  string // also of a time that an event has as a string
}

// NullValue returns null.
func NullValue() Value { return Value{} }

// BoolValue returns a bool.
func BoolValue(v bool) Value {
	if v {
		return Value{kind: Bool, num: 1}
	}
	return Value{kind: Bool}
}

// IntValue returns an int.
func IntValue(v int64) Value { return Value{kind: Int, num: uint64(v)} }

// UintValue returns a uint.
func UintValue(v uint64) Value { return Value{kind: Uint, num: v} }

// DoubleValue returns a double.
func DoubleValue(v float64) Value { return Value{kind: Double, num: math.Float64bits(v)} }

// StringValue returns a string, which must be valid UTF-8.
func StringValue(v string) Value { return Value{kind: String, str: v} }

// TimeValue returns a point in time, from 1678 to 2262.
func TimeValue(v time.Time) Value { return Value{kind: Time, num: uint64(v.UnixNano())} }

// written returns the string that the event has where its class declares a time.
func (v Value) written() Value {
	if v.kind == Time && v.str != "" {
		return StringValue(v.str)
	}
	return v
}

// Kind returns what the value is.
func (v Value) Kind() Kind { return v.kind }

func (v Value) int() int64     { return int64(v.num) }
func (v Value) float() float64 { return math.Float64frombits(v.num) }
func (v Value) bool() bool     { return v.num != 0 }
func (v Value) isNumber() bool { return v.kind == Int || v.kind == Uint || v.kind == Double }
func (v Value) isNaN() bool    { return v.kind == Double && v.float() != v.float() }

// ordered reports whether two values have an order.
func ordered(a, b Value) bool {
	return a.kind == b.kind && a.kind != Null || a.isNumber() && b.isNumber()
}

// equal reports whether two values are equal: numbers as numbers, values of
// different kinds never, and NaN with nothing.
func equal(a, b Value) bool {
	switch {
	case a.isNumber() && b.isNumber():
		return compareNumbers(a, b) == 0 && !a.isNaN() && !b.isNaN()
	case a.kind != b.kind:
		return false
	case a.kind == String:
		return a.str == b.str
	}
	return a.num == b.num
}

// compare orders two values that are comparable, and of which none is NaN.
func compare(a, b Value) int {
	switch a.kind {
	case String:
		return strings.Compare(a.str, b.str)
	case Bool:
		return cmp.Compare(a.num, b.num)
	case Time:
		return cmp.Compare(a.int(), b.int())
	}
	return compareNumbers(a, b)
}

// compareNumbers orders numbers as what they are, however they are stored. NaN
// has no place.
func compareNumbers(a, b Value) int {
	switch {
	case a.kind == Double && b.kind == Double:
		return cmp.Compare(a.float(), b.float())
	case a.kind == Double:
		return -compareToDouble(b, a.float())
	case b.kind == Double:
		return compareToDouble(a, b.float())
	case a.kind == b.kind && a.kind == Int:
		return cmp.Compare(a.int(), b.int())
	case a.kind == b.kind:
		return cmp.Compare(a.num, b.num)
	case a.kind == Int && a.int() < 0:
		return -1
	case b.kind == Int && b.int() < 0:
		return 1
	}
	return cmp.Compare(a.num, b.num)
}

// compareToDouble orders an Int or a Uint and a double. No double but NaN lies
// between two neighbouring integers of which it cannot tell which is nearer:
// whole doubles are exact integers, and others differ from all.
func compareToDouble(i Value, d float64) int {
	const (
		two63 = 1 << 63
		two64 = 1 << 64
	)
	switch {
	case d >= two64:
		return -1
	case d < -two63:
		return 1
	case i.kind == Int && d >= two63:
		return -1
	case i.kind == Uint && d < 0:
		return 1
	}
	whole := math.Floor(d)
	var c int
	switch {
	case i.kind == Int:
		c = cmp.Compare(i.int(), int64(whole))
	default:
		c = cmp.Compare(i.num, uint64(whole))
	}
	if c == 0 && whole != d {
		return -1
	}
	return c
}

// String returns the value as a literal of a query.
func (v Value) String() string { return string(v.append(nil)) }

func (v Value) append(b []byte) []byte {
	switch v.kind {
	case Null:
		return append(b, "null"...)
	case Bool:
		return strconv.AppendBool(b, v.bool())
	case Int:
		return strconv.AppendInt(b, v.int(), 10)
	case Uint:
		return append(strconv.AppendUint(b, v.num, 10), 'u')
	case Double:
		start := len(b)
		b = strconv.AppendFloat(b, v.float(), 'g', -1, 64)
		if strings.ContainsAny(string(b[start:]), ".en") {
			return b
		}
		return append(b, ".0"...)
	case Time:
		b = append(b, `timestamp("`...)
		b = time.Unix(0, v.int()).UTC().AppendFormat(b, time.RFC3339Nano)
		return append(b, `")`...)
	}
	return appendQuoted(b, v.str)
}

// appendQuoted appends s as a string literal.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c < 0x20 || c == 0x7f:
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
