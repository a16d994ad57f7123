package query

import (
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"time"
)

// A parser makes an expression of a text.
type parser struct {
	lexer
	tok     token
	session bool   // session may be used
	asks    bool   // inside of has
	element string // the name of the element, inside of exists
	depth   int
	leaves  int
}

// parse parses a whole query.
func parse(text string, limits *Limits, session bool) (*expr, *Error) {
	if len(text) > limits.Text {
		return nil, limitAt(text, limits.Text, "expected a query of at most %d bytes, found %d", limits.Text, len(text))
	}
	p := &parser{lexer: lexer{text: text, limits: limits}, session: session}
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
	return e, nil
}

func (p *parser) advance() (err *Error) {
	p.tok, err = p.next()
	return err
}

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
	defer func() { p.depth-- }()
	t, err := p.disjunction()
	if err != nil {
		return nil, err
	}
	return p.asCondition(t)
}

// A term is an operand: a condition, a field, a value, or a list of values.
type term struct {
	kind  termKind
	pos   int
	cond  *expr
	field path
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

func (t term) what() string {
	return [...]string{"a condition", "a field", "a value", "a list"}[t.kind]
}

func (p *parser) disjunction() (term, *Error) { return p.chain(opOr, tokenOr) }

// link parses what stands between the operators of a chain.
func (p *parser) link(o op) (term, *Error) {
	if o == opOr {
		return p.chain(opAnd, tokenAnd)
	}
	return p.relation()
}

// chain parses operands with the same operator between them.
func (p *parser) chain(o op, sign tokenKind) (term, *Error) {
	first, err := p.link(o)
	if err != nil || p.tok.kind != sign {
		return first, err
	}
	e := &expr{op: o, pos: first.pos, kids: make([]*expr, 0, 4)}
	for t := first; ; {
		c, err := p.asCondition(t)
		if err != nil {
			return term{}, err
		}
		if c.op == o {
			e.kids = append(e.kids, c.kids...) // (a && b) && c is a && b && c
		} else {
			e.kids = append(e.kids, c)
		}
		if p.tok.kind != sign {
			return term{kind: termCondition, pos: first.pos, cond: e}, nil
		}
		if err := p.advance(); err != nil {
			return term{}, err
		}
		if t, err = p.link(o); err != nil {
			return term{}, err
		}
	}
}

// asCondition makes a condition of a term, if it is one.
func (p *parser) asCondition(t term) (*expr, *Error) {
	switch {
	case t.kind == termCondition:
		return t.cond, nil
	case t.kind == termField:
		return p.leaf(&expr{op: opBool, pos: t.pos, field: t.field})
	case t.kind == termValue && t.value.Kind() == Bool:
		return &expr{op: opConst, pos: t.pos, value: t.value}, nil
	case t.kind == termValue:
		return nil, errorAt(p.text, t.pos, "expected a condition, found the value %s alone", t.value)
	}
	return nil, errorAt(p.text, t.pos, "expected a condition, found %s alone", t.what())
}

// leaf counts a leaf.
func (p *parser) leaf(e *expr) (*expr, *Error) {
	if p.leaves++; p.leaves > p.limits.Leaves {
		return nil, limitAt(p.text, e.pos, "expected at most %d comparisons, found more", p.limits.Leaves)
	}
	return e, nil
}

var comparisons = [tokenMinus + 1]op{
	tokenEqual: opEqual, tokenUnequal: opUnequal, tokenLess: opLess, tokenLessEqual: opLessEqual,
	tokenGreater: opGreater, tokenGreaterEqual: opGreaterEqual,
}

// relation parses a comparison, or one operand alone.
func (p *parser) relation() (term, *Error) {
	left, err := p.unary()
	if err != nil {
		return term{}, err
	}
	sign := p.tok
	o := comparisons[sign.kind]
	compares := o != 0
	in := sign.kind == tokenName && p.text[sign.start:sign.end] == "in"
	if !compares && !in {
		return left, nil
	}
	if err := p.advance(); err != nil {
		return term{}, err
	}
	right, err := p.unary()
	if err != nil {
		return term{}, err
	}
	var e *expr
	if in {
		e, err = p.membership(left, right, sign.start)
	} else {
		e, err = p.comparison(o, left, right, sign.start)
	}
	if err != nil {
		return term{}, err
	}
	if comparisons[p.tok.kind] != 0 {
		return term{}, errorAt(p.text, p.tok.start, "expected && or ||, found a second comparison: a < b < c is a < b && b < c")
	}
	return term{kind: termCondition, pos: left.pos, cond: e}, nil
}

func (p *parser) comparison(o op, left, right term, pos int) (*expr, *Error) {
	switch {
	case left.kind != termField && left.kind != termValue:
		return nil, p.incomparable(left)
	case right.kind != termField && right.kind != termValue:
		return nil, p.incomparable(right)
	case left.kind == termValue && right.kind == termValue:
		return &expr{op: opConst, pos: pos, value: compareValues(o, left.value, right.value)}, nil
	case left.kind == termValue:
		left, right, o = right, left, o.flip()
	}
	e := &expr{op: o, pos: pos, field: left.field, value: right.value}
	if right.kind == termField {
		e.other = new(right.field)
	}
	return p.leaf(e)
}

func (p *parser) incomparable(t term) *Error {
	return errorAt(p.text, t.pos, "expected a field or a value to compare, found %s", t.what())
}

// compareValues returns what a comparison of two values says, and null for an
// error.
func compareValues(o op, a, b Value) Value {
	switch o {
	case opEqual:
		return BoolValue(equal(a, b))
	case opUnequal:
		return BoolValue(!equal(a, b))
	}
	if !ordered(a, b) {
		return NullValue()
	}
	if a.isNaN() || b.isNaN() {
		return BoolValue(false)
	}
	c := compare(a, b)
	return BoolValue(o == opLess && c < 0 || o == opLessEqual && c <= 0 || o == opGreater && c > 0 || o == opGreaterEqual && c >= 0)
}

func (p *parser) membership(left, right term, pos int) (*expr, *Error) {
	ofSession := func(t term) bool { return t.kind == termField && t.field.root == rootSession }
	switch {
	case left.kind == termField && ofSession(right): // a constant list, when the query is used
		return p.leaf(&expr{op: opIn, pos: pos, field: left.field, other: new(right.field)})
	case ofSession(left) && right.kind == termField:
		return p.leaf(&expr{op: opHolds, pos: pos, field: right.field, other: new(left.field)})
	case left.kind == termField && right.kind == termList:
		return p.leaf(&expr{op: opIn, pos: pos, field: left.field, list: right.list})
	case left.kind == termValue && right.kind == termField:
		return p.leaf(&expr{op: opHolds, pos: pos, field: right.field, value: left.value})
	case left.kind == termValue && right.kind == termList:
		found := false
		for _, v := range right.list {
			found = found || equal(left.value, v)
		}
		return &expr{op: opConst, pos: pos, value: BoolValue(found)}, nil
	}
	return nil, errorAt(p.text, pos, `expected a field in a list (status in ["new", "paid"]) or a value in a field ("red" in tags), found %s in %s`, left.what(), right.what())
}

// unary parses an operand with signs in front of it.
func (p *parser) unary() (term, *Error) {
	switch p.tok.kind {
	case tokenNot:
		if err := p.deeper(); err != nil {
			return term{}, err
		}
		defer func() { p.depth-- }()
		pos := p.tok.start
		if err := p.advance(); err != nil {
			return term{}, err
		}
		t, err := p.unary()
		if err != nil {
			return term{}, err
		}
		c, err := p.asCondition(t)
		if err != nil {
			return term{}, err
		}
		return term{kind: termCondition, pos: pos, cond: &expr{op: opNot, pos: pos, kids: []*expr{c}}}, nil
	case tokenMinus:
		return p.negative()
	}
	return p.operand()
}

// negative parses a number with a minus in front of it.
func (p *parser) negative() (term, *Error) {
	pos := p.tok.start
	if err := p.advance(); err != nil {
		return term{}, err
	}
	v := p.tok.value
	if p.tok.kind != tokenValue || !v.isNumber() {
		return term{}, p.unexpected("a number behind the minus")
	}
	switch {
	case v.kind == Int:
		v = IntValue(-v.int())
	case v.kind == Double:
		v = DoubleValue(-v.float())
	case v.num == 1<<63 && p.text[p.tok.end-1]|0x20 != 'u':
		v = IntValue(math.MinInt64)
	default:
		return term{}, errorAt(p.text, pos, "expected a uint, found a negative one")
	}
	return term{kind: termValue, pos: pos, value: v}, p.advance()
}

// operand parses what stands between operators.
func (p *parser) operand() (term, *Error) {
	t := p.tok
	switch t.kind {
	case tokenValue:
		if t.value.kind == Uint && t.value.num == 1<<63 && p.text[t.end-1]|0x20 != 'u' {
			return term{}, errorAt(p.text, t.start, "expected an integer of 64 bits, found 9223372036854775808; with .0 at its end it is a double")
		}
		return term{kind: termValue, pos: t.start, value: t.value}, p.advance()
	case tokenOpen:
		t, err := p.parenthesis()
		if err != nil || t.kind != termField {
			return t, err
		}
		return p.rest(t)
	case tokenOpenList:
		return p.list()
	case tokenName:
		switch name := p.text[t.start:t.end]; name {
		case "true", "false":
			return term{kind: termValue, pos: t.start, value: BoolValue(name == "true")}, p.advance()
		case "null":
			return term{kind: termValue, pos: t.start, value: NullValue()}, p.advance()
		default:
			return p.name(name)
		}
	}
	return term{}, p.unexpected("a field or a value")
}

func (p *parser) parenthesis() (term, *Error) {
	if err := p.deeper(); err != nil {
		return term{}, err
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil {
		return term{}, err
	}
	t, err := p.disjunction()
	if err != nil {
		return term{}, err
	}
	return t, p.expect(tokenClose, "&&, || or )")
}

// list parses a list of values.
func (p *parser) list() (term, *Error) {
	t := term{kind: termList, pos: p.tok.start}
	if err := p.advance(); err != nil {
		return term{}, err
	}
	for p.tok.kind != tokenCloseList {
		if p.tok.kind == tokenComma && len(t.list) == 0 { // [,] is empty, too
			if err := p.advance(); err != nil {
				return term{}, err
			}
			if p.tok.kind != tokenCloseList {
				return term{}, p.unexpected("]")
			}
			break
		}
		v, err := p.unary()
		if err != nil {
			return term{}, err
		}
		if v.kind != termValue {
			return term{}, errorAt(p.text, v.pos, "expected a value in the list, found %s", v.what())
		}
		if t.list = append(t.list, v.value); len(t.list) > p.limits.List {
			return term{}, limitAt(p.text, v.pos, "expected a list of at most %d values, found more", p.limits.List)
		}
		if p.tok.kind != tokenComma {
			if p.tok.kind != tokenCloseList {
				return term{}, p.unexpected(", or ]")
			}
			break
		}
		if err := p.advance(); err != nil {
			return term{}, err
		}
	}
	return t, p.advance()
}

// literal parses a string that a function takes. It may be in parentheses.
func (p *parser) literal(function string) (string, *Error) {
	if p.tok.kind == tokenOpen {
		if err := p.deeper(); err != nil {
			return "", err
		}
		defer func() { p.depth-- }()
		if err := p.advance(); err != nil {
			return "", err
		}
		s, err := p.literal(function)
		if err != nil {
			return "", err
		}
		return s, p.expect(tokenClose, ")")
	}
	if p.tok.kind != tokenValue || p.tok.value.kind != String {
		return "", p.unexpected("a string for " + function)
	}
	s := p.tok.value.str
	return s, p.advance()
}

// timestamp parses the point in time that a timestamp is written with.
func (p *parser) timestamp(pos int) (term, *Error) {
	at := p.tok.start
	s, err := p.literal("timestamp")
	if err != nil {
		return term{}, err
	}
	t, bad := readTime(s)
	if bad != "" {
		return term{}, errorAt(p.text, at, "%s", bad)
	}
	return term{kind: termValue, pos: pos, value: TimeValue(t)}, p.expect(tokenClose, ")")
}

// readTime returns a point in time, or what is wrong with it.
func readTime(s string) (t time.Time, bad string) {
	t, err := time.Parse(time.RFC3339Nano, s)
	switch {
	case err != nil:
		return t, fmt.Sprintf(`expected a time such as "2026-01-31T12:00:00Z", found %q`, s)
	case t.Year() < 1678 || t.Year() > 2261:
		return t, fmt.Sprintf("expected a time between 1678 and 2261, found %q", s)
	}
	return t, ""
}

// regexp compiles a regular expression within the limits.
func (p *parser) regexp(text string, at int) (*regexp.Regexp, *Error) {
	if len(text) > p.limits.Regexp {
		return nil, limitAt(p.text, at, "expected a regular expression of at most %d bytes, found %d", p.limits.Regexp, len(text))
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err == nil {
		var prog *syntax.Prog
		if prog, err = syntax.Compile(parsed.Simplify()); err == nil && len(prog.Inst) > maxProgram {
			return nil, limitAt(p.text, at, "expected a simpler regular expression: this one has %d states, and %d are allowed", len(prog.Inst), maxProgram)
		}
	}
	if err != nil {
		return nil, errorAt(p.text, at, "expected a regular expression of RE2: %v", err)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, errorAt(p.text, at, "expected a regular expression of RE2: %v", err)
	}
	return re, nil
}

// maxProgram bounds what a regular expression costs for each byte of a text:
// (a{100}){100} is short, and has 10,000 states.
const maxProgram = 512
