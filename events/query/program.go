package query

import (
	"encoding/binary"
	"slices"
)

// The block of a program begins with what readers look at, so that most are in
// one cache line: a head, and its code.
//
//	 0  blockProgram and flags
//	 1  filings
//	 2  bytes of code
//	 4  the generation of the plan that it was made for
//	 8  the number of its ID
//	12  how often it was added; only the writer looks at this
//	13  the code
//
// What follows is the writer's: the filings, how many paths it holds, their
// numbers, and with programRegexps the same of regular expressions. A filing is
// the number of the feature as a varint, and five bytes of key; if programRanged,
// the axis follows, two bits in front of it that say which bounds there are, and
// these.
const (
	programRanged  byte = 0x10
	programRepeats byte = 0x20 // an event can come upon it twice
	programRegexps byte = 0x40
	programTimes        = 12
	programHead         = 13
)

const (
	boundLow  = 1 // lo is not 0
	boundHigh = 2 // hi is not the highest; of axisHash it is lo
)

// codeOf returns the code of a program, of which b begins with the block.
func codeOf(b []byte) []byte {
	return b[programHead : programHead+int(binary.LittleEndian.Uint16(b[2:]))]
}

// idOf returns the ID of a program: where it is, and a number that goes on.
func idOf(r ref, b []byte) ID { return ID(word(b, 8))<<32 | ID(r) }

// filedAs is a filing as the block has it.
type filedAs struct {
	key     uint64
	feature uint32 // its number
	axis    axis
	entry   entry
}

// writeProgram makes the block of a program.
func (ix *Index) writeProgram(c *compiler, filed []filedAs) ref {
	kind := blockProgram
	if slices.ContainsFunc(filed, func(f filedAs) bool { return f.axis != 0 }) {
		kind |= programRanged
	}
	if len(filed) > 1 || len(filed) == 1 && ix.repeats(filed[0].feature) {
		kind |= programRepeats
	}
	if len(c.regexps) > 0 {
		kind |= programRegexps
	}
	ix.serial++
	b := append(ix.block[:0], kind, byte(len(filed)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(c.code)))
	b = binary.LittleEndian.AppendUint32(b, ix.plan.Load().generation)
	b = binary.LittleEndian.AppendUint32(b, ix.serial)
	b = append(b, 1)
	b = append(b, c.code...)
	for _, f := range filed {
		b = f.append(b, kind&programRanged != 0)
	}
	b = appendNumbers(b, c.numbers)
	if len(c.regexps) > 0 {
		b = appendNumbers(b, c.regexps)
	}
	ix.block = b
	r, block := ix.store.alloc(len(b))
	copy(block, b)
	return r
}

func appendNumbers(b []byte, list []uint32) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, n := range list {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

func (f filedAs) append(b []byte, ranged bool) []byte {
	b = binary.AppendUvarint(b, uint64(f.feature))
	b = append(b, byte(f.key>>56))
	b = binary.LittleEndian.AppendUint32(b, uint32(f.key))
	if !ranged {
		return b
	}
	have := uint64(0)
	if f.entry.lo != 0 {
		have |= boundLow
	}
	if f.entry.hi != 1<<32-1 && f.axis&axisKind != axisHash {
		have |= boundHigh
	}
	if f.axis == 0 {
		have = 0
	}
	b = binary.AppendUvarint(b, uint64(f.axis)<<2|have)
	if have&boundLow != 0 {
		b = binary.LittleEndian.AppendUint32(b, f.entry.lo)
	}
	if have&boundHigh != 0 {
		b = binary.LittleEndian.AppendUint32(b, f.entry.hi)
	}
	return b
}

// A blockReader reads what a program has behind its code.
type blockReader struct {
	b  []byte
	at int
}

func (x *blockReader) uvarint() uint64 {
	if v := x.b[x.at]; v < 0x80 {
		x.at++
		return uint64(v)
	}
	v, n := binary.Uvarint(x.b[x.at:])
	x.at += n
	return v
}

func (x *blockReader) word() uint32 {
	x.at += 4
	return word(x.b, x.at-4)
}

// numbers appends what appendNumbers wrote.
func (x *blockReader) numbers(list []uint32) []uint32 {
	for range x.uvarint() {
		list = append(list, uint32(x.uvarint()))
	}
	return list
}

// filing reads what filedAs.append wrote.
func (x *blockReader) filing(r ref, ranged bool) filedAs {
	f := filedAs{feature: uint32(x.uvarint()), entry: entry{ref: r}}
	f.key = uint64(x.b[x.at]) << 56
	x.at++
	f.key |= uint64(x.word())
	if ranged {
		have := x.uvarint()
		f.axis, f.entry.hi = axis(have>>2), 1<<32-1
		if have&boundLow != 0 {
			f.entry.lo = x.word()
		}
		if have&boundHigh != 0 {
			f.entry.hi = x.word()
		}
		if f.axis&axisKind == axisHash {
			f.entry.hi = f.entry.lo
		}
	}
	return f.normal()
}

// A tail is what a program has behind its code, and the size of the block.
type tail struct {
	filed            []filedAs
	numbers, regexps []uint32
	size             int
}

// read reads the tail of a program, instead of what was read before.
func (t *tail) read(r ref, b []byte) {
	x := blockReader{b: b, at: programHead + len(codeOf(b))}
	t.filed, t.numbers, t.regexps = t.filed[:0], t.numbers[:0], t.regexps[:0]
	for range b[1] {
		t.filed = append(t.filed, x.filing(r, b[0]&programRanged != 0))
	}
	t.numbers = x.numbers(t.numbers)
	if b[0]&programRegexps != 0 {
		t.regexps = x.numbers(t.regexps)
	}
	t.size = x.at
}

// repeats reports whether an event can have a key by a feature twice.
func (ix *Index) repeats(number uint32) bool {
	f := ix.features.all[number]
	return f.kind == keyPiece || ix.paths.all[f.number].in.list != nil
}

// normal gives a filing without bounds those with which it stands in a cluster:
// all values are between them, and it is quickly found.
func (f filedAs) normal() filedAs {
	if f.axis == 0 {
		f.entry.lo, f.entry.hi = uint32(f.entry.ref), 1<<32-1
	}
	return f
}
