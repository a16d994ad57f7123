package query

import (
	"bytes"
	"math"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// A cell is what an event has in a field that some query refers to. Cells hold
// no pointers, so that clearing and writing them costs the collector nothing.
type cell struct {
	num  uint64 // bits of a scalar that is no string; of a list or map the frame of its first element, or 0
	off  uint32 // of a string, or of a list's or map's JSON; see flat.bytes
	len  uint32
	next uint32 // of the first cell of an element's frame: the next element's frame, or 0
	kind cellKind
}

type cellKind uint8

// The kinds of cells. The scalars are those of [Kind], each one more.
const (
	cellAbsent cellKind = iota
	cellNull
	cellBool
	cellInt
	cellUint
	cellDouble
	cellString
	cellTime
	cellList
	cellObject
)

func (c *cell) isScalar() bool { return c.kind >= cellNull && c.kind <= cellTime }
func (c *cell) isNumber() bool { return c.kind >= cellInt && c.kind <= cellDouble }

// value returns a scalar that is no string.
func (c *cell) value() Value { return Value{kind: Kind(c.kind - 1), num: c.num} }

// The cells that every event has, at the beginning of its first frame.
const (
	cellOfData = iota
	cellOfClass
	cellOfID
	cellOfTime
	cellOfTopic
	ownCells
)

// inText marks offsets into flat.text; others are into flat.data.
const inText = 1 << 31

// A flat is an event, as far as the queries of an index refer to it.
//
// A frame is a run of cells, one for each path in a scope. The first frame is
// the event's; each element of a list that queries look into has one, too.
type flat struct {
	plan   *plan
	frames []cell
	data   []byte // the event's JSON; the caller's
	text   []byte // strings that data does not have as they are
	key    []byte // workspace for a name with escapes
}

// bytes returns the text of a string, or the JSON of a list or map.
func (f *flat) bytes(c *cell) []byte {
	if c.off&inText != 0 {
		off := c.off &^ inText
		return f.text[off : off+c.len]
	}
	return f.data[c.off : c.off+c.len]
}

// addText keeps a string.
func (f *flat) addText(s string) (off, n uint32) {
	off = uint32(len(f.text))
	f.text = append(f.text, s...)
	return off | inText, uint32(len(s))
}

// load takes an event, of which it keeps data until the next load. The data must
// be a JSON object of less than 1 GiB; trusted says that somebody has checked it.
func (f *flat) load(p *plan, meta *Meta, data []byte, trusted bool) error {
	data = data[:len(data):len(data)] // what is behind it may be somebody else's
	f.plan, f.data, f.text, f.frames = p, data, f.text[:0], f.frames[:0]
	f.addFrame(p.root.width)
	for i, s := range [...]string{cellOfClass: meta.Class, cellOfID: meta.ID, cellOfTopic: meta.Topic} {
		if i == cellOfClass || i == cellOfID || i == cellOfTopic {
			off, n := f.addText(s)
			f.frames[i] = cell{kind: cellString, off: off, len: n}
		}
	}
	f.frames[cellOfTime] = cell{kind: cellTime, num: uint64(meta.Time.UnixNano())}
	s := scanner{flat: f, data: data, trusted: trusted}
	return s.event(p.root.node)
}

// addFrame adds n empty cells, and returns the place of the first.
func (f *flat) addFrame(n int) uint32 {
	at := len(f.frames)
	if cap(f.frames) < at+n {
		grown := make([]cell, at, max(2*cap(f.frames), at+n))
		copy(grown, f.frames)
		f.frames = grown
	}
	f.frames = f.frames[:at+n]
	clear(f.frames[at:])
	return uint32(at)
}

// equalCells reports whether two cells hold the same, as equal and sameItem do.
func (f *flat) equalCells(a, b *cell) bool {
	switch {
	case a.isScalar() && b.isScalar():
		if a.kind == cellString && b.kind == cellString {
			return bytes.Equal(f.bytes(a), f.bytes(b))
		}
		return a.kind != cellString && b.kind != cellString && equal(a.value(), b.value())
	case a.kind != b.kind:
		return false
	}
	// Two lists or two maps: seldom asked, so what is simple is right.
	x, errX := decodeItem(jsontext.NewDecoder(bytes.NewReader(f.bytes(a)), jsontext.AllowDuplicateNames(true)))
	y, errY := decodeItem(jsontext.NewDecoder(bytes.NewReader(f.bytes(b)), jsontext.AllowDuplicateNames(true)))
	return errX == nil && errY == nil && sameItem(x, y)
}

// compareCells returns what o says of two cells that are there.
func (f *flat) compareCells(o op, a, b *cell) Truth {
	switch {
	case o == opEqual:
		return truthOf(f.equalCells(a, b))
	case o == opUnequal:
		return truthOf(!f.equalCells(a, b))
	case !a.isScalar() || !b.isScalar():
		return Unknown
	case a.kind == cellString && b.kind == cellString:
		return truthOf(holdsOrder(o, bytes.Compare(f.bytes(a), f.bytes(b))))
	case a.kind == cellString || b.kind == cellString:
		return Unknown
	}
	return compareScalars(o, a.value(), b.value())
}

// compareScalars orders scalars of which none is a string.
func compareScalars(o op, a, b Value) Truth {
	if !ordered(a, b) {
		return Unknown
	}
	return truthOf(holdsOrder(o, compare(a, b)))
}

func holdsOrder(o op, c int) bool {
	switch o {
	case opLess:
		return c < 0
	case opLessEqual:
		return c <= 0
	case opGreater:
		return c > 0
	}
	return c >= 0
}

// sortKey returns a number of which the order agrees with that of the values of
// one kind: of a < b it follows that sortKey(a) <= sortKey(b).
func sortKey(v Value) uint32 {
	switch v.kind {
	case Int:
		return sortFloat(float64(v.int()))
	case Uint:
		return sortFloat(float64(v.num))
	case Double:
		return sortFloat(v.float())
	case Time:
		return uint32((v.num ^ 1<<63) >> 32)
	}
	return uint32(v.num)
}

func sortFloat(f float64) uint32 {
	b := math.Float64bits(f + 0) // -0 becomes 0
	if b>>63 != 0 {
		return uint32(^b >> 32)
	}
	return uint32(b>>32) | 1<<31
}

// sortText is sortKey of a string.
func sortText[T string | []byte](s T) uint32 {
	var k uint32
	for i := range 4 {
		k <<= 8
		if i < len(s) {
			k |= uint32(s[i])
		}
	}
	return k
}

// hashKey is what the bounds of a value without an order are made of.
func hashKey(hash uint64) uint32 { return uint32(hash >> 32) }

// hasTimes reports whether any field is declared as a time.
func (t *Type) hasTimes() bool {
	return t.Kind == TimeType || t.Items != nil && t.Items.hasTimes() ||
		slices.ContainsFunc(t.Fields, func(f Field) bool { return f.Type.hasTimes() })
}

// readTimes makes timestamps of the strings that are times by their type.
func (f *flat) readTimes(t *Type, n *trieNode, frame uint32) {
	var c cell
	at := frame + uint32(n.cell)
	if n.cell >= 0 {
		c = f.frames[at]
	}
	switch {
	case t.Kind == TimeType && c.kind == cellString:
		if v, ok := parseTime(f.bytes(&c)); ok {
			f.frames[at].kind, f.frames[at].num = cellTime, v.num
		}
	case t.Kind == ArrayType && t.Items != nil && c.kind == cellList && n.elements != nil:
		for at := uint32(c.num); at != 0; at = f.frames[at].next {
			f.readTimes(t.Items, n.elements.node, at)
		}
	case t.Kind == ObjectType && len(n.kids) > 0:
		for i := range t.Fields {
			if k := n.child([]byte(t.Fields[i].Name)); k != nil {
				f.readTimes(&t.Fields[i].Type, k, frame)
			}
		}
	}
}
