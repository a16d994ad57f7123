package query

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A node is a value in a query that is JSON.
type node struct {
	kind   jsontext.Kind // n t f " 0 { [
	pos    int           // in the text, in bytes
	keyPos int           // where its name in an object is
	text   string        // of a string, or of a number
	kids   []*node
	parent *node
	key    string // its name or index in parent
}

// decode reads the whole text.
func (d *dialect) decode() (*node, *Error) {
	if limit := d.options.Limits.Text; len(d.text) > limit {
		return nil, limitAt(d.text, limit, "expected a query of at most %d bytes, found %d", limit, len(d.text))
	}
	dec := jsontext.NewDecoder(strings.NewReader(d.text))
	n, err := d.value(dec, nil, "")
	if err != nil {
		return nil, err
	}
	at := d.start(dec)
	switch _, err := dec.ReadToken(); {
	case err == nil:
		return nil, errorAt(d.text, at, "expected nothing behind the JSON of the query, found more")
	case err != io.EOF:
		return nil, d.syntax(dec, err)
	}
	return n, nil
}

// start returns where the next value begins.
func (d *dialect) start(dec *jsontext.Decoder) int {
	at := int(dec.InputOffset())
	return at + len(d.text[at:]) - len(strings.TrimLeft(d.text[at:], " \t\r\n:,"))
}

func (d *dialect) value(dec *jsontext.Decoder, parent *node, key string) (*node, *Error) {
	n := &node{pos: d.start(dec), parent: parent, key: key}
	// Four levels of JSON are more than any dialect needs for one of EQL.
	if limit := 4*d.options.Limits.Depth + d.options.Limits.Path + 4; dec.StackDepth() > limit {
		return nil, d.limitAt(n, "expected at most %d levels of arrays and objects, found more", limit)
	}
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, d.syntax(dec, err)
	}
	switch n.kind = tok.Kind(); n.kind {
	case '"', '0':
		n.text = tok.String()
	case '[', '{':
		for dec.PeekKind() > 0 && dec.PeekKind() != ']' && dec.PeekKind() != '}' {
			name, keyPos := strconv.Itoa(len(n.kids)), d.start(dec)
			if n.kind == '{' {
				tok, err := dec.ReadToken()
				if err != nil {
					return nil, d.syntax(dec, err)
				}
				name = tok.String()
			}
			kid, err := d.value(dec, n, name)
			if err != nil {
				return nil, err
			}
			kid.keyPos = keyPos
			n.kids = append(n.kids, kid)
		}
		if _, err := dec.ReadToken(); err != nil {
			return nil, d.syntax(dec, err)
		}
	}
	return n, nil
}

// syntax says where and why the text is no JSON.
func (d *dialect) syntax(dec *jsontext.Decoder, err error) *Error {
	at, pointer, text := int(dec.InputOffset()), string(dec.StackPointer()), err.Error()
	if bad, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at, pointer, text = int(bad.ByteOffset), string(bad.JSONPointer), bad.Err.Error()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		at, text = len(d.text), "the text ends too early"
	}
	e := errorAt(d.text, min(at, len(d.text)), "expected JSON: %s", text)
	e.Pointer = pointer
	return e
}

// pointer returns where the node is, as RFC 6901 writes it.
func (n *node) pointer() string {
	if n.parent == nil {
		return ""
	}
	return n.parent.pointer() + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(n.key)
}

// errorAt says what is wrong with a node.
func (d *dialect) errorAt(n *node, format string, args ...any) *Error {
	e := errorAt(d.text, n.pos, format, args...)
	e.Pointer = n.pointer()
	return e
}

// limitAt is errorAt for a limit.
func (d *dialect) limitAt(n *node, format string, args ...any) *Error {
	e := d.errorAt(n, format, args...)
	e.Limit = true
	return e
}

// unexpected says that something else was expected than the node.
func (d *dialect) unexpected(n *node, expected string) *Error {
	return d.errorAt(n, "expected %s, found %s", expected, n.what())
}

// what says what a node is, for people.
func (n *node) what() string {
	switch n.kind {
	case '"':
		if len(n.text) > 40 {
			return strconv.Quote(n.text[:cut(n.text, 40)] + "…")
		}
		return strconv.Quote(n.text)
	case '0':
		return "the number " + n.text[:min(len(n.text), 40)]
	case 't':
		return "true"
	case 'f':
		return "false"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "null"
}

// member returns the member of an object, and nil if it has none of that name.
func (n *node) member(name string) *node {
	for _, k := range n.kids {
		if k.key == name {
			return k
		}
	}
	return nil
}

// string returns the text of a string.
func (d *dialect) string(n *node, expected string) (string, *Error) {
	if n.kind != '"' {
		return "", d.unexpected(n, expected)
	}
	return n.text, nil
}

// scalar returns the value of a node that is neither an object nor an array.
func (d *dialect) scalar(n *node, expected string) (Value, *Error) {
	switch n.kind {
	case 'n':
		return NullValue(), nil
	case 't', 'f':
		return BoolValue(n.kind == 't'), nil
	case '"':
		return StringValue(n.text), nil
	case '0':
		v, err := parseNumber(n.text)
		if err != nil {
			return Value{}, d.errorAt(n, "%v", err)
		}
		return v, nil
	}
	return Value{}, d.unexpected(n, expected)
}

// list checks that a node is an array with something in it.
func (d *dialect) list(n *node, expected string) ([]*node, *Error) {
	switch {
	case n.kind != '[':
		return nil, d.unexpected(n, expected)
	case len(n.kids) == 0:
		return nil, d.errorAt(n, "expected %s, found an empty array", expected)
	}
	return n.kids, nil
}

// object checks that a node is an object with something in it.
func (d *dialect) object(n *node, expected string) ([]*node, *Error) {
	switch {
	case n.kind != '{':
		return nil, d.unexpected(n, expected)
	case len(n.kids) == 0:
		return nil, d.errorAt(n, "expected %s, found an empty object", expected)
	}
	return n.kids, nil
}

// only returns the one member of an object.
func (d *dialect) only(n *node, expected string) (*node, *Error) {
	kids, err := d.object(n, expected)
	if err != nil {
		return nil, err
	}
	if len(kids) > 1 {
		return nil, d.errorAt(kids[1], "expected %s: one member and no other, found %q and %q", expected, kids[0].key, kids[1].key)
	}
	return kids[0], nil
}
