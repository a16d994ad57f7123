package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

func readLimits(t *testing.T, s *suite) {
	s.fill(10, events.Retain{})
	size := len(record(1).Data)
	for _, test := range []struct {
		limit, bytes, want int
	}{
		{3, 1 << 20, 3},
		{100, 1 << 20, 10},
		{100, 1, 1},
		{100, size, 1},
		{100, size + 1, 2},
		{1, 1, 1},
	} {
		page, err := s.store.Read(t.Context(), events.Range{Class: "c", Through: 100, Limit: test.limit, Bytes: test.bytes})
		if err != nil || len(page.Records) != test.want || page.After != uint64(test.want) {
			t.Errorf("Limit %d, Bytes %d: %d records, after %d, %v; want %d", test.limit, test.bytes, len(page.Records), page.After, err, test.want)
		}
		if page.Bounds != s.bounds("c") {
			t.Errorf("a page has the bounds %+v, and the log %+v", page.Bounds, s.bounds("c"))
		}
	}
}

func readRange(_ *testing.T, s *suite) {
	s.fill(5, events.Retain{})
	for _, test := range []struct {
		after, through uint64
		want           []uint64
	}{
		{0, 5, []uint64{1, 2, 3, 4, 5}},
		{2, 4, []uint64{3, 4}},
		{4, 99, []uint64{5}},
		{5, 99, nil},
		{99, 100, nil},
		{3, 3, nil},
		{3, 1, nil},
		{0, 0, nil},
	} {
		s.wantOffsets(s.read(events.Range{Class: "c", After: test.after, Through: test.through, Limit: 10, Bytes: 1 << 20}), test.want...)
	}
}

// channels fills a log with 12 records, of the channels a, b and none.
func (s *suite) channels() {
	s.Helper()
	for n := 1; n <= 12; n++ {
		r := record(n)
		r.Channel = []string{"", "a", "b"}[n%3]
		s.mustAppend(r)
	}
	ab := record(13)
	ab.Channel = "ab"
	s.mustAppend(ab)
}

func readChannel(t *testing.T, s *suite) {
	s.channels()
	for _, test := range []struct {
		channel        string
		after, through uint64
		want           []uint64
	}{
		{"a", 0, 100, []uint64{1, 4, 7, 10}},
		{"b", 2, 8, []uint64{5, 8}},
		{"ab", 0, 100, []uint64{13}},
		{"none", 0, 100, nil},
		{"", 10, 100, []uint64{11, 12, 13}},
	} {
		r := events.Range{Class: "c", Channel: test.channel, After: test.after, Through: test.through, Limit: 2, Bytes: 1 << 20}
		s.wantOffsets(s.read(r), test.want...)
	}
	page, err := s.store.Read(t.Context(), events.Range{Class: "c", Channel: "a", After: 10, Through: 12, Limit: 2, Bytes: 1})
	if err != nil || page.After != 12 {
		t.Errorf("after the last record of a channel: after %d, %v; want 12, so that a reader knows it is done", page.After, err)
	}
	for _, r := range s.read(events.Range{Class: "c", Channel: "a", Through: 100, Limit: 9, Bytes: 1 << 20}) {
		if r.Channel != "a" {
			t.Errorf("record %d has the channel %q", r.Offset, r.Channel)
		}
	}
}

func readTrimmed(t *testing.T, s *suite) {
	s.channels()
	s.trim("c", events.Retain{Events: 4}, start)
	page, err := s.store.Read(t.Context(), events.Range{Class: "c", After: 3, Through: 100, Limit: 2, Bytes: 1 << 20})
	if err != nil || page.Bounds.First != 10 || page.After != 11 {
		t.Errorf("Read: %+v, %v", page, err)
	}
	s.wantOffsets(page.Records, 10, 11)
	s.wantOffsets(s.read(events.Range{Class: "c", Channel: "a", Through: 100, Limit: 2, Bytes: 1 << 20}), 10)
}

func seekTime(t *testing.T, s *suite) {
	s.fill(10, events.Retain{}) // 1s to 10s after start
	s.trim("c", events.Retain{Events: 7}, start)
	for _, test := range []struct {
		at      time.Duration
		through uint64
		want    uint64
	}{
		{0, 10, 3}, // before the oldest, which is 4
		{4 * time.Second, 10, 3},
		{4*time.Second + 1, 10, 4},
		{7 * time.Second, 10, 6},
		{10 * time.Second, 10, 9},
		{11 * time.Second, 10, 10},
		{11 * time.Second, 8, 8},
		{7 * time.Second, 5, 5},
	} {
		got, err := s.store.SeekTime(t.Context(), "c", test.through, start.Add(test.at))
		if err != nil || got != test.want {
			t.Errorf("SeekTime(%v, through %d) = %d, %v; want %d", test.at, test.through, got, err, test.want)
		}
	}
	if got, err := s.store.SeekTime(t.Context(), "never", 0, start); got != 0 || err != nil {
		t.Errorf("SeekTime in no log = %d, %v; want 0", got, err)
	}
}

func seekLast(t *testing.T, s *suite) {
	s.fill(10, events.Retain{})
	s.trim("c", events.Retain{Events: 7}, start)
	for _, test := range []struct {
		through uint64
		n       int
		want    uint64
	}{
		{10, 0, 10},
		{10, 1, 9},
		{10, 7, 3},
		{10, 8, 3},
		{10, 1 << 30, 3},
		{6, 2, 4},
		{6, 100, 3},
		{100, 1, 9},
	} {
		got, err := s.store.SeekLast(t.Context(), "c", "", test.through, test.n)
		if err != nil || got != test.want {
			t.Errorf("SeekLast(through %d, %d) = %d, %v; want %d", test.through, test.n, got, err, test.want)
		}
	}
}

func seekLastChannel(t *testing.T, s *suite) {
	s.channels() // a: 1 4 7 10, b: 2 5 8 11, ab: 13
	for _, test := range []struct {
		channel string
		through uint64
		n       int
		want    []uint64 // what a read after it gives
	}{
		{"a", 13, 1, []uint64{10}},
		{"a", 13, 3, []uint64{4, 7, 10}},
		{"a", 9, 2, []uint64{4, 7}},
		{"a", 13, 100, []uint64{1, 4, 7, 10}},
		{"b", 13, 2, []uint64{8, 11}},
		{"ab", 13, 5, []uint64{13}},
		{"none", 13, 5, nil},
	} {
		after, err := s.store.SeekLast(t.Context(), "c", test.channel, test.through, test.n)
		if err != nil {
			t.Errorf("SeekLast(%q, %d, %d): %v", test.channel, test.through, test.n, err)
		}
		r := events.Range{Class: "c", Channel: test.channel, After: after, Through: test.through, Limit: 100, Bytes: 1 << 20}
		s.wantOffsets(s.read(r), test.want...)
	}
}

// trimByAppend allows some slack, but never fewer records than are to be kept.
func trimByAppend(t *testing.T, s *suite) {
	for _, keep := range []int{1, 3, 50} {
		class := fmt.Sprint("keep", keep)
		for n := 1; n <= 120; n++ {
			r := record(n)
			r.Class, r.Keep = class, events.Retain{Events: keep}
			s.mustAppend(r)
			b := s.bounds(class)
			held := int(b.Next - b.First)
			if held < min(n, keep) || held > keep+keep/4 {
				t.Fatalf("%d appended and %d to be kept: %d are there", n, keep, held)
			}
		}
		if got := s.all(class); string(got[len(got)-1].Data) != `{"n":120}` {
			t.Errorf("the last record is %s", got[len(got)-1].Data)
		}
	}
}

func trimByNumber(t *testing.T, s *suite) {
	s.fill(20, events.Retain{})
	if n := s.trim("c", events.Retain{Events: 5}, start); n != 15 {
		t.Errorf("Trim removes %d, want 15", n)
	}
	s.wantBounds("c", 16, 21)
	s.wantOffsets(s.all("c"), 16, 17, 18, 19, 20)
	if n := s.trim("c", events.Retain{Events: 5}, start); n != 0 {
		t.Errorf("Trim again removes %d, want 0", n)
	}
	if n := s.trim("c", events.Retain{}, start.Add(1e6*time.Hour)); n != 0 {
		t.Errorf("Trim without limits removes %d, want 0", n)
	}
	if n := s.trim("never", events.Retain{Events: 5}, start); n != 0 {
		t.Errorf("Trim of no log removes %d, want 0", n)
	}
}

func trimByAge(t *testing.T, s *suite) {
	s.fill(20, events.Retain{}) // 1s to 20s after start
	keep := events.Retain{For: 10 * time.Second}
	if n := s.trim("c", keep, start.Add(10*time.Second)); n != 0 {
		t.Errorf("after 10s, Trim removes %d, want 0", n)
	}
	if n := s.trim("c", keep, start.Add(15*time.Second)); n != 4 {
		t.Errorf("after 15s, Trim removes %d, want 4", n)
	}
	s.wantBounds("c", 5, 21)
	both := events.Retain{For: 10 * time.Second, Events: 3}
	if n := s.trim("c", both, start.Add(16*time.Second)); n != 13 {
		t.Errorf("with both limits, Trim removes %d, want 13", n)
	}
	s.wantBounds("c", 18, 21)
}

func trimAll(t *testing.T, s *suite) {
	s.fill(3, events.Retain{})
	epoch := s.bounds("c").Epoch
	s.trim("c", events.Retain{For: time.Second}, start.Add(time.Hour))
	s.wantBounds("c", 4, 4)
	s.wantOffsets(s.all("c"))
	s.reopen()
	s.wantBounds("c", 4, 4)
	if got := s.mustAppend(record(4))[0]; got.Offset != 4 || got.Epoch != epoch {
		t.Errorf("an append to an emptied log gives %+v, want offset 4 of the epoch %s", got, epoch)
	}
}

func awkward(t *testing.T, s *suite) {
	long := strings.Repeat("x", 200)
	records := []events.Record{
		{Class: long, Channel: strings.Repeat("é", 128), ID: strings.Repeat("~", 128), IDGiven: true, Time: start, Data: []byte(`{"long":"` + strings.Repeat(long, 5000) + `"}`)},
		{Class: "a.b-c_D", Channel: "x%20y", ID: " ", IDGiven: true, Time: start, Data: []byte(`{}`)},
		{Class: "a", Channel: "a", ID: `"'\`, IDGiven: true, Time: time.UnixMilli(0).UTC(), Data: []byte("{\"\u2028\":\"\\u0000 {}*?[]\"}")},
	}
	s.mustAppend(records...)
	s.reopen()
	for _, want := range records {
		got := s.all(want.Class)
		if len(got) != 1 || got[0].Channel != want.Channel || got[0].ID != want.ID || !got[0].IDGiven ||
			!got[0].Time.Equal(want.Time) || string(got[0].Data) != string(want.Data) {
			t.Errorf("class %.20q: a record is not what it was", want.Class)
		}
		if again := s.mustAppend(want)[0]; !again.Duplicate {
			t.Errorf("class %.20q: the same record again is no duplicate", want.Class)
		}
	}
}

func ownership(t *testing.T, s *suite) {
	r := record(1)
	s.mustAppend(r)
	clear(r.Data)
	first := s.all("c")[0]
	if string(first.Data) != `{"n":1}` {
		t.Fatalf("changing Data after the append changes the record to %q", first.Data)
	}
	clear(first.Data)
	if again := s.all("c")[0]; string(again.Data) != `{"n":1}` {
		t.Errorf("changing what Read returned changes the record to %q", again.Data)
	}
}

func canceled(t *testing.T, s *suite) {
	s.mustAppend(record(1))
	ctx := canceledContext()
	for name, err := range s.each(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a canceled context: %v", name, err)
		}
	}
}

func closed(t *testing.T, s *suite) {
	s.mustAppend(record(1))
	if err := s.store.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for name, err := range s.each(t.Context()) {
		if !errors.Is(err, events.ErrClosed) {
			t.Errorf("%s of a closed store: %v, want ErrClosed", name, err)
		}
	}
	if _, err := s.append(record(2)); !errors.Is(err, events.ErrClosed) {
		t.Errorf("Append to a closed store: %v, want ErrClosed", err)
	}
	if err := s.store.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
	s.store = s.open(t, s.dir)
	s.wantBounds("c", 1, 2)
}

// each calls every method that takes a context, for its error.
func (s *suite) each(ctx context.Context) map[string]error {
	_, read := s.store.Read(ctx, events.Range{Class: "c", Through: 1, Limit: 1, Bytes: 1})
	_, bounds := s.store.Bounds(ctx, "c")
	_, last := s.store.SeekLast(ctx, "c", "", 1, 1)
	_, at := s.store.SeekTime(ctx, "c", 1, start)
	_, trim := s.store.Trim(ctx, "c", events.Retain{Events: 1}, start)
	return map[string]error{"Read": read, "Bounds": bounds, "SeekLast": last, "SeekTime": at, "Trim": trim}
}
