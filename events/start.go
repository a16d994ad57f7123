package events

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Names of the options of a subscription that ask for a replay.
const (
	OptionLast  = "_last"
	OptionSince = "_since"
)

// OptionExpires is the name of the option of a persistent subscription that says
// how long it outlives the last session that had it.
const OptionExpires = "_expires"

// A Start says where in a class's log a replay begins. The zero value is the
// end of it: live events only.
type Start struct {
	kind   startKind
	n      int
	epoch  string // empty: whichever the log has
	offset uint64
	time   time.Time
	mark   Mark
	whole  bool // the replay brings all that the log has by then, also what the hub has not routed yet
}

// A Mark is how far a class's log was routed at some moment.
type Mark struct {
	Epoch  string // empty: no mark
	Offset uint64
}

// At returns s as it was meant at the time of the mark: nothing that was routed
// since is passed over, whatever s is.
func (s Start) At(m Mark) Start {
	s.mark = m
	return s
}

type startKind uint8

const (
	startLast startKind = iota
	startOffset
	startTime
)

// Last begins with the last n events, or with as many as there are.
func Last(n int) Start { return Start{kind: startLast, n: max(n, 0)} }

// Since begins after the event with the offset, in whatever epoch the log has.
func Since(offset uint64) Start { return Start{kind: startOffset, offset: offset} }

// SincePosition begins after the event with the epoch and offset.
func SincePosition(epoch string, offset uint64) Start {
	return Start{kind: startOffset, epoch: epoch, offset: offset}
}

// SinceTime begins with the first event that is not before t.
func SinceTime(t time.Time) Start { return Start{kind: startTime, time: t} }

// An OptionError says that an option of a subscription cannot be understood.
type OptionError struct {
	Option   string
	Expected string
	Found    string
}

// Error names the option.
func (e *OptionError) Error() string {
	return fmt.Sprintf("option %s: expected %s, found %s", e.Option, e.Expected, e.Found)
}

// ParseStart returns the start that the options of a subscription ask for;
// replay is false if they ask for none. Integers may be of any type that a
// decoder gives. The error is an [*OptionError].
//
//	_last:  5                         the last 5 events
//	_since: 17                        after offset 17
//	_since: "x7Kd:17"                 after offset 17 of the epoch x7Kd
//	_since: "2026-01-31T09:30:00Z"    from that time on
func ParseStart(options map[string]any) (start Start, replay bool, err error) {
	last, hasLast := options[OptionLast]
	since, hasSince := options[OptionSince]
	switch {
	case hasLast && hasSince:
		return Start{}, false, &OptionError{OptionLast, "not both this and " + OptionSince, "both"}
	case hasLast:
		n, ok := toUint(last)
		if !ok {
			return Start{}, false, &OptionError{OptionLast, "an integer of at least 0", describeOption(last)}
		}
		return Last(int(min(n, math.MaxInt32))), true, nil
	case !hasSince:
		return Start{}, false, nil
	}
	if n, ok := toUint(since); ok {
		return Since(n), true, nil
	}
	if s, ok := since.(string); ok {
		if start, ok := parseSince(s); ok {
			return start, true, nil
		}
	}
	return Start{}, false, &OptionError{
		OptionSince,
		`an offset of at least 0, "<epoch>:<offset>", or a time such as "2026-01-31T09:30:00Z"`,
		describeOption(since),
	}
}

func parseSince(s string) (Start, bool) {
	var t time.Time
	if t.UnmarshalText([]byte(s)) == nil {
		return SinceTime(t), true
	}
	epoch, digits, ok := strings.Cut(s, ":")
	if !ok || !validEpoch(epoch) {
		return Start{}, false
	}
	offset, err := strconv.ParseUint(digits, 10, 64)
	return SincePosition(epoch, offset), err == nil
}

// validEpoch reports whether s can be an epoch: 1 to 64 letters, digits, '_'
// and '-'.
func validEpoch(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if !isWordChar(r) {
			return false
		}
	}
	return true
}

// toUint returns v if it is an integer of at least 0.
func toUint(v any) (uint64, bool) {
	switch v := v.(type) {
	case int:
		return uint64(v), v >= 0
	case int64:
		return uint64(v), v >= 0
	case uint64:
		return v, true
	case float64:
		return uint64(v), v >= 0 && v <= 1<<53 && v == math.Trunc(v)
	default:
		return 0, false
	}
}

func describeOption(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "the string " + quote(v)
	case bool, int, int64, uint64, float64:
		return fmt.Sprint(v)
	case []any:
		return "a list"
	case map[string]any:
		return "a dictionary"
	default:
		return fmt.Sprintf("a value of type %T", v)
	}
}
