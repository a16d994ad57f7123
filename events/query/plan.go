package query

import (
	"cmp"
	"regexp"
	"slices"
	"sync/atomic"
)

// A plan says how events are read and under which keys they are looked up. It is
// never changed: writers make another. A program must not be run over an event
// that was read by an older plan than the program's.
type plan struct {
	generation uint32
	root       *scope
	fields     []fieldPlan
	pairs      []pairPlan
	regexps    []*regexp.Regexp
}

// A fieldPlan is the features of a field that programs are filed by.
type fieldPlan struct {
	cell     uint32
	number   uint32
	equal    bool
	present  bool
	ranges   bool
	prefixes []int
	suffixes []int
	pieces   [2]*bitmap  // short and long ones, or nil
	elements []fieldPlan // of a list or map
}

type pairPlan struct {
	feature       feature
	first, second uint32 // cells
}

// A bitmap says for which pieces of a field it is worth looking: bits are set
// when a program is filed, and never cleared.
type bitmap [1 << bitmapBits]atomic.Uint64

const bitmapBits = 12

func (b *bitmap) place(hash uint64) (*atomic.Uint64, uint64) {
	hash *= 0x9e3779b97f4a7c15
	return &b[hash>>(64-bitmapBits)], 1 << (hash >> 40 & 63)
}

func (b *bitmap) set(hash uint64) {
	w, bit := b.place(hash)
	w.Or(bit)
}

func (b *bitmap) has(hash uint64) bool {
	w, bit := b.place(hash)
	return w.Load()&bit != 0
}

// A featureCount is a feature as writers keep it.
type featureCount struct {
	feature
	refs    int
	planned bool // the current plan has it
	pieces  *bitmap
}

// features are the features of all filings, by number.
type features struct {
	all     []*featureCount // nil where free
	free    []uint32
	numbers map[uint64]uint32 // by feature.id
	pairs   int
}

// hold counts a filing by a feature, and reports whether the plan lacks it.
func (s *features) hold(f feature) (n uint32, lacking bool) {
	n, ok := s.numbers[f.id()]
	if !ok {
		if k := len(s.free); k > 0 {
			n, s.free = s.free[k-1], s.free[:k-1]
		} else {
			n = uint32(len(s.all))
			s.all = append(s.all, nil)
		}
		c := &featureCount{feature: f}
		if f.kind == keyPiece {
			c.pieces = new(bitmap)
		}
		if f.kind == keyPair {
			s.pairs++
		}
		s.all[n], s.numbers[f.id()] = c, n
	}
	s.all[n].refs++
	return n, !s.all[n].planned
}

// sweep forgets the features that nothing is filed by.
func (s *features) sweep() {
	for n, f := range s.all {
		if f == nil || f.refs > 0 {
			continue
		}
		if f.kind == keyPair {
			s.pairs--
		}
		delete(s.numbers, f.feature.id())
		s.all[n] = nil
		s.free = append(s.free, uint32(n))
	}
}

// newPlan makes the plan for what is counted.
func newPlan(generation uint32, p *paths, s *features, regexps []*regexp.Regexp) *plan {
	plan := &plan{generation: generation, root: p.snapshot(), regexps: regexps}
	for _, n := range p.all {
		if n != nil {
			n.planned = true
		}
	}
	byNumber := map[uint32]*fieldPlan{}
	at := func(number uint32) *fieldPlan {
		if byNumber[number] == nil {
			byNumber[number] = &fieldPlan{cell: uint32(p.all[number].cell), number: number}
		}
		return byNumber[number]
	}
	for _, f := range s.all {
		if f == nil {
			continue
		}
		f.planned = true
		switch f.kind {
		case keyEqual:
			at(f.number).equal = true
		case keyPair:
			plan.pairs = append(plan.pairs, pairPlan{f.feature, uint32(p.all[f.number].cell), uint32(p.all[f.other].cell)})
		case keyPrefix:
			at(f.number).prefixes = append(at(f.number).prefixes, int(f.length))
		case keySuffix:
			at(f.number).suffixes = append(at(f.number).suffixes, int(f.length))
		case keyPiece:
			at(f.number).pieces[f.length/longPiece] = f.pieces
		case keyPresent:
			at(f.number).present = true
		case keyRange:
			at(f.number).ranges = true
		}
	}
	// What lists have in their elements goes up to the lists.
	for number := range byNumber {
		for n := p.all[number]; n.in.list != nil; n = n.in.list {
			at(n.in.list.number)
		}
	}
	plan.fields = scopeFields(p.scope, byNumber)
	return plan
}

func scopeFields(s *pathScope, byNumber map[uint32]*fieldPlan) (list []fieldPlan) {
	for _, n := range s.cells {
		if n == nil || byNumber[n.number] == nil {
			continue
		}
		f := *byNumber[n.number]
		if n.elements != nil {
			f.elements = scopeFields(n.elements, byNumber)
		}
		slices.Sort(f.prefixes)
		slices.Sort(f.suffixes)
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b fieldPlan) int { return cmp.Compare(a.cell, b.cell) })
	return list
}
