package query

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// The blocks of a store begin with what they are.
const (
	blockProgram byte = iota + 1
	blockLeaf
	blockInner
	blockAxes

	blockKind = 0x0f
)

// A cluster is the programs that are filed under one key. It is in blocks that
// are never changed: who adds or removes copies the few blocks on the way.
//
// A leaf has entries, sorted by lo; an inner block has blocks below, with the
// lowest lo and the highest hi of each. The bounds are of what [axis] says, so
// that only programs come up whose range holds the event's value. A cluster with
// several axes begins with a block of them.
//
// A block has first each lo, and then each hi with its ref: who looks for a value
// finds its place among the lo's, and goes back from there as far as the widest
// entry reaches.
type cluster struct {
	*store
	most    int // entries of a block
	entries [][]entry
	retire  func(r ref, size int)
}

type entry struct {
	lo, hi uint32 // sort keys; of a block of axes, lo is the axis
	ref    ref
}

// mostAxes bounds the axes of a cluster: an event is looked up by each.
const mostAxes = 8

// An axis says of what the bounds of a tree are: four bits for the kind, and
// above them the place of the cell. The zero axis has no bounds.
type axis uint32

const (
	axisNumber axis = iota + 1
	axisText
	axisTime
	axisHash // of a scalar: one value, and no order

	axisElement axis = 8 // the cell is the element's
	axisKind    axis = 7
	axisBits         = 4
)

const (
	headBytes  = 12 // of a block: kind, reach, count in two bytes, axis, entries in all
	entryBytes = loBytes + hiBytes
	loBytes    = 4
	hiBytes    = 8 // with the ref
)

func entryAt(b []byte, i int) entry {
	hi := headBytes + loBytes*count(b) + hiBytes*i
	return entry{word(b, headBytes+loBytes*i), word(b, hi), ref(word(b, hi+4))}
}

// reach returns how far from lo to hi it is at most in a block.
func reach(b []byte) uint32 { return uint32(1<<b[1] - 1) }

func count(b []byte) int { return int(binary.LittleEndian.Uint16(b[2:])) }

// room reports whether a cluster may have entries by an axis.
func (c *cluster) room(r ref, g axis) bool {
	b := c.get(r)
	if b[0] != blockAxes || count(b) < mostAxes {
		return true
	}
	for i := range count(b) {
		if entryAt(b, i).lo == uint32(g) {
			return true
		}
	}
	return false
}

// size returns how many programs are below a block.
func (c *cluster) size(r ref) int {
	b := c.get(r)
	if b[0]&blockKind == blockProgram {
		return 1
	}
	return int(word(b, 8))
}

// take returns the entries of a block in workspace of the depth.
func (c *cluster) take(depth int, b []byte) []entry {
	for len(c.entries) <= depth {
		c.entries = append(c.entries, make([]entry, 0, c.most+2))
	}
	list := c.entries[depth][:0]
	for i := range count(b) {
		list = append(list, entryAt(b, i))
	}
	c.entries[depth] = list
	return list
}

// put makes a block, and returns the entry that a block above has for it.
func (c *cluster) put(kind byte, g axis, total int, list []entry) entry {
	r, b := c.alloc(headBytes + len(list)*entryBytes)
	up := entry{lo: list[0].lo, ref: r}
	lo, hi := b[headBytes:headBytes+loBytes*len(list)], b[headBytes+loBytes*len(list):]
	widest := uint32(0)
	for i, e := range list {
		setWord(lo, loBytes*i, e.lo)
		setWord(hi, hiBytes*i, e.hi)
		setWord(hi, hiBytes*i+4, uint32(e.ref))
		up.hi = max(up.hi, e.hi)
		widest = max(widest, e.hi-e.lo)
	}
	b[0], b[1] = kind, byte(bits.Len32(widest))
	binary.LittleEndian.PutUint16(b[2:], uint16(len(list)))
	setWord(b, 4, uint32(g))
	setWord(b, 8, uint32(total))
	return up
}

// splice makes a block like b, in which the entries from the i-th on, cut of them,
// are replaced. The reach is that of b.
func (c *cluster) splice(b []byte, i, cut, total int, by ...entry) (ref, []byte) {
	old := count(b)
	n := old - cut + len(by)
	r, s := c.alloc(headBytes + n*entryBytes)
	copy(s, b[:headBytes])
	binary.LittleEndian.PutUint16(s[2:], uint16(n))
	setWord(s, 8, uint32(total))
	oldLo, lo := b[headBytes:headBytes+loBytes*old], s[headBytes:headBytes+loBytes*n]
	oldHi, hi := b[headBytes+loBytes*old:headBytes+entryBytes*old], s[headBytes+loBytes*n:]
	copy(lo, oldLo[:loBytes*i])
	copy(hi, oldHi[:hiBytes*i])
	copy(lo[loBytes*(i+len(by)):], oldLo[loBytes*(i+cut):])
	copy(hi[hiBytes*(i+len(by)):], oldHi[hiBytes*(i+cut):])
	for k, e := range by {
		setWord(lo, loBytes*(i+k), e.lo)
		setWord(hi, hiBytes*(i+k), e.hi)
		setWord(hi, hiBytes*(i+k)+4, uint32(e.ref))
	}
	return r, s
}

// widen makes the reach of a block no less than that of an entry.
func widen(b []byte, e entry) { b[1] = max(b[1], byte(bits.Len32(e.hi-e.lo))) }

// drop retires a block.
func (c *cluster) drop(r ref, b []byte) { c.retire(r, headBytes+count(b)*entryBytes) }

// split makes one block of the entries, or two if they are too many.
func (c *cluster) split(kind byte, g axis, list []entry) (a, b entry) {
	if len(list) <= c.most {
		return c.put(kind, g, c.total(kind, list), list), entry{}
	}
	half := len(list) / 2
	return c.put(kind, g, c.total(kind, list[:half]), list[:half]), c.put(kind, g, c.total(kind, list[half:]), list[half:])
}

func (c *cluster) total(kind byte, list []entry) int {
	if kind == blockLeaf {
		return len(list)
	}
	n := 0
	for _, e := range list {
		n += c.size(e.ref)
	}
	return n
}

// add returns a cluster with one more program. r is 0 for none.
func (c *cluster) add(r ref, g axis, e entry) ref {
	if r == 0 {
		return c.put(blockLeaf, g, 1, []entry{e}).ref
	}
	b := c.get(r)
	if b[0] == blockAxes {
		i, below, have := 0, ref(0), 0
		for ; i < count(b); i++ {
			if x := entryAt(b, i); x.lo == uint32(g) {
				below, have = x.ref, 1
				break
			}
		}
		below = c.addToTree(below, g, e)
		up, _ := c.splice(b, i, have, int(word(b, 8))+1, entry{lo: uint32(g), ref: below})
		c.drop(r, b)
		return up
	}
	if have := axis(word(b, 4)); have != g {
		other := c.put(blockLeaf, g, 1, []entry{e})
		return c.put(blockAxes, 0, int(word(b, 8))+1, []entry{{lo: uint32(have), ref: r}, {lo: uint32(g), ref: other.ref}}).ref
	}
	return c.addToTree(r, g, e)
}

func (c *cluster) addToTree(r ref, g axis, e entry) ref {
	if r == 0 {
		return c.put(blockLeaf, g, 1, []entry{e}).ref
	}
	a, b := c.insert(0, entry{ref: r}, g, e)
	if b.ref == 0 {
		return a.ref
	}
	return c.put(blockInner, g, c.size(a.ref)+c.size(b.ref), []entry{a, b}).ref
}

// insert adds an entry to the block of which the one above has the entry up, and
// returns what that has to have instead.
func (c *cluster) insert(depth int, up entry, g axis, e entry) (one, two entry) {
	b := c.get(up.ref)
	n, total := count(b), int(word(b, 8))+1
	i := upTo(b[headBytes:headBytes+loBytes*n], e.lo)
	first, second := e, entry{}
	cut := 0
	if b[0] == blockInner {
		i, cut = max(i-1, 0), 1
		first, second = c.insert(depth+1, entryAt(b, i), g, e)
	}
	c.drop(up.ref, b)
	if n-cut < c.most && second.ref == 0 { // as it mostly is
		r, s := c.splice(b, i, cut, total, first)
		widen(s, first)
		return entry{lo: word(s, headBytes), hi: max(up.hi, e.hi), ref: r}, entry{}
	}
	list := slices.Replace(c.take(depth, b), i, i+cut, first)
	if second.ref != 0 {
		list = slices.Insert(list, i+1, second)
	}
	if len(list) <= c.most {
		return c.put(b[0], g, total, list), entry{}
	}
	return c.split(b[0], g, list)
}

// remove returns a cluster without a program, and 0 if that was the last.
func (c *cluster) remove(r ref, g axis, e entry) ref {
	b := c.get(r)
	if b[0] != blockAxes {
		return c.removeFromTree(r, g, e)
	}
	list := slices.Clone(c.take(0, b))
	total := int(word(b, 8)) - 1
	i := slices.IndexFunc(list, func(e entry) bool { return e.lo == uint32(g) })
	if list[i].ref = c.removeFromTree(list[i].ref, g, e); list[i].ref == 0 {
		list = slices.Delete(list, i, i+1)
	}
	c.drop(r, b)
	if len(list) == 1 {
		return list[0].ref
	}
	return c.put(blockAxes, 0, total, list).ref
}

func (c *cluster) removeFromTree(r ref, g axis, e entry) ref {
	up, ok := c.delete(0, r, g, e)
	if !ok {
		panic("query: a program is not where it was filed")
	}
	for up.ref != 0 {
		b := c.get(up.ref)
		if b[0] != blockInner || count(b) > 1 {
			break
		}
		c.drop(up.ref, b)
		up = entryAt(b, 0)
	}
	return up.ref
}

// delete reports false, and has done nothing, if the program is not below r.
func (c *cluster) delete(depth int, r ref, g axis, e entry) (up entry, ok bool) {
	b := c.get(r)
	if b[0] == blockLeaf {
		return c.deleteFromLeaf(r, b, e)
	}
	list := c.take(depth, b)
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].lo > e.lo {
			continue
		}
		below, ok := c.delete(depth+1, list[i].ref, g, e)
		if ok {
			c.drop(r, b)
			if list[i] = below; below.ref == 0 {
				list = slices.Delete(list, i, i+1)
			} else {
				list = c.merge(depth+1, g, list, i)
			}
			if len(list) == 0 {
				return entry{}, true
			}
			return c.put(blockInner, g, int(word(b, 8))-1, list), true
		}
		if list[i].lo < e.lo {
			break // those before have nothing as high
		}
	}
	return entry{}, false
}

func (c *cluster) deleteFromLeaf(r ref, b []byte, e entry) (up entry, ok bool) {
	n := count(b)
	i := upTo(b[headBytes:headBytes+loBytes*n], e.lo) - 1
	for ; i >= 0; i-- {
		x := entryAt(b, i)
		if x.ref == e.ref && x.lo == e.lo {
			break
		}
		if x.lo < e.lo {
			return entry{}, false
		}
	}
	if i < 0 {
		return entry{}, false
	}
	c.drop(r, b)
	if n == 1 {
		return entry{}, true
	}
	r, b = c.splice(b, i, 1, n-1)
	b[1] = 0
	up = entry{lo: word(b, headBytes), ref: r}
	for i := range n - 1 {
		x := entryAt(b, i)
		up.hi = max(up.hi, x.hi)
		widen(b, x)
	}
	return up, true
}

// merge puts the i-th block together with a neighbour if both are small.
func (c *cluster) merge(depth int, g axis, list []entry, i int) []entry {
	if i == len(list)-1 {
		i--
	}
	if i < 0 {
		return list
	}
	a, b := c.get(list[i].ref), c.get(list[i+1].ref)
	if count(a)+count(b) > c.most/2 {
		return list
	}
	kind, total := a[0], int(word(a, 8)+word(b, 8))
	both := slices.Clone(c.take(depth, a))
	both = append(both, c.take(depth, b)...)
	c.drop(list[i].ref, a)
	c.drop(list[i+1].ref, b)
	list[i] = c.put(kind, g, total, both)
	return slices.Delete(list, i+1, i+2)
}
