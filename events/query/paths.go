package query

import (
	"encoding/binary"
	"slices"
)

// A scope is what a frame has cells for: the event, or the elements of a list.
type scope struct {
	width int
	node  *trieNode // of the event's data, or of the element itself
}

// A trieNode is a field in the trie of the paths that queries refer to. Nodes are
// never changed.
type trieNode struct {
	cell     int32  // in the frame, or -1 if no query asks for the field itself
	elements *scope // of a list or map that queries look into; otherwise nil
	kids     []kid  // a hash table: a power of two, and at least one free
}

type kid struct {
	word uint64 // the first bytes of the name: see wordOf
	name string
	node *trieNode
}

// child returns the node of a field of n, or nil.
func (n *trieNode) child(name []byte) *trieNode {
	if len(n.kids) == 0 {
		return nil
	}
	word := wordOf(name)
	mask := len(n.kids) - 1
	for i := hashName(word, len(name)) & mask; n.kids[i].node != nil; i = (i + 1) & mask {
		k := &n.kids[i]
		if k.word == word && len(k.name) == len(name) && (len(name) <= 8 || k.name == string(name)) {
			return k.node
		}
	}
	return nil
}

// wordOf returns the first eight bytes of a name, or all with zeros behind.
func wordOf(name []byte) uint64 {
	if len(name) >= 8 {
		return binary.LittleEndian.Uint64(name)
	}
	if cap(name) >= 8 { // more of the data follows
		return binary.LittleEndian.Uint64(name[:8]) & (1<<(8*len(name)) - 1)
	}
	var w uint64
	for i, c := range name {
		w |= uint64(c) << (8 * i)
	}
	return w
}

// hashName spreads the few names of a node. Names come from queries: those that
// collide cost a comparison each.
func hashName(word uint64, n int) int {
	return int((word ^ uint64(n)<<56) * 0x9e3779b97f4a7c15 >> 40)
}

// paths are the fields that queries refer to, as writers keep them. Nodes are
// counted, and gone when nothing refers to them.
type paths struct {
	root  *pathNode
	scope *pathScope
	all   []*pathNode // by number; nil where free
	free  []uint32
	most  int
	used  int
}

type pathNode struct {
	name     string
	parent   *pathNode
	in       *pathScope
	kids     map[string]*pathNode
	elements *pathScope
	cell     int    // or -1
	number   uint32 // in paths.all, if it has a cell
	refs     int    // of its cell
	planned  bool   // the current plan has the cell
}

type pathScope struct {
	list  *pathNode // nil for the event
	node  *pathNode
	cells []*pathNode // nil where free
}

func newPaths(most int) *paths {
	p := &paths{most: most + ownCells}
	p.scope = &pathScope{}
	for i := range ownCells {
		n := &pathNode{in: p.scope, cell: -1}
		p.give(n)
		n.refs = 1
		if i == cellOfData {
			p.root = n
		}
	}
	p.scope.node = p.root
	p.used = ownCells
	return p
}

// give gives a node a cell and a number.
func (p *paths) give(n *pathNode) {
	n.cell = slices.Index(n.in.cells, nil)
	if n.cell < 0 {
		n.cell = len(n.in.cells)
		n.in.cells = append(n.in.cells, nil)
	}
	n.in.cells[n.cell] = n
	if k := len(p.free); k > 0 {
		n.number, p.free = p.free[k-1], p.free[:k-1]
		p.all[n.number] = n
	} else {
		n.number = uint32(len(p.all))
		p.all = append(p.all, n)
	}
	p.used++
}

// find returns the node of a path, and makes it if need be. of is the node that
// exists looks into.
func (p *paths) find(of *pathNode, field path) *pathNode {
	n := p.root
	switch field.root {
	case rootClass:
		n = p.all[cellOfClass]
	case rootID:
		n = p.all[cellOfID]
	case rootTime:
		n = p.all[cellOfTime]
	case rootTopic:
		n = p.all[cellOfTopic]
	case rootElement:
		n = p.element(of)
	}
	for _, name := range field.names {
		k := n.kids[name]
		if k == nil {
			k = &pathNode{name: name, parent: n, in: n.in, cell: -1}
			if n.kids == nil {
				n.kids = map[string]*pathNode{}
			}
			n.kids[name] = k
		}
		n = k
	}
	return n
}

// element returns the node of the elements of a list.
func (p *paths) element(of *pathNode) *pathNode {
	if of.elements == nil {
		of.elements = &pathScope{list: of}
		of.elements.node = &pathNode{in: of.elements, cell: -1}
		p.give(of.elements.node)
	}
	return of.elements.node
}

// hold counts a reference to a node's cell, and reports whether the plan lacks
// it.
func (p *paths) hold(n *pathNode) (changed bool, err error) {
	if n.cell < 0 {
		if p.used >= p.most {
			return false, ErrPaths
		}
		p.give(n)
	}
	n.refs++
	return !n.planned, nil
}

// release takes a reference back. The cell stays until sweep.
func (p *paths) release(number uint32) { p.all[number].refs-- }

// sweep takes away what nothing refers to.
func (p *paths) sweep() {
	for i := range ownCells {
		p.sweepNode(p.all[i])
	}
}

// sweepNode reports whether anything refers to n or what is below it.
func (p *paths) sweepNode(n *pathNode) bool {
	live := n.refs > 0
	for name, k := range n.kids {
		if p.sweepNode(k) {
			live = true
		} else {
			delete(n.kids, name)
		}
	}
	if n.elements != nil {
		if p.sweepNode(n.elements.node) {
			live = true
		} else {
			n.elements = nil
		}
	}
	if n.refs == 0 && n.cell >= 0 && (n != n.in.node || !live) {
		n.in.cells[n.cell] = nil
		p.all[n.number] = nil
		p.free = append(p.free, n.number)
		p.used--
		n.cell, n.planned = -1, false
	}
	return live
}

// snapshot returns the trie as events are read by it.
func (p *paths) snapshot() *scope { return freezeScope(p.scope) }

func freezeScope(s *pathScope) *scope {
	for k := len(s.cells); k > 0 && s.cells[k-1] == nil; k-- {
		s.cells = s.cells[:k-1]
	}
	return &scope{width: len(s.cells), node: freezeNode(s.node)}
}

func freezeNode(n *pathNode) *trieNode {
	f := &trieNode{cell: int32(n.cell)}
	if n.elements != nil {
		f.elements = freezeScope(n.elements)
	}
	if len(n.kids) == 0 {
		return f
	}
	size := 2
	for size < 2*len(n.kids) {
		size *= 2
	}
	f.kids = make([]kid, size)
	for name, k := range n.kids {
		word := wordOf([]byte(name))
		i := hashName(word, len(name)) & (size - 1)
		for f.kids[i].node != nil {
			i = (i + 1) & (size - 1)
		}
		f.kids[i] = kid{word: word, name: name, node: freezeNode(k)}
	}
	return f
}
