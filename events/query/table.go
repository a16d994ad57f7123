package query

import "sync/atomic"

// A table maps keys to refs. It is in parts, so that growing copies little at a
// time. One writer at a time; find is safe beside it, and waits for nobody.
type table struct {
	parts [tableParts]tablePart
}

const tableParts = 256

type tablePart struct {
	slots atomic.Pointer[[]uint64] // a key and a ref in turns; a power of two of both
	used  int                      // slots with a key
	live  int                      // slots with a ref
}

// find returns the ref of a key, or 0. Keys stay in their slots for as long as
// the slots live, so that a reader can read a key and then its ref.
func (t *table) find(key uint64) ref {
	if key == 0 {
		key = 1
	}
	list := t.parts[key>>56].slots.Load()
	if list == nil {
		return 0
	}
	slots := *list
	mask := uint64(len(slots)/2 - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		switch atomic.LoadUint64(&slots[2*i]) {
		case key:
			return ref(atomic.LoadUint64(&slots[2*i+1]))
		case 0:
			return 0
		}
	}
}

// set gives a key a ref; 0 removes it.
func (t *table) set(key uint64, r ref) {
	if key == 0 {
		key = 1
	}
	p := &t.parts[key>>56]
	list := p.slots.Load()
	if list == nil || 4*(p.used+1) > 3*len(*list)/2 {
		p.rebuild()
		list = p.slots.Load()
	}
	slots := *list
	mask := uint64(len(slots)/2 - 1)
	i := key & mask
	for slots[2*i] != 0 && slots[2*i] != key {
		i = (i + 1) & mask
	}
	if slots[2*i] == 0 {
		p.used++
	}
	if slots[2*i+1] != 0 {
		p.live--
	}
	if r != 0 {
		p.live++
	}
	atomic.StoreUint64(&slots[2*i+1], uint64(r)) // before the key: who finds the key finds the ref
	atomic.StoreUint64(&slots[2*i], key)
}

// rebuild makes slots for twice of what lives.
func (p *tablePart) rebuild() {
	size := 4
	for size < 2*(p.live+1) {
		size *= 2
	}
	slots := make([]uint64, 2*size)
	mask := uint64(size - 1)
	if old := p.slots.Load(); old != nil {
		for j := 0; j < len(*old); j += 2 {
			key, r := (*old)[j], (*old)[j+1]
			if r == 0 {
				continue
			}
			i := key & mask
			for slots[2*i] != 0 {
				i = (i + 1) & mask
			}
			slots[2*i], slots[2*i+1] = key, r
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
