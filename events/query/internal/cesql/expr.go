package cesql

import "strings"

// An Op is what a node of an expression does.
type Op uint8

// The operators. Args are their operands, from left to right.
const (
	Literal   Op = iota // Value
	Attribute           // Name
	Exists              // Name
	Not
	Negate
	And
	Or
	Xor
	Equal
	Unequal
	Less
	LessEqual
	Greater
	GreaterEqual
	Add
	Subtract
	Multiply
	Divide
	Modulo
	Like // Args[0] and, as written, Args[1]; Pattern
	In   // Args[0] is one of the others
	Call // the function Name
)

// An Expr is a node of an expression.
type Expr struct {
	Op      Op
	Pos     int // in the text, in bytes
	Args    []*Expr
	Name    string // of an attribute, in lower case; of a function, in upper case
	Value   Value  // of a literal
	Pattern Pattern
	text    string // of a string, as it is written
}

// How strongly operators bind.
const (
	bindLogic = 1 + iota
	bindComparison
	bindSum
	bindProduct
	bindIn
	bindLike
	bindUnary
)

var binary = map[string]Op{
	"AND": And, "OR": Or, "XOR": Xor, "=": Equal, "!=": Unequal, "<>": Unequal, "<": Less, "<=": LessEqual, ">": Greater, ">=": GreaterEqual,
	"+": Add, "-": Subtract, "*": Multiply, "/": Divide, "%": Modulo,
}

var signs = map[Op]string{
	And: "AND", Or: "OR", Xor: "XOR", Equal: "=", Unequal: "!=", Less: "<", LessEqual: "<=", Greater: ">", GreaterEqual: ">=",
	Add: "+", Subtract: "-", Multiply: "*", Divide: "/", Modulo: "%",
}

// binds returns how strongly an operator binds.
func (o Op) binds() int {
	switch o {
	case And, Or, Xor:
		return bindLogic
	case Equal, Unequal, Less, LessEqual, Greater, GreaterEqual:
		return bindComparison
	case Add, Subtract:
		return bindSum
	case Multiply, Divide, Modulo:
		return bindProduct
	case In:
		return bindIn
	case Like:
		return bindLike
	}
	return bindUnary
}

// String writes the expression so that parsing it gives the same again.
func (e *Expr) String() string {
	var b strings.Builder
	e.write(&b, 0)
	return b.String()
}

// write writes an expression that must bind at least so strongly.
func (e *Expr) write(b *strings.Builder, least int) {
	if e.Op.binds() < least {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	switch e.Op {
	case Literal:
		if e.text != "" {
			b.WriteString(e.text)
			return
		}
		b.WriteString(strings.ToUpper(e.Value.Text()))
	case Attribute:
		b.WriteString(e.Name)
	case Exists:
		b.WriteString("EXISTS " + e.Name)
	case Not:
		b.WriteString("NOT ")
		e.Args[0].write(b, bindUnary)
	case Negate:
		b.WriteByte('-')
		// A sign in front of an Integer would be its own.
		if k := e.Args[0]; k.Op == Literal && k.Value.Kind == Integer && k.Value.Integer >= 0 {
			b.WriteByte('(')
			defer b.WriteByte(')')
		}
		e.Args[0].write(b, bindUnary)
	case Like:
		e.Args[0].write(b, bindLike)
		b.WriteString(" LIKE ")
		e.Args[1].write(b, 0)
	case In:
		e.Args[0].write(b, bindIn)
		b.WriteString(" IN ")
		writeList(b, e.Args[1:])
	case Call:
		b.WriteString(e.Name)
		writeList(b, e.Args)
	default:
		left, right := e.Op.binds(), e.Op.binds()+1
		if left == bindLogic {
			left, right = right, left
		}
		e.Args[0].write(b, left)
		b.WriteString(" " + signs[e.Op] + " ")
		e.Args[1].write(b, right)
	}
}

func writeList(b *strings.Builder, list []*Expr) {
	b.WriteByte('(')
	for i, k := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		k.write(b, 0)
	}
	b.WriteByte(')')
}
