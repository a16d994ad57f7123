package query

import (
	"cmp"
	"math"
	"slices"
)

// A bound is what a cluster checks of an event before any program is run: that a
// field is between two sort keys, or has a certain hash.
type bound struct {
	axis   axis
	lo, hi uint32
	number uint32 // of the path
}

// bounds returns what is known of an event of which all kids are true, that
// which leaves the fewest first: equalities, and then ranges by their width.
func (c *coverer) bounds(kids []*expr, of *pathNode) []bound {
	list := c.list[:0]
	for _, k := range kids {
		if k.op < opEqual || k.op > opGreaterEqual || k.op == opUnequal || k.other() != nil || k.field.root == rootSession {
			continue
		}
		x := c.find(k, of)
		n := x.node
		if k.op == opEqual {
			if k.value.kind != Bool && k.value.kind != Null { // too many have the same
				h := hashKey(c.hashOf(x))
				list = append(list, bound{axisOf(axisHash, n), h, h, n.number})
			}
			continue
		}
		g, lo, hi := rangeOf(k, n)
		if g == 0 {
			continue
		}
		i := slices.IndexFunc(list, func(b bound) bool { return b.axis == g })
		if i < 0 {
			list = append(list, bound{g, lo, hi, n.number})
			continue
		}
		b := &list[i]
		b.lo, b.hi = max(b.lo, lo), min(b.hi, hi)
	}
	for i := range list {
		list[i].hi = max(list[i].lo, list[i].hi) // else never true
	}
	slices.SortStableFunc(list, func(a, b bound) int {
		if x, y := a.axis&axisKind == axisHash, b.axis&axisKind == axisHash; x != y {
			if x {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.hi-a.lo, b.hi-b.lo)
	})
	c.list = list
	return list
}

// rangeOf returns the sort keys between which a comparison can hold, or axis 0.
func rangeOf(e *expr, n *pathNode) (g axis, lo, hi uint32) {
	var k uint32
	switch v := e.value; {
	case v.isNumber() && !v.isNaN():
		g, k = axisNumber, sortKey(v)
	case v.kind == String:
		g, k = axisText, sortText(v.str)
	case v.kind == Time:
		g, k = axisTime, sortKey(v)
	default:
		return 0, 0, 0
	}
	g = axisOf(g, n)
	switch e.op {
	case opLess, opLessEqual:
		return g, 0, k
	case opGreater, opGreaterEqual:
		return g, k, math.MaxUint32
	}
	return 0, 0, 0
}

// axisOf returns the axis of a kind for a field.
func axisOf(kind axis, n *pathNode) axis {
	kind |= axis(n.cell) << axisBits
	if n.in.list != nil {
		kind |= axisElement
	}
	return kind
}
