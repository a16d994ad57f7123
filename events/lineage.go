package events

import (
	"strconv"
	"strings"
)

// A Lineage says what the epoch of a log has in common with those before it: for
// each, the latest first, its name, a colon, and the last offset that the log
// had when the next epoch began, with a space between. Up to there, offsets
// mean the same in both.
type Lineage string

// Shared returns up to which offset positions of an earlier epoch mean the same
// in the epoch that has the lineage. ok is false if that is not known.
func (l Lineage) Shared(epoch string) (through uint64, ok bool) {
	through = ^uint64(0)
	for part := range strings.FieldsSeq(string(l)) {
		name, last, _ := strings.Cut(part, ":")
		n, err := strconv.ParseUint(last, 10, 64)
		if err != nil {
			return 0, false
		}
		through = min(through, n)
		if name == epoch {
			return through, true
		}
	}
	return 0, false
}
