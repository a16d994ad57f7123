package query

import "slices"

// ParseJSON reads a query that is written as a JSON tree, which programs make
// more easily than text:
//
//	{"all": [{"field": "total", "op": ">", "value": 100}, {"not": {"has": "test"}}]}
//
// It says the same as EQL, and [Query.JSON] is the way back; docs/eql-dialects.md
// has the whole. Its error is an [*Error].
func ParseJSON(text []byte, options Options) (*Query, error) {
	return whole(text, nil, &options, (*dialect).tree)
}

const aCondition = `a condition, which is an object with "all", "any", "not", "has", "exists" or "field" in it, or true or false`

// treeMembers are the members that conditions have, by the one that says which it is.
var treeMembers = []struct {
	kind    string
	members []string
}{
	{"all", nil},
	{"any", nil},
	{"not", nil},
	{"has", nil},
	{"exists", []string{"as", "where"}},
	{"field", []string{"op", "value", "other"}},
}

// tree parses a condition.
func (d *dialect) tree(n *node) (*expr, *Error) {
	switch n.kind {
	case 't', 'f':
		return &expr{op: opConst, pos: int32(n.pos), value: BoolValue(n.kind == 't')}, nil
	case 'n': // what a comparison of values without order is
		return &expr{op: opConst, pos: int32(n.pos)}, nil
	case '{':
	default:
		return nil, d.unexpected(n, aCondition)
	}
	for _, t := range treeMembers {
		k := n.member(t.kind)
		if k == nil {
			continue
		}
		for _, m := range n.kids {
			if m != k && !slices.Contains(t.members, m.key) {
				return nil, d.errorAt(m, "expected no such member beside %q, found %q", t.kind, m.key)
			}
		}
		switch t.kind {
		case "all":
			return d.treeGroup(opAnd, k)
		case "any":
			return d.treeGroup(opOr, k)
		case "not":
			c, err := d.tree(k)
			if err != nil {
				return nil, err
			}
			return &expr{op: opNot, pos: int32(n.pos), kids: []*expr{c}}, nil
		case "has":
			f, err := d.field(k)
			if err != nil {
				return nil, err
			}
			if f.root == rootElement && len(f.names) == 0 {
				return nil, d.errorAt(k, "expected a field for has, found the element alone")
			}
			return &expr{op: opHas, pos: int32(n.pos), field: f}, nil
		case "exists":
			return d.treeExists(n, k)
		}
		return d.treeLeaf(n, k)
	}
	if len(n.kids) > 0 {
		return nil, d.errorAt(n, `expected %s, found one with %q`, aCondition, n.kids[0].key)
	}
	return nil, d.errorAt(n, "expected %s, found an empty object", aCondition)
}

func (d *dialect) treeGroup(o op, n *node) (*expr, *Error) {
	list, err := d.list(n, "an array of conditions, one at least")
	if err != nil {
		return nil, err
	}
	kids := make([]*expr, len(list))
	for i, k := range list {
		if kids[i], err = d.tree(k); err != nil {
			return nil, err
		}
	}
	return group(o, n.pos, kids...), nil
}

// defaultElement is what exists calls the element if nobody gave it a name.
const defaultElement = "it"

func (d *dialect) treeExists(n, field *node) (*expr, *Error) {
	if d.element != "" {
		return nil, d.limitAt(field, "expected no exists inside of exists, found one")
	}
	f, err := d.field(field)
	if err != nil {
		return nil, err
	}
	name := defaultElement
	if as := n.member("as"); as != nil {
		if name, err = d.string(as, `a name for the element, such as "item"`); err != nil {
			return nil, err
		}
		if _, taken := rootOf(name); taken || !isName(name) {
			return nil, d.errorAt(as, "expected a name for the element that is a word and means nothing else, found %q", name)
		}
	}
	where := n.member("where")
	if where == nil {
		return nil, d.errorAt(n, `expected "where" beside "exists": a condition about the element, which is called %q`, name)
	}
	d.element = name
	c, err := d.tree(where)
	d.element = ""
	if err != nil {
		return nil, err
	}
	return &expr{op: opExists, pos: int32(n.pos), field: f, value: StringValue(name), kids: []*expr{c}}, nil
}

var treeOps = map[string]op{
	"==": opEqual, "!=": opUnequal, "<": opLess, "<=": opLessEqual, ">": opGreater, ">=": opGreaterEqual, "in": opIn, "includes": opHolds,
	"startsWith": opPrefix, "endsWith": opSuffix, "contains": opContains, "matches": opMatches,
}

func (d *dialect) treeLeaf(n, field *node) (*expr, *Error) {
	f, err := d.field(field)
	if err != nil {
		return nil, err
	}
	sign, value, other := n.member("op"), n.member("value"), n.member("other")
	e := &expr{op: opBool, pos: int32(n.pos), field: f}
	if sign == nil {
		if value != nil || other != nil {
			return nil, d.errorAt(n, `expected "op" beside "field", such as "==": found a value without it`)
		}
		return e, nil
	}
	o, ok := treeOps[sign.text]
	if !ok || sign.kind != '"' {
		return nil, d.unexpected(sign, "one of != < <= == > >= contains endsWith in includes matches startsWith")
	}
	e.op = o
	switch {
	case value != nil && other != nil:
		return nil, d.errorAt(other, `expected "value" or "other", found both`)
	case other != nil:
		if signs[o] == "" {
			return nil, d.errorAt(other, `expected "value" beside %q, found another field`, sign.text)
		}
		with, err := d.field(other)
		e.rare = &rare{other: &with}
		return e, err
	case value == nil:
		return nil, d.errorAt(n, `expected "value" beside "op", or "other", which is a field: found neither`)
	}
	switch o {
	case opIn:
		if value.kind != '[' {
			return nil, d.unexpected(value, "an array of values")
		}
		e.rare = &rare{}
		for _, k := range value.kids {
			v, err := d.treeValue(k)
			if err != nil {
				return nil, err
			}
			e.rare.list = append(e.rare.list, v)
		}
	case opPrefix, opSuffix, opContains, opMatches:
		s, err := d.string(value, "a string")
		if err != nil {
			return nil, err
		}
		if o == opMatches {
			return d.matches(f, s, value)
		}
		e.value = StringValue(s)
	default:
		e.value, err = d.treeValue(value)
	}
	return e, err
}

// treeValue returns a scalar, or the point in time of {"timestamp": "…"}.
func (d *dialect) treeValue(n *node) (Value, *Error) {
	const expected = `a string, a number, true, false, null or {"timestamp": "2026-01-31T12:00:00Z"}`
	if n.kind != '{' {
		return d.scalar(n, expected)
	}
	at := n.member("timestamp")
	if at == nil || len(n.kids) > 1 {
		return Value{}, d.unexpected(n, expected)
	}
	return d.time(at)
}

// time returns a point in time.
func (d *dialect) time(n *node) (Value, *Error) {
	s, err := d.string(n, `a time such as "2026-01-31T12:00:00Z"`)
	if err != nil {
		return Value{}, err
	}
	t, bad := readTime(s)
	if bad != "" {
		return Value{}, d.errorAt(n, "%s", bad)
	}
	return TimeValue(t), nil
}

// field returns the field that a node names: as EQL writes it, or as an array of
// names below the data.
func (d *dialect) field(n *node) (path, *Error) {
	const expected = `a field, as a string such as "address.city" or as an array of names such as ["address", "street name"]`
	if n.kind == '[' && len(n.kids) > 0 {
		f := path{pos: int32(n.pos)}
		for _, k := range n.kids {
			name, err := d.string(k, "the name of a field")
			if err != nil {
				return path{}, err
			}
			f.names = append(f.names, name)
		}
		return f, nil
	}
	s, err := d.string(n, expected)
	if err != nil {
		return path{}, err
	}
	p := parser{lexer: lexer{text: s, limits: d.options.Limits}, session: d.options.Session, element: d.element}
	f, err := p.onlyField()
	if err != nil {
		e := d.errorAt(n, "%s", err.Text)
		e.Limit = err.Limit
		return path{}, e
	}
	f.pos = int32(n.pos)
	return f, nil
}

// onlyField parses a text that is a field and nothing else.
func (p *parser) onlyField() (path, *Error) {
	if err := p.advance(); err != nil {
		return path{}, err
	}
	if p.tok.kind != tokenName {
		return path{}, p.unexpected(`a field such as "address.city"`)
	}
	var t term
	if err := p.operand(&t); err != nil {
		return path{}, err
	}
	switch {
	case t.kind != termField:
		return path{}, errorAt(p.text, t.pos, "expected a field alone, found %s", t.what())
	case p.tok.kind != tokenEnd:
		return path{}, p.unexpected("the end of the field")
	}
	return t.expr.field, nil
}
