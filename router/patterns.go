package router

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/wireroom/wireroom/router/wamp"
)

// Patterns are the prefix and wildcard subscriptions or registrations of a
// realm, in two tries: what a publication or call costs depends on its URI, not
// on how many patterns there are.
type patterns[T any] struct {
	count atomic.Int64 // values; lets a reader skip the lock when there is none

	mu     sync.RWMutex // guards the following
	prefix prefixNode[T]
	wild   wildNode[T]
}

// match appends the value of every pattern that fits uri.
func (p *patterns[T]) match(dst []*T, uri wamp.URI) []*T {
	p.mu.RLock()
	defer p.mu.RUnlock()
	dst = p.prefix.match(dst, string(uri))
	return p.wild.match(dst, string(uri), true)
}

// matchEither appends, once each, the value of every pattern that fits topic or
// channel, which may be empty.
func (p *patterns[T]) matchEither(dst []*T, topic, channel wamp.URI) []*T {
	begin := len(dst)
	dst = p.match(dst, topic)
	if channel == "" {
		return dst
	}
	n := len(dst)
	dst = p.match(dst, channel)
	kept := dst[:n]
next:
	for _, v := range dst[n:] {
		for _, had := range dst[begin:n] {
			if had == v {
				continue next
			}
		}
		kept = append(kept, v)
	}
	return kept
}

// best returns the value of the pattern that fits uri best, or nil: of the
// prefixes the longest, and if none fits, of the wildcards the one whose exact
// components go furthest before the first wildcard, then before the second, and
// so on (WAMP "Pattern-based Registrations").
func (p *patterns[T]) best(uri wamp.URI) *T {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if v := p.prefix.longest(string(uri)); v != nil {
		return v
	}
	return p.wild.best(string(uri), true)
}

// get returns the value of the pattern, or nil. mu is held.
func (p *patterns[T]) get(pattern wamp.URI, m wamp.Match) *T {
	if m == wamp.Prefix {
		return p.prefix.get(string(pattern))
	}
	return p.wild.get(string(pattern))
}

// put adds a pattern with its value. mu is held.
func (p *patterns[T]) put(pattern wamp.URI, m wamp.Match, v *T) {
	p.count.Add(1)
	if m == wamp.Prefix {
		p.prefix.put(string(pattern), v)
	} else {
		p.wild.put(string(pattern), v)
	}
}

// delete takes a pattern out. mu is held.
func (p *patterns[T]) delete(pattern wamp.URI, m wamp.Match) {
	p.count.Add(-1)
	if m == wamp.Prefix {
		p.prefix.delete(string(pattern))
	} else {
		p.wild.delete(string(pattern))
	}
}

// A prefixNode is a node of a radix tree over the bytes of prefixes. Prefix
// matching is on characters, not components: "a.b" fits "a.bc".
type prefixNode[T any] struct {
	label    string // the bytes from the parent to here; not empty but at the root
	value    *T
	children []*prefixNode[T] // no two begin with the same byte; ordered by it
}

func (n *prefixNode[T]) match(dst []*T, s string) []*T {
	for {
		if n.value != nil {
			dst = append(dst, n.value)
		}
		if s == "" {
			return dst
		}
		i, ok := n.find(s[0])
		if !ok || !strings.HasPrefix(s, n.children[i].label) {
			return dst
		}
		n = n.children[i]
		s = s[len(n.label):]
	}
}

// longest returns the value of the longest prefix of s, or nil.
func (n *prefixNode[T]) longest(s string) (v *T) {
	for {
		if n.value != nil {
			v = n.value
		}
		if s == "" {
			return v
		}
		i, ok := n.find(s[0])
		if !ok || !strings.HasPrefix(s, n.children[i].label) {
			return v
		}
		n = n.children[i]
		s = s[len(n.label):]
	}
}

// find returns where the child that begins with c is, or belongs.
func (n *prefixNode[T]) find(c byte) (int, bool) {
	lo, hi := 0, len(n.children)
	for lo < hi {
		mid := (lo + hi) / 2
		if n.children[mid].label[0] < c {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(n.children) && n.children[lo].label[0] == c
}

func (n *prefixNode[T]) get(s string) *T {
	for s != "" {
		i, ok := n.find(s[0])
		if !ok || !strings.HasPrefix(s, n.children[i].label) {
			return nil
		}
		n = n.children[i]
		s = s[len(n.label):]
	}
	return n.value
}

func (n *prefixNode[T]) put(s string, v *T) {
	for s != "" {
		i, ok := n.find(s[0])
		if !ok {
			n.children = append(n.children, nil)
			copy(n.children[i+1:], n.children[i:])
			n.children[i] = &prefixNode[T]{label: s, value: v}
			return
		}
		child := n.children[i]
		k := commonPrefix(s, child.label)
		if k < len(child.label) {
			n.children[i] = &prefixNode[T]{label: child.label[:k], children: []*prefixNode[T]{child}}
			child.label = child.label[k:]
			child = n.children[i]
		}
		n, s = child, s[k:]
	}
	n.value = v
}

func (n *prefixNode[T]) delete(s string) {
	if s == "" {
		n.value = nil
		return
	}
	i, ok := n.find(s[0])
	if !ok || !strings.HasPrefix(s, n.children[i].label) {
		return
	}
	child := n.children[i]
	child.delete(s[len(child.label):])
	switch {
	case child.value != nil:
	case len(child.children) == 0:
		n.children = append(n.children[:i], n.children[i+1:]...)
	case len(child.children) == 1:
		only := child.children[0]
		only.label = child.label + only.label
		n.children[i] = only
	}
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// A wildNode is a node of a trie over the components of wildcard patterns,
// where an empty component fits any.
type wildNode[T any] struct {
	value    *T
	any      *wildNode[T]
	children map[string]*wildNode[T]
}

// match appends what fits the components of s; more says that there is at
// least one.
func (n *wildNode[T]) match(dst []*T, s string, more bool) []*T {
	for more {
		var component string
		component, s, more = strings.Cut(s, ".")
		if n.any != nil {
			dst = n.any.match(dst, s, more)
		}
		if n = n.children[component]; n == nil {
			return dst
		}
	}
	if n.value != nil {
		dst = append(dst, n.value)
	}
	return dst
}

// best is like match, for the best fit.
func (n *wildNode[T]) best(s string, more bool) *T {
	if !more {
		return n.value
	}
	component, rest, more := strings.Cut(s, ".")
	if child := n.children[component]; child != nil {
		if v := child.best(rest, more); v != nil {
			return v
		}
	}
	if n.any != nil {
		return n.any.best(rest, more)
	}
	return nil
}

func (n *wildNode[T]) get(s string) *T {
	for component := range strings.SplitSeq(s, ".") {
		if component == "" {
			n = n.any
		} else {
			n = n.children[component]
		}
		if n == nil {
			return nil
		}
	}
	return n.value
}

func (n *wildNode[T]) put(s string, v *T) {
	for component := range strings.SplitSeq(s, ".") {
		if component == "" {
			if n.any == nil {
				n.any = new(wildNode[T])
			}
			n = n.any
			continue
		}
		child := n.children[component]
		if child == nil {
			if n.children == nil {
				n.children = make(map[string]*wildNode[T])
			}
			child = new(wildNode[T])
			n.children[component] = child
		}
		n = child
	}
	n.value = v
}

func (n *wildNode[T]) delete(s string) {
	component, rest, more := strings.Cut(s, ".")
	child := n.any
	if component != "" {
		child = n.children[component]
	}
	if child == nil {
		return
	}
	if more {
		child.delete(rest)
	} else {
		child.value = nil
	}
	if child.value != nil || child.any != nil || len(child.children) > 0 {
		return
	}
	if component == "" {
		n.any = nil
	} else {
		delete(n.children, component)
	}
}
