package events_test

import (
	"errors"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

// Each event of a log was made in the second of 1970 that is its offset; it is
// second 40 now.
func TestRetainFirst(t *testing.T) {
	errFrom := errors.New("away")
	b := events.Bounds{First: 11, Next: 31}
	for _, test := range []struct {
		name string
		keep events.Retain
		b    events.Bounds
		want uint64
		err  error
	}{
		{name: "everything", b: b, want: 11, err: errFrom}, // age does not matter, so nobody asks
		{name: "few enough", b: b, keep: events.Retain{Events: 20}, want: 11, err: errFrom},
		{name: "too many", b: b, keep: events.Retain{Events: 19}, want: 12, err: errFrom},
		{name: "too old", b: b, keep: events.Retain{For: 25 * time.Second}, want: 15},
		{name: "too old, and too many", b: b, keep: events.Retain{Events: 10, For: 25 * time.Second}, want: 21},
		{name: "all too old", b: b, keep: events.Retain{For: time.Second}, want: 31},
		{name: "empty", b: events.Bounds{First: 31, Next: 31}, keep: events.Retain{Events: 1, For: time.Second}, want: 31},
	} {
		t.Run(test.name, func(t *testing.T) {
			first, err := test.keep.First(test.b, time.Unix(40, 0), func(from time.Time) (uint64, error) {
				return min(test.b.Next, max(test.b.First, uint64(from.Unix()))), test.err
			})
			if first != test.want || err != nil {
				t.Errorf("First = %d, %v; want %d", first, err, test.want)
			}
		})
	}
	if _, err := (events.Retain{For: time.Second}).First(b, time.Unix(40, 0), func(time.Time) (uint64, error) { return 0, errFrom }); !errors.Is(err, errFrom) {
		t.Errorf("First returns the error %v, want %v", err, errFrom)
	}
}
