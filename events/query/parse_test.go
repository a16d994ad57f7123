package query_test

import (
	"strings"
	"testing"

	"github.com/wireroom/wireroom/events/query"
)

func TestParse(t *testing.T) {
	for _, test := range []struct{ text, want, normal string }{
		{text: `class == "order.created" && customer == 42 && total > 100`, normal: `class == "order.created" && customer == 42 && total > 100`},
		{text: `a||b&&! c || (d||e)&&f`, want: `a || b && !c || (d || e) && f`, normal: `!c && b || (d || e) && f || a`},
		{text: `a && (b && c)`, want: `a && b && c`},
		{text: `((a)) == (1)`, want: `a == 1`},
		{text: `a == 1 // one`, want: `a == 1`},
		{text: "a == 1 // one\n&& b", want: `a == 1 && b`},
		{text: `5 < total`, want: `total > 5`},
		{text: `1 <= 1.0`, want: `true`},
		{text: `1 < "a" || a`, want: `0 < "" || a`, normal: `0 < "" || a`},
		{text: `2 in [1, 2.0]`, want: `true`},
		{text: `x in [1, 2.5, -3, "a", null, true,]`, want: `x in [1, 2.5, -3, "a", null, true]`, normal: `x in [null, true, -3, 1, 2.5, "a"]`},
		{text: `x in []`, want: `x in []`},
		{text: `"x" in tags`, want: `"x" in tags`},
		{text: `items.exists(i, i.sku == 'A' && i.qty > 1)`, want: `items.exists(i, i.sku == "A" && i.qty > 1)`, normal: `items.exists(x, x.qty > 1 && x.sku == "A")`},
		{text: `tags.exists(x, x == data.x)`, want: `tags.exists(x, x == data.x)`, normal: `tags.exists(x, data.x == x)`},
		{text: `data.class == 'x'`, want: `data.class == "x"`},
		{text: `data.total > 1`, want: `total > 1`},
		{text: `data["total"] > 1`, want: `total > 1`},
		{text: `address["street name"].startsWith("Ål")`, want: `address["street name"].startsWith("Ål")`},
		{text: `data["in"] == 1`, want: `data["in"] == 1`},
		{text: `data.has == 1 && data.timestamp == 2`, want: `data.has == 1 && data.timestamp == 2`},
		{text: `"a" in data`, want: `"a" in data`},
		{text: `time > timestamp("2026-01-01T01:00:00+01:00")`, want: `time > timestamp("2026-01-01T00:00:00Z")`},
		{text: `has(a.b) && !has(c)`, want: `has(a.b) && !has(c)`},
		{text: `x == -9223372036854775808`, want: `x == -9223372036854775808`},
		{text: `x == 9223372036854775808u`, want: `x == 9223372036854775808u`},
		{text: `x == 0xff || x == 0xFFu`, want: `x == 255 || x == 255u`, normal: `x == 255`},
		{text: `x == 1e3`, want: `x == 1000.0`, normal: `x == 1000`},
		{text: `x == .5 || x == 1E400 || x`, want: "-"},
		{text: `x == r"\d" && y == '''a"'b''' && z == "\x41\u00e5\101\n"`, want: `x == "\\d" && y == "a\"'b" && z == "Aå` + "A\\n\""},
		{text: `a.matches("^x+$")`, want: `a.matches("^x+$")`},
		{text: `not == 1 && and > 2`, want: `not == 1 && and > 2`},
		{text: `61in a && 1uin a && 0xain a && .5in a`, want: `61 in a && 1u in a && 10 in a && 0.5 in a`, normal: `0.5 in a && 1 in a && 10 in a && 61 in a`},
		{text: `data.if == 1 && a.package.while`, want: `data["if"] == 1 && a["package"]["while"]`},
		{text: `(data).a == 1 && ((a).b["c"]).d == 1`, want: `a == 1 && a.b.c.d == 1`},
		{text: `(class).startsWith(("a")) && (a.b).exists((x), (x).c == 1)`, want: `class.startsWith("a") && a.b.exists(x, x.c == 1)`},
		{text: `has(((a.b))) && a[("b")] && time > timestamp(("2026-01-01T00:00:00Z"))`, want: `has(a.b) && a.b && time > timestamp("2026-01-01T00:00:00Z")`},
		{text: `a in [,]`, want: `a in []`},
		{text: "a == '''\r'''", want: `a == "\n"`},
		{text: "a == r'''x\r\n\r\r\ny\n''' && b == '''\\r'''", want: `a == "x\n\n\ny\n" && b == "\r"`},

		{text: `!(a < 1)`, normal: `a >= 1`},
		{text: `!(a == 1 || !b)`, normal: `a != 1 && b`},
		{text: `a == 1 || a == 2 || a in [3, 2.0]`, normal: `a in [1, 2, 3]`},
		{text: `a != 1 && a != 2`, normal: `!(a in [1, 2])`},
		{text: `a > 1 && a > 2 && a >= 2 && a < 9`, normal: `a < 9 && a > 2`},
		{text: `a > 1 || a > 2 || a >= 1`, normal: `a >= 1`},
		{text: `a > 1 && a > "x"`, normal: `a > "x" && a > 1`},
		{text: `b && a && b`, normal: `a && b`},
		{text: `a && true`, normal: `a`},
		{text: `a && false`, normal: `false`},
		{text: `a || true`, normal: `true`},
		{text: `a || !a`, normal: `!a || a`},
		{text: `b < a && b == a`, normal: `a == b && a > b`},
	} {
		q, err := query.Parse(test.text, query.DefaultOptions())
		if err != nil {
			if test.want != "-" {
				t.Errorf("%s: %v", test.text, err)
			}
			continue
		}
		if test.want != "" && test.want != "-" && q.String() != test.want {
			t.Errorf("%s\nis %s\nwant %s", test.text, q, test.want)
		}
		if test.normal != "" && test.want != "-" && q.Normal() != test.normal {
			t.Errorf("%s\nhas the normal form %s\nwant %s", test.text, q.Normal(), test.normal)
		}
	}
}

// What a person is told who writes something else.
func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{``, `1:1: expected a condition such as total > 100, found nothing`},
		{`   `, `1:4: expected a condition such as total > 100, found nothing`},
		{`a = 1`, `1:3: expected a comparison, found a single "="; equality is ==`},
		{`a <> 1`, `1:3: expected a comparison, found "<>"; inequality is !=`},
		{`a & b`, `1:3: expected &&, found a single "&"`},
		{`a and b`, `1:3: expected &&, || or the end, found "and"; write &&`},
		{`not a`, `1:1: expected a field or a value, found "not"; write !`},
		{`name LIKE "a%"`, `1:6: expected &&, || or the end, found "LIKE"; write contains, startsWith or matches`},
		{`a == `, `1:6: expected a field or a value, found the end`},
		{"a == 1 &&\n  b c", `2:5: expected &&, || or the end, found "c"`},
		{`(a == 1`, `1:8: expected &&, || or ), found the end`},
		{`a == 1)`, `1:7: expected &&, || or the end, found ")"`},
		{`a < b < c`, `1:7: expected && or ||, found a second comparison: a < b < c is a < b && b < c`},
		{`(a && b) == c`, `1:2: expected a field or a value to compare, found a condition`},
		{`foo(x)`, `1:1: expected has or timestamp in front of the parenthesis, found "foo": a query has no other functions, and exists, contains, startsWith, endsWith and matches stand behind a field`},
		{`a.size() > 1`, `1:3: expected one of contains, endsWith, exists, matches, startsWith behind the field, found "size"`},
		{`a + 1 == 2`, `1:3: expected a comparison, found "+": a query has no arithmetic and no ?:`},
		{`a ? b : c`, `1:3: expected a comparison, found "?": a query has no arithmetic and no ?:`},
		{`{"a": 1}`, `1:1: expected a comparison, found "{": a query has no maps and no statements`},
		{`x == "abc`, `1:6: expected the end of the string ("), found the end of the query`},
		{"x == \"abc\n\"", `1:6: expected the end of the string ("), found the end of the line`},
		{`x == "a\qb"`, `1:8: expected an escape sequence, found "\q"; a backslash is \\, or write r"…"`},
		{`x == "\u12"`, `1:7: expected 4 digits behind "\u"`},
		{`x == "\ud800"`, `1:7: expected a character of Unicode, found U+D800`},
		{"x == \"\xff\"", `1:7: expected UTF-8, found the byte 0xff`},
		{`å == 1`, `1:1: expected a field, a value or an operator, found "å"`},
		{`å.x == “x”`, `1:1: expected a field, a value or an operator, found "å"`},
		{`x == “x”`, `1:6: expected " or ' around a string, found "“"`},
		{`a in 5`, `1:3: expected a field in a list (status in ["new", "paid"]) or a value in a field ("red" in tags), found a field in a value`},
		{`a in [b]`, `1:7: expected a value in the list, found a field`},
		{`a in [1 2]`, `1:9: expected , or ], found "2"`},
		{`5`, `1:1: expected a condition, found the value 5 alone`},
		{`a && "x"`, `1:6: expected a condition, found the value "x" alone`},
		{`[1]`, `1:1: expected a condition, found a list alone`},
		{`x == 9223372036854775808`, `1:6: expected an integer of 64 bits, found 9223372036854775808; with .0 at its end it is a double`},
		{`x == -9223372036854775809`, `1:7: expected an integer of 64 bits, found 9223372036854775809; with .0 at its end it is a double`},
		{`x == -1u`, `1:6: expected a uint, found a negative one`},
		{`x == -"a"`, `1:7: expected a number behind the minus, found "\"a\""`},
		{`x == 12ab`, `1:6: expected a number, found "12a"`},
		{`12inn a`, `1:1: expected a number, found "12i"`},
		{`x == 0X1F`, `1:6: expected a number, found "0X"`},
		{"x == 'a\rb'", `1:6: expected the end of the string ('), found the end of the line`},
		{`data.in == 1`, `1:6: expected the name of a field behind the dot (or, if it is not a word, ["…"]), found "in"`},
		{`(class).a == 1`, `1:2: expected class alone, which is the event's own; a field of the data with that name is data.class`},
		{`class.a.contains("b")`, `1:1: expected class alone, which is the event's own; a field of the data with that name is data.class`},
		{`a.exists((x, x == 1)`, `1:12: expected ), found ","`},
		{`a in [,1]`, `1:8: expected ], found "1"`},
		{`a.contains(("b")`, `1:17: expected ), found the end`},
		{`x == 0x`, `1:6: expected hexadecimal digits behind 0x`},
		{`x == 1e999`, `1:6: expected a number that a double can hold, found 1e999`},
		{`x == b"abc"`, `1:6: expected a string, found bytes (b"…): events have none`},
		{`tags.exists(t, t.exists(u, u))`, `1:18: expected no exists inside of exists, found one`},
		{`tags.exists("x")`, `1:13: expected a name for the element, as in items.exists(i, i.qty > 1), found "\"x\""`},
		{`tags.exists(class, class == 1)`, `1:13: expected a name for the element that means nothing else, found "class"`},
		{`tags.exists(t)`, `1:14: expected a comma and a condition, as in items.exists(i, i.qty > 1), found ")"`},
		{`session.authid == a`, `1:1: expected a field of the event, found session, which only the queries of roles have; a field of the data with that name is data.session`},
		{`class.x == 1`, `1:1: expected class alone, which is the event's own; a field of the data with that name is data.class`},
		{`a.in == 1`, `1:3: expected the name of a field behind the dot (or, if it is not a word, ["…"]), found "in"`},
		{`a[0] == 1`, `1:3: expected a string for the name of a field in brackets, found "0"`},
		{`has(1)`, `1:5: expected a field for has, found "1"`},
		{`a.startsWith(b)`, `1:14: expected a string for startsWith, found "b"`},
		{`a.matches("(")`, "1:11: expected a regular expression of RE2: error parsing regexp: missing closing ): `(`"},
		{`time > timestamp("today")`, `1:18: expected a time such as "2026-01-31T12:00:00Z", found "today"`},
		{`time > timestamp("0001-01-01T00:00:00Z")`, `1:18: expected a time between 1678 and 2261, found "0001-01-01T00:00:00Z"`},
		{`for == 1`, `1:1: expected a field or a value, found "for"`},
	} {
		_, err := query.Parse(test.text, query.DefaultOptions())
		if err == nil {
			t.Errorf("%s: accepted, want %s", test.text, test.want)
		} else if err.Error() != test.want {
			t.Errorf("%s\nsays %s\nwant %s", test.text, err, test.want)
		}
	}
}

func TestLimits(t *testing.T) {
	l := query.Limits{Text: 200, Depth: 5, Leaves: 3, List: 2, Literal: 4, Regexp: 30, Path: 2}
	for _, test := range []struct {
		text string
		over bool
	}{
		{`a == 1` + strings.Repeat(" ", 194), false},
		{`a == 1` + strings.Repeat(" ", 195), true},
		{`((((a))))`, false},
		{`(((((a)))))`, true},
		{`!!!!a`, false},
		{`!!!!!a`, true},
		{`a && b && c`, false},
		{`a && b && c && d`, true},
		{`a in [1, 2]`, false},
		{`a in [1, 2, 3]`, true},
		{`a == "1234"`, false},
		{`a == "12345"`, true},
		{`a.b`, false},
		{`a.b.c`, true},
		{`a.matches("(x{20}){20}")`, false},
		{`a.matches("((x{8}){8}){9}")`, true},
	} {
		options := query.Options{Limits: l}
		options.Limits.Literal = max(l.Literal, strings.Count(test.text, "x")*30)
		_, err := query.Parse(test.text, options)
		if test.over == (err == nil) {
			t.Errorf("%.40s: %v, want an error: %v", test.text, err, test.over)
		}
		if e, ok := err.(*query.Error); err != nil && (!ok || !e.Limit) {
			t.Errorf("%.40s: %v is not about a limit", test.text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`a == 1 && b.c in [1, "x"] || !has(d)`, `items.exists(i, i.sku.startsWith("A") && i.qty >= 1.5e3)`,
		`data["a b"] != r'\x' // c`, `time < timestamp("2026-01-01T00:00:00.5Z")`, `0x10u == a && -1 < b`, `"\U0001F600" in tags`,
	} {
		f.Add(s)
	}
	// Whatever is accepted can be written, and read again as the same; so can
	// its normal form.
	f.Fuzz(func(t *testing.T, text string) {
		options := query.DefaultOptions()
		q, err := query.Parse(text, options)
		if err != nil {
			if e, ok := err.(*query.Error); !ok || e.Line < 1 || e.Column < 1 || e.Offset > len(text) || e.Text == "" {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		options.Limits.Text, options.Limits.Depth, options.Limits.Literal, options.Limits.List = 1<<20, 1000, 1<<16, 1<<16
		again, err := query.Parse(q.String(), options)
		if err != nil || again.String() != q.String() {
			t.Fatalf("%q is %s, and that %v, %v", text, q, again, err)
		}
		normal, err := query.Parse(q.Normal(), options)
		if err != nil || normal.Normal() != q.Normal() || normal.Hash() != q.Hash() {
			t.Fatalf("%q has the normal form %s, and that %v, %v", text, q.Normal(), normal, err)
		}
	})
}
