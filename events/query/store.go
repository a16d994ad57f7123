package query

import (
	"encoding/binary"
	"sync/atomic"
)

// A store keeps blocks of bytes in big pages without pointers, so that the
// collector need not look at them, however many queries there are. Blocks are
// named by refs, numbers of 32 bits, and are never changed once a reader can
// know their ref; only their writers' parts are.
//
// One writer at a time; get is safe beside it. A block that is freed may be
// given out again at once: see [limbo] for when to free.
type store struct {
	pages atomic.Pointer[[]*page]
	next  uint32 // where the last page is still empty, as a ref
	end   uint32
	free  [][]ref // by size in units, up to smallUnits; then by powers of two
	used  int64   // bytes of blocks given out
}

// A ref names a block. 0 names none.
type ref uint32

const (
	unit       = 4 // bytes
	pageBits   = 16
	pageUnits  = 1 << pageBits
	pageBytes  = pageUnits * unit
	smallUnits = 512
)

type page [pageBytes]byte

func newStore() *store {
	s := &store{free: make([][]ref, smallUnits+1+pageBits)}
	s.pages.Store(new([]*page))
	return s
}

// get returns the bytes from the beginning of a block to the end of its page.
func (s *store) get(r ref) []byte {
	return (*s.pages.Load())[r>>pageBits][r%pageUnits*unit:]
}

// has reports whether there is a byte that r may name.
func (s *store) has(r ref) bool { return r != 0 && int(r>>pageBits) < len(*s.pages.Load()) }

// class returns the size in units of the blocks that n bytes are kept in, and
// the place of their free list.
func class(n int) (units, list int) {
	units = (n + unit - 1) / unit
	if units <= smallUnits {
		return units, units
	}
	list = smallUnits + 1
	for size := 2 * smallUnits; size < units; size *= 2 {
		list++
	}
	return smallUnits << (list - smallUnits), list
}

// alloc returns a block of n bytes, at most pageBytes. It may hold anything.
func (s *store) alloc(n int) (ref, []byte) {
	units, list := class(n)
	s.used += int64(units * unit)
	if k := len(s.free[list]); k > 0 {
		r := s.free[list][k-1]
		s.free[list] = s.free[list][:k-1]
		return r, s.get(r)[:n:n]
	}
	if s.next+uint32(units) > s.end {
		s.keepRest()
		pages := *s.pages.Load()
		grown := append(make([]*page, 0, len(pages)+1), pages...)
		grown = append(grown, new(page))
		s.pages.Store(&grown)
		s.next = uint32(len(pages)) << pageBits
		s.end = s.next + pageUnits
		if s.next == 0 {
			s.next = 1 // ref 0 names none
		}
	}
	r := ref(s.next)
	s.next += uint32(units)
	return r, s.get(r)[:n:n]
}

// full reports whether refs are about to run out.
func (s *store) full() bool { return s.end >= 1<<32-1<<10*pageUnits }

// keepRest gives what is left of a page to the free lists.
func (s *store) keepRest() {
	for s.next < s.end {
		n := min(s.end-s.next, smallUnits)
		s.free[n] = append(s.free[n], ref(s.next))
		s.next += n
	}
}

// release frees a block of n bytes.
func (s *store) release(r ref, n int) {
	units, list := class(n)
	s.used -= int64(units * unit)
	s.free[list] = append(s.free[list], r)
}

func word(b []byte, at int) uint32       { return binary.LittleEndian.Uint32(b[at:]) }
func setWord(b []byte, at int, v uint32) { binary.LittleEndian.PutUint32(b[at:], v) }

// A limbo holds what was taken away while readers may still look at it.
//
// A reader pins the epoch while it reads. What is taken away is stamped with the
// epoch, which then goes on; it is free when every pinned epoch is later.
type limbo struct {
	epoch atomic.Uint64
	queue []retired
	head  int
}

type retired struct {
	epoch uint64
	size  uint32 // of a block in bytes; 0 for what is no block
	what  uint32
	kind  retiredKind
}

type retiredKind uint8

const (
	retiredBlock retiredKind = iota
	retiredRegexp
)

// add stamps what no later reader can find.
func (l *limbo) add(kind retiredKind, what uint32, size int) {
	l.queue = append(l.queue, retired{epoch: l.epoch.Load(), size: uint32(size), what: what, kind: kind})
}

// collect calls free for everything that was added before all pinned epochs.
func (l *limbo) collect(oldest uint64, free func(retired)) {
	for l.head < len(l.queue) && l.queue[l.head].epoch < oldest {
		free(l.queue[l.head])
		l.head++
	}
	if l.head > len(l.queue)/2 {
		n := copy(l.queue, l.queue[l.head:])
		l.queue, l.head = l.queue[:n], 0
	}
}

// A pin is a reader's epoch, or 0 while it reads nothing.
type pin struct {
	_     [64]byte // readers do not share cache lines
	epoch atomic.Uint64
	_     [64]byte
}

// enter pins the epoch.
func (p *pin) enter(l *limbo) {
	for {
		e := l.epoch.Load()
		p.epoch.Store(e)
		// If the epoch went on in between, the writer may not have seen the pin.
		if l.epoch.Load() == e {
			return
		}
	}
}

func (p *pin) leave() { p.epoch.Store(0) }
