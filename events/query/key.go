package query

import (
	"cmp"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
)

// A keyKind is what a key says of a field.
type keyKind uint8

const (
	keyEqual   keyKind = iota // it has the value
	keyPair                   // and so has another
	keyPrefix                 // it begins with the text
	keySuffix                 // it ends with it
	keyPiece                  // it has the three or six bytes in it
	keyPresent                // it is there
	keyRange                  // it is there, and has an order; the cluster has the bounds
)

// A feature is what keys have in common: which field, and how it is looked at.
// Events are looked up by the features that some query is filed by.
type feature struct {
	kind   keyKind
	length uint8  // of a prefix, suffix or piece
	number uint32 // of the path
	other  uint32 // of the second path of a pair
}

// id returns a number that no other feature has: those of paths are less than 1<<17.
func (f feature) id() uint64 {
	return uint64(f.kind) | uint64(f.length)<<8 | uint64(f.number)<<16 | uint64(f.other)<<40
}

// compare puts features in some order.
func (f feature) compare(g feature) int {
	return cmp.Or(cmp.Compare(f.kind, g.kind), cmp.Compare(f.length, g.length), cmp.Compare(f.number, g.number), cmp.Compare(f.other, g.other))
}

// lengths of the prefixes and suffixes that keys are made of: a longer one is
// filed by the next shorter length, so that no field has many.
var lengths = [...]int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192}

// keyLength returns the longest length that n has room for.
func keyLength(n int) int {
	length := 0
	for _, l := range lengths {
		if l <= n {
			length = l
		}
	}
	return length
}

// A hasher makes keys, of the bits that [table] has. Nobody outside of the process can tell which collide. If
// two do, candidates come up that do not match, and nothing else.
type hasher struct {
	seed    maphash.Seed
	secrets [3]uint64
	bits    uint64 // which of a hash are the key's
}

func newHasher() hasher {
	return hasher{maphash.MakeSeed(), [3]uint64{rand.Uint64(), rand.Uint64(), rand.Uint64()}, keyBits}
}

// keyBits are the bits of a hash that a key has: the part of the table, and what
// is in the slot.
const keyBits = 0xff000000_ffffffff

// keyOf returns the key of a hash. The lower half of none is zero.
func (h *hasher) keyOf(hash uint64) uint64 {
	if hash &= h.bits; uint32(hash) == 0 {
		hash++
	}
	return hash
}

func (h *hasher) mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^h.secrets[0], b^h.secrets[1])
	return hi ^ lo
}

func (h *hasher) text(s []byte) uint64 { return maphash.Bytes(h.seed, s) }

// value returns the hash of a scalar that is no string: the same for equal ones.
func (h *hasher) value(v Value) uint64 {
	v = plainNumber(v)
	return h.mix(v.num, uint64(v.kind)+h.secrets[2])
}

func (h *hasher) literal(v Value) uint64 {
	if v.kind == String {
		return maphash.String(h.seed, v.str)
	}
	return h.value(v)
}

// key returns the key of a hash in a feature.
func (h *hasher) key(f feature, hash uint64) uint64 {
	return h.keyOf(h.mix(hash, uint64(f.kind)|uint64(f.length)<<8|uint64(f.number)<<16))
}

// pair returns the key of two hashes.
func (h *hasher) pair(f feature, first, second uint64) uint64 {
	return h.keyOf(h.mix(h.mix(first, uint64(f.kind)|uint64(f.number)<<16), second^uint64(f.other)<<32))
}

// The pieces of a text are of three bytes, or of six where it has them: there are
// only so many of three that texts such as "room-017" are made of.
const (
	shortPiece = 3
	longPiece  = 6
)

// piece returns what the key of a piece is made of.
func piece(s []byte) (v uint64) {
	for i, b := range s {
		v |= uint64(b) << (8 * i)
	}
	return v
}
