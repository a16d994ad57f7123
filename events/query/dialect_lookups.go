package query

import (
	"slices"
	"strings"
)

// ParseLookups reads Telegraphy's filters, whose lookups are those of Django: an
// object of which all members must hold, such as
//
//	{"status": "new", "total__gte": 100, "name__istartswith": "a"}
//
// or an array of {"filter": …} and {"exclude": …}, as a chain of calls makes
// them; an event that has all that an exclude says does not match. A field that
// is missing or of another kind satisfies no lookup.
//
// schema says what the fields are, and is nil if nobody knows. Its error is an
// [*Error].
func ParseLookups(text []byte, schema *Schema, options Options) (*Query, error) {
	return whole(text, schema, &options, func(d *dialect, n *node) (*expr, *Error) {
		const expected = `an object of lookups, such as {"total__gte": 100}, or an array of {"filter": …} and {"exclude": …}`
		if n.kind != '[' {
			return d.lookups(n, expected, false)
		}
		steps, err := d.list(n, expected)
		if err != nil {
			return nil, err
		}
		kids := make([]*expr, len(steps))
		for i, step := range steps {
			k, err := d.only(step, `{"filter": …} or {"exclude": …}`)
			if err != nil {
				return nil, err
			}
			if k.key != "filter" && k.key != "exclude" {
				return nil, d.errorAt(step, `expected {"filter": …} or {"exclude": …}, found one with %q`, k.key)
			}
			if kids[i], err = d.lookups(k, "an object of lookups", k.key == "exclude"); err != nil {
				return nil, err
			}
		}
		return group(opAnd, n.pos, kids...), nil
	})
}

func (d *dialect) lookups(n *node, expected string, negate bool) (*expr, *Error) {
	members, err := d.object(n, expected)
	if err != nil {
		return nil, err
	}
	kids := make([]*expr, len(members))
	for i, m := range members {
		if kids[i], err = d.lookup(m, negate); err != nil {
			return nil, err
		}
	}
	return either(opAnd, negate, n.pos, kids...), nil
}

// lookupOps are the lookups that are one comparison.
var lookupOps = map[string]op{
	"contains": opContains, "startswith": opPrefix, "endswith": opSuffix,
	"gt": opGreater, "gte": opGreaterEqual, "lt": opLess, "lte": opLessEqual,
}

// lookupNames are all of them.
var lookupNames = []string{
	"contains", "endswith", "exact", "gt", "gte", "icontains", "iendswith", "iexact", "in", "iregex", "istartswith", "lt", "lte", "range", "regex", "startswith",
}

func (d *dialect) lookup(n *node, negate bool) (*expr, *Error) {
	name, lookup, found := strings.Cut(n.key, "__")
	if !found {
		lookup = "exact"
	}
	switch {
	case name == "":
		return nil, d.errorAt(n, "expected the name of a field, and perhaps a lookup behind two underscores, found %q", n.key)
	case !slices.Contains(lookupNames, lookup):
		return nil, d.errorAt(n, "expected one of the lookups %s behind two underscores, found %q in %q", listed(slices.Clone(lookupNames)), lookup, n.key)
	}
	f := path{names: []string{name}, pos: int32(n.keyPos)}
	t := d.typeOf(f)
	switch lookup {
	case "exact":
		v, err := d.lookupValue(n, t, "a value for exact: a string, a number, true, false or null")
		return d.test(among(f, n.pos, []Value{v}), Null, negate), err
	case "in":
		if n.kind != '[' {
			return nil, d.unexpected(n, "an array of values for in")
		}
		values := make([]Value, len(n.kids))
		for i, k := range n.kids {
			v, err := d.lookupValue(k, t, "a string, a number, true, false or null")
			if err != nil {
				return nil, err
			}
			values[i] = v
		}
		return d.test(among(f, n.pos, values), Null, negate), nil
	case "range":
		if n.kind != '[' || len(n.kids) != 2 {
			return nil, d.unexpected(n, "an array of two values for range, the lowest and the highest")
		}
		low, err := d.bound(f, t, opGreaterEqual, n.kids[0], negate)
		if err != nil {
			return nil, err
		}
		high, err := d.bound(f, t, opLessEqual, n.kids[1], negate)
		if err != nil {
			return nil, err
		}
		return either(opAnd, negate, n.pos, low, high), nil
	case "gt", "gte", "lt", "lte":
		return d.bound(f, t, lookupOps[lookup], n, negate)
	}
	return d.lookupText(f, lookup, n, negate)
}

// lookupText returns a lookup of strings.
func (d *dialect) lookupText(f path, lookup string, n *node, negate bool) (*expr, *Error) {
	s, err := d.string(n, "a string for "+lookup)
	if err != nil {
		return nil, err
	}
	leaf := &expr{op: lookupOps[lookup], pos: int32(n.pos), field: f, value: StringValue(s)}
	switch lookup {
	case "contains", "startswith", "endswith":
		return d.test(leaf, String, negate), nil
	case "iexact":
		s = folded("^", s, "$")
	case "icontains":
		s = folded("", s, "")
	case "istartswith":
		s = folded("^", s, "")
	case "iendswith":
		s = folded("", s, "$")
	case "iregex":
		s = "(?i)" + s
	}
	if leaf, err = d.matches(f, s, n); err != nil {
		return nil, err
	}
	return d.test(leaf, String, negate), nil
}

// bound returns a comparison in an order.
func (d *dialect) bound(f path, t *Type, o op, n *node, negate bool) (*expr, *Error) {
	const expected = "a number or a string, to compare with"
	if n.kind != '"' && n.kind != '0' {
		return nil, d.unexpected(n, expected)
	}
	v, err := d.lookupValue(n, t, expected)
	if err != nil {
		return nil, err
	}
	want := v.kind
	if v.isNumber() {
		want = Int
	}
	return d.test(&expr{op: o, pos: int32(n.pos), field: f, value: v}, want, negate), nil
}

// lookupValue returns a scalar, as a time if that is what the field has.
func (d *dialect) lookupValue(n *node, t *Type, expected string) (Value, *Error) {
	v, err := d.scalar(n, expected)
	if err != nil {
		return Value{}, err
	}
	return d.timely(n, t, v)
}
