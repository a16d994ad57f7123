package query

import (
	"slices"
	"testing"
)

// ranges are what a cluster has, as a slice.
type ranges []ranged

type ranged struct {
	axis axis
	entry
}

// find returns what a cluster of the ranges has for a value, by one axis.
func (rs ranges) find(g axis, v uint32) (found []ref) {
	for _, r := range rs {
		if r.axis == g && r.lo <= v && v <= r.hi {
			found = append(found, r.ref)
		}
	}
	return found
}

// checkTree checks the bounds and the counts of a tree's blocks, and returns how
// many entries it has, and from where to where they go.
func checkTree(t *testing.T, c *cluster, r ref, g axis) (total int, lo, hi uint32) {
	t.Helper()
	b := c.get(r)
	if axis(word(b, 4)) != g {
		t.Fatalf("a block is of axis %d, below one of axis %d", word(b, 4), g)
	}
	if n := count(b); n == 0 || n > c.most {
		t.Fatalf("a block has %d entries, want 1 to %d", n, c.most)
	}
	lo = entryAt(b, 0).lo
	for i := range count(b) {
		e := entryAt(b, i)
		if i > 0 && e.lo < entryAt(b, i-1).lo {
			t.Fatalf("entry %d begins at %d, before the one in front of it", i, e.lo)
		}
		hi = max(hi, e.hi)
		if b[0] == blockLeaf {
			total++
			continue
		}
		n, low, high := checkTree(t, c, e.ref, g)
		if low != e.lo || high != e.hi {
			t.Fatalf("a block has %d to %d, and is said to have %d to %d", low, high, e.lo, e.hi)
		}
		total += n
	}
	if int(word(b, 8)) != total {
		t.Fatalf("a block says that it has %d entries, and has %d", word(b, 8), total)
	}
	return total, lo, hi
}

// A cluster finds of ranges what looking at each finds, and gives back all its
// blocks.
func FuzzCluster(f *testing.F) {
	f.Add([]byte("\x00\x01\x05\x00\x02\x03\x00\x02\x09\x00\x04\x04\x00\x07\x07\x08\x01\x00\x00\x02\x02"))
	f.Add([]byte("\x00\x01\x01\x01\x01\x01\x02\x01\x01\x0b\x00\x00\x0a\x00\x00"))
	addBytes(f, 300, 600)
	axes := []axis{0, axisNumber | 3<<axisBits, axisText | axisElement | 5<<axisBits}
	f.Fuzz(func(t *testing.T, ops []byte) {
		type block struct {
			ref  ref
			size int
		}
		var retired []block
		c := &cluster{store: newStore(), most: 4, retire: func(r ref, size int) { retired = append(retired, block{r, size}) }}
		m := &Matcher{index: &Index{store: c.store}}
		var all ranges
		var top ref
		remove := func(i int) {
			top = c.remove(top, all[i].axis, all[i].entry)
			all = slices.Delete(all, i, i+1)
		}
		// settle gives blocks back, and checks what is left.
		settle := func() {
			for _, b := range retired {
				c.release(b.ref, b.size)
			}
			retired = retired[:0]
			if top == 0 {
				if len(all) != 0 || c.used != 0 {
					t.Fatalf("%d entries and %d bytes are in no cluster", len(all), c.used)
				}
				return
			}
			if c.size(top) != len(all) {
				t.Fatalf("the cluster has %d entries, want %d", c.size(top), len(all))
			}
			trees := []entry{{lo: word(c.get(top), 4), ref: top}}
			if b := c.get(top); b[0] == blockAxes {
				trees = trees[:0]
				for i := range count(b) {
					trees = append(trees, entryAt(b, i))
				}
			}
			for _, e := range trees {
				checkTree(t, c, e.ref, axis(e.lo))
				for v := range uint32(20) {
					m.found = m.found[:0]
					m.trees = append(m.trees, subtree{e.ref, v})
					m.scan()
					slices.Sort(m.found)
					want := all.find(axis(e.lo), v)
					if slices.Sort(want); !slices.Equal(m.found, want) {
						t.Fatalf("%d is in %v, want %v", v, m.found, want)
					}
				}
			}
		}
		for n := 0; len(ops) >= 3 && n < 200; ops, n = ops[3:], n+1 {
			if ops[0]&8 != 0 && len(all) > 0 {
				remove(int(ops[1]) % len(all))
			} else {
				g := axes[int(ops[0])%len(axes)]
				lo := uint32(ops[1] % 16)
				e := entry{lo: lo, hi: lo + uint32(ops[2]%4), ref: ref(n + 1)}
				top = c.add(top, g, e)
				all = append(all, ranged{g, e})
			}
			settle()
		}
		for len(all) > 0 {
			remove(len(all) / 2)
			settle()
		}
	})
}
