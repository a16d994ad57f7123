package query

import (
	"regexp"
	"strings"
)

// valueTests returns conditions of which one is true if the field has a scalar
// that one of the tests wants. None is true of an array or an object. t is what
// the scalar is.
func (d *dialect) valueTests(f path, t *Type, tests []*node) ([]*expr, *Error) {
	var kids []*expr
	var values []Value
	first := 0
	for _, n := range tests {
		if n.kind == '{' {
			e, err := d.match(f, t, n)
			if err != nil {
				return nil, err
			}
			kids = append(kids, e)
			continue
		}
		v, err := d.scalar(n, `a string, a number, true, false, null or an object such as {"prefix": "p"}`)
		if err != nil {
			return nil, err
		}
		if v, err = d.timely(n, t, v); err != nil {
			return nil, err
		}
		if len(values) == 0 {
			first = n.pos
		}
		values = append(values, v)
	}
	if len(values) > 0 {
		kids = append([]*expr{among(f, first, values)}, kids...)
	}
	return kids, nil
}

const aMatch = `one of "prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "anything-but" and "exists"`

// match parses what is asked of a value besides being one.
func (d *dialect) match(f path, t *Type, n *node) (*expr, *Error) {
	k, err := d.only(n, aMatch)
	if err != nil {
		return nil, err
	}
	switch k.key {
	case "numeric":
		return d.numeric(f, k)
	case "anything-but":
		return d.anythingBut(f, t, k)
	case "cidr":
		return nil, d.errorAt(n, "expected %s, found %q: EQL has no IP addresses", aMatch, k.key)
	}
	return d.textMatch(f, t, k)
}

// textMatch parses what is asked of a string.
func (d *dialect) textMatch(f path, t *Type, n *node) (*expr, *Error) {
	folds := n.kind == '{'
	arg := n
	if folds && (n.key == "prefix" || n.key == "suffix") {
		k, err := d.only(n, `a string or {"equals-ignore-case": "…"}`)
		if err != nil {
			return nil, err
		}
		if k.key != "equals-ignore-case" {
			return nil, d.errorAt(n, `expected a string or {"equals-ignore-case": "…"}, found an object with %q`, k.key)
		}
		arg = k
	}
	switch n.key {
	case "prefix", "suffix", "equals-ignore-case", "wildcard":
	default:
		return nil, d.errorAt(n, "expected %s, found %q", aMatch, n.key)
	}
	s, err := d.string(arg, "a string for "+n.key)
	if err != nil {
		return nil, err
	}
	switch {
	case n.key == "wildcard":
		return d.wildcard(f, s, n)
	case n.key == "equals-ignore-case":
		return d.matches(f, folded("^", s, "$"), arg)
	case n.key == "prefix" && folds:
		return d.matches(f, folded("^", s, ""), arg)
	case n.key == "suffix" && folds:
		return d.matches(f, folded("", s, "$"), arg)
	case n.key == "prefix":
		return d.startsWith(f, t, s, n, false)
	}
	return &expr{op: opSuffix, pos: int32(n.pos), field: f, value: StringValue(s)}, nil
}

// wildcard parses a text in which * is any text.
func (d *dialect) wildcard(f path, s string, n *node) (*expr, *Error) {
	parts := []string{""}
	for i := 0; i < len(s); i++ {
		last := &parts[len(parts)-1]
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '*' || s[i+1] == '\\'):
			i++
			*last += s[i : i+1]
		case s[i] == '\\':
			return nil, d.errorAt(n, `expected * or \ behind a \ in the wildcard, found %q`, s)
		case s[i] != '*':
			*last += s[i : i+1]
		case *last == "" && len(parts) > 1:
			return nil, d.errorAt(n, "expected no two * side by side in the wildcard, found %q", s)
		default:
			parts = append(parts, "")
		}
	}
	ask := func(o op, text string) (*expr, *Error) {
		return &expr{op: o, pos: int32(n.pos), field: f, value: StringValue(text)}, nil
	}
	switch first, last := parts[0], parts[len(parts)-1]; {
	case len(parts) == 1:
		return ask(opEqual, first)
	case len(parts) == 2 && first == "" && last == "":
		return ask(opGreaterEqual, "") // any string
	case len(parts) == 2 && last == "":
		return ask(opPrefix, first)
	case len(parts) == 2 && first == "":
		return ask(opSuffix, last)
	case len(parts) == 3 && first == "" && last == "":
		return ask(opContains, parts[1])
	}
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return d.matches(f, "(?s)^"+strings.Join(parts, ".*")+"$", n)
}

var numericOps = map[string]op{"=": opEqual, "<": opLess, "<=": opLessEqual, ">": opGreater, ">=": opGreaterEqual}

// numeric parses one or two comparisons with numbers.
func (d *dialect) numeric(f path, n *node) (*expr, *Error) {
	const expected = `an array such as [">", 0, "<=", 5] for numeric`
	list, err := d.list(n, expected)
	if err != nil {
		return nil, err
	}
	if len(list) != 2 && len(list) != 4 {
		return nil, d.errorAt(n, "expected %s, found %d elements", expected, len(list))
	}
	var kids []*expr
	for i := 0; i < len(list); i += 2 {
		o, ok := numericOps[list[i].text]
		if !ok || list[i].kind != '"' {
			return nil, d.unexpected(list[i], "one of = < <= > >=")
		}
		if list[i+1].kind != '0' {
			return nil, d.unexpected(list[i+1], "a number")
		}
		v, err := d.scalar(list[i+1], "")
		if err != nil {
			return nil, err
		}
		kids = append(kids, &expr{op: o, pos: int32(list[i].pos), field: f, value: v})
	}
	if len(kids) == 2 {
		lower := func(e *expr) bool { return e.op == opGreater || e.op == opGreaterEqual }
		if kids[0].op == opEqual || kids[1].op == opEqual || lower(kids[0]) == lower(kids[1]) {
			return nil, d.errorAt(n, "expected a lower and an upper bound, or one comparison, for numeric")
		}
	}
	return group(opAnd, n.pos, kids...), nil
}

// anythingBut parses what a value must not be. It must be there.
func (d *dialect) anythingBut(f path, t *Type, n *node) (*expr, *Error) {
	if n.kind == '{' {
		k, err := d.only(n, `one of "prefix", "suffix", "equals-ignore-case" and "wildcard" for anything-but`)
		if err != nil {
			return nil, err
		}
		texts := []*node{k}
		if k.kind == '[' {
			if texts, err = d.list(k, "a string, or an array of strings, for "+k.key); err != nil {
				return nil, err
			}
		}
		kids := make([]*expr, len(texts))
		for i, text := range texts {
			s, err := d.string(text, "a string for "+k.key)
			if err != nil {
				return nil, err
			}
			if s == "" && k.key != "equals-ignore-case" {
				return nil, d.errorAt(text, "expected a string that is not empty for %s", k.key)
			}
			named := *text
			named.key = k.key
			e, err := d.textMatch(f, t, &named)
			if err != nil {
				err.Pointer = text.pointer()
				return nil, err
			}
			kids[i] = not(e)
		}
		is := group(opAnd, n.pos, kids...)
		return group(opOr, n.pos, append([]*expr{is}, d.othersOrNull(f, t, n.pos)...)...), nil
	}
	list := []*node{n}
	if n.kind == '[' {
		var err *Error
		if list, err = d.list(n, "a value or an array of values for anything-but"); err != nil {
			return nil, err
		}
	}
	values := make([]Value, len(list))
	for i, k := range list {
		if k.kind != '"' && k.kind != '0' || k.kind != list[0].kind {
			return nil, d.unexpected(k, "strings or numbers for anything-but, all of them the same")
		}
		v, err := d.scalar(k, "")
		if err != nil {
			return nil, err
		}
		if values[i], err = d.timely(k, t, v); err != nil {
			return nil, err
		}
	}
	is := among(f, n.pos, values)
	if is.op == opEqual {
		is.op = opUnequal
	} else {
		is = not(is)
	}
	if t.Kind != AnyType {
		return is, nil
	}
	// An array is not equal to the value either, but its elements are what counts.
	scalar := group(opOr, n.pos, others(f, t, n.pos, Null)...)
	return group(opAnd, n.pos, is, scalar), nil
}

// othersOrNull returns conditions of which one is true if the field has a scalar
// that is no string.
func (d *dialect) othersOrNull(f path, t *Type, pos int) []*expr {
	if f.root != rootData && f.root != rootElement {
		return nil
	}
	return others(f, t, pos, String)
}
