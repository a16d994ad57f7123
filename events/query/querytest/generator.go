package querytest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/wireroom/wireroom/events/query"
)

// A Generator makes queries and events about few fields and few values, so that
// much matches, and much almost does. Queries take some of their values from the
// events before them. It is for one goroutine at a time.
type Generator struct {
	*rand.Rand
	words   words
	cel     bool // only what CEL has
	empty   bool // events have empty strings
	exists  bool // queries have exists
	element string
	seen    map[string][]string // literals that events had in a field
}

// New returns a generator of all that queries and events can have. Generators
// with the same seed make the same.
func New(seed uint64) *Generator {
	return &Generator{Rand: rand.New(rand.NewPCG(seed, 5)), words: all, empty: true, exists: true, seen: map[string][]string{}}
}

// NewForCELGo returns a generator of what cel-go is to say the same of. That
// compares integers with doubles as doubles, so no generator has both where this
// matters: one of two has large integers, and the other large doubles. And exists
// takes the empty string for a list there, so one of two has empty strings in
// events, and the other has exists.
func NewForCELGo(seed uint64) *Generator {
	g := New(seed)
	g.cel, g.empty = true, g.IntN(2) == 0
	g.exists = !g.empty
	g.words = pick(g, inexact, doubles)
	return g
}

func pick[T any](g *Generator, list ...T) T { return list[g.IntN(len(list))] }

// field returns a field to ask something of.
func (g *Generator) field() string {
	if g.element != "" && g.IntN(4) > 0 {
		return g.element + pick(g, parts...)
	}
	if g.IntN(12) == 0 {
		return pick(g, "class", "class", "id", "topic", "time", "data")
	}
	return "data." + pick(g, fields...)
}

// literal returns a value to compare a field with.
func (g *Generator) literal(field string) string {
	if seen := g.seen[field]; len(seen) > 0 && g.IntN(3) == 0 {
		return pick(g, seen...)
	}
	if (strings.HasPrefix(field, "data.at") || field == "time") && g.IntN(4) > 0 {
		return `timestamp("` + pick(g, times...) + `")`
	}
	switch g.IntN(13) {
	case 0:
		return pick(g, "null", "true", "false")
	case 1:
		return pick(g, g.words.uints...) + "u"
	case 2:
		return pick(g, `timestamp("`+pick(g, times...)+`")`, `"`+pick(g, times...)+`"`)
	case 3, 4, 5, 6, 7:
		return `"` + g.text() + `"`
	case 8:
		return strconv.Itoa(g.IntN(200) - 20)
	}
	return pick(g, pick(g, everywhere, g.words.numbers)...)
}

// text returns a string as JSON and queries write it, without quotation marks.
func (g *Generator) text() string {
	if g.IntN(6) > 0 {
		return pick(g, texts...)
	}
	b := make([]byte, 1+g.IntN(14))
	for i := range b {
		b[i] = "ab"[g.IntN(2)]
	}
	return string(b)
}

// part returns a part of a text, for what asks for one.
func (g *Generator) part(field string) string {
	s := []rune(strings.Trim(g.literal(field), `"`))
	if strings.ContainsAny(string(s), `\"`) || g.IntN(3) == 0 {
		return g.text()
	}
	from := g.IntN(len(s) + 1)
	return string(s[from : from+g.IntN(len(s)-from+1)])
}

// Query returns a condition of at most so many levels. Many have an equality or
// so that they can be found by, as people's queries do.
func (g *Generator) Query(depth int) string {
	if depth > 0 {
		switch g.IntN(9) {
		case 0:
			return "(" + g.Query(depth-1) + " && " + g.Query(depth-1) + ")"
		case 1:
			return "(" + g.Query(depth-1) + " || " + g.Query(depth-1) + ")"
		case 2:
			return "!(" + g.Query(depth-1) + ")"
		case 3:
			a, b := g.field(), g.field()
			return "(" + g.Query(depth-1) + " && " + a + " == " + g.literal(a) + " && " + b + " == " + g.literal(b) + ")"
		case 4:
			f := g.field()
			return "(" + g.Query(depth-1) + " && " + f + " >= " + g.literal(f) + " && " + f + " < " + g.literal(f) + ")"
		case 5:
			return g.Query(depth-1) + pick(g, " && ", " || ") + g.Query(depth-1) + pick(g, " && ", " || ") + g.Query(depth-1)
		}
	}
	return g.leaf(depth)
}

func (g *Generator) leaf(depth int) string {
	f := g.field()
	switch g.IntN(17) {
	case 0, 1, 2:
		return f + pick(g, " == ", " == ", " != ") + g.literal(f)
	case 3, 4:
		return f + pick(g, " < ", " <= ", " > ", " >= ") + g.literal(f)
	case 5:
		return pick(g, "class == ", "class != ", "topic == ") + pick(g, `"order.created"`, `"order.paid"`, `"x"`)
	case 6:
		list := make([]string, g.IntN(5))
		for i := range list {
			list[i] = g.literal(f)
		}
		return f + " in [" + strings.Join(list, ", ") + "]"
	case 7, 8:
		return g.literal(f) + " in " + pick(g, f, "data.tags", "data.ats", "data.nested")
	case 9:
		return "has(" + g.presence() + ")"
	case 10, 11:
		return f + pick(g, ".startsWith(", ".endsWith(", ".contains(") + `"` + g.part(f) + `")`
	case 12:
		return f + `.matches("` + pick(g, patterns...) + `")`
	case 13:
		return g.each(depth)
	case 14:
		return f + pick(g, " == ", " != ", " < ", " >= ") + g.field()
	case 15:
		return g.literal(f) + pick(g, " == ", " != ", " < ", " <= ", " > ", " >= ") + f
	}
	return f
}

// presence returns a field that has takes.
func (g *Generator) presence() string {
	if g.element != "" && g.IntN(2) == 0 {
		return g.element + pick(g, ".sku", ".deep.z", ".missing")
	}
	f := pick(g, fields...)
	if g.cel && strings.Contains(f, "[") {
		f = "obj.z"
	}
	return "data." + f
}

// each returns an exists, or what all would be.
func (g *Generator) each(depth int) string {
	if g.element != "" || !g.exists {
		return g.field()
	}
	f := g.field()
	if g.IntN(4) > 0 {
		f = "data." + pick(g, "tags", "items", "items", "nested", "ats", "obj", "items.x")
	}
	g.element = pick(g, "x", "x", "i", "data1")
	defer func() { g.element = "" }()
	if g.IntN(4) == 0 {
		return "!" + f + ".exists(" + g.element + ", !(" + g.Query(min(depth, 2)) + "))"
	}
	return f + ".exists(" + g.element + ", " + g.Query(min(depth, 2)) + ")"
}

// Meta returns what an event has besides its data.
func (g *Generator) Meta() query.Meta {
	m := query.Meta{
		Class: pick(g, "order.created", "order.paid", "abc", ""), ID: pick(g, "a", "abc"), Topic: pick(g, "x", "abcd"),
		Time: pick(g, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2026, 1, 2, 3, 4, 5, 1, time.UTC), time.Date(2009, 1, 2, 3, 4, 5, 6, time.UTC)),
	}
	if m.Class == "" && !g.empty {
		m.Class = "a"
	}
	return m
}

// Event returns the data of an event, as JSON.
func (g *Generator) Event() string {
	var b strings.Builder
	b.WriteString(g.space() + "{" + g.space())
	for i, name := range []string{"a", "b", "c", "s", "t", "n", "z"} {
		if g.IntN(5) == 0 {
			continue
		}
		v := g.value(i)
		g.note("data."+name, v)
		if i == 1 && g.IntN(3) == 0 {
			name = `\u0062` // b
		}
		b.WriteString(`"` + name + `"` + g.space() + ":" + g.space() + v + "," + g.space())
	}
	if g.IntN(4) > 0 {
		fmt.Fprintf(&b, `"at":%s,"ats":[%s],`, g.time(), strings.Join([]string{g.time(), g.time(), g.time()}[:1+g.IntN(3)], ","))
	}
	b.WriteString(`"tags":` + g.list() + `,"items":` + g.items() + `,"nested":[` + g.list() + "," + g.list() + "," + g.items() + `],"obj":` + g.object() + g.space() + "}" + g.space())
	return b.String()
}

func (g *Generator) space() string { return pick(g, "", "", "", " ", "\n\t", "\r") }

// note keeps a value of a field for queries, if they can write it as it is.
func (g *Generator) note(field, v string) {
	if strings.ContainsAny(v, `\[{`) {
		return
	}
	if v[0] != '"' && !strings.ContainsAny(v, ".eE") {
		if _, err := strconv.ParseInt(v, 10, 64); err != nil {
			if _, err := strconv.ParseUint(v, 10, 64); err != nil {
				return // null, true, false, or too big
			}
			v += "u"
		}
	}
	if list := g.seen[field]; len(list) == 16 {
		list[g.IntN(16)] = v
	} else {
		g.seen[field] = append(list, v)
	}
}

// time returns what stands where a time is expected, seldom something else.
func (g *Generator) time() string {
	if g.IntN(10) == 0 {
		return pick(g, "null", "5", `"2026"`, `"a"`)
	}
	return `"` + pick(g, times...) + `"`
}

// written returns a JSON string.
func (g *Generator) written() string {
	s := g.text()
	if s == "" && !g.empty {
		s = "a"
	}
	if g.IntN(8) == 0 && len(s) > 0 && s[0] < 0x80 && s[0] != '\\' {
		return fmt.Sprintf(`"\u%04x%s"`, s[0], s[1:])
	}
	return `"` + s + pick(g, "", "", "", "", `\ud83d\ude00`, `\t\/`) + `"`
}

func (g *Generator) value(i int) string {
	switch {
	case g.IntN(12) == 0:
		return pick(g, "null", g.list(), g.object())
	case g.IntN(10) == 0:
		return pick(g, "true", "false")
	case (i == 3 || i == 4) && g.IntN(10) == 0:
		return `"` + pick(g, times...) + `"`
	case i == 3 || i == 4 || g.IntN(3) == 0:
		return g.written()
	case g.IntN(4) == 0:
		return strconv.Itoa(g.IntN(200) - 20)
	}
	return g.number()
}

func (g *Generator) number() string {
	switch g.IntN(8) {
	case 0:
		return pick(g, "-0", "1E+2", "1e-7", "12.50")
	case 1:
		return pick(g, g.words.uints...)
	case 2:
		if len(g.words.big) > 0 {
			return pick(g, g.words.big...)
		}
	}
	return pick(g, pick(g, everywhere, g.words.numbers)...)
}

func (g *Generator) list() string {
	if g.IntN(10) == 0 {
		return g.value(0)
	}
	list := make([]string, g.IntN(4))
	for i := range list {
		list[i] = g.value(g.IntN(3))
	}
	return "[" + g.space() + strings.Join(list, g.space()+",") + g.space() + "]"
}

func (g *Generator) items() string {
	if g.IntN(10) == 0 {
		return g.value(0)
	}
	list := make([]string, g.IntN(4))
	for i := range list {
		switch g.IntN(6) {
		case 0:
			list[i] = g.value(0)
		case 1:
			list[i] = fmt.Sprintf(`{"sku":%s,"deep":{"z":%s}}`, g.written(), g.value(0))
		default:
			list[i] = fmt.Sprintf(`{"sku":%s,"qty":%s,"tags":["a",%s]}`, g.written(), g.value(0), g.value(0))
		}
	}
	return "[" + strings.Join(list, ",") + "]"
}

func (g *Generator) object() string {
	x := g.value(0)
	switch g.IntN(8) {
	case 0:
		return "{}"
	case 1:
		return x
	case 2:
		return fmt.Sprintf(`{"x":%s,"deep":{"z":%s},"a b":1}`, x, g.value(1))
	}
	y := g.value(1)
	g.note("data.obj.x", x)
	g.note("data.obj.y", y)
	return fmt.Sprintf(`{"x":%s,"y":%s,"abc":[{}]}`, x, y)
}
