package query

import "sync/atomic"

// A table maps keys to refs. It is in parts, so that growing copies little at a
// time. One writer at a time; find is safe beside it, and waits for nobody.
//
// A slot is one word: the lower half of the key, and a ref. What is left of the
// key is its part. So keys have 40 bits, which [hasher] sees to.
type table struct {
	parts [tableParts]tablePart
}

const tableParts = 256

type tablePart struct {
	slots atomic.Pointer[[]uint64] // a power of two; 0 is free, ref 0 was taken away
	used  int                      // slots with a key
	live  int                      // slots with a ref
}

// find returns the ref of a key, or 0.
func (t *table) find(key uint64) ref {
	list := t.parts[key>>56].slots.Load()
	if list == nil {
		return 0
	}
	slots := *list
	mask := uint64(len(slots) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		switch s := atomic.LoadUint64(&slots[i]); {
		case s>>32 == key&(1<<32-1):
			return ref(s)
		case s == 0:
			return 0
		}
	}
}

// set gives a key a ref; 0 removes it.
func (t *table) set(key uint64, r ref) {
	p := &t.parts[key>>56]
	list := p.slots.Load()
	if list == nil || 4*(p.used+1) > 3*len(*list) {
		p.rebuild()
		list = p.slots.Load()
	}
	slots := *list
	low := key & (1<<32 - 1)
	i := freeSlot(slots, low)
	if slots[i] == 0 {
		p.used++
	}
	if ref(slots[i]) != 0 {
		p.live--
	}
	if r != 0 {
		p.live++
	}
	atomic.StoreUint64(&slots[i], low<<32|uint64(r))
}

// freeSlot returns the place of a key, or where it could be.
func freeSlot(slots []uint64, low uint64) uint64 {
	mask := uint64(len(slots) - 1)
	i := low & mask
	for slots[i] != 0 && slots[i]>>32 != low {
		i = (i + 1) & mask
	}
	return i
}

// rebuild makes slots for twice of what lives.
func (p *tablePart) rebuild() {
	size := 4
	for size < 2*(p.live+1) {
		size *= 2
	}
	slots := make([]uint64, size)
	if old := p.slots.Load(); old != nil {
		for _, s := range *old {
			if ref(s) != 0 {
				slots[freeSlot(slots, s>>32)] = s
			}
		}
	}
	p.used = p.live
	p.slots.Store(&slots)
}

// bytes returns how much memory the slots take.
func (t *table) bytes() (n int64) {
	for i := range t.parts {
		if list := t.parts[i].slots.Load(); list != nil {
			n += int64(8 * len(*list))
		}
	}
	return n
}
