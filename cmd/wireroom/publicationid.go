package main

import "github.com/wireroom/wireroom/router/wamp"

// A numbering gives the events of one log their publication IDs. The ID follows
// from class, epoch and offset alone, so that an event has the same one when it
// is published, replayed and read from its history, on every node and after a
// restart, and the log need not keep it. As WAMP "IDs" asks, it looks drawn at
// random from 1 to 2^53: a permutation, which also finds the offset by the ID.
//
// The logs in stores depend on how it is done.
type numbering struct{ key uint64 }

// numberingOf returns the numbering of the log of a class.
func numberingOf(class, epoch string) numbering {
	const offset64, prime64 = 14695981039346656037, 1099511628211 // FNV-1a
	h := uint64(offset64)
	for _, text := range [2]string{class, epoch} {
		for i := range len(text) {
			h = (h ^ uint64(text[i])) * prime64
		}
		h *= prime64 // a byte 0 ends each text
	}
	return numbering{mix64(h)}
}

// mix64 has every bit of h change about half of the others.
func mix64(h uint64) uint64 {
	h = (h ^ h>>30) * 0xBF58476D1CE4E5B9
	h = (h ^ h>>27) * 0x94D049BB133111EB
	return h ^ h>>31
}

const (
	idMask = uint64(wamp.MaxID) - 1

	// Odd, and so with an inverse modulo 2^53.
	idFactor1, idFactor2 = 0x1AEC805299990163, 0x1C6EF372FE94F82B
)

// id returns the publication ID of the event at an offset.
func (n numbering) id(offset uint64) wamp.ID {
	x := (offset + n.key) & idMask
	x ^= x >> 27
	x = x * idFactor1 & idMask
	x ^= x >> 27
	x = x * idFactor2 & idMask
	x ^= x >> 27
	return wamp.ID((x^n.key>>11)&idMask) + 1
}

// offset returns the offset of the event with a publication ID. It undoes id
// step by step: shifting by more than half of the bits undoes itself.
func (n numbering) offset(id wamp.ID) uint64 {
	x := (uint64(id-1) ^ n.key>>11) & idMask
	x ^= x >> 27
	x = x * inverse(idFactor2) & idMask
	x ^= x >> 27
	x = x * inverse(idFactor1) & idMask
	x ^= x >> 27
	return (x - n.key) & idMask
}

// inverse returns the y with x*y = 1 modulo 2^64, for an odd x. Each step
// doubles how many bits are right, from three.
func inverse(x uint64) uint64 {
	y := x
	for range 5 {
		y *= 2 - x*y
	}
	return y
}
