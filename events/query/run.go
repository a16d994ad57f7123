package query

import (
	"bytes"
	"encoding/binary"
	"regexp"
)

// A machine runs programs over an event. It allocates nothing, except where two
// lists or two maps of the event are compared with each other.
type machine struct {
	*flat
	code    []byte
	regexps []*regexp.Regexp
	pc      int
}

// run returns what a program says.
func (m *machine) run(code []byte) Truth {
	m.code, m.pc = code, 0
	return m.expr(0)
}

func (m *machine) uvarint() uint64 {
	if b := m.code[m.pc]; b < 0x80 {
		m.pc++
		return uint64(b)
	}
	v, n := binary.Uvarint(m.code[m.pc:])
	m.pc += n
	return v
}

func (m *machine) length() int {
	n := binary.LittleEndian.Uint16(m.code[m.pc:])
	m.pc += 2
	return int(n)
}

func (m *machine) text() []byte {
	n := int(m.uvarint())
	m.pc += n
	return m.code[m.pc-n : m.pc]
}

// cell reads the place of a cell; frame is the element's.
func (m *machine) cell(frame uint32) *cell {
	at := uint32(m.uvarint())
	if at&1 == 0 {
		frame = 0
	}
	return &m.frames[frame+at>>1]
}

// value reads a literal. A string is in text.
func (m *machine) value() (v Value, text []byte) {
	v.kind = Kind(m.code[m.pc])
	m.pc++
	switch v.kind {
	case Bool:
		v.num = uint64(m.code[m.pc])
		m.pc++
	case Int:
		i, n := binary.Varint(m.code[m.pc:])
		v.num = uint64(i)
		m.pc += n
	case Uint, Double, Time:
		v.num = binary.LittleEndian.Uint64(m.code[m.pc:])
		m.pc += 8
	case String:
		text = m.text()
	}
	return v, text
}

// equals reports whether a cell has a literal.
func (m *machine) equals(c *cell, v Value, text []byte) bool {
	if v.kind == String {
		return c.kind == cellString && int(c.len) == len(text) && bytes.Equal(m.bytes(c), text)
	}
	return c.isScalar() && c.kind != cellString && equal(c.value(), v)
}

// expr runs what is at pc, and goes behind it.
func (m *machine) expr(frame uint32) Truth {
	o := op(m.code[m.pc])
	m.pc++
	switch o {
	case opConst:
		m.pc++
		return Truth(m.code[m.pc-1])
	case opAnd:
		n := m.length()
		end := m.pc + n
		all := True
		for m.pc < end && all != False {
			all = min(all, m.expr(frame))
		}
		m.pc = end
		return all
	case opOr:
		n := m.length()
		end := m.pc + n
		any := False
		for m.pc < end && any != True {
			any = max(any, m.expr(frame))
		}
		m.pc = end
		return any
	case opNot:
		return m.expr(frame).not()
	case opHas:
		parent := m.cell(frame)
		c := m.cell(frame)
		if parent.kind == cellAbsent || parent.kind == cellList {
			return Unknown
		}
		return truthOf(c.kind != cellAbsent)
	}
	return m.leaf(o, m.cell(frame), frame)
}

// leaf runs a leaf about a cell.
func (m *machine) leaf(o op, c *cell, frame uint32) Truth {
	switch o {
	case opBool:
		if c.kind != cellBool {
			return Unknown
		}
		return truthOf(c.num != 0)
	case opIn:
		return m.in(c)
	case opHolds:
		v, text := m.value()
		if c.kind != cellList && c.kind != cellObject {
			return Unknown
		}
		for at := uint32(c.num); at != 0; at = m.frames[at].next {
			if m.equals(&m.frames[at], v, text) {
				return True
			}
		}
		return False
	case opExists:
		return m.exists(c)
	case opMatches:
		n := m.uvarint()
		if c.kind != cellString {
			return Unknown
		}
		return truthOf(m.regexps[n].Match(m.bytes(c)))
	case opPrefix, opSuffix, opContains:
		text := m.text()
		if c.kind != cellString {
			return Unknown
		}
		switch o {
		case opPrefix:
			return truthOf(bytes.HasPrefix(m.bytes(c), text))
		case opSuffix:
			return truthOf(bytes.HasSuffix(m.bytes(c), text))
		}
		return truthOf(bytes.Contains(m.bytes(c), text))
	}
	if o&ofCells != 0 {
		d := m.cell(frame)
		if c.kind == cellAbsent || d.kind == cellAbsent {
			return Unknown
		}
		return m.compareCells(o&^ofCells, c, d)
	}
	v, text := m.value()
	switch {
	case c.kind == cellAbsent:
		return Unknown
	case o == opEqual:
		return truthOf(m.equals(c, v, text))
	case o == opUnequal:
		return truthOf(!m.equals(c, v, text))
	case v.kind == String:
		if c.kind != cellString {
			return Unknown
		}
		return truthOf(holdsOrder(o, bytes.Compare(m.bytes(c), text)))
	case !c.isScalar() || c.kind == cellString:
		return Unknown
	}
	return compareScalars(o, c.value(), v)
}

func (m *machine) in(c *cell) Truth {
	found := False
	for range m.uvarint() {
		v, text := m.value()
		if m.equals(c, v, text) {
			found = True
		}
	}
	if c.kind == cellAbsent {
		return Unknown
	}
	return found
}

func (m *machine) exists(c *cell) Truth {
	n := m.length()
	begin := m.pc
	any := Unknown
	if c.kind == cellList || c.kind == cellObject {
		any = False
		for at := uint32(c.num); at != 0 && any != True; at = m.frames[at].next {
			m.pc = begin
			any = max(any, m.expr(at))
		}
	}
	m.pc = begin + n
	return any
}
