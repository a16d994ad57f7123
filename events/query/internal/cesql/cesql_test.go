package cesql_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/events/query/internal/cesql"
)

// event is what the tests evaluate expressions for.
func event(name string) (cesql.Value, bool) {
	v, ok := map[string]cesql.Value{
		"type": cesql.StringValue("order.created"), "n": cesql.IntegerValue(7), "s": cesql.StringValue("Ærø"), "five": cesql.StringValue("5"),
		"yes": cesql.BooleanValue(true), "half": cesql.NumberValue(0.5), "big": cesql.NumberValue(3e9), "list": {},
	}[name]
	return v, ok
}

func TestEval(t *testing.T) {
	for _, test := range []struct {
		text string
		want cesql.Value
	}{
		{"1 + 2 * 3", cesql.IntegerValue(7)},
		{"(1 + 2) * 3", cesql.IntegerValue(9)},
		{"7 - 2 - 1", cesql.IntegerValue(4)},
		{"7-2", cesql.IntegerValue(5)},
		{"n -2", cesql.IntegerValue(5)},
		{"--5", cesql.IntegerValue(5)},
		{"-7 / 2", cesql.IntegerValue(-3)},
		{"-7 % 2", cesql.IntegerValue(-1)},
		{"2147483647 + 1", cesql.IntegerValue(-2147483648)},
		{"-2147483648 / -1", cesql.IntegerValue(-2147483648)},
		{"'2' * five", cesql.IntegerValue(10)},
		{"TRUE + yes", cesql.IntegerValue(2)},
		{"five = 5", cesql.BooleanValue(true)},
		{"5 = '05'", cesql.BooleanValue(false)},
		{"'05' = 5", cesql.BooleanValue(true)},
		{"five < 10", cesql.BooleanValue(true)},
		{"1 = 1 = TRUE", cesql.BooleanValue(true)},
		{"FALSE AND FALSE OR TRUE", cesql.BooleanValue(false)}, // the right comes first
		{"NOT FALSE = FALSE", cesql.BooleanValue(false)},       // NOT binds strongest
		{"TRUE XOR TRUE XOR TRUE", cesql.BooleanValue(true)},
		{"FALSE AND missing = 1", cesql.BooleanValue(false)},
		{"TRUE OR 1 / 0 = 1", cesql.BooleanValue(true)},
		{"EXISTS list AND NOT EXISTS missing", cesql.BooleanValue(true)},
		{"TYPE LIKE 'order.%'", cesql.BooleanValue(true)},
		{"n * '2' LIKE '2'", cesql.IntegerValue(7)}, // LIKE binds stronger than *
		{"n IN ('1', 7) = TRUE", cesql.BooleanValue(true)},
		{"7 NOT IN (1, n)", cesql.BooleanValue(false)},
		{"1 IN (1, 'x')", cesql.BooleanValue(true)},
		{"LENGTH(s)", cesql.IntegerValue(3)},
		{"LEFT(s, 1)", cesql.StringValue("Æ")},
		{"RIGHT(s, 2)", cesql.StringValue("rø")},
		{"SUBSTRING(s, -2, 1)", cesql.StringValue("r")},
		{"SUBSTRING(s, 3)", cesql.StringValue("ø")},
		{"UPPER(s) LIKE '_R_'", cesql.BooleanValue(true)},
		{"CONCAT_WS('-', 1, TRUE, s)", cesql.StringValue("1-true-Ærø")},
		{"IS_INT('x') OR IS_BOOL('x')", cesql.BooleanValue(false)},
		{`'it\'s'`, cesql.StringValue("it's")},
		{`"a\'b\n"`, cesql.StringValue(`a\'b\n`)},
		{"half < 1 AND half > 0 AND half != 0 AND half", cesql.BooleanValue(true)},
		{"big > 2147483647", cesql.BooleanValue(true)},
		{"STRING(big)", cesql.StringValue("3000000000")},
		{"half = '0.5'", cesql.BooleanValue(true)},
	} {
		e, err := cesql.Parse(test.text, 10)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		got, err := e.Eval(event)
		if got != test.want || err != nil {
			t.Errorf("%s is %#v, %v; want %#v", test.text, got, err, test.want)
		}
	}
}

// Whatever fails has a value all the same.
func TestEvalErrors(t *testing.T) {
	for _, test := range []struct {
		text string
		want cesql.Value
		kind cesql.ErrorKind
	}{
		{"missing", cesql.BooleanValue(false), cesql.MissingAttributeError},
		{"list", cesql.BooleanValue(false), cesql.MissingAttributeError},
		{"missing != 1", cesql.BooleanValue(false), cesql.MissingAttributeError},
		{"NOT missing", cesql.BooleanValue(false), cesql.MissingAttributeError},
		{"missing = 1 OR TRUE", cesql.BooleanValue(false), cesql.MissingAttributeError},
		{"TRUE XOR missing", cesql.BooleanValue(false), cesql.MissingAttributeError},
		{"1 IN (missing, 1)", cesql.BooleanValue(false), cesql.MissingAttributeError},
		{"LENGTH(missing)", cesql.IntegerValue(0), cesql.MissingAttributeError},
		{"type < 5", cesql.BooleanValue(false), cesql.CastError},
		{"type AND TRUE", cesql.BooleanValue(false), cesql.CastError},
		{"5 IN (1, 'x')", cesql.BooleanValue(false), cesql.CastError},
		{"-type", cesql.IntegerValue(0), cesql.CastError},
		{"half + 1", cesql.IntegerValue(0), cesql.CastError},
		{"-big", cesql.IntegerValue(0), cesql.CastError},
		{"ABS(half)", cesql.IntegerValue(0), cesql.CastError},
		{"7 / 0", cesql.IntegerValue(0), cesql.MathError},
		{"7 % 0", cesql.IntegerValue(0), cesql.MathError},
		{"ABS(-2147483648)", cesql.IntegerValue(2147483647), cesql.MathError},
		{"NONE(1)", cesql.BooleanValue(false), cesql.MissingFunctionError},
		{"ABS(1, 2)", cesql.BooleanValue(false), cesql.MissingFunctionError},
		{"LEFT('abc', -1)", cesql.StringValue("abc"), cesql.FunctionEvaluationError},
		{"SUBSTRING('abc', 4)", cesql.StringValue(""), cesql.FunctionEvaluationError},
		{"SUBSTRING('abc', 1, -1)", cesql.StringValue(""), cesql.FunctionEvaluationError},
	} {
		e, err := cesql.Parse(test.text, 10)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		got, err := e.Eval(event)
		failed, ok := errors.AsType[*cesql.Error](err)
		if got != test.want || !ok || failed.Kind != test.kind || failed.Text == "" {
			t.Errorf("%s is %#v, %v; want %#v and an error of kind %d", test.text, got, err, test.want, test.kind)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct {
		text, want string
		at         int
	}{
		{"", "expected an attribute, a literal, a function, NOT, EXISTS or a parenthesis, found the end", 0},
		{"a = ", "expected an attribute, a literal, a function, NOT, EXISTS or a parenthesis, found the end", 4},
		{"a b", `expected an operator or the end, found "b"`, 2},
		{"a LIKE 5", `expected a string behind LIKE, found "5"`, 7},
		{"a NOT b", `expected LIKE or IN behind NOT, found "b"`, 6},
		{"a IN ()", `expected an attribute, a literal, a function, NOT, EXISTS or a parenthesis, found ")"`, 6},
		{"a IN 5", `expected "(", found "5"`, 5},
		{"EXISTS 'a'", `expected the name of an attribute behind EXISTS, found "'a'"`, 7},
		{"ABS(1", `expected "," or ")", found the end`, 5},
		{"(1", `expected ")", found the end`, 2},
		{"a_b = 1", "expected an attribute, a literal, a function, NOT, EXISTS or a parenthesis (names of attributes have letters and digits only), found \"a_b\"", 0},
		{"a = 'x", "expected ' at the end of the string that begins at byte 4, found the end", 6},
		{"a = 2147483648", `expected an Integer of 32 bits, found "2147483648"`, 4},
		{"a & b", `expected an expression, found "&"`, 2},
		{"a = \xff", "expected valid UTF-8, found something else", 0},
		{"((((1))))", "expected less nesting, found one level too much", 3},
		{"NOT NOT NOT NOT 1", "expected less nesting, found one level too much", 12},
	} {
		_, err := cesql.Parse(test.text, 3)
		e, ok := errors.AsType[*cesql.SyntaxError](err)
		if !ok || e.Text != test.want || e.Offset != test.at || e.Limit != strings.Contains(test.want, "nesting") {
			t.Errorf("%q: %#v\nwant %d: %s", test.text, err, test.at, test.want)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "x", false},
		{"%", "", true},
		{"%", "%x", true},
		{"%%", "x", true},
		{"_", "å", true},
		{"_", "", false},
		{"a%b%c", "abbcbc", true},
		{"a%b%c", "acb", false},
		{"a%a", "a", false},
		{"%ab", "aab", true},
		{"%_b", "b", false},
		{`\%`, "%", true},
		{`\%`, `\x`, false},
		{`\x`, `\x`, true},
		{"%a_c%", "xxabbabcx", true},
		{"%a%a%a%a%a%a%a%a%b", strings.Repeat("a", 1000), false},
	} {
		if got := cesql.ParsePattern(test.pattern).Match(test.text); got != test.want {
			t.Errorf("%q LIKE %q is %v", test.text, test.pattern, got)
		}
	}
}

// What is parsed can be written and parsed again, and is the same then.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`type LIKE 'order.%' AND NOT (customer IN ("ada", 'b\'ob')) XOR EXISTS subject`, "-(5) + --5 - -n * 3 % 2 / 1a", "(a = b) != c <> d >= e",
		"NOT (a LIKE 'x') NOT IN (1, 'x', TRUE)", "CONCAT_WS(',', a, LEFT(b, -1)) < +5", "a OR (b AND c) OR d", "(a OR b) AND c", "half * big",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := cesql.Parse(text, 20)
		if err != nil {
			if bad, ok := errors.AsType[*cesql.SyntaxError](err); !ok || bad.Offset < 0 || bad.Offset > len(text) || bad.Text == "" {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		again, err := cesql.Parse(e.String(), 1000)
		if err != nil || again.String() != e.String() {
			t.Fatalf("%q is %s, and that %v, %v", text, e, again, err)
		}
		v, err := e.Eval(event)
		w, errAgain := again.Eval(event)
		if v != w || (err == nil) != (errAgain == nil) || err == nil && v.Kind == cesql.Nothing {
			t.Fatalf("%q is %#v, %v; and written again %#v, %v", text, v, err, w, errAgain)
		}
	})
}
