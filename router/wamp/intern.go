package wamp

import "hash/maphash"

// An internTable remembers strings that came lately, so that a topic or
// procedure that comes again costs no allocation. It holds at most internSets ×
// internWays strings of at most internLen bytes, whatever peers send.
type internTable struct {
	sets [internSets][internWays]string
}

const (
	internSets = 128
	internWays = 2
	internLen  = 128
)

var internSeed = maphash.MakeSeed()

// string returns b as a string.
func (t *internTable) string(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > internLen {
		return string(b)
	}
	set := &t.sets[maphash.Bytes(internSeed, b)%internSets]
	for _, s := range set {
		if s == string(b) {
			return s
		}
	}
	s := string(b)
	copy(set[1:], set[:])
	set[0] = s
	return s
}
