package events_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

func TestParseStart(t *testing.T) {
	const what = `option _since: expected an offset of at least 0, "<epoch>:<offset>", or a time such as "2026-01-31T09:30:00Z", found `
	moment := time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)
	for _, test := range []struct {
		options map[string]any
		start   events.Start
		replay  bool
		err     string
	}{
		{options: nil},
		{options: map[string]any{"_where": "x", "match": "exact"}},
		{options: map[string]any{"_last": int64(5)}, start: events.Last(5), replay: true},
		{options: map[string]any{"_last": uint64(5)}, start: events.Last(5), replay: true},
		{options: map[string]any{"_last": 5.0}, start: events.Last(5), replay: true},
		{options: map[string]any{"_last": 5}, start: events.Last(5), replay: true},
		{options: map[string]any{"_last": 0}, start: events.Last(0), replay: true},
		{options: map[string]any{"_last": uint64(1 << 63)}, start: events.Last(1<<31 - 1), replay: true},
		{options: map[string]any{"_last": -1}, err: "option _last: expected an integer of at least 0, found -1"},
		{options: map[string]any{"_last": 1.5}, err: "option _last: expected an integer of at least 0, found 1.5"},
		{options: map[string]any{"_last": 1e300}, err: "option _last: expected an integer of at least 0, found 1e+300"},
		{options: map[string]any{"_last": "5"}, err: `option _last: expected an integer of at least 0, found the string "5"`},
		{options: map[string]any{"_last": nil}, err: "option _last: expected an integer of at least 0, found null"},
		{options: map[string]any{"_last": true}, err: "option _last: expected an integer of at least 0, found true"},
		{options: map[string]any{"_last": 5, "_since": 5}, err: "option _last: expected not both this and _since, found both"},
		{options: map[string]any{"_since": uint64(1<<64 - 1)}, start: events.Since(1<<64 - 1), replay: true},
		{options: map[string]any{"_since": int64(0)}, start: events.Since(0), replay: true},
		{options: map[string]any{"_since": "ABC234:17"}, start: events.SincePosition("ABC234", 17), replay: true},
		{options: map[string]any{"_since": "2026-01-31T09:30:00Z"}, start: events.SinceTime(moment), replay: true},
		{options: map[string]any{"_since": "17"}, err: what + `the string "17"`},
		{options: map[string]any{"_since": ":17"}, err: what + `the string ":17"`},
		{options: map[string]any{"_since": "a b:17"}, err: what + `the string "a b:17"`},
		{options: map[string]any{"_since": "abc:-1"}, err: what + `the string "abc:-1"`},
		{options: map[string]any{"_since": "abc:1:2"}, err: what + `the string "abc:1:2"`},
		{options: map[string]any{"_since": "yesterday"}, err: what + `the string "yesterday"`},
		{options: map[string]any{"_since": int64(-1)}, err: what + "-1"},
		{options: map[string]any{"_since": []any{1}}, err: what + "a list"},
		{options: map[string]any{"_since": map[string]any{}}, err: what + "a dictionary"},
		{options: map[string]any{"_since": []byte("x")}, err: what + "a value of type []uint8"},
	} {
		start, replay, err := events.ParseStart(test.options)
		if text(err) != test.err {
			t.Errorf("ParseStart(%v): %v\nwant: %s", test.options, err, test.err)
		}
		if _, ok := errors.AsType[*events.OptionError](err); err != nil && !ok {
			t.Errorf("ParseStart(%v): %T, want an OptionError", test.options, err)
		}
		if fmt.Sprint(start) != fmt.Sprint(test.start) || replay != test.replay {
			t.Errorf("ParseStart(%v) = %v, %v; want %v, %v", test.options, start, replay, test.start, test.replay)
		}
	}
}

func TestNewID(t *testing.T) {
	at := time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)
	seen := make(map[string]bool)
	var sorted []string
	for i := range 1000 {
		id := events.NewID(at.Add(time.Duration(i) * time.Millisecond))
		if len(id) != 26 || strings.Trim(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "" {
			t.Fatalf("NewID = %q", id)
		}
		seen[id] = true
		sorted = append(sorted, id)
	}
	if len(seen) != 1000 || !slices.IsSorted(sorted) {
		t.Errorf("%d of 1000 ids are different, sorted: %v", len(seen), slices.IsSorted(sorted))
	}
	// The example of the ULID specification: 01ARYZ6S41 is 1469918176385.
	if got := events.NewID(time.UnixMilli(1469918176385))[:10]; got != "01ARYZ6S41" {
		t.Errorf("NewID begins with %s, want 01ARYZ6S41", got)
	}
	if a, b := events.NewID(at), events.NewID(at); a[:10] != b[:10] || a[10:18] == b[10:18] || a[18:] == b[18:] {
		t.Errorf("two ids of a moment: %s, %s", a, b)
	}
}
