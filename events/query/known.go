package query

import "bytes"

// A known finds programs by their code, so that equal queries share one. Only
// writers use it.
type known struct {
	parts [256]struct {
		refs       []ref // a power of two; 0 is free, removed was taken away
		used, live int
	}
}

const removed = ^ref(0)

// find returns the program with the code, or 0.
func (k *known) find(s *store, hash uint64, code []byte) ref {
	p := &k.parts[hash>>56]
	if len(p.refs) == 0 {
		return 0
	}
	mask := uint64(len(p.refs) - 1)
	for i := hash & mask; p.refs[i] != 0; i = (i + 1) & mask {
		if r := p.refs[i]; r != removed && bytes.Equal(codeOf(s.get(r)), code) {
			return r
		}
	}
	return 0
}

// add adds a program that is not there; hash is also how others are found anew.
func (k *known) add(s *store, h *hasher, hash uint64, r ref) {
	p := &k.parts[hash>>56]
	if 4*(p.used+1) > 3*len(p.refs) {
		size := 4
		for size < 2*(p.live+1) {
			size *= 2
		}
		old := p.refs
		p.refs, p.used = make([]ref, size), p.live
		for _, x := range old {
			if x != 0 && x != removed {
				place(p.refs, h.text(codeOf(s.get(x))), x)
			}
		}
	}
	if place(p.refs, hash, r) {
		p.used++
	}
	p.live++
}

// place puts a program where it will be found, and reports whether nothing was ever
// there.
func place(refs []ref, hash uint64, r ref) bool {
	mask := uint64(len(refs) - 1)
	i := hash & mask
	for refs[i] != 0 && refs[i] != removed {
		i = (i + 1) & mask
	}
	was := refs[i]
	refs[i] = r
	return was == 0
}

// has returns the place of a program, or false.
func (k *known) has(hash uint64, r ref) (place uint64, ok bool) {
	p := &k.parts[hash>>56]
	if len(p.refs) == 0 {
		return 0, false
	}
	mask := uint64(len(p.refs) - 1)
	for i := hash & mask; p.refs[i] != 0; i = (i + 1) & mask {
		if p.refs[i] == r {
			return i, true
		}
	}
	return 0, false
}

// remove takes a program away that is there.
func (k *known) remove(hash uint64, r ref) {
	p := &k.parts[hash>>56]
	i, _ := k.has(hash, r)
	p.refs[i] = removed
	p.live--
}

func (k *known) bytes() (n int64) {
	for i := range k.parts {
		n += int64(4 * len(k.parts[i].refs))
	}
	return n
}
