package cesql

import (
	"math/rand/v2"
	"strings"
)

// A generator makes expressions and events about the same few attributes, so that
// they often almost match.
type generator struct{ *rand.Rand }

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// The SDK compares bytes and not characters, and takes a % in the text for the
// one of a pattern, so there is neither here.
var (
	attributes = []string{"type", "id", "subject", "source", "a", "b", "n", "flag", "missing"}
	texts      = []string{"", "x", "xy", "XY", "y", "5", "05", "+5", "-5", "-0", "10", "12", "100", "2147483647", "-2147483648", "2147483648", "9999999999", "00000000000000007", "true", "True", "FALSE", "a_b", "order.created", " x ", "k", "5x"}
	integers   = []string{"0", "1", "-1", "5", "-5", "7", "10", "12", "99", "100", "1000", "2147483647", "-2147483648"}
	patterns   = []string{"", "%", "x", "x%", "%y", "%x%", "x_", "_", "x%y", "order.%", "%.created", "%ue", "t%e", "a\\_b", "1%%", "5", "__", "%_%", "FAL%", "+%", "10", "%a%e%"}
)

func quote(s string) string { return "'" + s + "'" }

func (g *generator) literal() string {
	switch g.IntN(5) {
	case 0:
		return pick(g, "TRUE", "false")
	case 1, 2:
		return pick(g, integers...)
	}
	return quote(pick(g, texts...))
}

// operand returns an attribute, perhaps cast, or a literal.
func (g *generator) operand() string {
	switch g.IntN(8) {
	case 0, 1:
		return g.literal()
	case 2:
		return pick(g, "INT", "BOOL", "STRING", "LOWER", "UPPER") + "(" + pick(g, attributes...) + ")"
	}
	return pick(g, attributes...)
}

// other returns what is compared with an operand: mostly a literal, since EQL
// knows too little of two attributes.
func (g *generator) other() string {
	if g.IntN(8) == 0 {
		return g.operand()
	}
	return g.literal()
}

// filter returns an expression of the kind that filters are, of at most so many
// levels.
func (g *generator) filter(depth int) string {
	if depth > 0 {
		switch g.IntN(8) {
		case 0, 1:
			return "(" + g.filter(depth-1) + pick(g, " AND ", " and ") + g.filter(depth-1) + ")"
		case 2, 3:
			return "(" + g.filter(depth-1) + " OR " + g.filter(depth-1) + ")"
		case 4:
			return "NOT (" + g.filter(depth-1) + ")"
		case 5:
			return "(" + g.filter(depth-1) + " XOR " + g.filter(depth-1) + ")"
		}
	}
	switch g.IntN(10) {
	case 0, 1, 2:
		return g.operand() + pick(g, " = ", " != ", " <> ") + g.other()
	case 3, 4:
		return g.operand() + pick(g, " < ", " <= ", " > ", " >= ") + g.other()
	case 5, 6:
		return g.operand() + pick(g, " LIKE ", " NOT LIKE ") + quote(pick(g, patterns...))
	case 7:
		list := make([]string, 1+g.IntN(4))
		for i := range list {
			list[i] = g.literal()
			if g.IntN(8) == 0 {
				list[i] = g.operand()
			}
		}
		return g.operand() + pick(g, " IN ", " NOT IN ") + "(" + strings.Join(list, ", ") + ")"
	case 8:
		return pick(g, "EXISTS ", "NOT EXISTS ") + pick(g, attributes...)
	}
	return g.operand()
}

// value returns any expression of at most so many levels.
func (g *generator) value(depth int) string {
	if depth == 0 || g.IntN(4) == 0 { // the deeper, the more fail
		return pick(g, g.operand(), g.literal(), pick(g, integers...))
	}
	below := func() string { return g.value(depth - 1) }
	switch g.IntN(9) {
	case 0, 1:
		return below() + pick(g, " + ", " - ", " * ", " / ", " % ") + below()
	case 2:
		return "(" + below() + ")"
	case 3:
		return pick(g, "-", "NOT ") + below()
	case 4:
		return pick(g, "ABS", "LENGTH", "TRIM", "IS_INT", "IS_BOOL", "CONCAT", "INT", "BOOL", "STRING", "NONE") + "(" + below() + ")"
	case 5:
		return pick(g, "LEFT", "RIGHT", "SUBSTRING", "CONCAT", "CONCAT_WS") + "(" + below() + ", " + below() + ")"
	case 6:
		return "SUBSTRING(" + below() + ", " + below() + ", " + pick(g, "0", "1", "5") + ")"
	case 7:
		return below() + pick(g, " = ", " < ", " AND ", " OR ", " XOR ", " != ", " >= ") + below()
	}
	return g.filter(depth - 1)
}

// event returns the attributes of an event.
func (g *generator) event() map[string]any {
	event := map[string]any{
		"specversion": "1.0", "datacontenttype": "application/json", "source": "x",
		"id": pick(g, "x", "xy", "5"), "type": pick(g, "order.created", "x", "true"),
	}
	for _, name := range []string{"subject", "a", "b", "n", "flag"} {
		switch k := g.IntN(10); {
		case k == 0:
		case name == "subject" || k < 6:
			s := pick(g, texts...)
			if name == "subject" { // to the SDK it has no space around it, and something in it
				s = "s" + strings.TrimSpace(s)
			}
			event[name] = s
		case k < 8 || name == "n":
			event[name] = pick(g, 0, 1, -1, 5, -5, 7, 10, 12, 50, 99, 100, 999, 1<<31-1, -1<<31)
		default:
			event[name] = g.IntN(2) == 0
		}
	}
	return event
}
