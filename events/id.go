package events

import (
	"math/rand/v2"
	"time"
)

// MaxIDLen is how many bytes the id of an event may have.
const MaxIDLen = 128

// idLen is the length of an id that the gateway makes.
const idLen = 26

// idDigits is Crockford's base 32: in ASCII order, without I, L, O and U.
const idDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewID returns a new event id: 26 characters that sort by time, as a ULID
// does. They hold the milliseconds since 1970 (10 characters) and 80 random
// bits (16 characters). It allocates the string.
func NewID(t time.Time) string {
	var b [idLen]byte
	ms := uint64(t.UnixMilli())
	for i := 9; i >= 0; i-- {
		b[i] = idDigits[ms&31]
		ms >>= 5
	}
	// The generator of math/rand/v2 is a cipher that the runtime seeds. An id
	// is no secret; it must only not repeat.
	hi, lo := rand.Uint64(), rand.Uint64()
	for i := 10; i < 18; i++ {
		b[i] = idDigits[hi&31]
		hi >>= 5
	}
	for i := 18; i < idLen; i++ {
		b[i] = idDigits[lo&31]
		lo >>= 5
	}
	return string(b[:])
}

// validID reports whether id is 1 to MaxIDLen printable ASCII characters.
func validID(id string) bool {
	if len(id) == 0 || len(id) > MaxIDLen {
		return false
	}
	for i := range len(id) {
		if id[i] < ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}
