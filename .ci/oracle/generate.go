package oracle

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A generator makes queries and events about the same few fields, so that they
// often almost match.
type generator struct {
	*rand.Rand
	element string // the name of the element, inside of exists

	// full keeps empty strings out of events. To cel-go an empty string is a
	// list without elements, for exists; the specification has no such thing.
	full bool
}

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// cel-go compares an integer and a double as doubles, so that neighbours beyond
// 2^53 are the same. Here they are not, which package query tests against
// math/big; so no double is near an integer that is not exactly a double.
var (
	numbers = []string{
		"0", "1", "-1", "2", "42", "100", "0.0", "1.0", "-0.0", "0.5", "1e2", "9007199254740993",
		"-9007199254740993", "9223372036854775807", "1e308", "-1e308", "5e-324",
	}
	uints   = []string{"0u", "1u", "42u", "9223372036854775808u", "18446744073709551615u"}
	strs    = []string{"", "a", "A", "ab", "abc", "abd", "bc", "42", "å", "電信", "a\U0001F600b", "\\n"}
	regexps = []string{"a", "^a", "b$", "^ab?c*$", "a|b", "[a-c]+", "(?i)AB", "電", "."}
	fields  = []string{"a", "b", "c", "s", "t", "n", "tags", "items", "obj", "obj.x", "obj.y", "obj.deep.z", "missing", "missing.x"}
	parts   = []string{"sku", "qty", "tags", "missing"}
)

func (g *generator) field() string {
	if g.element != "" && g.IntN(4) > 0 {
		if g.IntN(3) == 0 {
			return g.element
		}
		return g.element + "." + pick(g, parts...)
	}
	if g.IntN(20) == 0 {
		return pick(g, "class", "id", "topic", "time", "data")
	}
	return "data." + pick(g, fields...)
}

func (g *generator) literal() string {
	switch g.IntN(12) {
	case 0:
		return "null"
	case 1:
		return pick(g, "true", "false")
	case 2:
		return pick(g, uints...)
	case 3:
		return pick(g, `timestamp("2026-01-02T03:04:05Z")`, `timestamp("2026-01-02T03:04:05.000000001+01:00")`)
	case 4, 5, 6, 7:
		return quote(pick(g, strs...))
	}
	return pick(g, numbers...)
}

func quote(s string) string { return `"` + s + `"` }

// query returns a condition of at most so many levels.
func (g *generator) query(depth int) string {
	if depth > 0 {
		switch g.IntN(6) {
		case 0:
			return "(" + g.query(depth-1) + " && " + g.query(depth-1) + ")"
		case 1:
			return "(" + g.query(depth-1) + " || " + g.query(depth-1) + ")"
		case 2:
			return "!(" + g.query(depth-1) + ")"
		case 3:
			return g.query(depth-1) + pick(g, " && ", " || ") + g.query(depth-1) + pick(g, " && ", " || ") + g.query(depth-1)
		}
	}
	switch g.IntN(14) {
	case 0, 1, 2:
		return g.field() + pick(g, " == ", " != ") + g.literal()
	case 3, 4:
		return g.field() + pick(g, " < ", " <= ", " > ", " >= ") + g.literal()
	case 5:
		return g.literal() + pick(g, " == ", " != ", " < ", " <= ", " > ", " >= ") + g.field()
	case 6:
		n := g.IntN(4)
		list := make([]string, n)
		for i := range list {
			list[i] = g.literal()
		}
		return g.field() + " in [" + strings.Join(list, ", ") + "]"
	case 7:
		return g.literal() + " in " + g.field()
	case 8:
		f := g.field()
		if !strings.Contains(f, ".") {
			f = "data." + pick(g, fields...)
		}
		return "has(" + f + ")"
	case 9:
		return g.field() + pick(g, ".startsWith(", ".endsWith(", ".contains(") + quote(pick(g, strs...)) + ")"
	case 10:
		return g.field() + ".matches(" + quote(pick(g, regexps...)) + ")"
	case 11:
		if g.element != "" {
			return g.field()
		}
		f := g.field()
		g.element = "x"
		defer func() { g.element = "" }()
		return f + ".exists(x, " + g.query(min(depth, 2)) + ")"
	case 12:
		return g.field() + pick(g, " == ", " != ", " < ", " >= ") + g.field()
	}
	return g.field()
}

// event returns the data of an event, as JSON.
func (g *generator) event() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range []string{"a", "b", "c", "s", "t", "n"} {
		if g.IntN(5) == 0 {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", name, g.value(i))
	}
	if b.Len() > 1 {
		b.WriteByte(',')
	}
	fmt.Fprintf(&b, `"tags":%s,"items":%s,"obj":%s}`, g.list(), g.items(), g.object())
	return b.String()
}

func (g *generator) value(i int) string {
	switch {
	case g.IntN(12) == 0:
		return pick(g, "null", g.list(), g.object())
	case g.IntN(10) == 0:
		return pick(g, "true", "false")
	case i == 3 || i == 4 || g.IntN(3) == 0:
		s := pick(g, strs...)
		if s == "" && g.full {
			s = "a"
		}
		return quote(s)
	}
	return pick(g, append(numbers, "9223372036854775808", "18446744073709551615")...)
}

func (g *generator) list() string {
	if g.IntN(10) == 0 {
		return g.value(0)
	}
	list := make([]string, g.IntN(4))
	for i := range list {
		list[i] = g.value(g.IntN(4))
	}
	return "[" + strings.Join(list, ",") + "]"
}

func (g *generator) items() string {
	if g.IntN(10) == 0 {
		return g.value(0)
	}
	list := make([]string, g.IntN(4))
	for i := range list {
		switch g.IntN(6) {
		case 0:
			list[i] = g.value(0)
		case 1:
			list[i] = fmt.Sprintf(`{"sku":%s}`, g.value(3))
		default:
			list[i] = fmt.Sprintf(`{"sku":%s,"qty":%s,"tags":["a",%s]}`, g.value(3), g.value(0), g.value(3))
		}
	}
	return "[" + strings.Join(list, ",") + "]"
}

func (g *generator) object() string {
	switch g.IntN(8) {
	case 0:
		return "{}"
	case 1:
		return g.value(0)
	case 2:
		return fmt.Sprintf(`{"x":%s,"deep":{"z":%s}}`, g.value(0), g.value(3))
	}
	return fmt.Sprintf(`{"x":%s,"y":%s}`, g.value(0), g.value(3))
}
