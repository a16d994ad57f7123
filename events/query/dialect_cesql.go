package query

import (
	"errors"
	"strings"

	"github.com/wireroom/wireroom/events/query/internal/cesql"
)

// ParseCESQL reads an expression of the CloudEvents SQL Expression Language,
// version 1, as a filter:
//
//	type LIKE 'order.%' AND NOT (customer IN ('ada', 'bob'))
//
// An event satisfies it if the expression is true of it, without an error; the
// attributes are those of [ParseCloudEvents]. What no EQL can say is refused:
// calculating with attributes, and most functions of them. schema says what the
// fields are, and is nil if nobody knows. Its error is an [*Error].
func ParseCESQL(text []byte, schema *Schema, options Options) (*Query, error) {
	d := &dialect{text: string(text), options: &options, schema: schema}
	if limit := options.Limits.Text; len(text) > limit {
		return nil, limitAt(d.text, limit, "expected a query of at most %d bytes, found %d", limit, len(text))
	}
	root, err := d.sql(d.text, nil, false)
	if err != nil {
		return nil, err
	}
	return d.query(root)
}

// sql makes an expression of one of CESQL, which is the string at n, or the whole
// query if n is nil. Negated, it is true of all events that do not satisfy it, be
// it because of an error.
func (d *dialect) sql(text string, n *node, negate bool) (*expr, *Error) {
	c := &sqlCompiler{dialect: d, node: n}
	e, err := cesql.Parse(text, d.options.Limits.Depth)
	if bad, ok := errors.AsType[*cesql.SyntaxError](err); ok {
		e := c.errorAt(bad.Offset, "%s", bad.Text)
		e.Limit = bad.Limit
		return nil, e
	}
	if err := c.known(e); err != nil {
		return nil, err
	}
	o, failed := c.outcome(fixed(e))
	if failed != nil {
		return nil, failed
	}
	whole := o.yes
	if negate {
		if whole, failed = o.fails(); failed != nil {
			return nil, failed
		}
		whole = c.join(opOr, c.pos(e), o.no, whole)
	}
	if whole.e == nil {
		return nil, c.tooMany(0)
	}
	return whole.e, c.compile(whole.e)
}

func (c *sqlCompiler) tooMany(pos int) *Error {
	e := c.errorAt(pos, "expected at most %d comparisons as EQL writes them, found more", c.options.Limits.Leaves)
	e.Limit = true
	return e
}

// A sqlCompiler makes expressions of those of CESQL. An expression of CESQL is
// true or false of an event, or fails; each becomes two conditions, one that is
// true of exactly the events of which it is true, and one of those of which it is
// false. Like those of all dialects, they negate leaves only.
type sqlCompiler struct {
	*dialect
	node  *node // nil if the expression is the whole query
	asked int   // questions, which bounds what is done
}

func (c *sqlCompiler) errorAt(pos int, format string, args ...any) *Error {
	if c.node != nil {
		return c.dialect.errorAt(c.node, "byte %d of the SQL: "+format, append([]any{pos}, args...)...)
	}
	return errorAt(c.text, pos, format, args...)
}

// pos returns where in the query an expression is.
func (c *sqlCompiler) pos(e *cesql.Expr) int {
	if c.node != nil {
		return c.node.pos
	}
	return e.Pos
}

// An outcome is when an expression is true and when it is false.
type outcome struct {
	yes, no sized

	// What is readable whenever it is true, or false.
	yesReads, noReads []reading

	// If exact, the expression fails of exactly the events of which one of these
	// is not readable.
	exact bool
	needs []reading

	// fails returns when it is neither.
	fails func() (sized, *Error)
}

// A reading is an attribute and how it is read.
type reading struct {
	name string
	as   cesql.Kind // String, Integer or Boolean: what it can be cast to
}

// A sized is a condition and how many leaves it has. One that has too many is
// nil, so that nothing grows without bound.
type sized struct {
	e      *expr
	leaves int
}

var never, always = sized{e: constant(BoolValue(false))}, sized{e: constant(BoolValue(true))}

func (s sized) is(truth bool) bool {
	return s.e != nil && s.e.op == opConst && s.e.value.bool() == truth
}

// join puts o between conditions.
func (c *sqlCompiler) join(o op, pos int, kids ...sized) sized {
	leaves, tooMany := 0, false
	var exprs []*expr
	for _, k := range kids {
		switch {
		case k.is(o == opOr):
			return k // it decides
		case !k.is(o == opAnd):
			leaves, tooMany = leaves+k.leaves, tooMany || k.e == nil
			exprs = append(exprs, k.e)
		}
	}
	switch {
	case tooMany || leaves > c.options.Limits.Leaves:
		return sized{}
	case len(exprs) > 0:
		return sized{e: group(o, pos, exprs...), leaves: leaves}
	case o == opAnd:
		return always
	}
	return never
}

func (c *sqlCompiler) leaf(e *expr) sized { return sized{e: e, leaves: 1} }

// fixed puts values for the attributes that are the same for all events.
func fixed(e *cesql.Expr) *cesql.Expr {
	literal := func(v cesql.Value) *cesql.Expr { return &cesql.Expr{Op: cesql.Literal, Pos: e.Pos, Value: v} }
	switch {
	case e.Op == cesql.Attribute && e.Name == "specversion":
		return literal(cesql.StringValue("1.0"))
	case e.Op == cesql.Attribute && e.Name == "datacontenttype":
		return literal(cesql.StringValue("application/json"))
	case e.Op == cesql.Exists:
		switch e.Name {
		case "specversion", "datacontenttype", "type", "id", "time":
			return literal(cesql.BooleanValue(true))
		}
	}
	if len(e.Args) == 0 {
		return e
	}
	with := *e
	with.Args = make([]*cesql.Expr, len(e.Args))
	for i, k := range e.Args {
		with.Args[i] = fixed(k)
	}
	return &with
}

// attribute returns the field that an attribute is.
func (c *sqlCompiler) attribute(name string, pos int) path {
	f := path{pos: int32(pos)}
	switch name {
	case "type":
		f.root = rootClass
	case "id", "time":
		f.root, _ = rootOf(name)
	default:
		f.names = []string{name}
	}
	return f
}

// outcome returns when an expression, as a Boolean, is true and when it is false.
func (c *sqlCompiler) outcome(e *cesql.Expr) (outcome, *Error) {
	if e.Constant() {
		return decided(e.Eval(nil)), nil
	}
	if c.asked++; c.asked > 2*c.options.Limits.Leaves {
		return outcome{}, c.tooMany(e.Pos)
	}
	switch e.Op {
	case cesql.Not:
		o, err := c.outcome(e.Args[0])
		o.yes, o.no, o.yesReads, o.noReads = o.no, o.yes, o.noReads, o.yesReads
		return o, err
	case cesql.And, cesql.Or, cesql.Xor:
		left, err := c.outcome(e.Args[0])
		if err != nil {
			return left, err
		}
		right, err := c.outcome(e.Args[1])
		if err != nil {
			return right, err
		}
		if e.Op == cesql.Xor {
			return c.xor(left, right, c.pos(e)), nil
		}
		return c.short(e.Op == cesql.Or, left, right, c.pos(e))
	case cesql.Exists:
		f := c.attribute(e.Name, c.pos(e))
		has := &expr{op: opHas, pos: int32(c.pos(e)), field: f}
		return outcome{yes: c.leaf(has), no: c.leaf(not(has)), exact: true, fails: c.whenNot(nil, 0)}, nil
	case cesql.In:
		if e.Args[0].Constant() || !constants(e.Args[1:]) {
			return c.outcome(alternatives(e))
		}
	}
	return c.comparison(e)
}

// known refuses functions that there are not: an error of every event helps
// nobody.
func (c *sqlCompiler) known(e *cesql.Expr) *Error {
	if e.Op == cesql.Call && !e.Known() {
		return c.errorAt(e.Pos, "expected one of the functions %s, found %s with %d arguments", strings.Join(cesql.Functions(), ", "), e.Name, len(e.Args))
	}
	for _, k := range e.Args {
		if err := c.known(k); err != nil {
			return err
		}
	}
	return nil
}

func constants(list []*cesql.Expr) bool {
	for _, e := range list {
		if !e.Constant() {
			return false
		}
	}
	return true
}

// alternatives writes x IN (a, b) as a = x OR b = x, which casts, stops and fails in the
// same places.
func alternatives(e *cesql.Expr) *cesql.Expr {
	var all *cesql.Expr
	for i := len(e.Args) - 1; i > 0; i-- {
		one := &cesql.Expr{Op: cesql.Equal, Pos: e.Pos, Args: []*cesql.Expr{e.Args[i], e.Args[0]}}
		if all == nil {
			all = one
			continue
		}
		all = &cesql.Expr{Op: cesql.Or, Pos: e.Pos, Args: []*cesql.Expr{one, all}}
	}
	return all
}

// decided returns the outcome of an expression that has the same value for all
// events.
func decided(v cesql.Value, err error) outcome {
	if err == nil {
		v, err = v.Cast(cesql.Boolean)
	}
	fails := never
	o := outcome{yes: never, no: never, exact: err == nil, fails: func() (sized, *Error) { return fails, nil }}
	switch {
	case err != nil:
		fails = always
	case v.Boolean:
		o.yes = always
	default:
		o.no = always
	}
	return o
}
