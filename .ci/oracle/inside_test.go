package oracle

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

// An insider tells which expressions of CEL are queries as they are, however they
// are written: by what they say, and not by what they look like.
type insider struct {
	parser *parser.Parser // without macros, so that has and exists are still there
	bound  string         // the name of an element
}

func newInsider(t *testing.T) *insider {
	t.Helper()
	p, err := parser.NewParser()
	if err != nil {
		t.Fatal(err)
	}
	return &insider{parser: p}
}

// has reports whether a text is CEL without macros, and is a query.
func (in *insider) has(text string) bool {
	parsed, errs := in.parser.Parse(common.NewTextSource(text))
	in.bound = ""
	return len(errs.GetErrors()) == 0 && in.condition(parsed.Expr())
}

func (in *insider) condition(e ast.Expr) bool {
	if e.Kind() == ast.LiteralKind {
		return e.AsLiteral().Type() == types.BoolType
	}
	if e.Kind() != ast.CallKind {
		return in.field(e)
	}
	c := e.AsCall()
	args := c.Args()
	switch c.FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot:
		return !slices.ContainsFunc(args, func(e ast.Expr) bool { return !in.condition(e) })
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return !slices.ContainsFunc(args, func(e ast.Expr) bool { return !in.field(e) && !in.value(e) })
	case operators.In:
		return in.field(args[0]) && in.list(args[1]) || in.value(args[0]) && (in.field(args[1]) || in.list(args[1]))
	case "has":
		return !c.IsMemberFunction() && len(args) == 1 && args[0].Kind() == ast.SelectKind && in.field(args[0])
	case "startsWith", "endsWith", "contains":
		return c.IsMemberFunction() && len(args) == 1 && in.field(c.Target()) && isString(args[0])
	case "matches":
		if !c.IsMemberFunction() || len(args) != 1 || !in.field(c.Target()) || !isString(args[0]) {
			return false
		}
		_, err := regexp.Compile(string(args[0].AsLiteral().(types.String)))
		return err == nil
	case "exists":
		return in.exists(c)
	}
	return in.field(e)
}

func (in *insider) exists(c ast.CallExpr) bool {
	if !c.IsMemberFunction() || len(c.Args()) != 2 || in.bound != "" || !in.field(c.Target()) || c.Args()[0].Kind() != ast.IdentKind {
		return false
	}
	name := c.Args()[0].AsIdent()
	if slices.Contains(roots, name) || name == "session" {
		return false // an exemption: an element is not called as the event's own fields are
	}
	in.bound = name
	defer func() { in.bound = "" }()
	return in.condition(c.Args()[1])
}

// roots are the names that stand for the event's own fields.
var roots = []string{"data", "class", "id", "topic", "time"}

// field reports whether an expression is a field. Only the data has parts.
func (in *insider) field(e ast.Expr) bool {
	parts := 0
	for {
		switch {
		case e.Kind() == ast.SelectKind:
			e = e.AsSelect().Operand()
		case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Index && isString(e.AsCall().Args()[1]):
			e = e.AsCall().Args()[0]
		case e.Kind() == ast.IdentKind:
			name := e.AsIdent()
			return name == "data" || in.bound != "" && name == in.bound || parts == 0 && slices.Contains(roots, name)
		default:
			return false
		}
		parts++
	}
}

// value reports whether an expression is a value that a query can have.
func (in *insider) value(e ast.Expr) bool {
	switch e.Kind() {
	case ast.LiteralKind:
		return e.AsLiteral().Type() != types.BytesType
	case ast.CallKind:
		c := e.AsCall()
		if c.FunctionName() != "timestamp" || c.IsMemberFunction() || len(c.Args()) != 1 || !isString(c.Args()[0]) {
			return false
		}
		at, err := time.Parse(time.RFC3339Nano, string(c.Args()[0].AsLiteral().(types.String)))
		return err == nil && at.Year() >= 1678 && at.Year() <= 2261
	}
	return false
}

func (in *insider) list(e ast.Expr) bool {
	return e.Kind() == ast.ListKind && len(e.AsList().OptionalIndices()) == 0 &&
		!slices.ContainsFunc(e.AsList().Elements(), func(el ast.Expr) bool { return !in.value(el) })
}

func isString(e ast.Expr) bool {
	return e.Kind() == ast.LiteralKind && e.AsLiteral().Type() == types.StringType
}
