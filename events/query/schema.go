package query

import (
	"math"
	"slices"
	"strings"
	"time"
)

// A TypeKind is what a [Type] is.
type TypeKind uint8

// The kinds of types.
const (
	AnyType TypeKind = iota
	BoolType
	IntType    // a number of which the class says that it is whole
	NumberType // of any kind
	StringType
	TimeType // a string in the data, as in RFC 3339; a timestamp to queries
	ArrayType
	ObjectType
)

// String returns the type as people say it: "an int".
func (k TypeKind) String() string {
	return [...]string{"anything", "a bool", "an int", "a number", "a string", "a time", "an array", "an object"}[k]
}

func (k TypeKind) isNumber() bool { return k == IntType || k == NumberType }

// A Type is what is in a field. The zero Type is anything.
type Type struct {
	Kind   TypeKind
	Items  *Type   // of an array; nil: anything
	Fields []Field // of an object, each name once
	Closed bool    // of an object: it has no other fields
}

// A Field is a declared field of an object. An event may lack it, or have null
// in it.
type Field struct {
	Name string
	Type Type
}

// A Schema is what queries need to know about an event class. It must not
// change while it is in use; then it is safe for concurrent use.
//
// Besides checking queries it says which strings of an event's data are times.
// They become timestamps where the event is read, once: by [Schema.NewSample] and
// [Matcher.LoadClass]. Within lists and objects that are compared as a whole they
// stay strings. A query is the same text with the same normal form
// whatever it is asked of, and queries about several classes find in each event
// what its own class declares.
type Schema struct {
	Class string // its name, for errors
	Data  Type   // an object
}

// NewSample is [NewSample] for an event of the class: the strings in fields of
// type [TimeType] are timestamps.
func (s *Schema) NewSample(meta Meta, data []byte) (*Sample, error) {
	sample, err := NewSample(meta, data)
	if err == nil {
		s.Data.readTimes(&sample.data)
	}
	return sample, err
}

// readTimes makes timestamps of the strings that are times by their type.
func (t *Type) readTimes(it *item) {
	switch {
	case t.Kind == TimeType && it.shape == scalar && it.value.kind == String:
		if v, ok := parseTime(it.value.str); ok {
			v.str = it.value.str // see sameItem
			it.value = v
		}
	case t.Kind == ArrayType && t.Items != nil:
		for i := range it.list {
			t.Items.readTimes(&it.list[i])
		}
	case t.Kind == ObjectType:
		for i := range t.Fields {
			f := &t.Fields[i]
			if part, ok := it.fields[f.Name]; ok {
				f.Type.readTimes(&part)
				it.fields[f.Name] = part
			}
		}
	}
}

// parseTime returns the time that an event has in a field, and false if the
// text is none. The literals of queries lie between 1678 and 2261; a time
// before or after that is kept as the first or last one of 64 bits, so that it
// is before or after all of them.
func parseTime[T string | []byte](text T) (Value, bool) {
	var t time.Time
	if t.UnmarshalText([]byte(text)) != nil {
		return Value{}, false
	}
	switch year := t.UTC().Year(); {
	case year < 1678:
		return Value{kind: Time, num: 1 << 63}, true // the smallest int64
	case year > 2261:
		return Value{kind: Time, num: math.MaxInt64}, true
	}
	return TimeValue(t), true
}

// field returns the type of the declared field with the name, or nil.
func (t *Type) field(name string) *Type {
	i := slices.IndexFunc(t.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Fields[i].Type
}

// nearest returns the declared name that a person who wrote name most likely
// meant, or "".
func (t *Type) nearest(name string) string {
	best, least := "", 3
	for i := range t.Fields {
		known := t.Fields[i].Name
		d := edits(strings.ToLower(name), strings.ToLower(known))
		if d < least && 2*d < max(len(name), len(known)) {
			best, least = known, d
		}
	}
	return best
}

// edits returns how many letters must be inserted, deleted, replaced or swapped
// with their neighbour to turn a into b, or 3 if more than two.
func edits(a, b string) int {
	const far = 3
	if len(a) > 128 || len(b) > 128 || max(len(a), len(b))-min(len(a), len(b)) >= far {
		return far
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(far, last[len(b)])
}
