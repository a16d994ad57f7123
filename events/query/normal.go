package query

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"
)

// normal returns the normal form of an expression: an equal one, of every value
// of the logic, that many ways of saying the same share. Negation is at the
// leaves only, what is said twice is said once, and what can be in any order is
// sorted. The logic of three values is a distributive lattice with De Morgan's
// laws, so all of this holds; that either a condition or its opposite is true
// does not, and is not used.
func normal(e *expr) *expr { return (*parts)(nil).normalize(e, false) }

// normalize returns the normal form, or that of the opposite, made of the parts.
func (p *parts) normalize(e *expr, negate bool) *expr {
	switch e.op {
	case opNot:
		return p.normalize(e.kids[0], !negate)
	case opConst:
		if negate && e.value.kind == Bool {
			return constant(BoolValue(!e.value.bool()))
		}
		return e
	case opAnd, opOr:
		o := e.op
		if negate {
			o = opAnd + opOr - o
		}
		kids := p.list(len(e.kids))
		for _, k := range e.kids {
			if k = p.normalize(k, negate); k.op == o {
				kids = append(kids, k.kids...)
			} else {
				kids = append(kids, k)
			}
		}
		return p.join(o, kids)
	}
	return leaf(e, negate)
}

func constant(v Value) *expr { return &expr{op: opConst, value: v} }

// opposite of the comparisons: of what one of them is an error, so is the other.
var opposite = [opExists + 1]op{
	opEqual: opUnequal, opUnequal: opEqual,
	opLess: opGreaterEqual, opGreaterEqual: opLess, opGreater: opLessEqual, opLessEqual: opGreater,
}

// leaf returns the normal form of a leaf or of its opposite.
func leaf(e *expr, negate bool) *expr {
	if isNormal(e) && !negate {
		return e
	}
	n := *e
	n.value = plainNumber(e.value)
	if o := opposite[e.op]; o != 0 && negate {
		n.op, negate = o, false
	}
	switch {
	case (e.op == opIn || e.op == opHolds) && e.other() != nil: // its sides are of different kinds
	case e.op == opIn:
		list := make([]Value, len(e.list()))
		for i, v := range e.list() {
			list[i] = plainNumber(v)
		}
		slices.SortFunc(list, orderValues)
		n.rare = &rare{list: slices.Compact(list)}
		if len(n.list()) == 1 {
			n.op, n.value, n.rare = opEqual, list[0], nil
			if negate {
				n.op, negate = opUnequal, false
			}
		}
	case e.op == opExists:
		n.kids, n.value = []*expr{normal(e.kids[0])}, StringValue("x")
	case e.other() != nil && bytes.Compare(e.other().append(nil, "x"), e.field.append(nil, "x")) < 0:
		n.field, n.rare, n.op = *e.other(), &rare{other: &e.field}, n.op.flip()
	}
	if negate {
		return &expr{op: opNot, kids: []*expr{&n}}
	}
	return &n
}

// isNormal reports whether a leaf is its own normal form, as most are.
func isNormal(e *expr) bool {
	if e.op == opIn || e.op == opExists || e.other() != nil {
		return false
	}
	return e.value.kind != Uint && e.value.kind != Double || plainNumber(e.value) == e.value
}

// plainNumber returns the number as an Int if it is one, else as a Uint.
func plainNumber(v Value) Value {
	switch {
	case v.kind == Uint && v.num <= math.MaxInt64:
		return IntValue(int64(v.num))
	case v.kind == Double && v.float() == math.Trunc(v.float()):
		switch f := v.float(); {
		case f >= -1<<63 && f < 1<<63:
			return IntValue(int64(f))
		case f >= 1<<63 && f < 1<<64:
			return UintValue(uint64(f))
		}
	}
	return v
}

// orderValues orders values of any kinds, those that are equal as equal.
func orderValues(a, b Value) int {
	if ordered(a, b) {
		return compare(a, b)
	}
	rank := func(v Value) int {
		if v.isNumber() {
			return int(Int)
		}
		return int(v.kind)
	}
	return cmp.Compare(rank(a), rank(b))
}

// join returns the normal form of normal conditions with o between them.
func (p *parts) join(o op, kids []*expr) *expr {
	merged := kids[:0] // kids is the caller's no more
	values, ranges := 0, 0
	for _, k := range kids {
		if k.op == opConst && k.value.kind == Bool {
			if k.value.bool() == (o == opOr) {
				return k // it decides
			}
			continue // it says nothing
		}
		switch k.op {
		case opEqual, opIn:
			if o == opOr {
				values++
			}
		case opUnequal, opNot:
			if o == opAnd {
				values++
			}
		case opLess, opLessEqual, opGreater, opGreaterEqual:
			ranges++
		}
		merged = append(merged, k)
	}
	if values > 1 {
		merged = mergeValues(o, merged)
	}
	if ranges > 1 {
		merged = mergeRanges(o, merged)
	}
	merged = inOrder(merged)
	switch len(merged) {
	case 0:
		return constant(BoolValue(o == opAnd))
	case 1:
		return merged[0]
	}
	e := p.expr()
	e.op, e.kids = o, merged
	return e
}

// few is how many conditions most have at most between and and or.
const few = 8

// inOrder sorts conditions by their texts, and takes away what is there twice.
func inOrder(kids []*expr) []*expr {
	if len(kids) < 2 {
		return kids
	}
	if len(kids) <= few && fewLong(kids) {
		return inOrderFew(kids)
	}
	type written struct {
		e    *expr
		text []byte
	}
	list := make([]written, 0, len(kids))
	buf := make([]byte, 0, 32*len(kids))
	for _, k := range kids {
		begin := len(buf)
		buf = k.append(buf, bindUnary, "x")
		list = append(list, written{k, buf[begin:len(buf):len(buf)]}) // stays whole where buf moves
	}
	slices.SortFunc(list, func(a, b written) int { return bytes.Compare(a.text, b.text) })
	kids = kids[:0]
	for i, w := range list {
		if i == 0 || !bytes.Equal(w.text, list[i-1].text) {
			kids = append(kids, w.e)
		}
	}
	return kids
}

// fewLong reports whether at most one of the kids is more than one condition about
// one value, so that its text may be long.
func fewLong(kids []*expr) bool {
	long := 0
	for _, k := range kids {
		if len(k.kids) > 0 || len(k.list()) > 0 {
			long++
		}
	}
	return long < 2
}

// inOrderFew is inOrder for a few conditions. Most are in order already.
func inOrderFew(kids []*expr) []*expr {
	n := 0
	for _, k := range kids {
		i, c := n, 1
		for i > 0 {
			if c = compareTexts(k, kids[i-1]); c >= 0 {
				break
			}
			i--
		}
		if c == 0 { // it is there
			continue
		}
		if i < n {
			copy(kids[i+1:n+1], kids[i:n])
		}
		kids[i] = k
		n++
	}
	return kids[:n]
}

// compareTexts orders conditions by their texts, which it writes only if what they
// begin with does not decide it.
func compareTexts(a, b *expr) int {
	if c := cmp.Compare(a.firstByte(), b.firstByte()); c != 0 {
		return c
	}
	if x, y := a.firstComparison(), b.firstComparison(); x != nil && y != nil {
		// Both begin with a name and a space, which is before all that names have.
		if c := strings.Compare(x.firstName(), y.firstName()); c != 0 {
			return c
		}
		if x.op != y.op {
			return strings.Compare(signs[x.op], signs[y.op])
		}
	}
	text := make([]byte, 0, 128)
	text = a.append(text, bindUnary, "x")
	n := len(text)
	text = b.append(text, bindUnary, "x")
	return bytes.Compare(text[:n], text[n:])
}

// firstByte returns what the text of e begins with, an a for any letter.
func (e *expr) firstByte() byte {
	switch {
	case e.op == opNot:
		return '!'
	case e.op == opAnd, e.op == opOr, e.op >= opEqual && e.op <= opHolds, e.op == opConst && e.value.kind == Null:
		return '('
	}
	return 'a'
}

// firstComparison returns with what the text of e begins behind its parenthesis, if
// that compares a field that is one name in the text; otherwise nil.
func (e *expr) firstComparison() *expr {
	if e.op == opOr {
		e = e.kids[0]
	}
	if e.op == opAnd {
		e = e.kids[0]
	}
	if e.op < opEqual || e.op > opGreaterEqual {
		return nil
	}
	f := &e.field
	switch {
	case f.root == rootData && len(f.names) == 1:
		if !f.short && !isShort(f.names[0], "x") {
			return nil
		}
	case len(f.names) > 0 || f.root == rootElement || f.root == rootData:
		return nil
	}
	return e
}

// firstName returns the name with which the text of a firstComparison begins.
func (e *expr) firstName() string {
	if e.field.root == rootData {
		return e.field.names[0]
	}
	return rootNames[e.field.root]
}

// mergeValues makes f in [a, b] of f == a || f == b, and the opposite of it of
// f != a && f != b.
func mergeValues(o op, kids []*expr) []*expr {
	values := func(k *expr) (list []Value, field *path) {
		negated := k.op == opNot
		if negated {
			k = k.kids[0]
		}
		switch {
		case k.op == opIn && k.other() == nil && negated == (o == opAnd):
			return k.list(), &k.field
		case !negated && k.other() == nil && (k.op == opEqual && o == opOr || k.op == opUnequal && o == opAnd):
			return []Value{k.value}, &k.field
		}
		return nil, nil
	}
	has := func(k *expr) bool { _, field := values(k); return field != nil }
	return merge(kids, has, func(a, b *expr) *expr {
		listA, fieldA := values(a)
		listB, fieldB := values(b)
		if !fieldA.equal(*fieldB) {
			return nil
		}
		return leaf(&expr{op: opIn, field: *fieldA, rare: &rare{list: slices.Concat(listA, listB)}}, o == opAnd)
	})
}

// mergeRanges keeps the narrower of two bounds that must both hold, and the
// wider of two of which one must. The values must be of one kind: then either
// both are errors or none.
func mergeRanges(o op, kids []*expr) []*expr {
	upper := func(k *expr) bool { return k.op == opLess || k.op == opLessEqual }
	bound := func(k *expr) bool {
		return k.other() == nil && (upper(k) || k.op == opGreater || k.op == opGreaterEqual)
	}
	return merge(kids, bound, func(a, b *expr) *expr {
		if upper(a) != upper(b) || !a.field.equal(b.field) || !ordered(a.value, b.value) {
			return nil
		}
		c := compare(a.value, b.value)
		if c == 0 { // the one without equality is the narrower
			if a.op == opLessEqual || a.op == opGreaterEqual {
				a, b = b, a
			}
		} else if upper(a) == (c > 0) {
			a, b = b, a
		}
		if o == opAnd { // a is the narrower
			return a
		}
		return b
	})
}

// merge puts together every two conditions that can be merged of which both
// makes one.
func merge(kids []*expr, can func(e *expr) bool, both func(a, b *expr) *expr) []*expr {
	for i := 0; i < len(kids); i++ {
		if !can(kids[i]) {
			continue
		}
		for j := i + 1; j < len(kids); {
			var m *expr
			if can(kids[j]) {
				m = both(kids[i], kids[j])
			}
			if m == nil {
				j++
				continue
			}
			kids[i] = m
			kids = slices.Delete(kids, j, j+1)
		}
	}
	return kids
}
