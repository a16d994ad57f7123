package cesql

import (
	"maps"
	"math"
	"slices"
	"strings"
)

// A function is what the language has built in.
type function struct {
	params []Kind // Nothing takes any type
	more   bool   // as many of the last parameter as there are, or none
	result Kind
	run    func(args []Value) (Value, error)
}

// takes reports whether there can be so many arguments.
func (f *function) takes(n int) bool {
	return n == len(f.params) || f.more && n >= len(f.params)-1
}

var functions = builtin()

func builtin() map[string][]function {
	text := func(s string) (Value, error) { return StringValue(s), nil }
	cast := func(k Kind) []function {
		return []function{{params: []Kind{Nothing}, result: k, run: func(a []Value) (Value, error) { return a[0].Cast(k) }}}
	}
	asks := func(k Kind) []function {
		return []function{{params: []Kind{Nothing}, result: Boolean, run: func(a []Value) (Value, error) {
			_, err := a[0].Cast(k)
			return BooleanValue(err == nil), nil
		}}}
	}
	of := func(change func(string) string) []function {
		return []function{{params: []Kind{String}, result: String, run: func(a []Value) (Value, error) { return text(change(a[0].String)) }}}
	}
	return map[string][]function{
		"INT": cast(Integer), "BOOL": cast(Boolean), "STRING": cast(String), "IS_INT": asks(Integer), "IS_BOOL": asks(Boolean),
		"ABS": {{params: []Kind{Integer}, result: Integer, run: abs}},
		"LENGTH": {{params: []Kind{String}, result: Integer, run: func(a []Value) (Value, error) {
			return IntegerValue(int32(len([]rune(a[0].String)))), nil
		}}},
		"CONCAT": {{params: []Kind{String}, more: true, result: String, run: func(a []Value) (Value, error) {
			return text(joined(a, ""))
		}}},
		"CONCAT_WS": {{params: []Kind{String, String}, more: true, result: String, run: func(a []Value) (Value, error) {
			return text(joined(a[1:], a[0].String))
		}}},
		"LOWER": of(strings.ToLower), "UPPER": of(strings.ToUpper), "TRIM": of(strings.TrimSpace),
		"LEFT": {{params: []Kind{String, Integer}, result: String, run: func(a []Value) (Value, error) {
			return part(a[0].String, a[1].Integer, func(s []rune, n int) []rune { return s[:n] })
		}}},
		"RIGHT": {{params: []Kind{String, Integer}, result: String, run: func(a []Value) (Value, error) {
			return part(a[0].String, a[1].Integer, func(s []rune, n int) []rune { return s[len(s)-n:] })
		}}},
		"SUBSTRING": {
			{params: []Kind{String, Integer}, result: String, run: func(a []Value) (Value, error) {
				return substring(a[0].String, int(a[1].Integer), math.MaxInt32)
			}},
			{params: []Kind{String, Integer, Integer}, result: String, run: func(a []Value) (Value, error) {
				return substring(a[0].String, int(a[1].Integer), int(a[2].Integer))
			}},
		},
	}
}

// Functions returns the names of the functions, sorted.
func Functions() []string { return slices.Sorted(maps.Keys(functions)) }

// function returns the function that a call calls, or nil if there is none.
func (e *Expr) function() *function {
	for i, f := range functions[e.Name] {
		if f.takes(len(e.Args)) {
			return &functions[e.Name][i]
		}
	}
	return nil
}

// Known reports whether there is the function that a call calls, with so many
// arguments.
func (e *Expr) Known() bool { return e.function() != nil }

func (e *Expr) call(attributes Attributes) (Value, error) {
	f := e.function()
	if f == nil {
		return BooleanValue(false), failed(MissingFunctionError, "expected a function of %d arguments, found %s", len(e.Args), e.Name)
	}
	args := make([]Value, len(e.Args))
	for i, k := range e.Args {
		v, err := k.Eval(attributes)
		if want := f.params[min(i, len(f.params)-1)]; err == nil && want != Nothing {
			if v, err = v.Cast(want); err == nil && want == Integer {
				err = calculable(v)
			}
		}
		if err != nil {
			return zero(f.result), err
		}
		args[i] = v
	}
	return f.run(args)
}

func abs(a []Value) (Value, error) {
	x := a[0].Integer
	if x == math.MinInt32 {
		return IntegerValue(math.MaxInt32), failed(MathError, "expected a number whose opposite is an Integer for ABS, found %d", x)
	}
	return IntegerValue(max(x, -x)), nil
}

func joined(list []Value, between string) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.String
	}
	return strings.Join(texts, between)
}

// part returns n characters of a text, or all if it has fewer.
func part(s string, n int32, cut func([]rune, int) []rune) (Value, error) {
	if n < 0 {
		return StringValue(s), failed(FunctionEvaluationError, "expected a length of 0 or more, found %d", n)
	}
	return StringValue(string(cut([]rune(s), min(int(n), len([]rune(s)))))), nil
}

// substring returns n characters from the one at pos, which counts from 1, or if
// it is negative from the end.
func substring(s string, pos, n int) (Value, error) {
	text := []rune(s)
	if pos == 0 {
		return StringValue(""), nil
	}
	if pos > len(text) || pos < -len(text) {
		return StringValue(""), failed(FunctionEvaluationError, "expected a position within %d characters, found %d", len(text), pos)
	}
	if n < 0 {
		return StringValue(""), failed(FunctionEvaluationError, "expected a length of 0 or more, found %d", n)
	}
	if pos < 0 {
		pos += len(text) + 1
	}
	pos--
	return StringValue(string(text[pos:min(pos+n, len(text))])), nil
}
