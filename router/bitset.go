package router

import "math/bits"

// A bitset is a set of small numbers that finds the next one without looking
// at all of them: above each 64 words of bits is a word that says which of them
// are not 0.
type bitset struct {
	words []uint64
	sums  []uint64
}

// set adds i.
func (b *bitset) set(i int) {
	w := i / 64
	for len(b.words) <= w {
		b.words = append(b.words, 0)
	}
	for len(b.sums) <= w/64 {
		b.sums = append(b.sums, 0)
	}
	b.words[w] |= 1 << (i % 64)
	b.sums[w/64] |= 1 << (w % 64)
}

// clear takes i out, if it is there.
func (b *bitset) clear(i int) {
	w := i / 64
	if w >= len(b.words) {
		return
	}
	if b.words[w] &^= 1 << (i % 64); b.words[w] == 0 {
		b.sums[w/64] &^= 1 << (w % 64)
	}
}

// next returns the least number that is not less than i, or -1.
func (b *bitset) next(i int) int {
	w := i / 64
	if w >= len(b.words) {
		return -1
	}
	if rest := b.words[w] >> (i % 64); rest != 0 {
		return i + bits.TrailingZeros64(rest)
	}
	w++
	for s := w / 64; s < len(b.sums); s++ {
		rest := b.sums[s]
		if s == w/64 {
			rest &= ^uint64(0) << (w % 64)
		}
		if rest != 0 {
			w = s*64 + bits.TrailingZeros64(rest)
			return w*64 + bits.TrailingZeros64(b.words[w])
		}
	}
	return -1
}

// last returns the greatest number, or -1.
func (b *bitset) last() int {
	for s := len(b.sums) - 1; s >= 0; s-- {
		if b.sums[s] != 0 {
			w := s*64 + 63 - bits.LeadingZeros64(b.sums[s])
			return w*64 + 63 - bits.LeadingZeros64(b.words[w])
		}
	}
	return -1
}
