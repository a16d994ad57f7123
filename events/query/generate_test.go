package query_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/query"
)

// A generator makes queries and events about few fields and few values, so that
// much matches, and much almost does.
type generator struct {
	*rand.Rand
	element bool // inside of exists
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 5))}
}

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

var (
	someNumbers = []string{
		"0", "1", "2", "3", "-1", "42", "-0.0", "0.5", "1.0", "2.5e0", "1e2", "9007199254740992", "9007199254740993", "9007199254740993.0",
		"-9007199254740993", "9223372036854775807", "-9223372036854775808", "1e308", "5e-324", "18446744073709551616.0", "0.1", "123456789.123456789",
	}
	someUints = []string{"0u", "2u", "9223372036854775808u", "18446744073709551615u"}
	someTexts = []string{
		"", "a", "ab", "abc", "abcd", "abd", "b", "bcd", "42", "å", "電信", "a\U0001F600b", `\\n`, "abcdefghijkl", "xabcdefghijklx", "order.created", "order.paid",
	}
	somePatterns = []string{"a", "^a", "b$", "^abc?d*$", "a|b", "[a-c]+", "(?i)ABC", "電", ".", "order", "(bcd)+", "created|paid"}
	someFields   = []string{"a", "b", "c", "s", "t", "n", "tags", "items", "obj", "obj.x", "obj.y", "obj.deep.z", "missing", "missing.x", "tags.x", `obj["a b"]`}
	someTimes    = []string{`timestamp("2026-01-02T03:04:05Z")`, `timestamp("2026-01-02T03:04:05.000000001Z")`, `timestamp("2001-01-02T03:04:05Z")`}
)

func (g *generator) field() string {
	if g.element && g.IntN(4) > 0 {
		return pick(g, "x", "x", "x.sku", "x.qty", "x.tags", "x.missing", "x.deep.z")
	}
	if g.IntN(12) == 0 {
		return pick(g, "class", "class", "id", "topic", "time", "data")
	}
	return "data." + pick(g, someFields...)
}

func (g *generator) literal() string {
	switch g.IntN(12) {
	case 0:
		return pick(g, "null", "true", "false")
	case 1:
		return pick(g, someUints...)
	case 2:
		return pick(g, someTimes...)
	case 3, 4, 5, 6, 7:
		return `"` + pick(g, someTexts...) + `"`
	}
	return pick(g, someNumbers...)
}

// query returns a condition of at most so many levels. Many have an equality or
// so that they can be found by, as people's queries do.
func (g *generator) query(depth int) string {
	if depth > 0 {
		switch g.IntN(7) {
		case 0:
			return "(" + g.query(depth-1) + " && " + g.query(depth-1) + ")"
		case 1:
			return "(" + g.query(depth-1) + " || " + g.query(depth-1) + ")"
		case 2:
			return "!(" + g.query(depth-1) + ")"
		case 3:
			return "(" + g.query(depth-1) + " && " + g.field() + " == " + g.literal() + " && " + g.field() + " == " + g.literal() + ")"
		case 4:
			f := g.field()
			return "(" + g.query(depth-1) + " && " + f + " >= " + g.literal() + " && " + f + " < " + g.literal() + ")"
		}
	}
	switch g.IntN(15) {
	case 0, 1, 2:
		return g.field() + pick(g, " == ", " == ", " != ") + g.literal()
	case 3, 4:
		return g.field() + pick(g, " < ", " <= ", " > ", " >= ") + g.literal()
	case 5:
		return pick(g, "class == ", "class != ", "topic == ") + pick(g, `"order.created"`, `"order.paid"`, `"x"`)
	case 6:
		list := make([]string, g.IntN(5))
		for i := range list {
			list[i] = g.literal()
		}
		return g.field() + " in [" + strings.Join(list, ", ") + "]"
	case 7:
		return g.literal() + " in " + g.field()
	case 8:
		f := "data." + pick(g, someFields...)
		if g.element && g.IntN(2) == 0 {
			f = pick(g, "x.sku", "x.deep.z", "x.missing")
		}
		return "has(" + f + ")"
	case 9, 10:
		return g.field() + pick(g, ".startsWith(", ".endsWith(", ".contains(") + `"` + pick(g, someTexts...) + `")`
	case 11:
		return g.field() + `.matches("` + pick(g, somePatterns...) + `")`
	case 12:
		if g.element {
			return g.field()
		}
		f := "data." + pick(g, "tags", "items", "items", "obj", "a", "items.x")
		g.element = true
		defer func() { g.element = false }()
		return f + ".exists(x, " + g.query(min(depth, 2)) + ")"
	case 13:
		return g.field() + pick(g, " == ", " != ", " < ", " >= ") + g.field()
	}
	return g.field()
}

// event returns the data of an event, as JSON.
func (g *generator) event() string {
	var b strings.Builder
	b.WriteString(g.space() + "{" + g.space())
	for i, name := range []string{"a", "b", "c", "s", "t", "n", "z"} {
		if g.IntN(5) == 0 {
			continue
		}
		if i == 1 && g.IntN(3) == 0 {
			name = `\u0062` // b
		}
		b.WriteString(`"` + name + `"` + g.space() + ":" + g.space() + g.value(i) + "," + g.space())
	}
	b.WriteString(`"tags":` + g.list() + `,"items":` + g.items() + `,"obj":` + g.object() + g.space() + "}" + g.space())
	return b.String()
}

func (g *generator) space() string { return pick(g, "", "", "", " ", "\n\t", "\r") }

func (g *generator) text() string {
	s := pick(g, someTexts...)
	if g.IntN(8) == 0 && len(s) > 0 && s[0] < 0x80 && s[0] != '\\' {
		return fmt.Sprintf(`"\u%04x%s"`, s[0], s[1:])
	}
	return `"` + s + pick(g, "", "", "", "", `\ud83d\ude00`, `\t\/`) + `"`
}

func (g *generator) value(i int) string {
	switch {
	case g.IntN(12) == 0:
		return pick(g, "null", g.list(), g.object())
	case g.IntN(10) == 0:
		return pick(g, "true", "false")
	case i == 3 || i == 4 || g.IntN(3) == 0:
		return g.text()
	}
	return pick(g, append(someNumbers, "9223372036854775808", "18446744073709551615", "18446744073709551616", "-0", "1E+2", "0.30000000000000004")...)
}

func (g *generator) list() string {
	if g.IntN(10) == 0 {
		return g.value(0)
	}
	list := make([]string, g.IntN(4))
	for i := range list {
		list[i] = g.value(g.IntN(4))
	}
	return "[" + g.space() + strings.Join(list, g.space()+",") + g.space() + "]"
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
			list[i] = fmt.Sprintf(`{"sku":%s,"deep":{"z":%s}}`, g.value(3), g.value(0))
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
		return fmt.Sprintf(`{"x":%s,"deep":{"z":%s},"a b":1}`, g.value(0), g.value(3))
	}
	return fmt.Sprintf(`{"x":%s,"y":%s,"abc":[{}]}`, g.value(0), g.value(3))
}

func (g *generator) meta() query.Meta {
	return query.Meta{
		Class: pick(g, "order.created", "order.paid", "abc", ""), ID: pick(g, "a", "abc"), Topic: pick(g, "x", "abcd"),
		Time: pick(g, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2026, 1, 2, 3, 4, 5, 1, time.UTC), time.Date(2009, 1, 2, 3, 4, 5, 6, time.UTC)),
	}
}

// queryOf reads a generated query, however long it is.
func queryOf(t testing.TB, text string) *query.Query {
	t.Helper()
	options := query.DefaultOptions()
	options.Limits = query.Limits{Text: 1 << 16, Depth: 100, Leaves: 1000, List: 1000, Literal: 1000, Regexp: 1000, Path: 100}
	q, err := query.Parse(text, options)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

func sampleOf(t testing.TB, meta query.Meta, data string) *query.Sample {
	t.Helper()
	s, err := query.NewSample(meta, []byte(data))
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return s
}
