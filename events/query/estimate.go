package query

import "math"

// An Estimate is what a query costs for each event of the classes that it is
// for, before anybody knows these events. It depends on the query alone, so that
// the same query always costs the same.
type Estimate struct {
	// Anchored reports whether the query says more than of which classes and
	// topics the events are that an index can look up: a value, a part of a
	// text, a bound. Otherwise it is compared with every event of its classes.
	Anchored bool

	// Share is the part of these events that it is thought to be compared with,
	// in 0 to 1: rules of thumb, such as that one event in a hundred has a
	// certain value in a field.
	Share float64

	// Work is how much there is to check for an event that it is compared with,
	// where one comparison with a value is 1; see design/025-query-admission.md.
	// That the class or topic is the right one counts for nothing, but a query
	// for at least 1.
	Work int

	// Cost is Share times Work, in thousandths and rounded up: what budgets
	// count.
	Cost int64
}

// Unit is a cost of 1: one comparison with a value, for every event.
const Unit = 1000

// Estimate returns what the query costs.
func (q *Query) Estimate() Estimate {
	g := guesser{}
	found := g.guess(q.normal)
	e := Estimate{Anchored: found.anchored, Share: found.share, Work: max(1, work(q.normal))}
	e.Cost = int64(math.Ceil(e.Share * float64(e.Work) * Unit))
	return e
}

// Keys returns conditions, in EQL, of which every event that the query is true
// of satisfies at least one: those by which an index would find it if it were
// its only query of its class. There are none if the query is not anchored, or
// true of no event.
func (q *Query) Keys() []string {
	g := guesser{keep: true}
	found := g.guess(q.normal)
	if !found.anchored {
		return nil
	}
	texts := make([]string, 0, len(found.keys))
	seen := map[string]bool{}
	for _, k := range found.keys {
		if text := string(normal(k).append(nil, bindOr, "")); !seen[text] {
			seen[text] = true
			texts = append(texts, text)
		}
	}
	return texts
}

// How large a share of events is thought to have what a key asks for, where
// nothing is known of them.
const (
	shareEqual    = 1.0 / 100 // a field has a certain value
	shareBool     = 1.0 / 2   // it is a certain bool
	shareLetter   = 1.0 / 16  // a text begins or ends with a certain letter
	shareAffix    = 1.0 / 64  // with two or more
	shareTrigram  = 1.0 / 16  // it has three certain bytes in it
	shareBound    = 1.0 / 2   // a value is above a bound, or below one
	shareInterval = 1.0 / 8   // it is between two
	fewElements   = 4         // elements are in a list
)

// A guess is by what a condition can be found.
type guess struct {
	anchored bool
	share    float64
	ranged   bool    // by bounds alone
	keys     []*expr // if they are kept
}

// everything is the guess for what cannot be found by anything.
var everything = guess{share: 1}

// A guesser goes through a normal expression as a coverer does, but looks at
// nothing else.
type guesser struct {
	keep bool // the keys
}

func (g *guesser) guess(e *expr) guess {
	switch e.op {
	case opConst:
		if e.value.kind == Bool && e.value.bool() {
			return everything
		}
		return guess{anchored: true} // never true
	case opAnd:
		return g.and(e)
	case opOr:
		all := guess{anchored: true}
		for _, k := range e.kids {
			all = all.or(g.guess(k))
		}
		return all
	}
	return g.leaf(e)
}

// or returns the guess for an alternative of two.
func (x guess) or(y guess) guess {
	if !x.anchored || !y.anchored {
		return everything
	}
	return guess{anchored: true, share: min(1, x.share+y.share), keys: append(x.keys, y.keys...)}
}

// and takes the best of what must hold, and adds what bounds there are: the
// index has them beside each key.
func (g *guesser) and(e *expr) guess {
	best := everything
	for _, k := range e.kids {
		one := g.guess(k)
		if one.ranged {
			continue
		}
		if one.anchored && (!best.anchored || one.share < best.share) {
			best = one
		}
	}
	bounds, share := g.bounds(e.kids)
	if len(bounds) == 0 {
		return best
	}
	if !best.anchored {
		best = guess{anchored: true, share: 1, ranged: true}
		if g.keep {
			best.keys = []*expr{constant(BoolValue(true))}
		}
	}
	best.share *= share
	for i, k := range best.keys {
		best.keys[i] = &expr{op: opAnd, kids: append([]*expr{k}, bounds...)}
	}
	return best
}

// bounds returns the bounds of the field that has the most of them, of those
// that are fields of the event or of the element: an index looks at one.
func (g *guesser) bounds(kids []*expr) (best []*expr, share float64) {
	share = 1
	for i, k := range kids {
		if !isBound(k) {
			continue
		}
		list, up, down := kids[i:i+1:i+1], k.op >= opGreater, k.op < opGreater
		for _, other := range kids[i+1:] {
			if isBound(other) && other.field.equal(k.field) && sameOrder(other.value, k.value) {
				list, up, down = append(list, other), up || other.op >= opGreater, down || other.op < opGreater
			}
		}
		s := shareBound
		if up && down {
			s = shareInterval
		}
		if s < share {
			best, share = list, s
		}
	}
	return best, share
}

// isBound reports whether an index can keep values apart by a condition.
func isBound(e *expr) bool {
	if e.op < opLess || e.op > opGreaterEqual || e.other() != nil || wide(e.field) {
		return false
	}
	v := e.value
	return v.isNumber() && !v.isNaN() || v.kind == String || v.kind == Time
}

// sameOrder reports whether two values are on one line.
func sameOrder(a, b Value) bool { return ordered(a, b) }

// wide reports whether a field says which classes and topics are meant, or
// nothing that is in the event.
func wide(p path) bool {
	return p.root == rootClass || p.root == rootTopic || p.root == rootSession
}

// leaf returns the guess for a comparison or test.
func (g *guesser) leaf(e *expr) guess {
	of := e
	if e.op == opNot {
		of = e.kids[0]
	}
	switch {
	case of.field.root == rootSession || of.other() != nil && of.other().root == rootSession:
		if e.op == opNot {
			return everything // as the index has it
		}
		return guess{anchored: true} // never true
	case of.op == opBool && !wide(of.field):
		return g.key(e, shareBool)
	case e.op == opNot || e.other() != nil || wide(e.field):
		return everything
	case isBound(e):
		one := g.key(e, shareBound)
		one.ranged = true
		return one
	}
	switch e.op {
	case opEqual:
		return g.equal(e, e.value)
	case opHolds:
		one := g.equal(e, e.value)
		one.share = min(1, one.share*fewElements)
		return one
	case opIn:
		all := guess{anchored: true}
		for _, v := range e.list() {
			all = all.or(g.equal(&expr{op: opEqual, field: e.field, value: v}, v))
		}
		return all
	case opExists:
		return g.exists(e)
	case opPrefix, opSuffix, opContains, opMatches:
		return g.text(e)
	}
	return everything
}

// key returns the guess for a condition that is a key.
func (g *guesser) key(e *expr, share float64) guess {
	one := guess{anchored: true, share: share}
	if g.keep {
		one.keys = []*expr{e}
	}
	return one
}

func (g *guesser) equal(e *expr, v Value) guess {
	if v.kind == Bool || v.kind == Null {
		return g.key(e, shareBool)
	}
	return g.key(e, shareEqual)
}

// exists returns the guess for a condition of elements: what it is for one, as
// often as there are elements.
func (g *guesser) exists(e *expr) guess {
	one := g.guess(e.kids[0])
	if !one.anchored {
		return everything
	}
	one.share, one.ranged = min(1, one.share*fewElements), false
	for i, k := range one.keys {
		one.keys[i] = &expr{op: opExists, field: e.field, value: e.value, kids: []*expr{k}}
	}
	return one
}

// text returns the guess for a condition about a part of a text.
func (g *guesser) text(e *expr) guess {
	s := e.value.str
	if e.op == opMatches {
		s = required(e.rare.pattern.String())
	}
	length := keyLength(len(s))
	switch {
	case (e.op == opPrefix || e.op == opSuffix) && length == 1:
		return g.key(e, shareLetter)
	case (e.op == opPrefix || e.op == opSuffix) && length > 1:
		return g.key(e, shareAffix)
	case length >= 3:
		return g.key(&expr{op: opContains, field: e.field, value: StringValue(s)}, shareTrigram)
	}
	return everything
}

// What it takes to check a condition, in comparisons with a value.
const (
	workContains = 2
	workMatches  = 16 // a regular expression looks at each byte, in each of its states
	workValues   = 8  // of a list are compared in the time of one
)

// work returns how much there is to check in an expression.
func work(e *expr) int {
	n := 1
	switch e.op {
	case opAnd, opOr, opNot:
		n = 0
	case opEqual, opUnequal, opLess, opLessEqual, opGreater, opGreaterEqual, opPrefix:
		if wide(e.field) && e.other() == nil {
			return 0
		}
	case opConst:
		return 0
	case opContains:
		n = workContains
	case opMatches:
		n = workMatches
	case opIn:
		n = 1 + len(e.list())/workValues
	case opHolds:
		n = fewElements
	}
	for _, k := range e.kids {
		if e.op == opExists {
			n += fewElements * work(k)
			continue
		}
		n += work(k)
	}
	return n
}
