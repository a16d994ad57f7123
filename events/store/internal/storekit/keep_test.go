package storekit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

// A log has records of which each was made in the second of 1970 that is its
// offset.
type log struct {
	first, next        uint64
	boundsErr, seekErr error
}

func (l log) Bounds(context.Context, string) (events.Bounds, error) {
	return events.Bounds{First: l.first, Next: l.next}, l.boundsErr
}

func (l log) SeekTime(_ context.Context, _ string, through uint64, t time.Time) (uint64, error) {
	return max(l.first-1, min(through, uint64(t.Unix())-1)), l.seekErr
}

func TestFirstToKeep(t *testing.T) {
	errBounds, errSeek := errors.New("bounds"), errors.New("seek")
	full := log{first: 11, next: 31}
	for _, test := range []struct {
		name string
		log  log
		keep events.Retain
		want uint64
		err  error
	}{
		{name: "everything", log: full},
		{name: "fewer than there may be", log: full, keep: events.Retain{Events: 20}},
		{name: "too many", log: full, keep: events.Retain{Events: 19}, want: 12},
		{name: "young enough", log: full, keep: events.Retain{For: 29 * time.Second}},
		{name: "too old", log: full, keep: events.Retain{For: 25 * time.Second}, want: 15},
		{name: "all too old", log: full, keep: events.Retain{For: time.Second}, want: 31},
		{name: "too many and too old", log: full, keep: events.Retain{Events: 10, For: 25 * time.Second}, want: 21},
		{name: "empty", log: log{first: 1, next: 1}, keep: events.Retain{Events: 1, For: time.Second}},
		{name: "no bounds", log: log{boundsErr: errBounds}, keep: events.Retain{Events: 1}, err: errBounds},
		{name: "no times", log: log{first: 11, next: 31, seekErr: errSeek}, keep: events.Retain{For: time.Second}, err: errSeek},
	} {
		t.Run(test.name, func(t *testing.T) {
			first, _, err := storekit.FirstToKeep(t.Context(), test.log, "c", test.keep, time.Unix(40, 0))
			if first != test.want || !errors.Is(err, test.err) {
				t.Errorf("FirstToKeep = %d, %v; want %d, %v", first, err, test.want, test.err)
			}
		})
	}
}
