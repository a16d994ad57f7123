package query

import "slices"

// ParseEventBridge reads an event pattern of Amazon EventBridge:
//
//	{"detail-type": ["order.created"], "detail": {"total": [{"numeric": [">", 100]}]}}
//
// Of the envelope, detail-type is the event's class, detail its data, and id and
// time are its own; the rest of it, of which events have nothing, is refused. A
// pattern for a field also looks into an array that is there.
//
// schema says what the fields are, and is nil if nobody knows; then an object
// whose pattern asks for a value counts as the array of its names. Its error is
// an [*Error].
func ParseEventBridge(text []byte, schema *Schema, options Options) (*Query, error) {
	return whole(text, schema, &options, (*dialect).envelope)
}

const aPattern = `a pattern, which is an object such as {"detail": {"status": ["new", "paid"]}}`

// envelope parses a whole pattern, or one of the alternatives on top of it.
func (d *dialect) envelope(n *node) (*expr, *Error) {
	members, err := d.object(n, aPattern)
	if err != nil {
		return nil, err
	}
	kids := make([]*expr, len(members))
	for i, m := range members {
		f := path{pos: int32(m.keyPos)}
		switch m.key {
		case "$or":
			kids[i], err = d.alternatives(m, d.envelope)
		case "detail":
			data := anything
			if d.schema != nil {
				data = &d.schema.Data
			}
			kids[i], err = d.members(f, data, m)
		case "detail-type":
			f.root = rootClass
			kids[i], err = d.pattern(f, aString, m)
		case "id":
			f.root = rootID
			kids[i], err = d.pattern(f, aString, m)
		case "time":
			f.root = rootTime
			kids[i], err = d.pattern(f, aTime, m)
		default:
			err = d.errorAt(m, `expected "detail-type", "detail", "id", "time" or "$or", found %q, which events here do not have; a field of the data is in "detail"`, m.key)
		}
		if err != nil {
			return nil, err
		}
	}
	return group(opAnd, n.pos, kids...), nil
}

// alternatives parses what $or has.
func (d *dialect) alternatives(n *node, parse func(*node) (*expr, *Error)) (*expr, *Error) {
	list, err := d.list(n, "an array of two patterns or more for $or")
	if err != nil {
		return nil, err
	}
	if len(list) < 2 {
		return nil, d.errorAt(n, "expected an array of two patterns or more for $or, found one")
	}
	kids := make([]*expr, len(list))
	for i, k := range list {
		if kids[i], err = parse(k); err != nil {
			return nil, err
		}
	}
	return group(opOr, n.pos, kids...), nil
}

// members parses a pattern for the fields of an object, which is of type t.
func (d *dialect) members(f path, t *Type, n *node) (*expr, *Error) {
	list, err := d.object(n, "an object of patterns for its fields")
	if err != nil {
		return nil, err
	}
	if limit := d.options.Limits.Path; len(f.names) >= limit { // each level asks twice: of an object, and of an array
		return nil, d.limitAt(n, "expected a field of at most %d names, found more", limit)
	}
	kids := make([]*expr, len(list))
	for i, m := range list {
		if m.key == "$or" {
			kids[i], err = d.alternatives(m, func(k *node) (*expr, *Error) { return d.members(f, t, k) })
		} else {
			part := path{root: f.root, names: append(slices.Clip(f.names), m.key), pos: int32(m.keyPos)}
			kids[i], err = d.part(part, t.below(m.key), m)
		}
		if err != nil {
			return nil, err
		}
	}
	return group(opAnd, n.pos, kids...), nil
}

// part parses the pattern for a field that is a value, or has fields itself.
func (d *dialect) part(f path, t *Type, n *node) (*expr, *Error) {
	if n.kind != '{' {
		return d.pattern(f, t, n)
	}
	// The objects of an array are asked one by one: all of the pattern must be
	// true of the same. What must not exist must not in any of them.
	deep := t.Kind == ArrayType || t.Kind == AnyType && d.element == "" && !n.asksForAbsence()
	if t.Kind == ArrayType && (d.element != "" || n.asksForAbsence()) {
		return nil, d.errorAt(n, `expected no array within an array and no "exists": false about the elements of one: %s is an array`, n.key)
	}
	var kids []*expr
	if t.Kind != ArrayType {
		c, err := d.members(f, t, n)
		if err != nil {
			return nil, err
		}
		kids = append(kids, c)
	}
	if deep {
		c, err := d.each(f, n, func(element path) (*expr, *Error) { return d.members(element, t.elements(), n) })
		if err != nil {
			return nil, err
		}
		kids = append(kids, c)
	}
	return group(opOr, n.pos, kids...), nil
}

// each returns the condition that a condition holds for an element of a field.
func (d *dialect) each(f path, n *node, condition func(path) (*expr, *Error)) (*expr, *Error) {
	d.element = defaultElement
	c, err := condition(path{root: rootElement, pos: int32(n.keyPos)})
	d.element = ""
	if err != nil {
		return nil, err
	}
	return &expr{op: opExists, pos: int32(n.pos), field: f, value: StringValue(defaultElement), kids: []*expr{c}}, nil
}

// elements returns the type of the elements of an array, if it is known.
func (t *Type) elements() *Type {
	if t.Kind == ArrayType && t.Items != nil {
		return t.Items
	}
	return anything
}

// asksForAbsence reports whether {"exists": false} is in a pattern.
func (n *node) asksForAbsence() bool {
	if n.kind == 'f' && n.key == "exists" && n.parent.kind == '{' && n.parent.parent.kind == '[' {
		return true
	}
	return slices.ContainsFunc(n.kids, (*node).asksForAbsence)
}

// pattern parses the array of what a field may be.
func (d *dialect) pattern(f path, t *Type, n *node) (*expr, *Error) {
	list, err := d.list(n, `an array of what the field may be, such as ["new", {"prefix": "p"}], or an object of patterns for its fields`)
	if err != nil {
		return nil, err
	}
	var kids []*expr
	var tests []*node // what is asked of values, not of the field
	for _, k := range list {
		exists := k.kind == '{' && len(k.kids) == 1 && k.kids[0].key == "exists"
		switch {
		case !exists:
			tests = append(tests, k)
		case k.kids[0].kind == 't' || f.root != rootData && f.root != rootElement:
			if k.kids[0].kind != 't' && k.kids[0].kind != 'f' {
				return nil, d.unexpected(k.kids[0], "true or false for exists")
			}
			if len(f.names) == 0 {
				kids = append(kids, constant(BoolValue(k.kids[0].kind == 't')))
				break
			}
			kids = append(kids, &expr{op: opHas, pos: int32(k.pos), field: f})
		case k.kids[0].kind == 'f':
			kids = append(kids, absent(f, k.pos)...)
		default:
			return nil, d.unexpected(k.kids[0], "true or false for exists")
		}
	}
	if len(tests) == 0 {
		return group(opOr, n.pos, kids...), nil
	}
	if t.Kind != ArrayType {
		found, err := d.valueTests(f, t, tests)
		if err != nil {
			return nil, err
		}
		kids = append(kids, found...)
	}
	switch {
	case t.Kind != ArrayType && t.Kind != AnyType:
	case d.element == "":
		c, err := d.each(f, n, func(element path) (*expr, *Error) {
			found, err := d.valueTests(element, t.elements(), tests)
			if err != nil {
				return nil, err
			}
			return group(opOr, n.pos, found...), nil
		})
		if err != nil {
			return nil, err
		}
		kids = append(kids, simpler(c)...)
	default:
		// Within an element there is only the question for one value.
		for _, k := range tests {
			if k.kind == '{' {
				if t.Kind == ArrayType {
					return nil, d.errorAt(k, "expected a value to look for in %s, which is an array within an array", n.key)
				}
				continue
			}
			v, err := d.scalar(k, "")
			if err != nil {
				return nil, err
			}
			kids = append(kids, &expr{op: opHolds, pos: int32(k.pos), field: f, value: v})
		}
	}
	return group(opOr, n.pos, kids...), nil
}

// simpler returns a in f for the question whether an element of f is a.
func simpler(e *expr) []*expr {
	if c := e.kids[0]; c.op == opEqual && c.field.root == rootElement && len(c.field.names) == 0 {
		return []*expr{{op: opHolds, pos: c.pos, field: e.field, value: c.value}}
	}
	return []*expr{e}
}
