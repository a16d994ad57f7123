package events

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// A field is a FieldConfig made ready for checking. It is immutable.
type field struct {
	name     string
	kind     Type
	required bool
	channel  bool // its value names the channel
	keyed    bool // its value is a part of Event.Key

	ranged   bool // lo and hi hold
	lo, hi   number
	minLen   int // characters or items
	maxLen   int // characters or items; math.MaxInt: no limit
	pattern  *regexp.Regexp
	enum     []number
	enumStr  []string
	object   *object // for objects with declared fields, otherwise nil
	items    *field  // for arrays whose items are declared, otherwise nil
	expected string  // what the field must be, for people
}

// A number is an exact int64 or a float64, as the type of its field says.
type number struct {
	i int64
	f float64
}

func (n number) less(m number) bool { return n.i < m.i || n.f < m.f }

// An object is a set of declared fields.
type object struct {
	fields   []field
	index    map[string]int // of fields, by name
	required bitset
	reject   bool // other fields
}

// A bitset has a bit for each of the maxFields fields that an object can have.
type bitset [maxFields / 64]uint64

func (b *bitset) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b *bitset) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

// newObject compiles the fields of an object. They must be valid.
func newObject(fields []FieldConfig, reject bool) *object {
	o := &object{fields: make([]field, len(fields)), index: make(map[string]int, len(fields)), reject: reject}
	for i := range fields {
		o.fields[i] = newField(&fields[i], reject)
		o.index[fields[i].Name] = i
		if fields[i].Required {
			o.required.set(i)
		}
	}
	return o
}

// newField compiles a field. It must be valid.
func newField(c *FieldConfig, reject bool) field {
	f := field{name: c.Name, kind: c.Type, required: c.Required, maxLen: math.MaxInt}
	if c.Min != "" || c.Max != "" {
		f.ranged = true
		f.lo, f.hi = number{i: math.MinInt64}, number{i: math.MaxInt64}
		if c.Type == Number {
			f.lo, f.hi = number{f: math.Inf(-1)}, number{f: math.Inf(1)}
		}
		if c.Min != "" {
			f.lo, _ = parseLimit(c.Type, c.Min)
		}
		if c.Max != "" {
			f.hi, _ = parseLimit(c.Type, c.Max)
		}
	}
	lo, hi := c.MinLength, c.MaxLength
	if c.Type == Array {
		lo, hi = c.MinItems, c.MaxItems
	}
	if lo != nil {
		f.minLen = *lo
	}
	if hi != nil {
		f.maxLen = *hi
	}
	if c.Pattern != "" {
		f.pattern = regexp.MustCompile(c.Pattern)
	}
	for _, v := range c.Enum {
		e, _ := enumValue(c.Type, v)
		if c.Type == String {
			f.enumStr = append(f.enumStr, e.text)
		} else {
			f.enum = append(f.enum, e.number)
		}
	}
	if len(c.Fields) > 0 {
		f.object = newObject(c.Fields, reject)
	}
	if c.Items != nil {
		f.items = new(newField(c.Items, reject))
	}
	f.expected = expected(c)
	return f
}

// An enumerated is one value of an enum.
type enumerated struct {
	text string // of a string; of a number as it was written
	number
}

// enumValue returns the value of an enum for a field of type t, or says why it
// cannot be one.
func enumValue(t Type, v any) (enumerated, error) {
	if s, ok := v.(string); ok {
		if t != String {
			return enumerated{}, fmt.Errorf("must be of the type %s, not the string %s", t, quote(s))
		}
		return enumerated{text: s}, nil
	}
	var text string
	switch v := v.(type) {
	case int:
		text = strconv.Itoa(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	case uint64:
		text = strconv.FormatUint(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case json.Number:
		text = v.String()
	default:
		return enumerated{}, fmt.Errorf("must be of the type %s, not %v", t, v)
	}
	if t == String {
		return enumerated{}, fmt.Errorf("must be of the type string, not the number %s (quote it)", text)
	}
	n, err := parseLimit(t, json.Number(text))
	return enumerated{text: text, number: n}, err
}

// parseLimit reads a number of an operator's for a field of type t, Int or
// Number. It gives the zero number for the empty text.
func parseLimit(t Type, text json.Number) (n number, err error) {
	switch {
	case text == "":
	case t == Int:
		if n.i, err = strconv.ParseInt(string(text), 10, 64); err != nil {
			return n, fmt.Errorf("must be an integer of 64 bits, not %s", quote(string(text)))
		}
	default:
		n.f, err = strconv.ParseFloat(string(text), 64)
		if err != nil || math.IsInf(n.f, 0) || math.IsNaN(n.f) {
			return n, fmt.Errorf("must be a number, not %s", quote(string(text)))
		}
	}
	return n, nil
}

// expected says in words what a field must be, as a noun phrase.
func expected(c *FieldConfig) string {
	var b strings.Builder
	switch c.Type {
	case String:
		b.WriteString("a string")
		b.WriteString(between(count(c.MinLength), count(c.MaxLength)))
		if c.MinLength != nil || c.MaxLength != nil {
			b.WriteString(" characters")
		}
	case Int:
		b.WriteString("an integer")
		b.WriteString(between(string(c.Min), string(c.Max)))
	case Number:
		b.WriteString("a number")
		b.WriteString(between(string(c.Min), string(c.Max)))
	case Bool:
		b.WriteString("true or false")
	case Time:
		b.WriteString("a time such as \"2026-01-31T09:30:00Z\" (RFC 3339)")
	case Object:
		b.WriteString("an object")
	case Array:
		b.WriteString("an array")
		b.WriteString(between(count(c.MinItems), count(c.MaxItems)))
		if c.MinItems != nil || c.MaxItems != nil {
			b.WriteString(" items")
		}
	}
	if c.Pattern != "" {
		b.WriteString(" that matches ")
		b.WriteString(c.Pattern)
	}
	if len(c.Enum) > 0 {
		b.WriteString(": ")
		b.WriteString(alternatives(c.Type, c.Enum))
	}
	return b.String()
}

func count(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

// between returns " of 1 to 5", " of at least 1", " of at most 5" or "".
func between(lo, hi string) string {
	switch {
	case lo == "" && hi == "":
		return ""
	case hi == "":
		return " of at least " + lo
	case lo == "":
		return " of at most " + hi
	case lo == hi:
		return " of exactly " + lo
	default:
		return " of " + lo + " to " + hi
	}
}

// alternatives lists the values of an enum; of many, only the first ones.
func alternatives(t Type, enum []any) string {
	const most = 20
	var words []string
	for i, v := range enum {
		if i == most {
			words = append(words, fmt.Sprintf("… (%d in all)", len(enum)))
			break
		}
		e, _ := enumValue(t, v)
		if t == String {
			e.text = quote(e.text)
		}
		words = append(words, e.text)
	}
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
