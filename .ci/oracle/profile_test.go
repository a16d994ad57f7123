package oracle

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/expr"
)

// A profile writes an expression of CEL as a query, and the values that it has
// in places where a query wants a field as fields of an event.
type profile struct {
	hoist  hoisting
	fields []string // members of the event's data, as JSON
	bound  []string // names of elements
	names  []string // that are in the event
}

// A hoisting is which values become fields.
type hoisting int

const (
	hoistNeeded hoisting = iota // only those that a query cannot have as values
	hoistLeft                   // what stands on the left as well
	hoistAll                    // what stands on both sides
)

// An outside is what a query cannot have.
type outside string

func (o outside) Error() string { return string(o) }

// Why expressions are no queries.
const (
	noArithmetic  outside = "arithmetic, and `+` of strings and lists"
	noTernary     outside = "`? :`"
	noFunction    outside = "functions: `size`, conversions, `type`, parts of a time, those of extensions"
	noMacro       outside = "`all`, `exists_one`, `map`, `filter`, and `exists` in `exists`"
	noIndex       outside = "indexes that are no strings"
	noJSON        outside = "what JSON has not: bytes, NaN, maps with keys that are no strings, durations"
	noMessage     outside = "messages, enumerations and names in packages"
	noOptional    outside = "optional values"
	noCondition   outside = "results that are neither a bool nor what a field or a value is"
	noDoubles     outside = "an integer and a double beyond 2^53, which the suite has compared as doubles"
	noComparison  outside = "comparisons of conditions, and `in` with a field or a list on its left"
	noTimestamp   outside = "times before 1678 or after 2261, and `timestamp` of what is no string"
	noPattern     outside = "a pattern or a part that is no string"
	noCheck       outside = "what is about declared types only"
	noUnknown     outside = "unknown values"
	noRejection   outside = "texts that are no CEL"
	noLimit       outside = "more than the limits of a query"
	noDisallowed  outside = "texts that CEL has and a query has not, such as names with backquotes"
	noMacrosAtAll outside = "macros that are switched off"
)

// field makes a value a field of the event.
func (p *profile) field(e ast.Expr) (string, error) {
	text, err := p.json(e)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("v%d", len(p.fields))
	p.fields = append(p.fields, fmt.Sprintf("%q:%s", name, text))
	return "data." + name, nil
}

// isValue reports whether an expression is a literal of any kind.
func isValue(e ast.Expr) bool {
	switch e.Kind() {
	case ast.LiteralKind, ast.ListKind, ast.MapKind:
		return true
	}
	return false
}

// plain returns what is within dyn, which means nothing where nothing is declared.
func plain(e ast.Expr) ast.Expr {
	for e.Kind() == ast.CallKind && e.AsCall().FunctionName() == "dyn" && len(e.AsCall().Args()) == 1 {
		e = e.AsCall().Args()[0]
	}
	return e
}

// whole writes an expression that is to be true, false or an error, or one that
// is to be a value: then as what is equal to it.
func (p *profile) whole(e ast.Expr, result *expr.Value) (string, error) {
	if result == nil {
		return p.condition(e)
	}
	e = plain(e)
	left, err := p.side(hoistLeft)(e)
	if err != nil {
		return "", err
	}
	if !isValue(e) && e.Kind() != ast.IdentKind && e.Kind() != ast.SelectKind && e.AsCall().FunctionName() != operators.Index {
		return "", noCondition
	}
	value, err := p.value(result)
	return left + " == " + value, err
}

// value writes what an expression is to be equal to.
func (p *profile) value(v *expr.Value) (string, error) {
	switch k := v.GetKind().(type) {
	case *expr.Value_Uint64Value:
		return fmt.Sprintf("%du", k.Uint64Value), nil
	case *expr.Value_StringValue:
		return strconv.Quote(k.StringValue), nil
	case *expr.Value_ListValue, *expr.Value_MapValue:
		text, err := jsonOfProto(v)
		p.fields = append(p.fields, `"wanted":`+text)
		return "data.wanted", err
	}
	return jsonOfProto(v)
}

// condition writes what is to be true or false.
func (p *profile) condition(e ast.Expr) (string, error) {
	e = plain(e)
	if e.Kind() == ast.LiteralKind && e.AsLiteral().Type() != types.BoolType || e.Kind() == ast.ListKind || e.Kind() == ast.MapKind {
		return p.field(e)
	}
	return p.operand(e)
}

// operand writes any part of an expression. Values stay values.
func (p *profile) operand(e ast.Expr) (string, error) {
	e = plain(e)
	switch e.Kind() {
	case ast.LiteralKind:
		return literalOf(e.AsLiteral())
	case ast.ListKind, ast.MapKind:
		return p.field(e)
	case ast.StructKind:
		return "", noMessage
	case ast.IdentKind:
		name := e.AsIdent()
		switch {
		case slices.Contains(p.bound, name):
			return name, nil
		case slices.Contains(p.names, name):
			return "data." + name, nil
		}
		return "", noMessage
	case ast.SelectKind:
		return p.member(e.AsSelect().Operand(), e.AsSelect().FieldName())
	case ast.CallKind:
		return p.call(e.AsCall())
	}
	return "", noDisallowed
}

// target writes what stands in front of a dot.
func (p *profile) target(e ast.Expr) (string, error) {
	if e = plain(e); isValue(e) {
		return p.field(e)
	}
	return p.operand(e)
}

func (p *profile) member(of ast.Expr, name string) (string, error) {
	on, err := p.target(of)
	if err != nil {
		return "", err
	}
	return on + "[" + strconv.Quote(name) + "]", nil
}

var infix = map[string]string{
	operators.LogicalAnd: "&&", operators.LogicalOr: "||", operators.Equals: "==", operators.NotEquals: "!=",
	operators.Less: "<", operators.LessEquals: "<=", operators.Greater: ">", operators.GreaterEquals: ">=", operators.In: "in",
}

func (p *profile) call(c ast.CallExpr) (string, error) {
	args := c.Args()
	switch name := c.FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr:
		return p.both(args, infix[name], p.condition, p.condition)
	case operators.LogicalNot:
		text, err := p.condition(args[0])
		return "!(" + text + ")", err
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return p.both(args, infix[name], p.side(hoistLeft), p.side(hoistAll))
	case operators.In:
		return p.both(args, "in", p.element(args[1]), p.list(args[0]))
	case operators.Index:
		if key := plain(args[1]); key.Kind() == ast.LiteralKind && key.AsLiteral().Type() == types.StringType {
			return p.member(args[0], string(key.AsLiteral().(types.String)))
		}
		return "", noIndex
	case operators.Conditional:
		return "", noTernary
	case operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo, operators.Negate:
		return "", noArithmetic
	case operators.OptIndex, operators.OptSelect:
		return "", noOptional
	case "has":
		text, err := p.operand(args[0])
		return "has(" + text + ")", err
	case "timestamp":
		if at := plain(args[0]); at.Kind() == ast.LiteralKind && at.AsLiteral().Type() == types.StringType {
			text, err := literalOf(at.AsLiteral())
			return "timestamp(" + text + ")", err
		}
		return "", noTimestamp
	case "startsWith", "endsWith", "contains", "matches":
		return p.test(c)
	case "exists":
		return p.each(c)
	case "all", "exists_one", "existsOne", "map", "filter":
		return "", noMacro
	}
	return "", noFunction
}

// both writes two operands with an operator between them.
func (p *profile) both(args []ast.Expr, sign string, left, right func(ast.Expr) (string, error)) (string, error) {
	l, err := left(args[0])
	if err != nil {
		return "", err
	}
	r, err := right(args[1])
	if err != nil {
		return "", err
	}
	return "(" + l + " " + sign + " " + r + ")", nil
}

// side writes an operand of a comparison, as a field if from asks for that.
func (p *profile) side(from hoisting) func(ast.Expr) (string, error) {
	return func(e ast.Expr) (string, error) {
		if e = plain(e); isValue(e) && p.hoist >= from {
			return p.field(e)
		}
		return p.operand(e)
	}
}

// element writes what stands in front of in: with a list of values behind it,
// that can be a field.
func (p *profile) element(list ast.Expr) func(ast.Expr) (string, error) {
	return func(e ast.Expr) (string, error) {
		if e = plain(e); e.Kind() == ast.LiteralKind && p.hoist == hoistLeft && isScalars(plain(list)) {
			return p.field(e)
		}
		if e.Kind() != ast.LiteralKind && !isScalars(plain(list)) {
			if _, err := p.operand(e); err != nil {
				return "", err
			}
			return "", noComparison
		}
		return p.operand(e)
	}
}

// list writes what stands behind in: a list of values, or a field.
func (p *profile) list(element ast.Expr) func(ast.Expr) (string, error) {
	return func(e ast.Expr) (string, error) {
		if e = plain(e); !isScalars(e) || p.hoist == hoistAll && plain(element).Kind() == ast.LiteralKind {
			return p.target(e)
		}
		var list []string
		for _, el := range e.AsList().Elements() {
			text, err := p.operand(el)
			if err != nil {
				return "", err
			}
			list = append(list, text)
		}
		return "[" + strings.Join(list, ", ") + "]", nil
	}
}

// isScalars reports whether an expression is a list that a query can have.
func isScalars(e ast.Expr) bool {
	return e.Kind() == ast.ListKind && len(e.AsList().OptionalIndices()) == 0 &&
		!slices.ContainsFunc(e.AsList().Elements(), func(el ast.Expr) bool { return plain(el).Kind() != ast.LiteralKind })
}

// test writes a test of a string.
func (p *profile) test(c ast.CallExpr) (string, error) {
	if !c.IsMemberFunction() {
		return "", noFunction
	}
	on, err := p.target(c.Target())
	if err != nil {
		return "", err
	}
	arg := plain(c.Args()[0])
	if arg.Kind() != ast.LiteralKind || arg.AsLiteral().Type() != types.StringType {
		return "", noPattern
	}
	text, err := literalOf(arg.AsLiteral())
	return on + "." + c.FunctionName() + "(" + text + ")", err
}

func (p *profile) each(c ast.CallExpr) (string, error) {
	if !c.IsMemberFunction() || len(c.Args()) != 2 || len(p.bound) > 0 {
		return "", noMacro
	}
	on, err := p.target(c.Target())
	if err != nil {
		return "", err
	}
	name := c.Args()[0].AsIdent()
	p.bound = append(p.bound, name)
	body, err := p.condition(c.Args()[1])
	p.bound = p.bound[:len(p.bound)-1]
	return on + ".exists(" + name + ", " + body + ")", err
}
