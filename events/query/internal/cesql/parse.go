package cesql

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parse reads an expression that is nested at most so deep: parentheses, lists,
// NOT and signs. Its error is a [*SyntaxError].
func Parse(text string, depth int) (*Expr, error) {
	p := parser{lexer: lexer{text: text}, depth: depth}
	if !utf8.ValidString(text) {
		return nil, p.fail(0, "expected valid UTF-8, found something else")
	}
	e, err := p.whole()
	if err != nil {
		return nil, err
	}
	return e, nil
}

// A parser reads operators by how strongly they bind.
type parser struct {
	lexer
	tok   token
	depth int // that is left
}

func (p *parser) whole() (*Expr, *SyntaxError) {
	if err := p.advance(true); err != nil {
		return nil, err
	}
	e, err := p.expr(0)
	if err == nil && p.tok.kind != tokenEnd {
		err = p.unexpected(p.tok, "an operator or the end")
	}
	return e, err
}

func (p *parser) advance(operand bool) (err *SyntaxError) {
	p.tok, err = p.next(operand)
	return err
}

// nested runs parse one level deeper.
func (p *parser) nested(parse func() (*Expr, *SyntaxError)) (*Expr, *SyntaxError) {
	if p.depth == 0 {
		err := p.fail(p.tok.pos, "expected less nesting, found one level too much")
		err.Limit = true
		return nil, err
	}
	p.depth--
	e, err := parse()
	p.depth++
	return e, err
}

// is reports whether the token is a sign or a keyword.
func (p *parser) is(key string) bool { return p.tok.key == key }

func (p *parser) expect(key string, operand bool) *SyntaxError {
	if !p.is(key) {
		return p.unexpected(p.tok, strconv.Quote(key))
	}
	return p.advance(operand)
}

// expr parses operators that bind at least so strongly.
func (p *parser) expr(least int) (*Expr, *SyntaxError) {
	e, err := p.operand()
	for err == nil {
		at := p.tok.pos
		negated := p.is("NOT")
		switch {
		case negated, p.is("LIKE"), p.is("IN"):
			if bindIn < least {
				return e, nil // no operator binds stronger than IN and weaker than LIKE
			}
			if negated {
				if err = p.advance(false); err != nil {
					return nil, err
				}
			}
			switch {
			case p.is("LIKE"):
				e, err = p.like(e, at)
			case p.is("IN"):
				e, err = p.in(e, at)
			default:
				return nil, p.unexpected(p.tok, "LIKE or IN behind NOT")
			}
			if negated && err == nil {
				e = &Expr{Op: Not, Pos: at, Args: []*Expr{e}}
			}
			continue
		}
		op, ok := binary[p.tok.key]
		if !ok || op.binds() < least {
			return e, nil
		}
		if err = p.advance(true); err != nil {
			return nil, err
		}
		above := op.binds() + 1
		if op.binds() == bindLogic { // they are right-associative, and bind all alike
			above = bindLogic
		}
		var right *Expr
		if right, err = p.expr(above); err == nil {
			e = &Expr{Op: op, Pos: at, Args: []*Expr{e, right}}
		}
	}
	return nil, err
}

func (p *parser) like(left *Expr, at int) (*Expr, *SyntaxError) {
	if err := p.advance(true); err != nil {
		return nil, err
	}
	pattern := p.tok
	if pattern.kind != tokenString {
		return nil, p.unexpected(pattern, "a string behind LIKE")
	}
	literal := &Expr{Op: Literal, Pos: pattern.pos, Value: StringValue(unquote(pattern.text)), text: pattern.text}
	e := &Expr{Op: Like, Pos: at, Args: []*Expr{left, literal}, Pattern: ParsePattern(literal.Value.String)}
	return e, p.advance(false)
}

func (p *parser) in(left *Expr, at int) (*Expr, *SyntaxError) {
	if err := p.advance(false); err != nil {
		return nil, err
	}
	e := &Expr{Op: In, Pos: at, Args: []*Expr{left}}
	return p.nested(func() (*Expr, *SyntaxError) {
		if err := p.expect("(", true); err != nil {
			return nil, err
		}
		return e, p.list(e)
	})
}

// list parses expressions until the parenthesis closes.
func (p *parser) list(e *Expr) *SyntaxError {
	for {
		k, err := p.expr(0)
		if err != nil {
			return err
		}
		e.Args = append(e.Args, k)
		if p.is(")") {
			return p.advance(false)
		}
		if !p.is(",") {
			return p.unexpected(p.tok, `"," or ")"`)
		}
		if err := p.advance(true); err != nil {
			return err
		}
	}
}

var keywords = map[string]bool{
	"AND": true, "OR": true, "XOR": true, "NOT": true, "LIKE": true, "EXISTS": true, "IN": true, "TRUE": true, "FALSE": true,
}

// operand parses what stands between operators.
func (p *parser) operand() (*Expr, *SyntaxError) {
	const expected = "an attribute, a literal, a function, NOT, EXISTS or a parenthesis"
	t := p.tok
	switch {
	case t.kind == tokenInteger:
		i, err := strconv.ParseInt(t.text, 10, 32)
		if err != nil {
			return nil, p.unexpected(t, "an Integer of 32 bits")
		}
		return &Expr{Op: Literal, Pos: t.pos, Value: IntegerValue(int32(i))}, p.advance(false)
	case t.kind == tokenString:
		return &Expr{Op: Literal, Pos: t.pos, Value: StringValue(unquote(t.text)), text: t.text}, p.advance(false)
	case p.is("TRUE"), p.is("FALSE"):
		return &Expr{Op: Literal, Pos: t.pos, Value: BooleanValue(p.is("TRUE"))}, p.advance(false)
	case p.is("NOT"):
		return p.unary(Not)
	case p.is("-"):
		return p.unary(Negate)
	case p.is("EXISTS"):
		if err := p.advance(false); err != nil {
			return nil, err
		}
		name := p.tok
		if !isName(name) {
			return nil, p.unexpected(name, "the name of an attribute behind EXISTS")
		}
		return &Expr{Op: Exists, Pos: t.pos, Name: strings.ToLower(name.text)}, p.advance(false)
	case p.is("("):
		return p.nested(func() (*Expr, *SyntaxError) {
			if err := p.advance(true); err != nil {
				return nil, err
			}
			e, err := p.expr(0)
			if err != nil {
				return nil, err
			}
			return e, p.expect(")", false)
		})
	case t.kind != tokenWord || keywords[t.key]:
		return nil, p.unexpected(t, expected)
	}
	if err := p.advance(false); err != nil {
		return nil, err
	}
	if p.is("(") && !strings.ContainsAny(t.key, "0123456789") {
		return p.call(t)
	}
	if !isName(t) {
		return nil, p.unexpected(t, expected+" (names of attributes have letters and digits only)")
	}
	return &Expr{Op: Attribute, Pos: t.pos, Name: strings.ToLower(t.text)}, nil
}

// isName reports whether a token can be the name of an attribute.
func isName(t token) bool {
	return t.kind == tokenWord && !keywords[t.key] && !strings.Contains(t.text, "_")
}

func (p *parser) unary(op Op) (*Expr, *SyntaxError) {
	e := &Expr{Op: op, Pos: p.tok.pos}
	return p.nested(func() (*Expr, *SyntaxError) {
		if err := p.advance(true); err != nil {
			return nil, err
		}
		k, err := p.operand()
		e.Args = []*Expr{k}
		return e, err
	})
}

func (p *parser) call(name token) (*Expr, *SyntaxError) {
	e := &Expr{Op: Call, Pos: name.pos, Name: name.key}
	return p.nested(func() (*Expr, *SyntaxError) {
		if err := p.advance(true); err != nil {
			return nil, err
		}
		if p.is(")") {
			return e, p.advance(false)
		}
		return e, p.list(e)
	})
}
