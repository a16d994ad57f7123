package query

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"time"
)

// compareValues returns what a comparison of two values says, and null for an
// error.
func compareValues(o op, a, b Value) Value {
	switch o {
	case opEqual:
		return BoolValue(equal(a, b))
	case opUnequal:
		return BoolValue(!equal(a, b))
	}
	if !ordered(a, b) {
		return NullValue()
	}
	if a.isNaN() || b.isNaN() {
		return BoolValue(false)
	}
	c := compare(a, b)
	return BoolValue(o == opLess && c < 0 || o == opLessEqual && c <= 0 || o == opGreater && c > 0 || o == opGreaterEqual && c >= 0)
}

// list parses a list of values.
func (p *parser) list(t *term) *Error {
	t.kind, t.list = termList, nil
	if err := p.advance(); err != nil {
		return err
	}
	for p.tok.kind != tokenCloseList {
		if p.tok.kind == tokenComma && len(t.list) == 0 { // [,] is empty, too
			if err := p.advance(); err != nil {
				return err
			}
			if p.tok.kind != tokenCloseList {
				return p.unexpected("]")
			}
			break
		}
		var v term
		if err := p.unary(&v); err != nil {
			return err
		}
		if v.kind != termValue {
			return errorAt(p.text, v.pos, "expected a value in the list, found %s", v.what())
		}
		if t.list = append(t.list, v.value); len(t.list) > p.limits.List {
			return limitAt(p.text, v.pos, "expected a list of at most %d values, found more", p.limits.List)
		}
		if p.tok.kind != tokenComma {
			if p.tok.kind != tokenCloseList {
				return p.unexpected(", or ]")
			}
			break
		}
		if err := p.advance(); err != nil {
			return err
		}
	}
	return p.advance()
}

// literal parses a string that a function takes. It may be in parentheses.
func (p *parser) literal(function string) (string, *Error) {
	if p.tok.kind == tokenOpen {
		if err := p.deeper(); err != nil {
			return "", err
		}
		defer func() { p.depth-- }()
		if err := p.advance(); err != nil {
			return "", err
		}
		s, err := p.literal(function)
		if err != nil {
			return "", err
		}
		return s, p.expect(tokenClose, ")")
	}
	if p.tok.kind != tokenValue || p.tok.value.kind != String {
		return "", p.unexpected("a string for " + function)
	}
	s := p.tok.value.str
	return s, p.advance()
}

// timestamp parses the point in time that a timestamp is written with.
func (p *parser) timestamp(t *term, pos int) *Error {
	at := p.tok.start
	s, err := p.literal("timestamp")
	if err != nil {
		return err
	}
	moment, bad := readTime(s)
	if bad != "" {
		return errorAt(p.text, at, "%s", bad)
	}
	t.kind, t.pos, t.value = termValue, pos, TimeValue(moment)
	return p.expect(tokenClose, ")")
}

// readTime returns a point in time, or what is wrong with it.
func readTime(s string) (t time.Time, bad string) {
	t, err := time.Parse(time.RFC3339Nano, s)
	switch {
	case err != nil:
		return t, fmt.Sprintf(`expected a time such as "2026-01-31T12:00:00Z", found %q`, s)
	case t.Year() < 1678 || t.Year() > 2261:
		return t, fmt.Sprintf("expected a time between 1678 and 2261, found %q", s)
	}
	return t, ""
}

// regexp compiles a regular expression within the limits.
func (p *parser) regexp(text string, at int) (*regexp.Regexp, *Error) {
	if len(text) > p.limits.Regexp {
		return nil, limitAt(p.text, at, "expected a regular expression of at most %d bytes, found %d", p.limits.Regexp, len(text))
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err == nil {
		var prog *syntax.Prog
		if prog, err = syntax.Compile(parsed.Simplify()); err == nil && len(prog.Inst) > maxProgram {
			return nil, limitAt(p.text, at, "expected a simpler regular expression: this one has %d states, and %d are allowed", len(prog.Inst), maxProgram)
		}
	}
	if err != nil {
		return nil, errorAt(p.text, at, "expected a regular expression of RE2: %v", err)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, errorAt(p.text, at, "expected a regular expression of RE2: %v", err)
	}
	return re, nil
}
