package query

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// A Session is whom a role's query is used for: what the word session stands for
// in it.
type Session struct {
	AuthID string // session.authid; empty: that is not there
	Role   string // session.role

	// Claims is session.claims, a JSON object; nil: that is not there. A claim
	// that is null was looked for and not found. One that Claims lacks was not
	// looked for, so that nobody knows whether it is there.
	Claims []byte
}

// Bounds of what a session may stand for in a query, as of what is written there.
var maxBoundList, maxBoundText = DefaultLimits().List, DefaultLimits().Literal

// Bind returns the query with what it says of the session decided: a query about
// events alone, which is true of the same events as q would be for that session.
// Values of the session become values of the query, and are never read as a part
// of it.
//
// What is not there, null, or of a kind for which the comparison has no use, is an
// error, as it is in an event: it can never make the query true. The normal form
// has false for what is always an error. An error of Bind is that the claims are no JSON object, or that one has more than a query may
// have.
func (q *Query) Bind(s *Session) (*Query, error) {
	b := binder{who: item{shape: object, fields: map[string]item{"role": {value: StringValue(s.Role)}}}}
	if s.AuthID != "" {
		b.who.fields["authid"] = item{value: StringValue(s.AuthID)}
	}
	if s.Claims != nil {
		claims, err := decodeClaims(s.Claims)
		if err != nil {
			return nil, err
		}
		b.who.fields["claims"] = claims
	}
	root, err := b.bind(q.root)
	if err != nil {
		return nil, err
	}
	return &Query{text: q.Text(), root: root, normal: errorsAsFalse(normal(root))}, nil
}

func decodeClaims(data []byte) (item, error) {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	it, err := decodeItem(d)
	if err == nil && it.shape != object {
		err = fmt.Errorf("expected a JSON object")
	}
	if err == nil {
		if _, end := d.ReadToken(); end != io.EOF {
			err = fmt.Errorf("expected nothing behind the JSON object")
		}
	}
	if err != nil {
		return item{}, fmt.Errorf("the claims of the session: %w", err)
	}
	return it, nil
}

// errorsAsFalse replaces the errors that are known before by false, in a normal form
// whose value is only asked whether it is true: no opposite of it is formed.
func errorsAsFalse(e *expr) *expr {
	switch {
	case e.op == opConst && e.value.kind != Bool:
		return constant(BoolValue(false))
	case e.op != opAnd && e.op != opOr:
		return e
	}
	kids := make([]*expr, len(e.kids))
	for i, k := range e.kids {
		kids[i] = errorsAsFalse(k)
	}
	return normal(&expr{op: e.op, kids: kids})
}

// Constant returns what the query says of every event, and false if that depends
// on the event.
func (q *Query) Constant() (Truth, bool) {
	if q.normal.op != opConst {
		return False, false
	}
	if q.normal.value.kind != Bool {
		return Unknown, true
	}
	return truthOf(q.normal.value.bool()), true
}

// SessionParts returns what of the session the query asks for, each once and
// sorted: "authid", "role", and for a claim its name, as in "claims.team", also
// where the query asks for a part of the claim only. "claims" alone is whether
// there are any.
func (q *Query) SessionParts() []string {
	parts := map[string]bool{}
	q.root.walkSession(func(p path) {
		part := p.names[0]
		if part == claims && len(p.names) > 1 {
			part += "." + p.names[1]
		}
		parts[part] = true
	})
	return slices.Sorted(maps.Keys(parts))
}

// walkSession calls f with each field of the session.
func (e *expr) walkSession(f func(p path)) {
	for _, k := range e.kids {
		k.walkSession(f)
	}
	if e.field.root == rootSession {
		f(e.field)
	}
	if e.other() != nil && e.other().root == rootSession {
		f(*e.other())
	}
}

// The properties of a session.
const (
	authID = "authid"
	role   = "role"
	claims = "claims"
)

// A binder puts values for the session.
type binder struct{ who item }

func (b *binder) bind(e *expr) (*expr, error) {
	if len(e.kids) > 0 {
		n := *e
		n.kids = make([]*expr, len(e.kids))
		for i, k := range e.kids {
			var err error
			if n.kids[i], err = b.bind(k); err != nil {
				return nil, err
			}
		}
		return &n, nil
	}
	left, right := e.field.root == rootSession && e.op != opConst, e.other() != nil && e.other().root == rootSession
	switch {
	case left && (right || e.other() == nil):
		return sure(b.test(e)), nil
	case left: // the other side is a field of the event, and so this is a comparison
		it, ok := b.find(e.field)
		return compared(&expr{op: e.op.flip(), pos: e.pos, field: *e.other()}, it, ok, e.field)
	case right && e.op == opIn:
		return b.among(e)
	case right:
		it, ok := b.find(*e.other())
		return compared(&expr{op: e.op, pos: e.pos, field: e.field}, it, ok, *e.other())
	}
	return e, nil
}

// sure returns a condition whose value is known.
func sure(t Truth) *expr {
	switch t {
	case True, False:
		return constant(BoolValue(t == True))
	}
	return constant(NullValue())
}

// compared returns e with a property of the session for its value.
func compared(e *expr, it item, ok bool, p path) (*expr, error) {
	if !ok || it.shape != scalar {
		return sure(Unknown), nil
	}
	if err := short(it.value, p); err != nil {
		return nil, err
	}
	e.value = it.value
	return e, nil
}

// among returns e, which asks for an element of a list of the session, with that
// list.
func (b *binder) among(e *expr) (*expr, error) {
	it, ok := b.find(*e.other())
	if !ok || it.shape == scalar {
		return sure(Unknown), nil
	}
	n := &rare{}
	for _, el := range it.list {
		if el.shape != scalar { // a field can be equal to it, which no list of values can say
			return sure(Unknown), nil
		}
		n.list = append(n.list, el.value)
	}
	for name := range it.fields {
		n.list = append(n.list, StringValue(name))
	}
	if len(n.list) > maxBoundList {
		return nil, fmt.Errorf("%s: expected at most %d values, found %d", e.other(), maxBoundList, len(n.list))
	}
	for _, v := range n.list {
		if err := short(v, *e.other()); err != nil {
			return nil, err
		}
	}
	return &expr{op: opIn, pos: e.pos, field: e.field, rare: n}, nil
}

func short(v Value, p path) error {
	if n := len(v.str); n > maxBoundText {
		return fmt.Errorf("%s: expected texts of at most %d bytes, found one of %d", p, maxBoundText, n)
	}
	return nil
}

// test returns what a leaf says that is about the session alone.
func (b *binder) test(e *expr) Truth {
	if e.op == opHas {
		return b.has(e.field)
	}
	it, ok := b.find(e.field)
	if !ok {
		return Unknown
	}
	if e.other() == nil {
		return e.test(nil, it)
	}
	with, ok := b.find(*e.other())
	switch {
	case !ok:
		return Unknown
	case e.op == opIn:
		return within(with, it)
	}
	return compareItems(e.op, it, with)
}

// within reports whether a list has an element, or a map a key.
func within(it, el item) Truth {
	switch it.shape {
	case list:
		any := False
		for i := range it.list {
			any = max(any, compareItems(opEqual, it.list[i], el))
		}
		return any
	case object:
		_, ok := it.fields[el.value.str]
		return truthOf(ok && el.shape == scalar && el.value.kind == String)
	}
	return Unknown
}

// find returns a property of the session, and false if it is not there or null.
func (b *binder) find(p path) (item, bool) {
	it := b.who
	for _, name := range p.names {
		var ok bool
		if it, ok = it.fields[name]; !ok {
			return item{}, false
		}
	}
	return it, it.shape != scalar || it.value.kind != Null
}

// has reports whether a property of the session is there.
func (b *binder) has(p path) Truth {
	last := len(p.names) - 1
	parent, ok := b.find(path{names: p.names[:last]})
	if !ok || parent.shape == list {
		return Unknown
	}
	it, ok := parent.fields[p.names[last]]
	if !ok && last == 1 { // a claim that was not looked for
		return Unknown
	}
	return truthOf(ok && (it.shape != scalar || it.value.kind != Null))
}
