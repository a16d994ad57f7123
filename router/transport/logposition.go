package transport

import (
	"strconv"
	"strings"
)

// A LogPosition is how far a topic's log has reached a client. The zero value
// is none.
type LogPosition struct {
	Epoch  string
	Offset uint64
}

// String returns the position as the option _since has it.
func (p LogPosition) String() string {
	if p.Epoch == "" {
		return ""
	}
	return p.Epoch + ":" + strconv.FormatUint(p.Offset, 10)
}

// appendPositions appends the id of an event: for each topic how far its log has
// come, as epoch and offset, or nothing if it has no log.
func appendPositions(dst []byte, all []LogPosition) []byte {
	for i, p := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		if p.Epoch != "" {
			dst = append(append(dst, p.Epoch...), ':')
			dst = strconv.AppendUint(dst, p.Offset, 10)
		}
	}
	return dst
}

// parsePositions reads what appendPositions wrote.
func parsePositions(id string) ([]LogPosition, bool) {
	if strings.Count(id, ",") >= maxTopics {
		return nil, false
	}
	var all []LogPosition
	for part := range strings.SplitSeq(id, ",") {
		var p LogPosition
		if part != "" {
			epoch, offset, ok := strings.Cut(part, ":")
			n, err := strconv.ParseUint(offset, 10, 53)
			if !ok || err != nil || !goodEpoch(epoch) {
				return nil, false
			}
			p = LogPosition{epoch, n}
		}
		all = append(all, p)
	}
	return all, true
}

// goodEpoch reports whether an epoch can be part of an id.
func goodEpoch(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == ',' || c == ':' })
}
