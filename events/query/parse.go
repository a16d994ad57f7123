package query

import (
	"math"
)

// A parser makes an expression of a text.
type parser struct {
	lexer
	tok     token
	parts   parts
	session bool   // session may be used
	asks    bool   // inside of has
	element string // the name of the element, inside of exists
	depth   int
	leaves  int
}

// parse parses a whole query, which it makes of the parts.
func parse(text string, limits *Limits, session bool, parts *parts) (*expr, *Error) {
	if len(text) > limits.Text {
		return nil, limitAt(text, limits.Text, "expected a query of at most %d bytes, found %d", limits.Text, len(text))
	}
	p := &parser{lexer: lexer{text: text, limits: *limits}, session: session, parts: *parts}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokenEnd {
		return nil, errorAt(text, p.tok.start, `expected a condition such as total > 100, found nothing`)
	}
	e, err := p.condition()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEnd {
		return nil, p.unexpected("&&, || or the end")
	}
	*parts = p.parts
	return e, nil
}

func (p *parser) advance() *Error { return p.next(&p.tok) }

// words are operators of other languages.
var words = map[string]string{
	"and": "&&", "or": "||", "not": "!", "eq": "==", "ne": "!=", "lt": "<", "gt": ">", "like": "contains, startsWith or matches", "is": "==",
	"AND": "&&", "OR": "||", "NOT": "!", "LIKE": "contains, startsWith or matches", "IN": "in", "IS": "==", "TRUE": "true", "FALSE": "false", "NULL": "null",
}

// unexpected says that something else was expected at the current token.
func (p *parser) unexpected(expected string) *Error {
	found := p.text[p.tok.start:p.tok.end]
	if better := words[found]; p.tok.kind == tokenName && better != "" {
		return errorAt(p.text, p.tok.start, "expected %s, found %q; write %s", expected, found, better)
	}
	return errorAt(p.text, p.tok.start, "expected %s, found %s", expected, p.describe(p.tok))
}

func (p *parser) expect(kind tokenKind, what string) *Error {
	if p.tok.kind != kind {
		return p.unexpected(what)
	}
	return p.advance()
}

// deeper counts one more level. Who asked for it takes it back.
func (p *parser) deeper() *Error {
	if p.depth++; p.depth > p.limits.Depth {
		return limitAt(p.text, p.tok.start, "expected at most %d levels of nesting, found more", p.limits.Depth)
	}
	return nil
}

// condition parses alternatives.
func (p *parser) condition() (*expr, *Error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	var t term
	err := p.disjunction(&t)
	p.depth--
	if err != nil {
		return nil, err
	}
	return p.asCondition(&t)
}

// A term is an operand: a condition, a field, a value, or a list of values. It is
// big, so whoever parses one fills in that of its caller, which is empty.
type term struct {
	kind  termKind
	pos   int
	expr  *expr // the condition; or one of which only the field is known yet
	value Value
	list  []Value
}

type termKind uint8

const (
	termCondition termKind = iota
	termField
	termValue
	termList
)

func (t *term) what() string {
	return [...]string{"a condition", "a field", "a value", "a list"}[t.kind]
}

func (p *parser) disjunction(t *term) *Error { return p.chain(t, opOr, tokenOr) }

// link parses what stands between the operators of a chain.
func (p *parser) link(t *term, o op) *Error {
	if o == opOr {
		return p.chain(t, opAnd, tokenAnd)
	}
	return p.relation(t)
}

// chain parses operands with the same operator between them.
func (p *parser) chain(t *term, o op, sign tokenKind) *Error {
	if err := p.link(t, o); err != nil || p.tok.kind != sign {
		return err
	}
	pos := t.pos
	var few [8]*expr // as most have no more
	kids := few[:0]
	for {
		c, err := p.asCondition(t)
		if err != nil {
			return err
		}
		if c.op == o {
			kids = append(kids, c.kids...) // (a && b) && c is a && b && c
		} else {
			kids = append(kids, c)
		}
		if p.tok.kind != sign {
			e := p.parts.expr()
			e.op, e.pos, e.kids = o, int32(pos), append(p.parts.list(len(kids)), kids...)
			t.is(e, pos)
			return nil
		}
		if err := p.advance(); err != nil {
			return err
		}
		t.kind = termCondition
		if err := p.link(t, o); err != nil {
			return err
		}
	}
}

// is makes a term a condition.
func (t *term) is(e *expr, pos int) { t.kind, t.pos, t.expr = termCondition, pos, e }

// asCondition makes a condition of a term, if it is one.
func (p *parser) asCondition(t *term) (*expr, *Error) {
	switch {
	case t.kind == termCondition:
		return t.expr, nil
	case t.kind == termField:
		e := t.expr
		e.op, e.pos = opBool, int32(t.pos)
		return e, p.leaf(e)
	case t.kind == termValue && t.value.Kind() == Bool:
		return &expr{op: opConst, pos: int32(t.pos), value: t.value}, nil
	case t.kind == termValue:
		return nil, errorAt(p.text, t.pos, "expected a condition, found the value %s alone", t.value)
	}
	return nil, errorAt(p.text, t.pos, "expected a condition, found %s alone", t.what())
}

// leaf counts a leaf.
func (p *parser) leaf(e *expr) *Error {
	if p.leaves++; p.leaves > p.limits.Leaves {
		return limitAt(p.text, e.pos, "expected at most %d comparisons, found more", p.limits.Leaves)
	}
	return nil
}

var comparisons = [tokenMinus + 1]op{
	tokenEqual: opEqual, tokenUnequal: opUnequal, tokenLess: opLess, tokenLessEqual: opLessEqual,
	tokenGreater: opGreater, tokenGreaterEqual: opGreaterEqual,
}

// relation parses a comparison, or one operand alone.
func (p *parser) relation(left *term) *Error {
	if err := p.unary(left); err != nil {
		return err
	}
	sign := p.tok.start
	o := comparisons[p.tok.kind]
	in := p.tok.kind == tokenName && p.text[sign:p.tok.end] == "in"
	if o == 0 && !in {
		return nil
	}
	if err := p.advance(); err != nil {
		return err
	}
	var e *expr
	var err *Error
	switch {
	case p.tok.kind == tokenValue && left.kind == termField && !in && !p.isTooBig():
		e = left.expr // as most are
		e.op, e.pos, e.value = o, int32(sign), p.tok.value
		if err := p.advance(); err != nil {
			return err
		}
		err = p.leaf(e)
	default:
		e, err = p.relate(o, left, sign)
	}
	if err != nil {
		return err
	}
	if comparisons[p.tok.kind] != 0 {
		return errorAt(p.text, p.tok.start, "expected && or ||, found a second comparison: a < b < c is a < b && b < c")
	}
	left.is(e, left.pos)
	return nil
}

// relate parses what is right of a sign, and makes a condition with what is left
// of it. The operator in is 0.
func (p *parser) relate(o op, left *term, sign int) (*expr, *Error) {
	var right term
	if err := p.unary(&right); err != nil {
		return nil, err
	}
	if o == 0 {
		return p.membership(left, &right, sign)
	}
	return p.comparison(o, left, &right, sign)
}

func (p *parser) comparison(o op, left, right *term, pos int) (*expr, *Error) {
	switch {
	case left.kind != termField && left.kind != termValue:
		return nil, p.incomparable(left)
	case right.kind != termField && right.kind != termValue:
		return nil, p.incomparable(right)
	case left.kind == termValue && right.kind == termValue:
		return &expr{op: opConst, pos: int32(pos), value: compareValues(o, left.value, right.value)}, nil
	case left.kind == termValue:
		left, right, o = right, left, o.flip()
	}
	e := left.expr
	e.op, e.pos, e.value = o, int32(pos), right.value
	if right.kind == termField {
		e.value, e.rare = Value{}, &rare{other: &right.expr.field}
	}
	return e, p.leaf(e)
}

func (p *parser) incomparable(t *term) *Error {
	return errorAt(p.text, t.pos, "expected a field or a value to compare, found %s", t.what())
}

func (p *parser) membership(left, right *term, pos int) (*expr, *Error) {
	ofSession := func(t *term) bool { return t.kind == termField && t.expr.field.root == rootSession }
	var e *expr
	switch {
	case left.kind == termField && ofSession(right): // a constant list, when the query is used
		e = left.expr
		e.op, e.rare = opIn, &rare{other: &right.expr.field}
	case ofSession(left) && right.kind == termField:
		e = right.expr
		e.op, e.rare = opHolds, &rare{other: &left.expr.field}
	case left.kind == termField && right.kind == termList:
		e = left.expr
		e.op, e.rare = opIn, &rare{list: right.list}
	case left.kind == termValue && right.kind == termField:
		e = right.expr
		e.op, e.value = opHolds, left.value
	case left.kind == termValue && right.kind == termList:
		found := false
		for _, v := range right.list {
			found = found || equal(left.value, v)
		}
		return &expr{op: opConst, pos: int32(pos), value: BoolValue(found)}, nil
	default:
		return nil, errorAt(p.text, pos, `expected a field in a list (status in ["new", "paid"]) or a value in a field ("red" in tags), found %s in %s`, left.what(), right.what())
	}
	e.pos = int32(pos)
	return e, p.leaf(e)
}

// unary parses an operand with signs in front of it.
func (p *parser) unary(t *term) *Error {
	switch p.tok.kind {
	case tokenNot:
		if err := p.deeper(); err != nil {
			return err
		}
		pos := p.tok.start
		if err := p.advance(); err != nil {
			return err
		}
		if err := p.unary(t); err != nil {
			return err
		}
		p.depth--
		c, err := p.asCondition(t)
		if err != nil {
			return err
		}
		t.is(&expr{op: opNot, pos: int32(pos), kids: []*expr{c}}, pos)
		return nil
	case tokenMinus:
		return p.negative(t)
	}
	return p.operand(t)
}

// negative parses a number with a minus in front of it.
func (p *parser) negative(t *term) *Error {
	pos := p.tok.start
	if err := p.advance(); err != nil {
		return err
	}
	v := p.tok.value
	if p.tok.kind != tokenValue || !v.isNumber() {
		return p.unexpected("a number behind the minus")
	}
	switch {
	case v.kind == Int:
		v = IntValue(-v.int())
	case v.kind == Double:
		v = DoubleValue(-v.float())
	case v.num == 1<<63 && p.text[p.tok.end-1]|0x20 != 'u':
		v = IntValue(math.MinInt64)
	default:
		return errorAt(p.text, pos, "expected a uint, found a negative one")
	}
	t.kind, t.pos, t.value = termValue, pos, v
	return p.advance()
}

// operand parses what stands between operators.
func (p *parser) operand(t *term) *Error {
	tok := &p.tok
	t.pos = tok.start
	switch tok.kind {
	case tokenValue:
		if p.isTooBig() {
			return errorAt(p.text, tok.start, "expected an integer of 64 bits, found 9223372036854775808; with .0 at its end it is a double")
		}
		t.kind, t.value = termValue, tok.value
		return p.advance()
	case tokenOpen:
		if err := p.parenthesis(t); err != nil || t.kind != termField {
			return err
		}
		return p.rest(t)
	case tokenOpenList:
		return p.list(t)
	case tokenName:
		switch name := p.text[tok.start:tok.end]; name {
		case "true", "false":
			t.kind, t.value = termValue, BoolValue(name == "true")
			return p.advance()
		case "null":
			t.kind, t.value = termValue, NullValue()
			return p.advance()
		default:
			return p.name(t, name)
		}
	}
	return p.unexpected("a field or a value")
}

// isTooBig reports whether the current token is 2^63, which is an integer only
// with a minus in front of it.
func (p *parser) isTooBig() bool {
	v := &p.tok.value
	return v.kind == Uint && v.num == 1<<63 && p.text[p.tok.end-1]|0x20 != 'u'
}

func (p *parser) parenthesis(t *term) *Error {
	if err := p.deeper(); err != nil {
		return err
	}
	if err := p.advance(); err != nil {
		return err
	}
	if err := p.disjunction(t); err != nil {
		return err
	}
	p.depth--
	return p.expect(tokenClose, "&&, || or )")
}

// maxProgram bounds what a regular expression costs for each byte of a text:
// (a{100}){100} is short, and has 10,000 states.
const maxProgram = 512
