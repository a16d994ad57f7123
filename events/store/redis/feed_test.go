package redis

import (
	"strconv"
	"strings"
	"testing"
)

// FuzzFeed: whatever the feed has, it is refused or has a meaning, and nothing of
// it is larger than what came.
func FuzzFeed(f *testing.F) {
	f.Add("7-0", "n\nA\nk\nj")
	f.Add("7-0", "n\nA\nk\nl")
	f.Add("7-0", "n\nA\nk\nlater\nx")
	f.Add("8-0", "n\nA\nk\nm\nword\npayload\nword\n")
	f.Add("9-0", "n\nA\nk\ne\nc\nE 0 1 1769851800123 all mid\n\n{}\nc\nE 0 2 1769851800123 big gid\nchannel\n")
	f.Add("9-0", "n\nA\nk\ne\nc\nE 0 -1 1 all m\n\n")
	f.Add("18446744073709551616-0", "n\nA\nk\nj")
	f.Add("9-1", "k\nj")
	f.Add("00-0", "n\nA\nk\nj")
	f.Fuzz(func(t *testing.T, id, lines string) {
		var fields []any
		for line := range strings.SplitSeq(lines, "\n") {
			fields = append(fields, line)
		}
		entries, err := parseFeed([]any{[]any{"feed", []any{[]any{id, fields}}}})
		if err != nil {
			return
		}
		if len(entries) != 1 {
			t.Fatalf("one entry is read as %d", len(entries))
		}
		e := entries[0]
		if e.bad != nil {
			if e.number == 0 || e.node != "" || len(e.messages)+len(e.records) > 0 {
				t.Errorf("an entry that cannot be understood is read as %+v", e)
			}
			return
		}
		if place := strconv.FormatUint(e.number, 10) + "-0"; place != id && strings.TrimLeft(id, "+0") != place {
			t.Errorf("the entry %q has the number %d", id, e.number)
		}
		if e.node != fields[1] || e.kind != fields[3] {
			t.Errorf("the entry %q is of the node %q, and of the kind %q", lines, e.node, e.kind)
		}
		if want := (len(fields) - 4) / 2; e.kind == kindMessages && len(e.messages) != want || e.kind != kindMessages && len(e.messages) > 0 {
			t.Errorf("the entry %q has %d messages", lines, len(e.messages))
		}
		if want := (len(fields) - 4) / 4; e.kind == kindEvents && len(e.records) != want || e.kind != kindEvents && len(e.records) > 0 || len(e.at) != len(e.records) {
			t.Errorf("the entry %q has %d events at %d places", lines, len(e.records), len(e.at))
		}
		for i, r := range e.records {
			head, _ := fields[4+4*i+1].(string)
			id := strings.SplitN(head, " ", 6)[5]
			if r.ID == "" || !strings.HasSuffix(id, r.ID) || r.Offset != e.at[i].Offset || !r.Time.Equal(e.at[i].Time) {
				t.Errorf("the event %q is read as %+v at %+v", head, r, e.at[i])
			}
			if r.Data != nil && string(r.Data) != fields[4+4*i+3] {
				t.Errorf("the data %q is read as %q", fields[4+4*i+3], r.Data)
			}
		}
	})
}

// What is no feed at all is refused.
func TestFeedNonsense(t *testing.T) {
	for i, reply := range []any{
		nil, "x",
		[]any{},
		[]any{1, 2},
		[]any{[]any{"feed"}},
		[]any{[]any{"feed", []any{"x"}}},
		[]any{[]any{"feed", []any{[]any{"1-0"}}}},
		[]any{[]any{"feed", []any{[]any{"1-0", "n"}}}},
		[]any{[]any{"feed", []any{[]any{1, []any{"n", "A", "k", "j"}}}}},
		[]any{[]any{"feed", []any{[]any{"1-0", []any{1}}}}},
	} {
		if got, err := parseFeed(reply); err == nil {
			t.Errorf("reply %s is read as %+v", strconv.Itoa(i), got)
		}
	}
}
