package query

import (
	"cmp"
	"math"
	"regexp/syntax"
	"slices"
)

// A filing is one key under which a program is found.
type filing struct {
	key     uint64
	hash    uint64 // what the key was made of
	feature feature
	axis    axis // of the range that the cluster checks, or 0
	lo, hi  uint32
}

// A cover is keys of which an event has at least one if a condition is true of
// it. A condition that is never true has no keys.
type cover struct {
	cost    float64 // how many candidates are to be expected, roughly
	weak    bool    // some key says only that a field is there
	filings []filing
}

// What kinds of keys are thought to bring up, as a factor on what is filed there.
const (
	costEqual   = 1
	costPair    = 0.125 // fewer events have both values
	costClass   = 16    // of which class an event is: all queries for the class say it
	costText    = 2
	costFew     = 256 // of values of which there are only a few: many events have them
	costPiece   = 6
	costRange   = 1e6  // beside any other key, the cluster has the range
	costPresent = 1e12 // whatever else there is, is better
)

// A coverer finds the cheapest cover of an expression whose paths are held. What
// it returns is valid until reset.
type coverer struct {
	*hasher
	paths *paths
	find  func(e *expr, of *pathNode) *found // of a condition
	most  int                                // filings of a cover
	least int                                // programs under a key from which a pair of keys is better
	size  func(key uint64) int
	pairs func(f feature) bool // may there be keys of these two fields
	list  []bound              // workspace, as is the next
	filed []filing             // of covers of one condition
}

// reset begins with another query.
func (c *coverer) reset(least int) {
	c.least, c.filed = least, c.filed[:0]
}

// none is of what cannot be covered.
var none = cover{cost: math.Inf(1)}

func (c *coverer) cover(e *expr, of *pathNode) cover {
	switch e.op {
	case opConst:
		if e.value.kind == Bool && e.value.bool() {
			return c.present(c.paths.root)
		}
		return cover{}
	case opAnd:
		return c.and(e, of)
	case opOr:
		all := cover{filings: make([]filing, 0, len(e.kids))}
		for _, k := range e.kids {
			one := c.cover(k, of)
			all.cost += one.cost
			all.weak = all.weak || one.weak
			all.filings = append(all.filings, one.filings...)
		}
		return c.distinct(all)
	}
	if e.field.root == rootSession || e.other() != nil && e.other().root == rootSession {
		return cover{} // never true
	}
	return c.leaf(e, of)
}

// distinct files once under each key, and gives up on too many.
func (c *coverer) distinct(all cover) cover {
	// Keys that are the same by chance stay apart: an event has one or the other.
	slices.SortFunc(all.filings, func(a, b filing) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.hash, b.hash), a.feature.compare(b.feature))
	})
	list := all.filings[:0]
	for _, f := range all.filings {
		if n := len(list); n > 0 && list[n-1].key == f.key && list[n-1].hash == f.hash && list[n-1].feature == f.feature {
			g := &list[n-1] // either range may hold
			if g.axis != f.axis || g.axis&axisKind == axisHash && g.lo != f.lo {
				g.axis = 0
			}
			g.lo, g.hi = min(g.lo, f.lo), max(g.hi, f.hi)
			continue
		}
		list = append(list, f)
	}
	if len(list) > c.most {
		return none
	}
	all.filings = list
	return all
}

// and takes the cheapest of the kids' covers, or a pair of equalities, and lets
// the cluster check a range beside it.
func (c *coverer) and(e *expr, of *pathNode) cover {
	best := none
	for _, k := range e.kids {
		if costsMore(k, best.cost) {
			continue
		}
		if one := c.cover(k, of); one.cost < best.cost {
			best = one
		}
	}
	if best.cost >= float64(c.least) && of == nil {
		if two, ok := c.equalities(e); ok && two.cost < best.cost {
			best = two
		}
	}
	if len(best.filings) == 0 {
		return best
	}
	bounds := c.bounds(e.kids, of)
	for i := range best.filings {
		f := &best.filings[i]
		for _, b := range bounds {
			if f.axis == 0 && c.beside(f, b, of) {
				f.axis, f.lo, f.hi = b.axis, b.lo, b.hi
			} else if f.feature.kind == keyRange && f.axis == b.axis {
				f.lo, f.hi = max(f.lo, b.lo), min(f.hi, b.hi)
			}
		}
	}
	return best
}

// costsMore reports whether it is known without a lookup that a condition costs as
// much or more.
func costsMore(e *expr, cost float64) bool {
	return cost <= costRange && e.op >= opLess && e.op <= opGreaterEqual &&
		e.field.root != rootSession && (e.other() == nil || e.other().root != rootSession)
}

// hashOf returns the hash of the value of a comparison.
func (c *coverer) hashOf(x *found) uint64 {
	if !x.hashed {
		x.hash, x.hashed = c.literal(x.e.value), true
	}
	return x.hash
}

// beside reports whether the cluster in which f is can have
// bounds: it must have the element that they are about, and they must say more
// than the key.
func (c *coverer) beside(f *filing, b bound, of *pathNode) bool {
	if b.axis&axisElement != 0 && c.paths.all[f.feature.number].in.list != of {
		return false
	}
	return b.axis&axisKind != axisHash || f.feature.number != b.number && (f.feature.kind != keyPair || f.feature.other != b.number)
}

// equalities returns the best pair of fields that must have certain values.
func (c *coverer) equalities(e *expr) (cover, bool) {
	best := none
	for i, a := range e.kids {
		if !isEquality(a) {
			continue
		}
		for _, b := range e.kids[i+1:] {
			if !isEquality(b) {
				continue
			}
			x, y := c.find(a, nil), c.find(b, nil)
			if x.node == y.node {
				continue
			}
			if x.node.number > y.node.number {
				x, y = y, x
			}
			f := feature{kind: keyPair, number: x.node.number, other: y.node.number}
			if !c.pairs(f) {
				continue
			}
			key := c.hasher.pair(f, c.hashOf(x), c.hashOf(y))
			if cost := costPair * float64(1+c.size(key)); cost < best.cost {
				n := len(c.filed)
				c.filed = append(c.filed, filing{key: key, feature: f})
				best.cost, best.filings = cost, c.filed[n:n+1:n+1]
			}
		}
	}
	return best, best.cost < math.Inf(1)
}

// isEquality reports whether a condition is that a field of the event has a value.
func isEquality(e *expr) bool {
	return e.op == opEqual && e.other() == nil && e.field.root != rootSession
}

// file returns the cover of one key.
func (c *coverer) file(f feature, hash uint64, factor float64) cover {
	key := c.key(f, hash)
	n := len(c.filed)
	c.filed = append(c.filed, filing{key: key, hash: hash, feature: f})
	return cover{cost: factor * float64(1+c.size(key)), filings: c.filed[n : n+1 : n+1]}
}

func (c *coverer) present(n *pathNode) cover {
	one := c.file(feature{kind: keyPresent, number: n.number}, 0, costPresent)
	one.weak = true
	return one
}

func (c *coverer) leaf(e *expr, of *pathNode) cover {
	not := e.op == opNot
	if not {
		e = e.kids[0]
		if e.field.root == rootSession {
			return c.present(c.paths.root)
		}
	}
	if e.op == opHas {
		if names := e.field.names; not && len(names) > 0 {
			return c.present(c.paths.find(of, path{root: e.field.root, names: names[:len(names)-1]}))
		} else if len(names) == 0 {
			return c.present(c.paths.root)
		}
	}
	x := c.find(e, of)
	n := x.node
	equal := feature{kind: keyEqual, number: n.number}
	switch {
	case e.op == opBool:
		return c.file(equal, c.value(BoolValue(!not)), costFew)
	case not || e.other() != nil:
		return c.present(n)
	}
	switch e.op {
	case opEqual:
		if e.field.root == rootClass {
			return c.file(equal, c.hashOf(x), costClass)
		}
		if e.value.kind == Bool || e.value.kind == Null {
			return c.file(equal, c.hashOf(x), costFew)
		}
		return c.file(equal, c.hashOf(x), costEqual)
	case opIn:
		all := cover{filings: make([]filing, 0, len(e.list()))}
		for _, v := range e.list() {
			one := c.file(equal, c.literal(v), costEqual)
			all.cost += one.cost
			all.filings = append(all.filings, one.filings...)
		}
		if all = c.distinct(all); all.cost < math.Inf(1) {
			return all
		}
	case opHolds:
		return c.file(feature{kind: keyEqual, number: c.paths.element(n).number}, c.literal(e.value), costEqual)
	case opExists:
		if one := c.cover(e.kids[0], n); !one.weak {
			return one
		}
	case opPrefix, opSuffix, opContains, opMatches:
		return c.text(e, n)
	case opLess, opLessEqual, opGreater, opGreaterEqual:
		if g, lo, hi := rangeOf(e, n); g != 0 {
			one := c.file(feature{kind: keyRange, number: n.number}, 0, costRange)
			one.filings[0].axis, one.filings[0].lo, one.filings[0].hi = g, lo, hi
			return one
		}
	}
	return c.present(n)
}

// text returns the cover of a condition about what a string has in it.
func (c *coverer) text(e *expr, n *pathNode) cover {
	s := e.value.str
	if e.op == opMatches {
		s = required(e.rare.pattern.String())
	}
	f := feature{kind: keyPrefix, number: n.number}
	switch length := keyLength(len(s)); {
	case length == 0:
	case e.op == opPrefix:
		f.length = uint8(length)
		return c.file(f, c.hasher.text([]byte(s[:length])), costText)
	case e.op == opSuffix:
		f.kind, f.length = keySuffix, uint8(length)
		return c.file(f, c.hasher.text([]byte(s[len(s)-length:])), costText)
	case length >= 3:
		best := none
		f.kind, f.length = keyPiece, shortPiece
		if length >= longPiece {
			f.length = longPiece
		}
		n := int(f.length)
		for i := range len(s) - n + 1 {
			if one := c.file(f, piece([]byte(s[i:i+n])), costPiece); one.cost < best.cost {
				best = one
			}
		}
		return best
	}
	return c.present(n)
}

// required returns a text that is in everything that a regular expression
// matches.
func required(pattern string) string {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	longest := ""
	var look func(re *syntax.Regexp)
	look = func(re *syntax.Regexp) {
		switch re.Op {
		case syntax.OpLiteral:
			if re.Flags&syntax.FoldCase == 0 && len(string(re.Rune)) > len(longest) {
				longest = string(re.Rune)
			}
		case syntax.OpConcat, syntax.OpCapture, syntax.OpPlus:
			for _, sub := range re.Sub {
				look(sub)
			}
		}
	}
	look(parsed)
	return longest
}
