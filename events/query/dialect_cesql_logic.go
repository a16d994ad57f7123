package query

import (
	"slices"

	"github.com/wireroom/wireroom/events/query/internal/cesql"
)

// short returns the outcome of AND, or of OR, which is AND with everything turned
// round: the right is asked only if the left does not decide, and an error of
// the left is one of the whole.
func (c *sqlCompiler) short(or bool, left, right outcome, pos int) (outcome, *Error) {
	if or {
		left, right = left.turned(), right.turned()
	}
	o := outcome{
		yes:      c.join(opAnd, pos, left.yes, right.yes),
		yesReads: union(left.yesReads, right.yesReads),
	}
	// The left is false; or it is true and the right is false. In the second
	// case it is enough that the left does not fail.
	goes := left.yes
	noReads := union(right.noReads, left.yesReads)
	if left.exact {
		var err *Error
		if goes, err = c.readable(difference(left.needs, right.noReads), pos); err != nil {
			return left, err
		}
		noReads = union(right.noReads, left.needs)
	}
	o.no = c.join(opOr, pos, left.no, c.join(opAnd, pos, goes, right.no))
	o.noReads = common(left.noReads, noReads)
	if left.exact && right.exact && len(difference(right.needs, left.needs)) == 0 {
		o.exact, o.needs = true, left.needs
	}
	o.fails = func() (sized, *Error) {
		first, err := left.fails()
		if err != nil {
			return first, err
		}
		second, err := right.fails()
		return c.join(opOr, pos, first, c.join(opAnd, pos, left.yes, second)), err
	}
	if or {
		return o.turned(), nil
	}
	return o, nil
}

// xor returns the outcome of XOR, which asks both.
func (c *sqlCompiler) xor(left, right outcome, pos int) outcome {
	o := outcome{
		yes:      c.join(opOr, pos, c.join(opAnd, pos, left.yes, right.no), c.join(opAnd, pos, left.no, right.yes)),
		no:       c.join(opOr, pos, c.join(opAnd, pos, left.yes, right.yes), c.join(opAnd, pos, left.no, right.no)),
		yesReads: common(union(left.yesReads, right.noReads), union(left.noReads, right.yesReads)),
		noReads:  common(union(left.yesReads, right.yesReads), union(left.noReads, right.noReads)),
	}
	if left.exact && right.exact {
		o.exact, o.needs = true, union(left.needs, right.needs)
	}
	o.fails = func() (sized, *Error) {
		first, err := left.fails()
		if err != nil {
			return first, err
		}
		second, err := right.fails()
		return c.join(opOr, pos, first, second), err
	}
	return o
}

// turned returns the outcome of the opposite.
func (o outcome) turned() outcome {
	o.yes, o.no, o.yesReads, o.noReads = o.no, o.yes, o.noReads, o.yesReads
	return o
}

// readable returns the condition that all of the readings are possible.
func (c *sqlCompiler) readable(list []reading, pos int) (sized, *Error) {
	var kids []sized
	for _, r := range list {
		if r.as == cesql.String && slices.ContainsFunc(list, func(s reading) bool { return s.name == r.name && s.as != cesql.String }) {
			continue // what can be cast is there
		}
		k, err := c.castable(c.attribute(r.name, pos), pos, r.as)
		if err != nil {
			return sized{}, err
		}
		kids = append(kids, k)
	}
	return c.join(opAnd, pos, kids...), nil
}

func union(a, b []reading) []reading {
	return append(slices.Clone(a), difference(b, a)...)
}

func difference(a, b []reading) []reading {
	return slices.DeleteFunc(slices.Clone(a), func(r reading) bool { return slices.Contains(b, r) })
}

func common(a, b []reading) []reading {
	return slices.DeleteFunc(slices.Clone(a), func(r reading) bool { return !slices.Contains(b, r) })
}

// whenNot returns when one of the readings is not possible.
func (c *sqlCompiler) whenNot(list []reading, pos int) func() (sized, *Error) {
	return func() (sized, *Error) {
		var kids []sized
		for _, r := range list {
			k, err := c.unreadable(c.attribute(r.name, pos), pos, r.as)
			if err != nil {
				return k, err
			}
			kids = append(kids, k)
		}
		return c.join(opOr, pos, kids...), nil
	}
}

// unreadable returns the condition that a field is no attribute, or is one that
// cannot be cast.
func (c *sqlCompiler) unreadable(f path, pos int, as cesql.Kind) (sized, *Error) {
	t := c.typeOf(f)
	text := t.Kind == StringType || t.Kind == AnyType
	switch {
	case as == cesql.Integer && text:
		digits, err := c.digits(f, pos, allNumbers)
		return c.otherText(f, pos, digits), err
	case as == cesql.Boolean && text:
		return c.otherText(f, pos, c.words(f, pos, []bool{false, true})), nil
	case as != cesql.String || f.root != rootData:
		return never, nil
	}
	has := &expr{op: opHas, pos: int32(pos), field: f}
	kids := []sized{c.leaf(not(has)), c.leaf(&expr{op: opEqual, pos: int32(pos), field: f})}
	if t.Kind == AnyType {
		some := &expr{op: opExists, pos: int32(pos), field: f, value: StringValue("x"), kids: []*expr{constant(BoolValue(true))}}
		kids = append(kids, c.leaf(some), c.leaf(not(some))) // one is true of lists and objects
	}
	return c.join(opOr, pos, kids...), nil
}

// castable returns the condition that a field is an attribute that can be cast.
func (c *sqlCompiler) castable(f path, pos int, as cesql.Kind) (sized, *Error) {
	q := &question{field: f, pos: pos}
	t := c.typeOf(f)
	if t.Kind == TimeType {
		return c.isTime(f, pos), nil
	}
	var kids []sized
	if t.Kind == StringType || t.Kind == AnyType {
		k := c.isText(f, pos)
		switch as {
		case cesql.Integer:
			var err *Error
			if k, err = c.digits(f, pos, allNumbers); err != nil {
				return k, err
			}
		case cesql.Boolean:
			k = c.words(f, pos, []bool{false, true})
		}
		kids = append(kids, k)
	}
	if t.Kind.isNumber() || t.Kind == AnyType {
		kids = append(kids, c.numbers(q, allNumbers))
	}
	if t.Kind == BoolType || t.Kind == AnyType {
		kids = append(kids, c.bools(q, []bool{false, true}))
	}
	return c.join(opOr, pos, kids...), nil
}
