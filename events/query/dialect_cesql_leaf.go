package query

import (
	"errors"

	"github.com/wireroom/wireroom/events/query/internal/cesql"
)

// A question is an expression about one attribute: what it is for an event
// depends on what that event has there, and on nothing else.
type question struct {
	whole   *cesql.Expr   // as a Boolean
	operand *cesql.Expr   // the operand that is not constant, or whole
	others  []cesql.Value // the other operands
	left    bool          // the operand is the first
	name    string        // of the attribute
	casts   []string      // functions of it, the innermost first
	field   path
	pos     int
}

var errConstant = errors.New("a constant operand fails")

// comparison returns the outcome of what is neither constant nor logic.
func (c *sqlCompiler) comparison(e *cesql.Expr) (outcome, *Error) {
	q := &question{whole: e, operand: e, pos: c.pos(e)}
	var asked []*cesql.Expr
	switch e.Op {
	case cesql.Equal, cesql.Unequal, cesql.Less, cesql.LessEqual, cesql.Greater, cesql.GreaterEqual, cesql.Like, cesql.In:
		fails := false
		for i, k := range e.Args {
			if !k.Constant() {
				asked = append(asked, k)
				q.operand, q.left = k, i == 0
				continue
			}
			v, err := k.Eval(nil)
			fails = fails || err != nil && e.Op != cesql.In // IN may stop before
			q.others = append(q.others, v)
		}
		if fails {
			return decided(cesql.Value{}, errConstant), nil
		}
	}
	switch {
	case len(asked) == 2:
		return c.between(e, asked[0], asked[1])
	case len(asked) == 1 && isBoolean(asked[0]):
		return c.of(e, asked[0])
	}
	at := q.operand
	for at.Op == cesql.Call && sqlCasts[at.Name] {
		q.casts = append([]string{at.Name}, q.casts...)
		at = at.Args[0]
	}
	if at.Op != cesql.Attribute {
		return outcome{}, c.refuse(at)
	}
	q.name, q.field = at.Name, c.attribute(at.Name, c.pos(at))
	if c.typeOf(q.field).Kind == TimeType {
		return c.askTime(q)
	}
	return c.ask(q)
}

// sqlCasts are the functions of attributes that a filter can have.
var sqlCasts = map[string]bool{"INT": true, "BOOL": true, "STRING": true, "LOWER": true, "UPPER": true}

// refuse says what a filter cannot be.
func (c *sqlCompiler) refuse(e *cesql.Expr) *Error {
	found := "calculating with an attribute; compare the attribute itself with a constant"
	switch {
	case e.Op == cesql.Call:
		found = e.Name + " of an attribute; of its functions, INT, BOOL, STRING, LOWER and UPPER can be asked"
	case isBoolean(e):
		found = "a condition as the argument of a function; write the condition alone"
	}
	return c.errorAt(e.Pos, "expected what EQL can say, found %s", found)
}

// isBoolean reports whether an expression is a Boolean whatever its operands are.
func isBoolean(e *cesql.Expr) bool {
	switch e.Op {
	case cesql.Literal, cesql.Attribute, cesql.Call, cesql.Negate, cesql.Add, cesql.Subtract, cesql.Multiply, cesql.Divide, cesql.Modulo:
		return false
	}
	return true
}

// of returns the outcome of an expression that has a condition as an operand, and
// constants.
func (c *sqlCompiler) of(e, condition *cesql.Expr) (outcome, *Error) {
	k, err := c.outcome(condition)
	if err != nil {
		return k, err
	}
	o := outcome{yes: never, no: never, yesReads: common(k.yesReads, k.noReads), exact: k.exact, needs: k.needs}
	o.noReads = o.yesReads
	fails := never
	for _, truth := range []bool{true, false} {
		with := *e
		with.Args = make([]*cesql.Expr, len(e.Args))
		for i, a := range e.Args {
			if with.Args[i] = a; a == condition {
				with.Args[i] = &cesql.Expr{Op: cesql.Literal, Value: cesql.BooleanValue(truth)}
			}
		}
		when := k.yes
		if !truth {
			when = k.no
		}
		v := decided(with.Eval(nil))
		switch {
		case v.yes.is(true):
			o.yes = c.join(opOr, c.pos(e), o.yes, when)
		case v.no.is(true):
			o.no = c.join(opOr, c.pos(e), o.no, when)
		default:
			o.exact = false
			fails = c.join(opOr, c.pos(e), fails, when)
		}
	}
	o.fails = func() (sized, *Error) {
		first, err := k.fails()
		return c.join(opOr, c.pos(e), first, fails), err
	}
	return o, nil
}

// between returns the outcome of a comparison of two operands that are not
// constant: two conditions, or two fields of which it is known that they are
// alike. Without that, it would depend on what each event has which is cast to
// which.
func (c *sqlCompiler) between(e, a, b *cesql.Expr) (outcome, *Error) {
	if isBoolean(a) && isBoolean(b) && (e.Op == cesql.Equal || e.Op == cesql.Unequal) {
		left, err := c.outcome(a)
		if err != nil {
			return left, err
		}
		right, err := c.outcome(b)
		if err != nil {
			return right, err
		}
		o := c.xor(left, right, c.pos(e))
		if e.Op == cesql.Equal {
			o = o.turned()
		}
		return o, nil
	}
	for _, k := range []**cesql.Expr{&a, &b} {
		for (*k).Op == cesql.Call && (*k).Name == "INT" && c.isNumber((*k).Args[0]) {
			*k = (*k).Args[0]
		}
	}
	for _, k := range []*cesql.Expr{a, b} {
		if k.Op != cesql.Attribute {
			return outcome{}, c.errorAt(k.Pos, "expected an attribute alone in a comparison with another, found an expression")
		}
	}
	f, g := c.attribute(a.Name, c.pos(a)), c.attribute(b.Name, c.pos(b))
	t, u := c.typeOf(f).Kind, c.typeOf(g).Kind
	equals := e.Op == cesql.Equal || e.Op == cesql.Unequal
	switch {
	case t.isNumber() && u.isNumber(), t == BoolType && u == BoolType, equals && t == StringType && u == StringType:
	case equals && a.Name == b.Name && t == AnyType:
	default:
		return outcome{}, c.errorAt(e.Pos, "expected two attributes that the class declares both as numbers or both as bools, or if they are compared by = or != both as strings; found %s and %s", a.Name, b.Name)
	}
	// Of null, of which EQL says that it is equal to itself, this is an error.
	ask := func(o op) sized {
		return c.leaf(&expr{op: o, pos: int32(c.pos(e)), field: f, rare: &rare{other: &g}})
	}
	pos := c.pos(e)
	same, differ := c.join(opAnd, pos, ask(opLessEqual), ask(opGreaterEqual)), c.join(opOr, pos, ask(opLess), ask(opGreater))
	o := outcome{exact: true}
	switch e.Op {
	case cesql.Equal:
		o.yes, o.no = same, differ
	case cesql.Unequal:
		o.yes, o.no = differ, same
	case cesql.Less:
		o.yes, o.no = ask(opLess), ask(opGreaterEqual)
	case cesql.LessEqual:
		o.yes, o.no = ask(opLessEqual), ask(opGreater)
	case cesql.Greater:
		o.yes, o.no = ask(opGreater), ask(opLessEqual)
	case cesql.GreaterEqual:
		o.yes, o.no = ask(opGreaterEqual), ask(opLess)
	}
	for _, k := range []*cesql.Expr{a, b} {
		if c.attribute(k.Name, 0).root == rootData {
			o.needs = union(o.needs, []reading{{k.Name, cesql.String}})
		}
	}
	o.yesReads, o.noReads = o.needs, o.needs
	o.fails = c.whenNot(o.needs, pos)
	return o, nil
}

// isNumber reports whether an expression is an attribute that is declared as a
// number.
func (c *sqlCompiler) isNumber(e *cesql.Expr) bool {
	return e.Op == cesql.Attribute && c.typeOf(c.attribute(e.Name, e.Pos)).Kind.isNumber()
}

// ask returns the outcome of a question: for each kind of values that the field
// can have, what becomes of them.
func (c *sqlCompiler) ask(q *question) (outcome, *Error) {
	t := c.typeOf(q.field)
	o := outcome{yes: never, no: never, exact: true}
	as := cesql.String
	if t.Kind == StringType || t.Kind == AnyType {
		yes, no, casts, err := c.askText(q)
		if err != nil {
			return o, err
		}
		o.yes, o.no, o.exact, as = yes, no, casts != cesql.Nothing, casts
	}
	if t.Kind.isNumber() || t.Kind == AnyType {
		a, err := c.askNumber(q)
		if err != nil {
			return o, err
		}
		o.yes = c.join(opOr, q.pos, o.yes, c.numbers(q, a.yes))
		o.no = c.join(opOr, q.pos, o.no, c.numbers(q, a.no))
		o.exact = o.exact && a.total
	}
	if t.Kind == BoolType || t.Kind == AnyType {
		yes, no := q.askBool()
		o.yes = c.join(opOr, q.pos, o.yes, c.bools(q, yes))
		o.no = c.join(opOr, q.pos, o.no, c.bools(q, no))
		o.exact = o.exact && len(yes)+len(no) == 2
	}
	if q.field.root == rootData {
		o.needs = append(o.needs, reading{q.name, cesql.String})
	}
	if as == cesql.Integer || as == cesql.Boolean {
		o.needs = append(o.needs, reading{q.name, as})
	}
	o.yesReads, o.noReads = o.needs, o.needs
	if o.fails = c.whenNot(o.needs, q.pos); !o.exact {
		o.fails = func() (sized, *Error) {
			return sized{}, c.errorAt(q.whole.Pos, "expected NOT within the SQL, found an expression that fails for some values, negated from outside")
		}
	}
	return o, nil
}

// askBool returns for which Booleans in the field the question is true, and for
// which it is false.
func (q *question) askBool() (yes, no []bool) {
	for _, b := range []bool{false, true} {
		v := decided(q.whole.Eval(func(string) (cesql.Value, bool) { return cesql.BooleanValue(b), true }))
		if v.yes.is(true) {
			yes = append(yes, b)
		}
		if v.no.is(true) {
			no = append(no, b)
		}
	}
	return yes, no
}

// bools returns the condition that the field has one of the Booleans.
func (c *sqlCompiler) bools(q *question, list []bool) sized {
	if len(list) == 0 {
		return never
	}
	values := make([]Value, len(list))
	for i, b := range list {
		values[i] = BoolValue(b)
	}
	return c.leaf(among(q.field, q.pos, values))
}
