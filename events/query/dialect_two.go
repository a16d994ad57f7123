package query

import (
	"regexp"
	"strings"
	"time"
)

// The dialects other than EQL's own tree know two values: what is missing, or of
// another kind, does not satisfy a condition, and so satisfies its opposite.
// EQL says that too, since an event matches only what is true of it. In an
// expression that negates leaves only, an error is as good as false; so these
// dialects carry a negation down to the leaves, where [dialect.test] says what
// is true of exactly the events of which the leaf is not.

// test returns a leaf, or its opposite. want is the kind of the values of which
// the leaf is true or false, and Null if it is of all.
func (d *dialect) test(leaf *expr, want Kind, negate bool) *expr {
	if !negate {
		return leaf
	}
	f, pos := leaf.field, leaf.pos
	no := not(leaf)
	if o := opposite[leaf.op]; o != 0 {
		other := *leaf
		other.op = o
		no = &other
	}
	if f.root != rootData {
		return no // always there, and of its kind
	}
	kids := append(absent(f, int(pos)), no)
	if want != Null {
		t := d.typeOf(f)
		kids = append(kids, others(f, t, int(pos), want)...)
		if t.Kind == AnyType {
			some := &expr{op: opExists, pos: pos, field: f, value: StringValue("x"), kids: []*expr{constant(BoolValue(true))}}
			kids = append(kids, some, not(some)) // one is true of lists and objects
		}
	}
	return group(opOr, int(pos), kids...)
}

// absent returns conditions of which one is true if there is no such field in the
// data.
func absent(f path, pos int) []*expr {
	var kids []*expr
	for i := range f.names {
		kids = append(kids, not(&expr{op: opHas, pos: int32(pos), field: path{root: f.root, names: f.names[:i+1], pos: f.pos}}))
	}
	return kids
}

// others returns conditions of which one is true if the field, of type t, has a
// scalar that is not of the kind.
func others(f path, t *Type, pos int, want Kind) []*expr {
	if t.Kind != AnyType {
		return []*expr{{op: opEqual, pos: int32(pos), field: f}} // null is all that it can be
	}
	kids := []*expr{{op: opIn, pos: int32(pos), field: f, rare: &rare{list: []Value{NullValue(), BoolValue(false), BoolValue(true)}}}}
	if want != Int {
		kids = append(kids, &expr{op: opLessEqual, pos: int32(pos), field: f, value: IntValue(0)}, &expr{op: opGreater, pos: int32(pos), field: f, value: IntValue(0)})
	}
	if want != String {
		kids = append(kids, &expr{op: opGreaterEqual, pos: int32(pos), field: f, value: StringValue("")})
	}
	return kids
}

// typeOf returns what the schema says about a field; if it says nothing, that is
// anything.
func (d *dialect) typeOf(f path) *Type {
	switch {
	case f.root == rootTime:
		return aTime
	case f.root != rootData:
		return aString
	case d.schema == nil:
		return anything
	}
	return d.schema.Data.below(f.names...)
}

// below returns the type of a part of an object.
func (t *Type) below(names ...string) *Type {
	for _, name := range names {
		if t = t.field(name); t == nil {
			return anything
		}
	}
	return t
}

// either returns o between conditions, or the other one if they are opposites.
func either(o op, negate bool, pos int, kids ...*expr) *expr {
	if negate {
		o = opAnd + opOr - o
	}
	return group(o, pos, kids...)
}

// among returns the condition that a field is one of the values.
func among(f path, pos int, values []Value) *expr {
	if len(values) == 1 {
		return &expr{op: opEqual, pos: int32(pos), field: f, value: values[0]}
	}
	return &expr{op: opIn, pos: int32(pos), field: f, rare: &rare{list: values}}
}

func not(e *expr) *expr { return &expr{op: opNot, pos: e.pos, kids: []*expr{e}} }

// folded returns a regular expression for the literal text, whatever its case.
func folded(before, text, after string) string {
	return "(?i)" + before + regexp.QuoteMeta(text) + after
}

// timely returns the value as a time, if the type is one.
func (d *dialect) timely(n *node, t *Type, v Value) (Value, *Error) {
	if t.Kind != TimeType || v.kind == Null {
		return v, nil
	}
	return d.time(n)
}

// startsWith returns the condition that a field starts with a text. A time
// starts with the parts that it is written with, in UTC, so that it lies in the
// year, month, day, hour, minute or second.
func (d *dialect) startsWith(f path, t *Type, text string, n *node, negate bool) (*expr, *Error) {
	if t.Kind != TimeType {
		return d.test(&expr{op: opPrefix, pos: int32(n.pos), field: f, value: StringValue(text)}, String, negate), nil
	}
	if from, to, ok := timePart(text); ok {
		since := &expr{op: opGreaterEqual, pos: int32(n.pos), field: f, value: TimeValue(from)}
		before := &expr{op: opLess, pos: int32(n.pos), field: f, value: TimeValue(to)}
		return either(opAnd, negate, n.pos, d.test(since, Time, negate), d.test(before, Time, negate)), nil
	}
	return nil, d.unexpected(n, `the beginning of a time, such as "2026-01" or "2026-01-31T12"`)
}

// timePart returns the year, month, day, hour, minute or second in UTC that a text
// is, and the end of it. What stands between the parts may follow.
func timePart(text string) (from, to time.Time, ok bool) {
	layouts := []string{"2006", "2006-01", "2006-01-02", "2006-01-02T15", "2006-01-02T15:04", "2006-01-02T15:04:05"}
	for i, layout := range layouts {
		from, err := time.Parse(layout, strings.TrimRight(text, "-T:.Z"))
		if err != nil {
			continue
		}
		to := []time.Time{
			from.AddDate(1, 0, 0), from.AddDate(0, 1, 0), from.AddDate(0, 0, 1),
			from.Add(time.Hour), from.Add(time.Minute), from.Add(time.Second),
		}[i]
		return from, to, from.Year() >= 1678 && to.Year() <= 2261
	}
	return from, to, false
}
