package query

import (
	"fmt"
	"strconv"
	"strings"
)

// Check says what of the query can make no sense for events that fit the
// schema: a field that there is not, a comparison of what is never comparable,
// a function of strings on what is no string. Its error is an [*Error].
//
// A query that passes, and that is about declared fields only, none of them of
// [AnyType], is never an error for an event that fits and has all of them.
func (q *Query) Check(s *Schema) error {
	c := checker{schema: s, text: q.Text()}
	if err := c.check(q.root); err != nil {
		return err
	}
	return nil
}

// A checker looks at a query beside a schema.
type checker struct {
	schema  *Schema
	text    string
	name    string // of the element, inside of exists
	element *Type
}

var (
	anything = &Type{}
	aString  = &Type{Kind: StringType}
	aTime    = &Type{Kind: TimeType}
)

func (c *checker) check(e *expr) *Error {
	switch e.op {
	case opConst:
		if e.value.kind == Null {
			return errorAt(c.text, e.pos, "expected values that have an order, found two that have none, which is always an error")
		}
		return nil
	case opAnd, opOr, opNot:
		for _, k := range e.kids {
			if err := c.check(k); err != nil {
				return err
			}
		}
		return nil
	}
	t, err := c.resolve(e.field)
	if err != nil {
		return err
	}
	switch e.op {
	case opHas:
		return nil
	case opBool:
		if t.Kind != BoolType && t.Kind != AnyType {
			return errorAt(c.text, e.pos, "expected a condition, found %s alone, which is %s", c.say(e.field), t.Kind)
		}
		return nil
	case opIn:
		if e.other() != nil {
			return c.among(e, t)
		}
		for _, v := range e.list() {
			if err := c.value(e, t, v); err != nil {
				return err
			}
		}
		return nil
	case opHolds:
		return c.holds(e, t)
	case opExists:
		return c.exists(e, t)
	case opPrefix, opSuffix, opContains, opMatches:
		return c.method(e, t)
	}
	if e.other() != nil {
		return c.other(e, t)
	}
	return c.value(e, t, e.value)
}

func (c *checker) say(p path) string { return string(p.append(nil, c.name)) }

// resolve returns the type of a field.
func (c *checker) resolve(p path) (*Type, *Error) {
	t := aString
	switch p.root {
	case rootData:
		t = &c.schema.Data
	case rootElement:
		t = c.element
	case rootTime:
		t = aTime
	case rootSession:
		if p.names[0] != claims {
			return aString, nil
		}
		return anything, nil
	}
	for i, name := range p.names {
		of := path{root: p.root, names: p.names[:i]}
		switch {
		case t.Kind == AnyType:
			return anything, nil
		case t.Kind == ArrayType && c.name == "":
			return nil, errorAt(c.text, c.place(p, i), "expected a field of an object, found one of %s, which is an array; ask its elements, as in %s.exists(x, has(x.%s))", c.say(of), c.say(of), name)
		case t.Kind != ObjectType:
			return nil, errorAt(c.text, c.place(p, i), "expected a field of an object, found one of %s, which is %s", c.say(of), t.Kind)
		}
		part := t.field(name)
		switch {
		case part != nil:
			t = part
		case t.Closed:
			return nil, c.unknown(of, t, name, c.place(p, i))
		default:
			t = anything
		}
	}
	return t, nil
}

// unknown says that there is no such field in what of is.
func (c *checker) unknown(of path, t *Type, name string, at int) *Error {
	owner := c.say(of)
	if of.root == rootData && len(of.names) == 0 {
		owner = "the event"
		if c.schema.Class != "" {
			owner = c.schema.Class
		}
	}
	if near := t.nearest(name); near != "" {
		return errorAt(c.text, at, "expected a field of %s, found %q; did you mean %s?", owner, name, near)
	}
	switch len(t.Fields) {
	case 0:
		return errorAt(c.text, at, "expected a field of %s, which has none, found %q", owner, name)
	case 1:
		return errorAt(c.text, at, "expected the only field of %s, %s, found %q", owner, t.Fields[0].Name, name)
	}
	const most = 12
	names := make([]string, 0, most)
	for i := range t.Fields[:min(most, len(t.Fields))] {
		names = append(names, t.Fields[i].Name)
	}
	more := ""
	if n := len(t.Fields) - most; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return errorAt(c.text, at, "expected one of the fields of %s, %s%s, found %q", owner, listed(names), more, name)
}

// place returns where the name of a path is in the text, and in a query that is
// JSON where the path is.
func (c *checker) place(p path, i int) int {
	if int(p.pos) >= len(c.text) || !isLetter(c.text[p.pos]) {
		return int(p.pos)
	}
	limits := DefaultLimits()
	limits.Literal = len(c.text)
	l := lexer{text: c.text, pos: int(p.pos), limits: limits}
	var tok token
	_ = l.next(&tok)
	start := tok.start
	if first := c.text[start:tok.end]; p.root == rootData && first != "data" {
		i-- // the path begins with its first name
	}
	for ; i >= 0; i-- {
		_ = l.next(&tok) // a dot or a bracket
		_ = l.next(&tok)
		if start = tok.start; tok.kind == tokenValue {
			_ = l.next(&tok) // the other bracket
		}
	}
	return start
}

// fits reports whether values of two types can be equal and, where they can,
// whether they have an order.
func fits(a, b TypeKind) bool { return a == b || a.isNumber() && b.isNumber() }

// typeOf returns the type of a value that is not null.
func typeOf(v Value) TypeKind {
	switch v.kind {
	case Bool:
		return BoolType
	case String:
		return StringType
	case Time:
		return TimeType
	}
	return NumberType
}

func orders(o op) bool {
	return o == opLess || o == opLessEqual || o == opGreater || o == opGreaterEqual
}

// value checks a comparison of a field and a value.
func (c *checker) value(e *expr, t *Type, v Value) *Error {
	switch {
	case v.kind == Null && orders(e.op):
		return errorAt(c.text, e.pos, "expected a value that has an order, found null, which has none")
	case v.kind == Null || t.Kind == AnyType || fits(t.Kind, typeOf(v)):
		return nil // null is in any field that lacks a value
	case t.Kind == ArrayType:
		return errorAt(c.text, e.pos, "expected a question about the elements of %s, which is an array, found a comparison with %s; write %s in %s", c.say(e.field), v, v, c.say(e.field))
	case t.Kind == ObjectType:
		return errorAt(c.text, e.pos, "expected a field of %s, which is an object, found a comparison of all of it with %s", c.say(e.field), v)
	}
	return errorAt(c.text, e.pos, "expected %s to compare %s with, found %s%s", t.Kind, c.say(e.field), v, hint(t.Kind, v))
}

// hint says how to write a value for a field of another type, if it is clear.
func hint(t TypeKind, v Value) string {
	switch {
	case t == TimeType && v.kind == String:
		if at, ok := parseTime(v.str); ok {
			return fmt.Sprintf("; write %s", at)
		}
		return `; a time is written as timestamp("2026-01-31T12:00:00Z")`
	case t == StringType && v.kind == Time:
		return "; only what the class declares as a time is compared with timestamps"
	case t == StringType:
		return fmt.Sprintf("; write %q", strings.TrimSuffix(v.String(), "u"))
	case t.isNumber() && v.kind == String:
		if _, err := strconv.ParseFloat(v.str, 64); err == nil {
			return "; write it without quotation marks"
		}
	case t == BoolType && v.kind == String && (v.str == "true" || v.str == "false"):
		return "; write it without quotation marks"
	}
	return ""
}

// other checks a comparison of two fields.
func (c *checker) other(e *expr, t *Type) *Error {
	u, err := c.resolve(*e.other())
	switch {
	case err != nil:
		return err
	case t.Kind == AnyType || u.Kind == AnyType:
		return nil
	case !fits(t.Kind, u.Kind):
		return errorAt(c.text, e.pos, "expected two fields of one type, found %s, which is %s, and %s, which is %s", c.say(e.field), t.Kind, c.say(*e.other()), u.Kind)
	case orders(e.op) && (t.Kind == ArrayType || t.Kind == ObjectType):
		return errorAt(c.text, e.pos, "expected fields that have an order, found %s and %s, each of which is %s", c.say(e.field), c.say(*e.other()), t.Kind)
	}
	return nil
}

// among checks that a field can be an element of a list of the session.
func (c *checker) among(e *expr, t *Type) *Error {
	u, err := c.resolve(*e.other())
	switch {
	case err != nil:
		return err
	case u.Kind == StringType:
		return errorAt(c.text, e.pos, "expected a list of the session, found %s, which is a string; write %s == %s", c.say(*e.other()), c.say(e.field), c.say(*e.other()))
	case t.Kind == ArrayType:
		return errorAt(c.text, e.pos, "expected one value in %s, found %s, which is an array; ask its elements, as in %s.exists(x, x in %s)", c.say(*e.other()), c.say(e.field), c.say(e.field), c.say(*e.other()))
	case t.Kind == ObjectType:
		return errorAt(c.text, e.pos, "expected one value in %s, found %s, which is an object", c.say(*e.other()), c.say(e.field))
	}
	return nil
}

// holds checks that a value can be in a field.
func (c *checker) holds(e *expr, t *Type) *Error {
	if e.other() != nil {
		return c.holdsOther(e, t)
	}
	v, field := e.value, c.say(e.field)
	switch {
	case t.Kind == AnyType:
		return nil
	case t.Kind == ObjectType && v.kind != String:
		return errorAt(c.text, e.pos, "expected the name of a field in %s, which is an object, found %s", field, v)
	case t.Kind == ObjectType:
		if t.Closed && t.field(v.str) == nil {
			return c.unknown(e.field, t, v.str, int(e.pos))
		}
		return nil
	case t.Kind == StringType && v.kind == String:
		return errorAt(c.text, e.pos, "expected an array, found %s, which is a string; write %s.contains(%s)", field, field, v)
	case t.Kind != ArrayType:
		return errorAt(c.text, e.pos, "expected an array, found %s, which is %s; write %s == %s", field, t.Kind, field, v)
	case t.Items == nil || t.Items.Kind == AnyType || v.kind == Null || fits(t.Items.Kind, typeOf(v)):
		return nil
	case t.Items.Kind == ObjectType || t.Items.Kind == ArrayType:
		return errorAt(c.text, e.pos, "expected a condition about the elements of %s, each of which is %s, found %s; write it with %s.exists(x, …)", field, t.Items.Kind, v, field)
	}
	return errorAt(c.text, e.pos, "expected %s, as the elements of %s are, found %s%s", t.Items.Kind, field, v, hint(t.Items.Kind, v))
}

// holdsOther checks that a property of the session can be in a field.
func (c *checker) holdsOther(e *expr, t *Type) *Error {
	u, err := c.resolve(*e.other())
	field, other := c.say(e.field), c.say(*e.other())
	switch {
	case err != nil:
		return err
	case t.Kind == AnyType || t.Kind == ObjectType:
		return nil
	case t.Kind != ArrayType:
		return errorAt(c.text, e.pos, "expected an array, found %s, which is %s; write %s == %s", field, t.Kind, field, other)
	case t.Items == nil || t.Items.Kind == AnyType || u.Kind == AnyType || fits(t.Items.Kind, u.Kind):
		return nil
	}
	return errorAt(c.text, e.pos, "expected %s, as the elements of %s are, found %s, which is %s", t.Items.Kind, field, other, u.Kind)
}

// exists checks a condition about the elements of an array, or the names in an
// object.
func (c *checker) exists(e *expr, t *Type) *Error {
	within := *c
	within.name, within.element = e.value.str, anything
	switch {
	case t.Kind == ObjectType:
		within.element = aString
	case t.Kind == ArrayType && t.Items != nil:
		within.element = t.Items
	case t.Kind != AnyType && t.Kind != ArrayType:
		return errorAt(c.text, e.pos, "expected an array for exists, found %s, which is %s", c.say(e.field), t.Kind)
	}
	return within.check(e.kids[0])
}

// method checks a function of strings.
func (c *checker) method(e *expr, t *Type) *Error {
	name, field, better := methods[e.op], c.say(e.field), ""
	switch t.Kind {
	case StringType, AnyType:
		return nil
	case TimeType:
		better = fmt.Sprintf(`; compare it with times, as in %s >= timestamp("2026-01-31T12:00:00Z")`, field)
	case ArrayType:
		if c.name == "" && (t.Items == nil || t.Items.Kind == StringType) {
			better = fmt.Sprintf(`; ask its elements: %s.exists(x, x.%s(%s))`, field, name, e.value)
		}
	}
	return errorAt(c.text, e.pos, "expected a string for %s, found %s, which is %s%s", name, field, t.Kind, better)
}
