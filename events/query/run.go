package query

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"regexp"
)

// A machine runs programs over an event. It allocates nothing, except where two
// lists or two maps of the event are compared with each other.
//
// Its methods take code, and return what is behind what they have read of it:
// the place in the code so stays in registers.
type machine struct {
	*flat
	regexps []*regexp.Regexp
}

// run returns what a program says.
func (m *machine) run(code []byte) Truth {
	t, _ := m.expr(code, 0)
	return t
}

func uvarint(code []byte) (uint64, []byte) {
	if b := code[0]; b < 0x80 {
		return uint64(b), code[1:]
	}
	v, n := binary.Uvarint(code)
	return v, code[n:]
}

func varint(code []byte) (int64, []byte) {
	u, code := uvarint(code)
	return int64(u>>1) ^ -int64(u&1), code
}

// part reads a length in two bytes, and as much code.
func part(code []byte) (first, rest []byte) {
	n := 2 + int(binary.LittleEndian.Uint16(code))
	return code[2:n], code[n:]
}

func text(code []byte) (s, rest []byte) {
	n, code := uvarint(code)
	return code[:n], code[n:]
}

// cell reads the place of a cell; frame is the element's.
func (m *machine) cell(code []byte, frame uint32) (*cell, []byte) {
	at, code := uvarint(code)
	if at&1 == 0 {
		frame = 0
	}
	return &m.frames[uint64(frame)+at>>1], code
}

// expr runs what code begins with.
func (m *machine) expr(code []byte, frame uint32) (t Truth, rest []byte) {
	o := op(code[0])
	code = code[1:]
	switch o {
	case opConst:
		return Truth(code[0]), code[1:]
	case opAnd:
		kids, rest := part(code)
		all := True
		for len(kids) > 0 && all != False {
			t, kids = m.expr(kids, frame)
			all = min(all, t)
		}
		return all, rest
	case opOr:
		kids, rest := part(code)
		any := False
		for len(kids) > 0 && any != True {
			t, kids = m.expr(kids, frame)
			any = max(any, t)
		}
		return any, rest
	case opNot:
		t, rest = m.expr(code, frame)
		return t.not(), rest
	case opHas:
		parent, code := m.cell(code, frame)
		c, code := m.cell(code, frame)
		if parent.kind == cellAbsent || parent.kind == cellList {
			return Unknown, code
		}
		return truthOf(c.kind != cellAbsent), code
	}
	c, code := m.cell(code, frame)
	switch {
	case o >= opEqual && o <= opGreaterEqual:
		return m.compare(o, c, code)
	case o&ofCells != 0:
		d, code := m.cell(code, frame)
		if c.kind == cellAbsent || d.kind == cellAbsent {
			return Unknown, code
		}
		return m.compareCells(o&^ofCells, c, d), code
	}
	return m.test(o, c, code)
}

// holdsFor are the orders for which a comparison holds: 1 for less, 2 for equal,
// 4 for greater.
var holdsFor = [opGreaterEqual + 1]uint8{opEqual: 2, opUnequal: 5, opLess: 1, opLessEqual: 3, opGreater: 4, opGreaterEqual: 6}

func holdsOf(o op, order int) Truth { return truthOf(holdsFor[o]>>(order+1)&1 != 0) }

// exact bounds the integers of which each is a double.
const exact = 1 << 53

// compare compares what a cell has with the literal that follows.
func (m *machine) compare(o op, c *cell, code []byte) (t Truth, rest []byte) {
	switch Kind(code[0]) {
	case String:
		s, rest := text(code[1:])
		switch {
		case c.kind != cellString:
			return different(o, c), rest
		case o == opEqual && int(c.len) != len(s): // as most are
			return False, rest
		case o <= opUnequal:
			return truthOf(bytes.Equal(m.bytes(c), s) == (o == opEqual)), rest
		}
		return holdsOf(o, bytes.Compare(m.bytes(c), s)), rest
	case Int:
		i, rest := varint(code[1:])
		switch {
		case c.kind == cellInt:
			return holdsOf(o, cmp.Compare(int64(c.num), i)), rest
		case c.kind == cellDouble && -exact <= i && i <= exact:
			return holdsOf(o, cmp.Compare(c.value().float(), float64(i))), rest
		}
	}
	v, _, rest := literal(code)
	switch {
	case !c.isScalar() || c.kind == cellString || !ordered(c.value(), v):
		if c.kind == cellNull && v.kind == Null && o <= opUnequal {
			return truthOf(o == opEqual), rest
		}
		return different(o, c), rest
	}
	return holdsOf(o, compare(c.value(), v)), rest
}

// different returns what a comparison says of a cell that has something of
// another kind than the literal, or nothing.
func different(o op, c *cell) Truth {
	if c.kind == cellAbsent || o > opUnequal {
		return Unknown
	}
	return truthOf(o == opUnequal)
}

// literal reads a literal. A string is in s.
func literal(code []byte) (v Value, s, rest []byte) {
	v.kind = Kind(code[0])
	code = code[1:]
	switch v.kind {
	case Bool:
		v.num, code = uint64(code[0]), code[1:]
	case Int:
		var i int64
		i, code = varint(code)
		v.num = uint64(i)
	case Uint, Double, Time:
		v.num, code = binary.LittleEndian.Uint64(code), code[8:]
	case String:
		s, code = text(code)
	}
	return v, s, code
}

// equals reports whether a cell has a literal.
func (m *machine) equals(c *cell, v Value, text []byte) bool {
	if v.kind == String {
		return c.kind == cellString && int(c.len) == len(text) && bytes.Equal(m.bytes(c), text)
	}
	return c.isScalar() && c.kind != cellString && equal(c.value(), v)
}

// test runs a leaf about a cell that is no comparison.
func (m *machine) test(o op, c *cell, code []byte) (t Truth, rest []byte) {
	switch o {
	case opBool:
		if c.kind != cellBool {
			return Unknown, code
		}
		return truthOf(c.num != 0), code
	case opIn:
		return m.in(c, code)
	case opHolds:
		v, s, rest := literal(code)
		if c.kind != cellList && c.kind != cellObject {
			return Unknown, rest
		}
		for at := uint32(c.num); at != 0; at = m.frames[at].next {
			if m.equals(&m.frames[at], v, s) {
				return True, rest
			}
		}
		return False, rest
	case opExists:
		return m.exists(c, code)
	case opMatches:
		n, rest := uvarint(code)
		if c.kind != cellString {
			return Unknown, rest
		}
		return truthOf(m.regexps[n].Match(m.bytes(c))), rest
	}
	s, rest := text(code)
	if c.kind != cellString {
		return Unknown, rest
	}
	switch o {
	case opPrefix:
		return truthOf(bytes.HasPrefix(m.bytes(c), s)), rest
	case opSuffix:
		return truthOf(bytes.HasSuffix(m.bytes(c), s)), rest
	}
	return truthOf(bytes.Contains(m.bytes(c), s)), rest
}

func (m *machine) in(c *cell, code []byte) (t Truth, rest []byte) {
	n, code := uvarint(code)
	found := False
	for range n {
		var v Value
		var s []byte
		v, s, code = literal(code)
		if m.equals(c, v, s) {
			found = True
		}
	}
	if c.kind == cellAbsent {
		return Unknown, code
	}
	return found, code
}

func (m *machine) exists(c *cell, code []byte) (t Truth, rest []byte) {
	kid, rest := part(code)
	any := Unknown
	if c.kind == cellList || c.kind == cellObject {
		any = False
		for at := uint32(c.num); at != 0 && any != True; at = m.frames[at].next {
			t, _ := m.expr(kid, at)
			any = max(any, t)
		}
	}
	return any, rest
}
