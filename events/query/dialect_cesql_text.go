package query

import (
	"regexp"
	"strings"
	"sync"
	"unicode"

	"github.com/wireroom/wireroom/events/query/internal/cesql"
)

// askText answers a question for strings in the field. as is what they must be
// castable to, for it not to fail; it is Nothing if that is not all.
func (c *sqlCompiler) askText(q *question) (yes, no sized, as cesql.Kind, err *Error) {
	fold := ""
	for _, cast := range q.casts {
		switch {
		case cast == "INT":
			return c.askDigits(q)
		case cast == "BOOL":
			return c.askWords(q, fold)
		case cast == "STRING" || cast == fold:
		case fold != "":
			return yes, no, as, c.errorAt(q.operand.Pos, "expected LOWER or UPPER of an attribute, found both")
		default:
			fold = cast
		}
	}
	switch e := q.whole; {
	case q.operand == e:
		return c.askWords(q, fold)
	case e.Op == cesql.Like:
		yes, no, err = c.like(q, e.Pattern, fold)
		return yes, no, cesql.String, err
	case e.Op == cesql.In:
		return c.askOneOf(q, fold)
	case e.Op != cesql.Equal && e.Op != cesql.Unequal:
		return c.askDigits(q)
	case q.left && q.others[0].Kind == cesql.Integer:
		return c.askDigits(q)
	case q.left && q.others[0].Kind == cesql.Boolean:
		return c.askWords(q, fold)
	}
	yes, no, as, err = c.askOneOf(q, fold)
	if q.whole.Op == cesql.Unequal {
		yes, no = no, yes
	}
	return yes, no, as, err
}

// askDigits answers for strings that are cast to Integers what is to be answered
// for these.
func (c *sqlCompiler) askDigits(q *question) (yes, no sized, as cesql.Kind, err *Error) {
	a, err := c.askNumber(q)
	if err != nil {
		return yes, no, as, err
	}
	if a.total {
		as = cesql.Integer
	}
	if yes, err = c.digits(q.field, q.pos, a.yes); err == nil {
		no, err = c.digits(q.field, q.pos, a.no)
	}
	return yes, no, as, err
}

// askWords answers for strings that are cast to Booleans.
func (c *sqlCompiler) askWords(q *question, fold string) (yes, no sized, as cesql.Kind, err *Error) {
	if fold == "UPPER" {
		return yes, no, as, c.errorAt(q.operand.Pos, "expected an attribute as a condition, found UPPER of one")
	}
	ofYes, ofNo := q.askBool()
	if len(ofYes)+len(ofNo) == 2 {
		as = cesql.Boolean
	}
	return c.words(q.field, q.pos, ofYes), c.words(q.field, q.pos, ofNo), as, nil
}

// words returns the condition that the field has a string that is cast to one of
// the Booleans.
func (c *sqlCompiler) words(f path, pos int, list []bool) sized {
	var values []Value
	for _, b := range list {
		word := cesql.BooleanValue(b).Text()
		for upper := range 1 << len(word) {
			letters := []byte(word)
			for i := range letters {
				if upper>>i&1 == 1 {
					letters[i] -= 'a' - 'A'
				}
			}
			values = append(values, StringValue(string(letters)))
		}
	}
	if len(values) == 0 {
		return never
	}
	return c.leaf(among(f, pos, values))
}

// askOneOf answers whether the string is one of the other operands.
func (c *sqlCompiler) askOneOf(q *question, fold string) (yes, no sized, as cesql.Kind, err *Error) {
	var values []Value
	var kids []sized
	for i, v := range q.others {
		if q.whole.Op == cesql.In {
			if _, failed := q.whole.Args[i+1].Eval(nil); failed != nil {
				return c.join(opOr, q.pos, append(kids, c.oneOf(q, values))...), never, cesql.Nothing, nil
			}
		}
		if fold == "" {
			values = append(values, StringValue(v.Text()))
			continue
		}
		text, possible := foldedText([]rune(v.Text()), fold)
		if !possible {
			continue
		}
		k, err := c.regexp(q.field, q.pos, "^"+text+"$", q)
		if err != nil {
			return yes, no, as, err
		}
		kids = append(kids, k)
	}
	yes = c.join(opOr, q.pos, append(kids, c.oneOf(q, values))...)
	return yes, c.otherText(q.field, q.pos, yes), cesql.String, nil
}

func (c *sqlCompiler) oneOf(q *question, values []Value) sized {
	if len(values) == 0 {
		return never
	}
	return c.leaf(among(q.field, q.pos, values))
}

// otherText returns the condition that the field has a string of which yes, which
// has no conditions but of strings, is not true.
func (c *sqlCompiler) otherText(f path, pos int, yes sized) sized {
	var kids []sized
	switch {
	case yes.e == nil:
		return yes
	case yes.is(false):
		return c.isText(f, pos)
	case yes.e.op == opOr:
		for _, k := range yes.e.kids {
			kids = append(kids, c.leaf(not(k)))
		}
	case yes.e.op == opEqual:
		other := *yes.e
		other.op = opUnequal
		kids = append(kids, c.leaf(&other))
	default:
		kids = append(kids, c.leaf(not(yes.e)))
	}
	// Of what is no string, startsWith and the like are errors, and != and in are
	// not.
	if !c.onlyOfStrings(yes.e) {
		kids = append([]sized{c.isText(f, pos)}, kids...)
	}
	return c.join(opAnd, pos, kids...)
}

func (c *sqlCompiler) onlyOfStrings(e *expr) bool {
	switch e.op {
	case opPrefix, opSuffix, opContains, opMatches:
		return true
	case opOr:
		return c.onlyOfStrings(e.kids[0]) // one is enough, since all must be true
	}
	return false
}

// isText returns the condition that the field has a string.
func (c *sqlCompiler) isText(f path, pos int) sized {
	if f.root != rootData {
		return always
	}
	return c.leaf(&expr{op: opGreaterEqual, pos: int32(pos), field: f, value: StringValue("")})
}

// like returns the conditions that the string is like a pattern, or not.
func (c *sqlCompiler) like(q *question, p cesql.Pattern, fold string) (yes, no sized, err *Error) {
	leaf := func(o op, part []rune) sized {
		return c.leaf(&expr{op: o, pos: int32(q.pos), field: q.field, value: StringValue(string(part))})
	}
	plain := fold == ""
	for _, part := range p {
		for _, r := range part {
			plain = plain && r != cesql.AnyOne
		}
	}
	first, last := p[0], p[len(p)-1]
	switch {
	case len(p) == 2 && len(first)+len(last) == 0:
		return c.isText(q.field, q.pos), never, nil
	case plain && len(p) == 1:
		yes = leaf(opEqual, first)
	case plain && len(p) == 2 && len(last) == 0:
		yes = leaf(opPrefix, first)
	case plain && len(p) == 2 && len(first) == 0:
		yes = leaf(opSuffix, last)
	case plain && len(p) == 3 && len(first)+len(last) == 0:
		yes = leaf(opContains, p[1])
	default:
		parts := make([]string, len(p))
		for i, part := range p {
			var possible bool
			if parts[i], possible = foldedText(part, fold); !possible {
				return never, c.isText(q.field, q.pos), nil
			}
		}
		if yes, err = c.regexp(q.field, q.pos, "(?s)^"+strings.Join(parts, ".*")+"$", q); err != nil {
			return yes, no, err
		}
	}
	return yes, c.otherText(q.field, q.pos, yes), nil
}

// regexp returns the condition that the field matches a regular expression, which
// compile will make. q may be nil.
func (c *sqlCompiler) regexp(f path, pos int, text string, q *question) (sized, *Error) {
	if limit := c.options.Limits.Regexp; len(text) > limit {
		at := 0
		if q != nil {
			at = q.whole.Pos
		}
		err := c.errorAt(at, "expected a regular expression of at most %d bytes, found %d", limit, len(text))
		err.Limit = true
		return sized{}, err
	}
	return c.leaf(&expr{op: opMatches, pos: int32(pos), field: f, value: StringValue(text)}), nil
}

// compile makes the regular expressions of a condition that is within the limits.
// Only those that are in it in the end are worth the time.
func (c *sqlCompiler) compile(e *expr) *Error {
	for _, k := range e.kids {
		if err := c.compile(k); err != nil {
			return err
		}
	}
	if e.op != opMatches || e.rare != nil {
		return nil
	}
	p := parser{lexer: lexer{text: c.text, limits: c.options.Limits}}
	re, err := p.regexp(e.value.str, int(e.pos))
	if err != nil && c.node != nil {
		err.Pointer = c.node.pointer()
	}
	e.rare = &rare{pattern: re}
	return err
}

// foldedText returns a regular expression for the texts of which LOWER or UPPER
// makes the characters, and false if there are none. Without one of these, it is
// the characters.
func foldedText(part []rune, fold string) (string, bool) {
	var b strings.Builder
	for _, r := range part {
		switch {
		case r == cesql.AnyOne:
			b.WriteByte('.')
			continue
		case fold == "":
			b.WriteString(regexp.QuoteMeta(string(r)))
			continue
		}
		from, to := lowered(), unicode.ToLower(r)
		if fold == "UPPER" {
			from, to = uppered(), unicode.ToUpper(r)
		}
		list := from[r]
		if to == r {
			list = append([]rune{r}, list...)
		}
		switch len(list) {
		case 0:
			return "", false
		case 1:
			b.WriteString(regexp.QuoteMeta(string(list)))
		default:
			b.WriteString("[" + string(list) + "]") // letters
		}
	}
	return b.String(), true
}

// lowered and uppered have the characters that become another, by what they become.
var (
	lowered = sync.OnceValue(func() map[rune][]rune { return becoming(unicode.ToLower) })
	uppered = sync.OnceValue(func() map[rune][]rune { return becoming(unicode.ToUpper) })
)

func becoming(change func(rune) rune) map[rune][]rune {
	m := map[rune][]rune{}
	for r := range rune(unicode.MaxRune + 1) {
		if to := change(r); to != r {
			m[to] = append(m[to], r)
		}
	}
	return m
}
