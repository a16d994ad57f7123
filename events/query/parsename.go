package query

import (
	"maps"
	"slices"
)

// isFunction reports whether a name with a parenthesis behind it is a function.
func isFunction(name string) bool { return name == "has" || name == "timestamp" }

// name parses what begins with a name: a field, or a function's use.
func (p *parser) name(t *term, name string) *Error {
	if isReserved(name) {
		return p.unexpected("a field or a value")
	}
	if err := p.advance(); err != nil {
		return err
	}
	switch p.tok.kind {
	case tokenName, tokenValue, tokenOpen:
		if better := words[name]; better != "" {
			return errorAt(p.text, t.pos, "expected a field or a value, found %q; write %s", name, better)
		}
	}
	if p.tok.kind == tokenOpen {
		return p.function(t, name)
	}
	return p.field(t, name)
}

func (p *parser) function(t *term, name string) *Error {
	pos := t.pos
	if !isFunction(name) {
		return errorAt(p.text, pos, "expected has or timestamp in front of the parenthesis, found %q: a query has no other functions, and exists, contains, startsWith, endsWith and matches stand behind a field", name)
	}
	if err := p.advance(); err != nil {
		return err
	}
	if name == "timestamp" {
		return p.timestamp(t, pos)
	}
	at := p.tok
	if at.kind != tokenName && at.kind != tokenOpen {
		return p.unexpected("a field for has")
	}
	p.asks = true
	err := p.operand(t)
	p.asks = false
	if err != nil {
		return err
	}
	if t.kind != termField || t.expr.field.root == rootElement && len(t.expr.field.names) == 0 {
		return errorAt(p.text, at.start, "expected a field for has, found %s", t.what())
	}
	if err := p.expect(tokenClose, ")"); err != nil {
		return err
	}
	e := t.expr
	e.op, e.pos = opHas, int32(pos)
	t.is(e, pos)
	return p.leaf(e)
}

// field parses the rest of a field, and a method that is asked of it.
func (p *parser) field(t *term, first string) *Error {
	e := p.parts.expr()
	t.kind, t.expr = termField, e
	e.field.pos = int32(t.pos)
	begin, known := rootOf(first)
	switch {
	case p.element != "" && first == p.element:
		e.field.root = rootElement
	case !known:
		e.field.names, e.field.short = p.parts.name(first), first != "x" && !isFunction(first)
	case begin == rootSession && !p.session:
		return errorAt(p.text, t.pos, "expected a field of the event, found session, which only the queries of roles have; a field of the data with that name is data.session")
	default:
		e.field.root = begin
	}
	return p.rest(t)
}

// rest parses what follows a field, or what begins one, also in parentheses.
func (p *parser) rest(t *term) *Error {
	f := &t.expr.field
	for {
		switch p.tok.kind {
		case tokenDot:
			if err := p.advance(); err != nil {
				return err
			}
			name, at := p.text[p.tok.start:p.tok.end], p.tok.start
			if p.tok.kind != tokenName || isKeyword(name) {
				return p.unexpected(`the name of a field behind the dot (or, if it is not a word, ["…"])`)
			}
			if err := p.advance(); err != nil {
				return err
			}
			if p.tok.kind == tokenOpen {
				return p.method(t, name, at)
			}
			f.names, f.short = append(f.names, name), false
		case tokenOpenList:
			if err := p.advance(); err != nil {
				return err
			}
			name, err := p.literal("the name of a field in brackets")
			if err != nil {
				return err
			}
			if err := p.expect(tokenCloseList, "]"); err != nil {
				return err
			}
			f.names, f.short = append(f.names, name), false
		default:
			return p.checkField(f)
		}
		if len(f.names) > p.limits.Path {
			return limitAt(p.text, f.pos, "expected a field of at most %d names, found more", p.limits.Path)
		}
	}
}

// checkField checks that what is no data has no parts.
func (p *parser) checkField(f *path) *Error {
	switch f.root {
	case rootData, rootElement:
	case rootSession:
		return p.checkSession(*f)
	default:
		if len(f.names) > 0 {
			own := path{root: f.root}.String()
			return errorAt(p.text, f.pos, "expected %s alone, which is the event's own; a field of the data with that name is data.%s", own, own)
		}
	}
	return nil
}

// checkSession checks that a session has such a property.
func (p *parser) checkSession(f path) *Error {
	switch {
	case len(f.names) == 0:
		return errorAt(p.text, f.pos, "expected session.authid, session.role or a claim such as session.claims.team, found session alone")
	case f.names[0] == claims && (len(f.names) > 1 || p.asks):
		return nil
	case f.names[0] == claims:
		return errorAt(p.text, f.pos, "expected a claim such as session.claims.team, found session.claims alone")
	case f.names[0] != authID && f.names[0] != role:
		return errorAt(p.text, f.pos, "expected session.authid, session.role or a claim such as session.claims.team, found %s", f)
	case len(f.names) > 1:
		return errorAt(p.text, f.pos, "expected session.%s alone, which is a text, found %s", f.names[0], f)
	}
	return nil
}

var methodOps = map[string]op{"startsWith": opPrefix, "endsWith": opSuffix, "contains": opContains, "matches": opMatches, "exists": opExists}

// method parses what is asked of a field, whose name begins at pos.
func (p *parser) method(t *term, name string, pos int) *Error {
	o, ok := methodOps[name]
	if !ok {
		return errorAt(p.text, pos, "expected one of %s behind the field, found %q", listed(slices.Collect(maps.Keys(methodOps))), name)
	}
	if err := p.checkField(&t.expr.field); err != nil {
		return err
	}
	if err := p.advance(); err != nil {
		return err
	}
	if o == opExists && t.expr.field.root == rootSession {
		return errorAt(p.text, pos, "expected a field of the event for exists, found %s; whether a list of the session has a value is asked by in", t.expr.field)
	}
	if o == opExists {
		return p.exists(t, pos)
	}
	argument := p.tok.start
	s, err := p.literal(name)
	if err != nil {
		return err
	}
	e := t.expr
	e.op, e.pos, e.value = o, int32(pos), StringValue(s)
	if o == opMatches {
		re, err := p.regexp(s, argument)
		if err != nil {
			return err
		}
		e.rare = &rare{pattern: re}
	}
	if err := p.expect(tokenClose, ")"); err != nil {
		return err
	}
	t.is(e, t.pos)
	return p.leaf(e)
}

// exists parses a condition about the elements of a field.
func (p *parser) exists(t *term, pos int) *Error {
	if p.element != "" {
		return limitAt(p.text, pos, "expected no exists inside of exists, found one")
	}
	opened := 0
	for ; p.tok.kind == tokenOpen; opened++ {
		if err := p.advance(); err != nil {
			return err
		}
	}
	name := p.text[p.tok.start:p.tok.end]
	if p.tok.kind != tokenName || isReserved(name) {
		return p.unexpected("a name for the element, as in items.exists(i, i.qty > 1)")
	}
	if _, taken := rootOf(name); taken {
		return errorAt(p.text, p.tok.start, "expected a name for the element that means nothing else, found %q", name)
	}
	if err := p.advance(); err != nil {
		return err
	}
	for range opened {
		if err := p.expect(tokenClose, ")"); err != nil {
			return err
		}
	}
	if err := p.expect(tokenComma, "a comma and a condition, as in items.exists(i, i.qty > 1)"); err != nil {
		return err
	}
	p.element = name
	c, err := p.condition()
	p.element = ""
	if err != nil {
		return err
	}
	if err := p.expect(tokenClose, "&&, || or )"); err != nil {
		return err
	}
	e := t.expr
	e.op, e.pos, e.value, e.kids = opExists, int32(pos), StringValue(name), []*expr{c}
	t.is(e, t.pos)
	return nil
}
