package query

import "strconv"

// ParseCloudEvents reads a filter of the CloudEvents Subscriptions API, or an
// array of filters that must all be true:
//
//	[{"prefix": {"type": "order."}}, {"not": {"exact": {"customer": "ada"}}}]
//
// The attributes type, id and time are the event's class, ID and time;
// specversion and datacontenttype are what every event has; any other attribute
// is the field of the data with that name. An attribute that an event lacks is
// equal to nothing and begins and ends with nothing, which not turns round:
// there are no errors as in EQL. sql is what [ParseCESQL] reads; not is true of
// the events for which it fails, too.
//
// schema says what the fields are, and is nil if nobody knows. Its error is an
// [*Error].
func ParseCloudEvents(text []byte, schema *Schema, options Options) (*Query, error) {
	return whole(text, schema, &options, func(d *dialect, n *node) (*expr, *Error) {
		if n.kind != '[' {
			return d.filter(n, false)
		}
		if len(n.kids) == 0 {
			return constant(BoolValue(true)), nil
		}
		return d.filters(opAnd, n, false)
	})
}

const aFilter = `a filter, which is an object with one of "exact", "prefix", "suffix", "sql", "all", "any" and "not" in it`

func (d *dialect) filters(o op, n *node, negate bool) (*expr, *Error) {
	list, err := d.list(n, "an array of filters, one at least")
	if err != nil {
		return nil, err
	}
	kids := make([]*expr, len(list))
	for i, k := range list {
		if kids[i], err = d.filter(k, negate); err != nil {
			return nil, err
		}
	}
	return either(o, negate, n.pos, kids...), nil
}

func (d *dialect) filter(n *node, negate bool) (*expr, *Error) {
	k, err := d.only(n, aFilter)
	if err != nil {
		return nil, err
	}
	switch k.key {
	case "all":
		return d.filters(opAnd, k, negate)
	case "any":
		return d.filters(opOr, k, negate)
	case "not":
		return d.filter(k, !negate)
	case "sql":
		text, err := d.string(k, "an expression of CESQL, which is a string")
		if err != nil {
			return nil, err
		}
		return d.sql(text, k, negate)
	case "exact", "prefix", "suffix":
		members, err := d.object(k, `an object of attributes and strings, such as {"type": "order.created"}`)
		if err != nil {
			return nil, err
		}
		kids := make([]*expr, len(members))
		for i, m := range members {
			if kids[i], err = d.attribute(k.key, m, negate); err != nil {
				return nil, err
			}
		}
		return either(opAnd, negate, k.pos, kids...), nil
	}
	return nil, d.errorAt(n, "expected %s, found one with %q", aFilter, k.key)
}

// attribute returns what a filter says of one attribute.
func (d *dialect) attribute(filter string, n *node, negate bool) (*expr, *Error) {
	want, err := d.string(n, "a string that is not empty")
	if err != nil {
		return nil, err
	}
	if want == "" || n.key == "" {
		return nil, d.errorAt(n, "expected the name of an attribute and a string, found an empty one")
	}
	f := path{pos: int32(n.keyPos)}
	switch n.key {
	case "specversion":
		return constantly("1.0", filter, want, negate), nil
	case "datacontenttype":
		return constantly("application/json", filter, want, negate), nil
	case "type":
		f.root = rootClass
	case "id", "time":
		f.root, _ = rootOf(n.key)
	default:
		f.names = []string{n.key}
	}
	t := d.typeOf(f)
	switch filter {
	case "prefix":
		return d.startsWith(f, t, want, n, negate)
	case "suffix":
		if t.Kind == TimeType {
			return nil, d.errorAt(n, "expected no suffix of %s, which is a time", n.key)
		}
		return d.test(&expr{op: opSuffix, pos: int32(n.pos), field: f, value: StringValue(want)}, String, negate), nil
	}
	values, err := d.written(n, t, want)
	return d.test(among(f, n.pos, values), Null, negate), err
}

// written returns the values that CloudEvents writes as the string: integers and
// booleans have a string form there.
func (d *dialect) written(n *node, t *Type, s string) ([]Value, *Error) {
	i, err := strconv.ParseInt(s, 10, 64)
	whole := err == nil && strconv.FormatInt(i, 10) == s
	truth := s == "true" || s == "false"
	switch {
	case t.Kind == TimeType:
		v, err := d.time(n)
		return []Value{v}, err
	case t.Kind.isNumber() && whole:
		return []Value{IntValue(i)}, nil
	case t.Kind == BoolType && truth:
		return []Value{BoolValue(s == "true")}, nil
	case t.Kind == AnyType && whole:
		return []Value{StringValue(s), IntValue(i)}, nil
	case t.Kind == AnyType && truth:
		return []Value{StringValue(s), BoolValue(s == "true")}, nil
	}
	return []Value{StringValue(s)}, nil
}

// constantly returns what a filter says of an attribute that all events have.
func constantly(is, filter, want string, negate bool) *expr {
	e := expr{op: map[string]op{"prefix": opPrefix, "suffix": opSuffix}[filter], value: StringValue(want)}
	holds := is == want
	if filter != "exact" {
		holds = e.testString(is)
	}
	return constant(BoolValue(holds != negate))
}
