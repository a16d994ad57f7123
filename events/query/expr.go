package query

import (
	"regexp"
	"slices"
	"strings"
)

// An op is what a node of an expression does.
type op uint8

const (
	opConst op = iota // value: true, false, or null for an error that is known before

	opAnd // kids, two or more
	opOr  // kids, two or more
	opNot // kids[0]

	// The leaves, about field.
	opBool // the field is true
	opHas  // the field is there
	opEqual
	opUnequal
	opLess
	opLessEqual
	opGreater
	opGreaterEqual // … than value, or than other
	opIn           // field is one of list, or of what other has, which is the session's
	opHolds        // value, or what other has, which is the session's, is an element of field
	opPrefix
	opSuffix
	opContains
	opMatches // value is the pattern, which pattern is made of
	opExists  // kids[0] holds for an element of field, which it calls by the name that is value
)

// An expr is a node of an expression. There are many, so it is kept small.
type expr struct {
	op    op
	pos   int32 // in the text, in bytes; for a leaf, where its field or operator is
	kids  []*expr
	field path
	value Value
	rare  *rare // what few have, or nil
}

// Rare is what few nodes of an expression have.
type rare struct {
	other   *path // instead of value
	list    []Value
	pattern *regexp.Regexp
}

// other returns the field that stands instead of the value, or nil.
func (e *expr) other() *path {
	if e.rare == nil {
		return nil
	}
	return e.rare.other
}

// list returns the values that e has a list of.
func (e *expr) list() []Value {
	if e.rare == nil {
		return nil
	}
	return e.rare.list
}

// A root is what a path begins at.
type root uint8

const (
	rootData    root = iota // the event's data
	rootClass               // its class
	rootID                  // its ID
	rootTime                // when it was taken in
	rootTopic               // its topic
	rootSession             // who subscribes; a constant when a query is used
	rootElement             // the element in exists
)

// rootOf returns what a name means that is no field of the data.
func rootOf(name string) (root, bool) {
	switch name {
	case "data":
		return rootData, true
	case "class":
		return rootClass, true
	case "id":
		return rootID, true
	case "time":
		return rootTime, true
	case "topic":
		return rootTopic, true
	case "session":
		return rootSession, true
	}
	return 0, false
}

var rootNames = [...]string{rootData: "data", rootClass: "class", rootID: "id", rootTime: "time", rootTopic: "topic", rootSession: "session"}

// A path is a field.
type path struct {
	root  root
	short bool     // it is known that its text is its only name
	pos   int32    // in the text, in bytes
	names []string // below the root
}

func (p path) equal(q path) bool { return p.root == q.root && slices.Equal(p.names, q.names) }

// flip is what an operator becomes when its sides change places.
func (o op) flip() op {
	switch o {
	case opLess:
		return opGreater
	case opLessEqual:
		return opGreaterEqual
	case opGreater:
		return opLess
	case opGreaterEqual:
		return opLessEqual
	}
	return o
}

// isKeyword reports whether a word is part of CEL's grammar, so that it cannot
// stand behind a dot.
func isKeyword(s string) bool { return s == "true" || s == "false" || s == "null" || s == "in" }

// isReserved reports whether CEL keeps a word for itself.
func isReserved(s string) bool {
	if isKeyword(s) {
		return true
	}
	switch s {
	case "as", "break", "const", "continue", "else", "for", "function", "if", "import",
		"let", "loop", "package", "namespace", "return", "var", "void", "while":
		return true
	}
	return false
}

// isName reports whether s can be written as a name.
func isName(s string) bool {
	if s == "" || !isLetter(s[0]) || isReserved(s) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !isLetter(s[i]) && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

// The operators by how strongly they bind.
const (
	bindOr = iota
	bindAnd
	bindRelation
	bindUnary
)

var signs = [opExists + 1]string{
	opEqual: " == ", opUnequal: " != ", opLess: " < ", opLessEqual: " <= ", opGreater: " > ", opGreaterEqual: " >= ",
}

var methods = [opExists + 1]string{opPrefix: "startsWith", opSuffix: "endsWith", opContains: "contains", opMatches: "matches"}

// append writes the expression so that parsing it gives the same again. element
// is the name that exists gives to what it looks at.
func (e *expr) append(b []byte, around int, element string) []byte {
	binds := bindUnary
	switch e.op {
	case opConst:
		if e.value.kind == Null {
			binds = bindRelation
		}
	case opAnd:
		binds = bindAnd
	case opOr:
		binds = bindOr
	case opEqual, opUnequal, opLess, opLessEqual, opGreater, opGreaterEqual, opIn, opHolds:
		binds = bindRelation
	}
	if binds < around {
		return append(e.appendBare(append(b, '('), element), ')')
	}
	return e.appendBare(b, element)
}

func (e *expr) appendBare(b []byte, element string) []byte {
	switch e.op {
	case opConst:
		if e.value.kind == Null {
			return append(b, `0 < ""`...) // as good an error as any
		}
		return e.value.append(b)
	case opAnd, opOr:
		sign, binds := " && ", bindAnd
		if e.op == opOr {
			sign, binds = " || ", bindOr
		}
		for i, k := range e.kids {
			if i > 0 {
				b = append(b, sign...)
			}
			b = k.append(b, binds+1, element)
		}
		return b
	case opNot:
		return e.kids[0].append(append(b, '!'), bindUnary, element)
	case opBool:
		return e.field.append(b, element)
	case opHas:
		b = e.field.append(append(b, "has("...), element)
		return append(b, ')')
	case opIn:
		b = append(e.field.append(b, element), " in "...)
		if e.other() != nil {
			return e.other().append(b, element)
		}
		b = append(b, '[')
		for i, v := range e.list() {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = v.append(b)
		}
		return append(b, ']')
	case opHolds:
		if e.other() != nil {
			b = e.other().append(b, element)
		} else {
			b = e.value.append(b)
		}
		return e.field.append(append(b, " in "...), element)
	case opExists:
		b = append(e.field.append(b, element), ".exists("...)
		b = append(append(b, e.value.str...), ", "...)
		return append(e.kids[0].append(b, bindOr, e.value.str), ')')
	case opPrefix, opSuffix, opContains, opMatches:
		b = append(append(e.field.append(b, element), '.'), methods[e.op]...)
		return append(e.value.append(append(b, '(')), ')')
	}
	b = append(e.field.append(b, element), signs[e.op]...)
	if e.other() != nil {
		return e.other().append(b, element)
	}
	return e.value.append(b)
}

// append writes the path as short as it can be written.
func (p path) append(b []byte, element string) []byte {
	names := p.names
	switch {
	case p.root == rootElement:
		b = append(b, element...)
	case p.root != rootData:
		b = append(b, rootNames[p.root]...)
	case len(names) == 0:
		return append(b, "data"...)
	default:
		if !isShort(names[0], element) {
			b = append(b, "data"...)
			break
		}
		b, names = append(b, names[0]...), names[1:]
	}
	for _, n := range names {
		if isName(n) {
			b = append(append(b, '.'), n...)
			continue
		}
		b = append(appendQuoted(append(b, '['), n), ']')
	}
	return b
}

// isShort reports whether a field of the data with the name can be written
// without data in front of it.
func isShort(name, element string) bool {
	_, taken := rootOf(name)
	return !taken && name != element && isName(name) && !isFunction(name)
}

// String returns the path as a query has it.
func (p path) String() string { return string(p.append(nil, "")) }

// listed lists names for people.
func listed(names []string) string {
	slices.Sort(names)
	return strings.Join(names, ", ")
}
