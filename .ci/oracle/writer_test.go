package oracle

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// A writer writes expressions of CEL that are queries, in any of the ways in
// which CEL lets them be written.
type writer struct {
	*rand.Rand
	bound string // the name of an element
}

func pick[T any](w *writer, list ...T) T { return list[w.IntN(len(list))] }

// space is where space may be.
func (w *writer) space() string {
	return pick(w, "", "", "", "", "", " ", "\t", "\n", "\r\n", "\f", " // \"x' 1in\n")
}

// nested is text, perhaps in parentheses.
func (w *writer) nested(text string) string {
	for w.IntN(6) == 0 {
		text = "(" + w.space() + text + w.space() + ")"
	}
	return w.space() + text + w.space()
}

func (w *writer) condition(depth int) string {
	if depth == 0 || w.IntN(3) == 0 {
		return w.nested(w.leaf(depth))
	}
	one := w.condition(depth - 1)
	switch w.IntN(4) {
	case 0:
		return w.nested("!" + w.space() + "(" + one + ")")
	case 1:
		return w.nested("!!" + "(" + one + ")")
	}
	return w.nested("(" + one + ")" + pick(w, "&&", "||") + "(" + w.condition(depth-1) + ")")
}

func (w *writer) leaf(depth int) string {
	sign := pick(w, "==", "!=", "<", "<=", ">", ">=")
	switch w.IntN(12) {
	case 0:
		return w.field()
	case 1:
		return pick(w, "true", "false")
	case 2:
		return w.operand(w.value()) + sign + w.operand(w.value())
	case 3:
		return w.operand(w.value()) + sign + w.operand(w.field())
	case 4, 5:
		return w.in(w.field(), w.list())
	case 6:
		return w.in(w.value(), pick(w, w.field(), w.list()))
	case 7:
		field := w.data() + "." + w.word()
		return "has" + w.space() + "(" + w.nested(field) + ")"
	case 8:
		return w.operand(w.field()) + "." + w.space() + pick(w, "startsWith", "endsWith", "contains") + w.space() + "(" + w.nested(w.text()) + ")"
	case 9:
		return w.operand(w.field()) + ".matches(" + w.nested(pick(w, `"a"`, `r'\d+'`, `"""^a\\.b$"""`)) + ")"
	case 10:
		if w.bound != "" {
			return "class==" + w.text()
		}
		on := w.operand(w.field())
		w.bound = pick(w, "x", "i", "item_1", "_", "exists", "data1")
		body := w.condition(depth / 2)
		text := on + ".exists(" + w.nested(w.bound) + "," + body + ")"
		w.bound = ""
		return text
	}
	return w.operand(w.field()) + sign + w.operand(w.value())
}

// operand is what stands beside an operator.
func (w *writer) operand(text string) string { return w.nested(text) }

// in writes in between two operands, with space only where there must be some.
func (w *writer) in(left, right string) string {
	last, first := left[len(left)-1], right[0]
	before, after := " ", " "
	if last >= '0' && last <= '9' && isNumber(left) || strings.ContainsRune(`"')]`, rune(last)) {
		before = pick(w, "", " ", "\n")
	}
	if strings.ContainsRune("([\"'-.", rune(first)) {
		after = pick(w, "", " ", "\t")
	}
	return left + before + "in" + after + right
}

// isNumber reports whether a text is a number, and no name that ends with one.
func isNumber(text string) bool {
	c := strings.TrimLeft(text, "- ")[0]
	return c >= '0' && c <= '9' || c == '.'
}

// word is the name of a field.
func (w *writer) word() string {
	return pick(w, "a", "b", "at", "list", "x1", "_", "inn", "if", "as", "while", "package", "namespace", "time", "data", "has", "exists", "e1", "u")
}

func (w *writer) field() string {
	if w.IntN(8) == 0 {
		return pick(w, "class", "id", "topic", "time")
	}
	return w.data()
}

// data is a field of the data, or all of it.
func (w *writer) data() string {
	text := "data"
	if w.bound != "" && w.IntN(2) == 0 {
		text = w.bound
	}
	for w.IntN(3) > 0 {
		if w.IntN(8) == 0 {
			text = "(" + w.space() + text + w.space() + ")"
		}
		if w.IntN(3) == 0 {
			text += w.space() + "[" + w.nested(w.text()) + "]"
		} else {
			text += w.space() + "." + w.space() + w.word()
		}
	}
	return text
}

func (w *writer) list() string {
	var b strings.Builder
	b.WriteString("[" + w.space())
	n := w.IntN(4)
	for i := range n {
		if i > 0 {
			b.WriteString("," + w.space())
		}
		b.WriteString(w.operand(w.value()))
	}
	if w.IntN(4) == 0 {
		b.WriteString(",")
	}
	return b.String() + w.space() + "]"
}

func (w *writer) value() string {
	switch w.IntN(10) {
	case 0:
		return pick(w, "true", "false", "null")
	case 1, 2:
		return w.text()
	case 3:
		return "timestamp" + w.space() + "(" + w.nested(pick(w, `"2026-01-02T03:04:05Z"`, `'1678-01-01T00:00:00.123456789+01:00'`, `r"""2261-12-31T23:59:59Z"""`)) + ")"
	case 4:
		return pick(w, "0x0", "0x1F", "0xaBcDeF", "-0x10", "0xffffffffffffffffu", "0x1U")
	case 5:
		return pick(w, "9223372036854775807", "-9223372036854775808", "- 9223372036854775808", "-0x8000000000000000", "18446744073709551615u", "007", "-0", "00u")
	case 6:
		return pick(w, "-", "- ", "") + pick(w, "1.5", ".5", "0.0", "1e3", "1E+3", "1.25e-7", ".5e2", "1e0", "9007199254740993.0", "5e-324", "1.7976931348623157e308")
	}
	return strconv.Itoa(w.IntN(100) - 20)
}

// text is a string.
func (w *writer) text() string {
	q := pick(w, `"`, `'`)
	inner := func(parts ...string) string {
		var b strings.Builder
		for range w.IntN(4) {
			b.WriteString(pick(w, parts...))
		}
		return b.String()
	}
	plain := []string{"a", "Z", "0", " ", "å", "🙂", "\t", "//", "in", "`", "?", "{", "\u2028", "\x00", "\x7f"}
	escaped := append([]string{
		`\n`, `\r`, `\t`, `\a`, `\b`, `\f`, `\v`, `\\`, `\'`, `\"`, `\?`, "\\`", `\x41`, `\X4a`, `\u00e5`, `\U0001F642`, `\101`, `\000`, `\377`,
	}, plain...)
	switch w.IntN(6) {
	case 0:
		return pick(w, "r", "R") + q + inner(append([]string{`\`}, plain...)...) + "b" + q
	case 1:
		return strings.Repeat(q, 3) + inner(append([]string{"\n", "\r\n", `'a`, `"a`, `""a`}, escaped...)...) + strings.Repeat(q, 3)
	case 2:
		return pick(w, "r", "R") + strings.Repeat(q, 3) + inner(append([]string{"\n", "\r", `\`, `'a`, `"a`}, plain...)...) + "b" + strings.Repeat(q, 3)
	}
	return fmt.Sprintf("%s%s%s", q, inner(escaped...), q)
}
