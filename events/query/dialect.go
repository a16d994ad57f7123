package query

import (
	"regexp"
	"slices"
)

// A dialect makes an expression of what is not EQL.
type dialect struct {
	text    string
	options *Options
	schema  *Schema // nil if it is not known
	element string  // the name of the element, inside of exists
}

// query makes a query of an expression that is within the limits.
func (d *dialect) query(root *expr) (*Query, error) {
	c := bounds{dialect: d}
	if err := c.check(root, 1); err != nil {
		return nil, err
	}
	return &Query{text: d.text, root: root, normal: normal(root)}, nil
}

// whole parses what is in a query that is JSON.
func whole(text []byte, schema *Schema, options *Options, parse func(*dialect, *node) (*expr, *Error)) (*Query, error) {
	d := &dialect{text: string(text), options: options, schema: schema}
	n, err := d.decode()
	if err != nil {
		return nil, err
	}
	root, err := parse(d, n)
	if err != nil {
		return nil, err
	}
	return d.query(root)
}

// regexp compiles a regular expression that is at n.
func (d *dialect) regexp(text string, n *node) (*regexp.Regexp, *Error) {
	p := parser{lexer: lexer{text: d.text, limits: d.options.Limits}}
	re, err := p.regexp(text, n.pos)
	if err != nil {
		err.Pointer = n.pointer()
	}
	return re, err
}

// matches returns a leaf that asks whether a field is like a regular expression.
func (d *dialect) matches(f path, text string, n *node) (*expr, *Error) {
	re, err := d.regexp(text, n)
	if err != nil {
		return nil, err
	}
	return &expr{op: opMatches, pos: int32(n.pos), field: f, value: StringValue(text), rare: &rare{pattern: re}}, nil
}

// group puts o between conditions, as [parse] would have it: without a group in
// a group of the same kind. There must be one.
func group(o op, pos int, kids ...*expr) *expr {
	e := &expr{op: o, pos: int32(pos)}
	for _, k := range kids {
		if k.op == o {
			e.kids = append(e.kids, k.kids...)
		} else {
			e.kids = append(e.kids, k)
		}
	}
	if len(e.kids) == 1 {
		return e.kids[0]
	}
	return e
}

// A bounds checks that an expression is within the limits, counted as if it had
// been written as EQL.
type bounds struct {
	*dialect
	leaves int
}

func (c *bounds) over(e *expr, format string, args ...any) *Error {
	return limitAt(c.text, e.pos, format, args...)
}

func (c *bounds) check(e *expr, depth int) *Error {
	l := &c.options.Limits
	if depth > l.Depth {
		return c.over(e, "expected at most %d levels of nesting, found more", l.Depth)
	}
	switch e.op {
	case opConst:
		return nil
	case opAnd, opOr, opNot, opExists:
		for _, k := range e.kids {
			below := depth
			if e.op == opNot || e.op == opExists {
				below++
			}
			if e.op == opNot && parenthesised(k) || e.op == opAnd && k.op == opOr {
				below++
			}
			if err := c.check(k, below); err != nil {
				return err
			}
		}
		if e.op != opExists {
			return nil
		}
	default:
		c.leaves++
	}
	if c.leaves > l.Leaves {
		return c.over(e, "expected at most %d comparisons, found more", l.Leaves)
	}
	fields := []path{e.field}
	if e.other() != nil {
		fields = append(fields, *e.other())
	}
	for _, f := range fields {
		if len(f.names) > l.Path {
			return c.over(e, "expected a field of at most %d names, found more", l.Path)
		}
		for _, n := range f.names {
			if len(n) > l.Literal {
				return c.over(e, "expected a name of at most %d bytes, found %d", l.Literal, len(n))
			}
		}
	}
	if len(e.list()) > l.List {
		return c.over(e, "expected a list of at most %d values, found more", l.List)
	}
	for _, v := range append(slices.Clip(e.list()), e.value) {
		if len(v.str) > l.Literal {
			return c.over(e, "expected a string of at most %d bytes, found %d", l.Literal, len(v.str))
		}
	}
	return nil
}

// parenthesised reports whether a condition needs parentheses behind a "!".
func parenthesised(e *expr) bool {
	switch e.op {
	case opAnd, opOr, opEqual, opUnequal, opLess, opLessEqual, opGreater, opGreaterEqual, opIn, opHolds:
		return true
	case opConst:
		return e.value.kind == Null
	}
	return false
}
