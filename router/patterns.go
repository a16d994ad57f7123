package router

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/wireroom/wireroom/router/wamp"
)

// Patterns are the prefix and wildcard subscriptions of a realm, in two tries:
// what a publication costs depends on its topic, not on how many patterns
// there are.
type patterns struct {
	count atomic.Int64 // subscriptions; lets a publication skip the lock when there is none

	mu     sync.RWMutex // guards the following
	prefix prefixNode
	wild   wildNode
}

// match appends every subscription whose pattern fits topic.
func (p *patterns) match(dst []*subscription, topic wamp.URI) []*subscription {
	p.mu.RLock()
	defer p.mu.RUnlock()
	dst = p.prefix.match(dst, string(topic))
	return p.wild.match(dst, string(topic), true)
}

// get returns the subscription of the pattern, or nil. mu is held.
func (p *patterns) get(topic wamp.URI, m wamp.Match) *subscription {
	if m == wamp.Prefix {
		return p.prefix.get(string(topic))
	}
	return p.wild.get(string(topic))
}

// put adds sub. mu is held.
func (p *patterns) put(sub *subscription) {
	p.count.Add(1)
	if sub.match == wamp.Prefix {
		p.prefix.put(string(sub.topic), sub)
	} else {
		p.wild.put(string(sub.topic), sub)
	}
}

// delete takes sub out. mu is held.
func (p *patterns) delete(sub *subscription) {
	p.count.Add(-1)
	if sub.match == wamp.Prefix {
		p.prefix.delete(string(sub.topic))
	} else {
		p.wild.delete(string(sub.topic))
	}
}

// A prefixNode is a node of a radix tree over the bytes of prefixes. Prefix
// matching is on characters, not components: "a.b" fits "a.bc".
type prefixNode struct {
	label    string // the bytes from the parent to here; not empty but at the root
	sub      *subscription
	children []*prefixNode // no two begin with the same byte; ordered by it
}

func (n *prefixNode) match(dst []*subscription, s string) []*subscription {
	for {
		if n.sub != nil {
			dst = append(dst, n.sub)
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

// find returns where the child that begins with c is, or belongs.
func (n *prefixNode) find(c byte) (int, bool) {
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

func (n *prefixNode) get(s string) *subscription {
	for s != "" {
		i, ok := n.find(s[0])
		if !ok || !strings.HasPrefix(s, n.children[i].label) {
			return nil
		}
		n = n.children[i]
		s = s[len(n.label):]
	}
	return n.sub
}

func (n *prefixNode) put(s string, sub *subscription) {
	for s != "" {
		i, ok := n.find(s[0])
		if !ok {
			n.children = append(n.children, nil)
			copy(n.children[i+1:], n.children[i:])
			n.children[i] = &prefixNode{label: s, sub: sub}
			return
		}
		child := n.children[i]
		k := commonPrefix(s, child.label)
		if k < len(child.label) {
			n.children[i] = &prefixNode{label: child.label[:k], children: []*prefixNode{child}}
			child.label = child.label[k:]
			child = n.children[i]
		}
		n, s = child, s[k:]
	}
	n.sub = sub
}

func (n *prefixNode) delete(s string) {
	if s == "" {
		n.sub = nil
		return
	}
	i, ok := n.find(s[0])
	if !ok || !strings.HasPrefix(s, n.children[i].label) {
		return
	}
	child := n.children[i]
	child.delete(s[len(child.label):])
	switch {
	case child.sub != nil:
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
type wildNode struct {
	sub      *subscription
	any      *wildNode
	children map[string]*wildNode
}

// match appends what fits the components of s; more says that there is at
// least one.
func (n *wildNode) match(dst []*subscription, s string, more bool) []*subscription {
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
	if n.sub != nil {
		dst = append(dst, n.sub)
	}
	return dst
}

func (n *wildNode) get(s string) *subscription {
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
	return n.sub
}

func (n *wildNode) put(s string, sub *subscription) {
	for component := range strings.SplitSeq(s, ".") {
		if component == "" {
			if n.any == nil {
				n.any = new(wildNode)
			}
			n = n.any
			continue
		}
		child := n.children[component]
		if child == nil {
			if n.children == nil {
				n.children = make(map[string]*wildNode)
			}
			child = new(wildNode)
			n.children[component] = child
		}
		n = child
	}
	n.sub = sub
}

func (n *wildNode) delete(s string) {
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
		child.sub = nil
	}
	if child.sub != nil || child.any != nil || len(child.children) > 0 {
		return
	}
	if component == "" {
		n.any = nil
	} else {
		delete(n.children, component)
	}
}
