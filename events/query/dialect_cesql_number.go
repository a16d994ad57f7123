package query

import (
	"math"
	"slices"
	"strconv"

	"github.com/wireroom/wireroom/events/query/internal/cesql"
)

// A span is all numbers from lo to hi. A bound that is open is not one of them.
type span struct {
	lo, hi         float64
	loOpen, hiOpen bool
}

// some reports whether there is a number in the span.
func (s span) some() bool { return s.lo < s.hi || s.lo == s.hi && !s.loOpen && !s.hiOpen }

// spans are numbers, in order, with others between them.
type spans []span

var (
	allNumbers = spans{{lo: math.Inf(-1), hi: math.Inf(1), loOpen: true, hiOpen: true}}
	zeroOnly   = spans{{}}
)

// points returns these numbers.
func points(list ...float64) spans {
	slices.Sort(list)
	var s spans
	for _, x := range slices.Compact(list) {
		s = append(s, span{lo: x, hi: x})
	}
	return s
}

// others returns all other numbers.
func (s spans) others() spans {
	var rest spans
	next := span{lo: math.Inf(-1), loOpen: true}
	for _, one := range s {
		if next.hi, next.hiOpen = one.lo, !one.loOpen; next.some() {
			rest = append(rest, next)
		}
		next = span{lo: one.hi, loOpen: !one.hiOpen}
	}
	if next.hi, next.hiOpen = math.Inf(1), true; next.some() {
		rest = append(rest, next)
	}
	return rest
}

// An answer is for which numbers a question is true, and for which it is false.
type answer struct {
	yes, no spans
	total   bool // it is one of them for all numbers
}

func is(yes spans) answer { return answer{yes: yes, no: yes.others(), total: true} }

// askNumber answers a question for numbers in the field: Integers, and others as
// [cesql.Number] has them.
func (c *sqlCompiler) askNumber(q *question) (answer, *Error) {
	text := false
	for _, cast := range q.casts {
		switch {
		case cast == "BOOL" && text:
			return answer{}, nil // no number is written as true or false
		case cast == "BOOL":
			return q.askZero(), nil
		case cast != "INT":
			text = true
		case text:
			return answer{}, c.errorAt(q.operand.Pos, "expected INT of an attribute, found INT of what is cast to a String already")
		}
	}
	digits := c.errorAt(q.whole.Pos, "expected a comparison of numbers as numbers, found one of what is cast to a String already")
	switch e := q.whole; {
	case q.operand == e && text:
		return answer{}, nil
	case q.operand == e:
		return q.askZero(), nil
	case e.Op == cesql.Like:
		return c.numbersLike(q)
	case e.Op == cesql.In:
		var list []float64
		for i, v := range q.others {
			if _, err := e.Args[i+1].Eval(nil); err != nil {
				return answer{yes: points(list...)}, nil
			}
			if text {
				if f, ok := written(v.Text()); ok {
					list = append(list, f)
				}
				continue
			}
			v, err := v.Cast(cesql.Integer)
			if err != nil {
				return answer{yes: points(list...)}, nil
			}
			list = append(list, float64(v.Integer))
		}
		return is(points(list...)), nil
	case e.Op == cesql.Equal || e.Op == cesql.Unequal:
		a, ok := q.askEqual(text)
		if !ok {
			return a, digits
		}
		if e.Op == cesql.Unequal {
			a.yes, a.no = a.no, a.yes
		}
		return a, nil
	case text:
		return answer{}, digits
	}
	v, err := q.others[0].Cast(cesql.Integer)
	if err != nil {
		return answer{}, nil
	}
	x := float64(v.Integer)
	below, above := spans{{math.Inf(-1), x, true, true}}, spans{{x, math.Inf(1), true, true}}
	o := q.whole.Op
	if !q.left {
		o = map[cesql.Op]cesql.Op{
			cesql.Less: cesql.Greater, cesql.Greater: cesql.Less, cesql.LessEqual: cesql.GreaterEqual, cesql.GreaterEqual: cesql.LessEqual,
		}[o]
	}
	switch o {
	case cesql.Less:
		return is(below), nil
	case cesql.GreaterEqual:
		return is(below.others()), nil
	case cesql.Greater:
		return is(above), nil
	}
	return is(above.others()), nil
}

// askZero answers a question that takes the field as a Boolean, which a number is
// unless it is 0.
func (q *question) askZero() answer {
	yes, no := q.askBool()
	of := func(list []bool) spans {
		switch {
		case len(list) == 2:
			return allNumbers
		case len(list) == 0:
			return nil
		case list[0]:
			return zeroOnly.others()
		}
		return zeroOnly
	}
	return answer{yes: of(yes), no: of(no), total: len(yes)+len(no) == 2}
}

// askEqual answers an equality. It reports false if it depends on how a number is
// written.
func (q *question) askEqual(text bool) (answer, bool) {
	v := q.others[0]
	switch {
	case q.left && v.Kind == cesql.Boolean && text:
		return answer{}, true
	case q.left && v.Kind == cesql.Boolean:
		if v.Boolean {
			return is(zeroOnly.others()), true
		}
		return is(zeroOnly), true
	case q.left && v.Kind == cesql.Integer && text:
		return answer{}, false
	case q.left && v.Kind == cesql.String || text:
		if f, ok := written(v.Text()); ok {
			return is(points(f)), true
		}
		return is(nil), true
	}
	v, err := v.Cast(cesql.Integer)
	if err != nil {
		return answer{}, true
	}
	return is(points(float64(v.Integer))), true
}

// written returns the number that is written so, and no other way.
func written(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0) && cesql.NumberValue(f).Text() == s
}

// numbersLike answers LIKE for numbers, as far as the pattern leaves no doubt.
func (c *sqlCompiler) numbersLike(q *question) (answer, *Error) {
	first, any, dots := true, true, 0
	for i, part := range q.whole.Pattern {
		for j, r := range part {
			any = false
			last := i == len(q.whole.Pattern)-1 && j == len(part)-1
			switch {
			case r == '.':
				dots++
				if i == 0 && j == 0 || last || dots > 1 {
					return is(nil), nil
				}
			case r == '-' && !first, r != '-' && r != cesql.AnyOne && (r < '0' || r > '9'):
				return is(nil), nil
			}
			first = false
		}
	}
	p := q.whole.Pattern
	switch {
	case any && len(p) > 1:
		return is(allNumbers), nil
	case any:
		return is(nil), nil
	case len(p) == 1 && !slices.Contains(p[0], cesql.AnyOne):
		if f, ok := written(string(p[0])); ok {
			return is(points(f)), nil
		}
		return is(nil), nil
	}
	return answer{}, c.errorAt(q.whole.Pos, "expected a pattern that asks nothing about the digits of numbers, or an attribute that the class declares as a string; found %s, which could be a number", q.name)
}

// numbers returns the condition that the field has one of the numbers.
func (c *sqlCompiler) numbers(q *question, list spans) sized {
	var values []Value
	var kids []sized
	bound := func(o op, x float64) sized {
		return c.leaf(&expr{op: o, pos: int32(q.pos), field: q.field, value: doubleOrInt(x)})
	}
	for _, s := range list {
		low, high := opGreaterEqual, opLessEqual
		if s.loOpen {
			low = opGreater
		}
		if s.hiOpen {
			high = opLess
		}
		switch {
		case s.lo == s.hi:
			values = append(values, doubleOrInt(s.lo))
		case math.IsInf(s.lo, -1) && math.IsInf(s.hi, 1):
			return c.join(opOr, q.pos, bound(opLessEqual, 0), bound(opGreater, 0))
		case math.IsInf(s.lo, -1):
			kids = append(kids, bound(high, s.hi))
		case math.IsInf(s.hi, 1):
			kids = append(kids, bound(low, s.lo))
		default:
			kids = append(kids, c.join(opAnd, q.pos, bound(low, s.lo), bound(high, s.hi)))
		}
	}
	if len(values) > 0 {
		kids = append(kids, c.leaf(among(q.field, q.pos, values)))
	}
	return c.join(opOr, q.pos, kids...)
}

func doubleOrInt(x float64) Value { return plainNumber(DoubleValue(x)) }
