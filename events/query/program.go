package query

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// The block of a program has a head, its filings, its code, and the numbers of
// the paths and regular expressions that it holds.
//
//	 0  blockProgram and flags
//	 1  filings
//	 2  bytes of code
//	 4  the generation of the plan that it was made for
//	 8  its ID: place and serial
//	16  how often it was added; only the writer looks at this
//	20  filings: key, number of the feature; if programRanged axis, lo and hi
const (
	programRanged  byte = 0x10
	programRepeats byte = 0x20 // an event can come upon it twice
	programHead         = 20
	filingBytes         = 12
	rangedBytes         = 24
)

// codeOf returns the code of a program, of which b begins with the block.
func codeOf(b []byte) []byte {
	at := programHead + int(b[1])*filingBytes
	if b[0]&programRanged != 0 {
		at = programHead + int(b[1])*rangedBytes
	}
	return b[at : at+int(binary.LittleEndian.Uint16(b[2:]))]
}

func idOf(b []byte) ID { return ID(binary.LittleEndian.Uint64(b[8:])) }

// filedAs is a filing as the block has it.
type filedAs struct {
	key     uint64
	feature uint32 // its number
	axis    axis
	entry   entry
}

// writeProgram makes the block of a program.
func (ix *Index) writeProgram(c *compiler, filed []filedAs, generation uint32, id ID) ref {
	kind, each := blockProgram, filingBytes
	if slices.ContainsFunc(filed, func(f filedAs) bool { return f.axis != 0 }) {
		kind, each = kind|programRanged, rangedBytes
	}
	if len(filed) > 1 || len(filed) == 1 && ix.repeats(filed[0].feature) {
		kind |= programRepeats
	}
	b := append(ix.block[:0], kind, byte(len(filed)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(c.code)))
	b = binary.LittleEndian.AppendUint32(b, generation)
	b = binary.LittleEndian.AppendUint64(b, uint64(id))
	b = binary.LittleEndian.AppendUint32(b, 1)
	for _, f := range filed {
		b = binary.LittleEndian.AppendUint64(b, f.key)
		b = binary.LittleEndian.AppendUint32(b, f.feature)
		if each == rangedBytes {
			b = binary.LittleEndian.AppendUint32(b, uint32(f.axis))
			b = binary.LittleEndian.AppendUint32(b, f.entry.lo)
			b = binary.LittleEndian.AppendUint32(b, f.entry.hi)
		}
	}
	b = append(b, c.code...)
	for _, list := range [][]uint32{c.numbers, c.regexps} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, n := range list {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	ix.block = b
	r, block := ix.store.alloc(len(b))
	copy(block, b)
	return r
}

// repeats reports whether an event can have a key by a feature twice.
func (ix *Index) repeats(number uint32) bool {
	f := ix.features.all[number]
	return f.kind == keyPiece || ix.paths.all[f.number].in.list != nil
}

// readFilings returns the filings of a program.
func readFilings(b []byte, r ref) (list []filedAs) {
	at := programHead
	for range b[1] {
		f := filedAs{key: binary.LittleEndian.Uint64(b[at:]), feature: word(b, at+8), entry: entry{ref: r}}
		at += filingBytes
		if b[0]&programRanged != 0 {
			f.axis, f.entry.lo, f.entry.hi = axis(word(b, at)), word(b, at+4), word(b, at+8)
			at += rangedBytes - filingBytes
		}
		list = append(list, f.normal())
	}
	return list
}

// normal gives a filing without bounds those with which it stands in a cluster:
// all values are between them, and it is quickly found.
func (f filedAs) normal() filedAs {
	if f.axis == 0 {
		f.entry.lo, f.entry.hi = uint32(f.entry.ref), 1<<32-1
	}
	return f
}

// readHeld returns the paths and regular expressions of a program, and the size
// of its block.
func readHeld(b []byte) (numbers, regexps []uint32, size int) {
	code := codeOf(b)
	at := programHead + len(code)
	at += int(b[1]) * filingBytes
	if b[0]&programRanged != 0 {
		at += int(b[1]) * (rangedBytes - filingBytes)
	}
	read := func() uint32 {
		v, n := binary.Uvarint(b[at:])
		at += n
		return uint32(v)
	}
	for range read() {
		numbers = append(numbers, read())
	}
	for range read() {
		regexps = append(regexps, read())
	}
	return numbers, regexps, at
}

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
	p.used++
	p.live++
	place(p.refs, hash, r)
}

func place(refs []ref, hash uint64, r ref) {
	mask := uint64(len(refs) - 1)
	i := hash & mask
	for refs[i] != 0 {
		i = (i + 1) & mask
	}
	refs[i] = r
}

// remove takes a program away that is there.
func (k *known) remove(hash uint64, r ref) {
	p := &k.parts[hash>>56]
	mask := uint64(len(p.refs) - 1)
	i := hash & mask
	for p.refs[i] != r {
		i = (i + 1) & mask
	}
	p.refs[i] = removed
	p.live--
}

func (k *known) bytes() (n int64) {
	for i := range k.parts {
		n += int64(4 * len(k.parts[i].refs))
	}
	return n
}
