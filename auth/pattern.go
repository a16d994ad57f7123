package auth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Pattern names a set of URIs:
//
//	order.created   that URI alone
//	order.*         every URI below order: order.a and order.a.b, but neither
//	                order nor orders.a
//	*.created.*     every URI of three or more parts, the second of which is
//	                created: any other * stands for exactly one part
//	*               every URI
//
// A * always stands for whole parts: "order*" is no pattern.
type Pattern string

// maxPattern bounds a pattern, in bytes.
const maxPattern = 512

// Validate returns an error that says what is wrong with p, if anything is.
func (p Pattern) Validate() error {
	switch {
	case p == "":
		return errors.New("pattern is empty: use * for every URI, an empty list for none")
	case len(p) > maxPattern:
		return fmt.Errorf("pattern has %d bytes, at most %d are allowed", len(p), maxPattern)
	case !wamp.URI(p).Valid():
		return fmt.Errorf("pattern %q must be parts divided by single dots, without spaces or #", p)
	}
	for part := range strings.SplitSeq(string(p), ".") {
		if part != "*" && strings.Contains(part, "*") {
			return fmt.Errorf("pattern %q: * must stand for a whole part, not for a piece of %q", p, part)
		}
	}
	return nil
}

// A PatternSet is a set of patterns made ready for matching. It is immutable;
// the zero value and a nil pointer match nothing.
type PatternSet struct{ root node }

// A node is a place in the tree of patterns, one level for each part of a URI.
type node struct {
	parts map[string]*node
	any   *node // for * in the middle or in front: any one part
	end   bool  // a pattern ends here
	below bool  // a pattern ends in .* here: whatever follows, if anything does
}

// NewPatternSet returns the union of the patterns, or the error of the first
// that is not valid.
func NewPatternSet(patterns []Pattern) (*PatternSet, error) {
	s := new(PatternSet)
	for _, p := range patterns {
		if err := p.Validate(); err != nil {
			return nil, err
		}
		s.add(string(p))
	}
	return s, nil
}

func (s *PatternSet) add(pattern string) {
	at := &s.root
	for {
		part, rest, more := strings.Cut(pattern, ".")
		if part == "*" && !more {
			at.below = true
			return
		}
		at = at.enter(part)
		if !more {
			at.end = true
			return
		}
		pattern = rest
	}
}

// enter returns the child for a part, which it makes if need be.
func (n *node) enter(part string) *node {
	if part == "*" {
		if n.any == nil {
			n.any = new(node)
		}
		return n.any
	}
	child := n.parts[part]
	if child == nil {
		if n.parts == nil {
			n.parts = make(map[string]*node)
		}
		child = new(node)
		n.parts[part] = child
	}
	return child
}

// Covers reports whether every URI that uri stands for under match is in the
// set: for [wamp.Exact] the URI itself, for the others all that a subscription
// or registration with that policy can match. It does not allocate, and visits
// each node of the set at most once.
//
//	patterns     uri      match     covered
//	order.*      order.   prefix    yes
//	order.*      order    prefix    no: order itself and orders match, too
//	order.*      order.a  prefix    yes, with order.ab and order.a.b
//	order.*.*    order.   prefix    no: order.a matches, too
//	*            (empty)  prefix    yes
//	order.*      order.   wildcard  yes: order and any one part
//	*.created    .created wildcard  yes
//	a.x, a.y     a.       wildcard  no: a.z matches, too
//	a.*          .x       wildcard  no: b.x matches, too
func (s *PatternSet) Covers(uri wamp.URI, match wamp.Match) bool {
	if s == nil {
		return false
	}
	switch match {
	case wamp.Prefix:
		return s.root.coversPrefix(string(uri))
	case wamp.Wildcard:
		return s.root.covers(string(uri), true)
	default:
		return s.root.covers(string(uri), false)
	}
}

// Touches reports whether some URI that uri stands for under match is in the set:
// for [wamp.Exact] the URI itself, for the others any that a subscription with
// that policy can match. It does not allocate.
//
//	patterns     uri      match     touched
//	order.*      order.   prefix    yes
//	order.*      or       prefix    yes: order.a
//	order.*      order    prefix    yes: order.a
//	order.*      orders   prefix    no
//	a.x          a.       wildcard  yes
//	a.*.x        .b.      wildcard  yes: a.b.x
//	a.*          a        wildcard  no
func (s *PatternSet) Touches(uri wamp.URI, match wamp.Match) bool {
	if s == nil {
		return false
	}
	if match == wamp.Prefix {
		return s.root.touchesPrefix(string(uri))
	}
	return s.root.touches(string(uri), match == wamp.Wildcard)
}

// touches matches uri, part by part. An empty part of a wildcard stands for
// each.
func (n *node) touches(uri string, wildcard bool) bool {
	part, rest, more := strings.Cut(uri, ".")
	each := part == "" && wildcard
	if part == "" && !each {
		return false
	}
	if n.below {
		return true
	}
	on := func(child *node) bool {
		if more {
			return child.touches(rest, wildcard)
		}
		return child.end
	}
	if n.any != nil && on(n.any) {
		return true
	}
	if !each {
		child := n.parts[part]
		return child != nil && on(child)
	}
	for _, child := range n.parts {
		if on(child) {
			return true
		}
	}
	return false
}

// touchesPrefix follows the whole parts of a prefix, and then looks for a part
// with what is left of it. Below each node there is an end.
func (n *node) touchesPrefix(prefix string) bool {
	if n.below {
		return true
	}
	part, rest, more := strings.Cut(prefix, ".")
	if more {
		child := n.parts[part]
		return child != nil && child.touchesPrefix(rest) || n.any != nil && n.any.touchesPrefix(rest)
	}
	if n.any != nil {
		return true
	}
	for name := range n.parts {
		if strings.HasPrefix(name, part) {
			return true
		}
	}
	return false
}

// coversReserved is Covers for what begins with wamp., by those patterns only
// that do so, too.
func (s *PatternSet) coversReserved(uri wamp.URI, match wamp.Match) bool {
	if s == nil {
		return false
	}
	first, rest, more := strings.Cut(string(uri), ".")
	child := s.root.parts[first]
	switch {
	case child == nil:
		return false
	case match == wamp.Prefix:
		return more && child.coversPrefix(rest)
	default:
		return child.goesOn(rest, more, match == wamp.Wildcard)
	}
}

// covers matches uri, part by part. An empty part of a wildcard stands for
// each of infinitely many parts, and so only * can cover it: however many
// literal parts a set lists, there is another.
func (n *node) covers(uri string, wildcard bool) bool {
	part, rest, more := strings.Cut(uri, ".")
	if part == "" && !wildcard {
		return false
	}
	if n.below {
		return true
	}
	if part != "" {
		if child := n.parts[part]; child != nil && child.goesOn(rest, more, wildcard) {
			return true
		}
	}
	return n.any != nil && n.any.goesOn(rest, more, wildcard)
}

func (n *node) goesOn(rest string, more, wildcard bool) bool {
	if more {
		return n.covers(rest, wildcard)
	}
	return n.end
}

// coversPrefix follows the whole parts of a prefix. What comes after them has
// at least one more part, of which only the beginning is known, and any number
// of others: no finite set of patterns covers that but one that ends in *, at
// this place or before.
func (n *node) coversPrefix(prefix string) bool {
	if n.below {
		return true
	}
	part, rest, more := strings.Cut(prefix, ".")
	if !more || part == "" {
		return false
	}
	if child := n.parts[part]; child != nil && child.coversPrefix(rest) {
		return true
	}
	return n.any != nil && n.any.coversPrefix(rest)
}
