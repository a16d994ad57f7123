// Package storetest checks that an implementation of [events.Store] and of
// [auth.TokenStore] keeps their contracts. It starts goroutines only within a
// test, and waits for them.
package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A Log is a store of events that can be closed.
type Log interface {
	events.Store
	Close() error
}

// RunLog runs the suite for event logs. open opens the store at a place that
// is named by an empty directory; opened again after Close, it must have what
// it had. The suite closes what it opens.
func RunLog(t *testing.T, open func(t *testing.T, dir string) Log) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s *suite)
	}{
		{"a new log is empty and has an epoch", newLog},
		{"offsets are dense and records come back as they were", roundTrip},
		{"a batch is appended as one, over several classes", batches},
		{"an append of nothing is done", appendNothing},
		{"appends of one goroutine keep their order", order},
		{"done is called in order, one at a time", doneInOrder},
		{"offsets are dense under concurrent appends", concurrent},
		{"records survive a restart", reopen},
		{"a record is a duplicate by its given id", duplicates},
		{"made ids are not compared", madeIDs},
		{"duplicates within a batch", duplicatesInBatch},
		{"the same id with other data is a conflict", conflicts},
		{"a conflict refuses the whole batch", conflictInBatch},
		{"concurrent duplicates are appended once", concurrentDuplicates},
		{"an id outlives a restart, but not its record", idsTrimmed},
		{"reads are bounded in records and bytes", readLimits},
		{"reads stay within their range", readRange},
		{"reads of a channel", readChannel},
		{"reads across a trim say what is gone", readTrimmed},
		{"times never decrease", clockBackwards},
		{"seek by time", seekTime},
		{"seek the last ones", seekLast},
		{"seek the last ones of a channel", seekLastChannel},
		{"trim by number while appending", trimByAppend},
		{"trim by number", trimByNumber},
		{"trim by age", trimByAge},
		{"an empty log keeps its epoch and offsets", trimAll},
		{"awkward texts", awkward},
		{"what is returned belongs to the caller", ownership},
		{"a context that is done", canceled},
		{"a closed store", closed},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &suite{T: t, dir: t.TempDir(), open: open}
			s.store = open(t, s.dir)
			t.Cleanup(func() { s.store.Close() })
			test.run(t, s)
		})
	}
}

// A suite is one test with its store.
type suite struct {
	*testing.T
	dir   string
	open  func(t *testing.T, dir string) Log
	store Log
}

// reopen closes the store and opens it again.
func (s *suite) reopen() {
	s.Helper()
	if err := s.store.Close(); err != nil {
		s.Fatalf("Close: %v", err)
	}
	s.store = s.open(s.T, s.dir)
}

// start is a time for records, in whole milliseconds.
var start = time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)

// record returns a record of the class "c" with a made id; n tells it apart.
func record(n int) events.Record {
	return events.Record{
		Class: "c",
		ID:    fmt.Sprintf("made-%d", n),
		Time:  start.Add(time.Duration(n) * time.Second),
		Data:  fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

// given returns a record whose id its publisher gave.
func given(id, data string) events.Record {
	return events.Record{Class: "c", ID: id, IDGiven: true, Time: start, Data: []byte(data)}
}

// append appends records and waits for the result.
func (s *suite) append(records ...events.Record) ([]events.Appended, error) {
	type outcome struct {
		results []events.Appended
		err     error
	}
	done := make(chan outcome, 2)
	s.store.Append(records, func(results []events.Appended, err error) {
		done <- outcome{append([]events.Appended(nil), results...), err}
	})
	o := <-done
	return o.results, o.err
}

// mustAppend is append without an error, and with a result for each record.
func (s *suite) mustAppend(records ...events.Record) []events.Appended {
	s.Helper()
	results, err := s.append(records...)
	if err != nil {
		s.Fatalf("Append: %v", err)
	}
	if len(results) != len(records) {
		s.Fatalf("Append gives %d results for %d records", len(results), len(records))
	}
	return results
}

// fill appends n records one by one, all with the same limits.
func (s *suite) fill(n int, keep events.Retain) {
	s.Helper()
	for i := range n {
		r := record(i + 1)
		r.Keep = keep
		s.mustAppend(r)
	}
}

// all reads the whole log of a class, in several pages.
func (s *suite) all(class string) []events.Record {
	s.Helper()
	return s.read(events.Range{Class: class, Through: 1 << 40, Limit: 7, Bytes: 1 << 20})
}

// read reads a range to its end.
func (s *suite) read(r events.Range) []events.Record {
	s.Helper()
	var all []events.Record
	for {
		page, err := s.store.Read(s.Context(), r)
		if err != nil {
			s.Fatalf("Read(%+v): %v", r, err)
		}
		if len(page.Records) == 0 {
			return all
		}
		if page.After <= r.After {
			s.Fatalf("Read(%+v) gives records and goes on after %d", r, page.After)
		}
		all = append(all, page.Records...)
		r.After = page.After
	}
}

func (s *suite) bounds(class string) events.Bounds {
	s.Helper()
	b, err := s.store.Bounds(s.Context(), class)
	if err != nil {
		s.Fatalf("Bounds(%q): %v", class, err)
	}
	return b
}

// wantBounds checks the offsets of a log.
func (s *suite) wantBounds(class string, first, next uint64) {
	s.Helper()
	if b := s.bounds(class); b.First != first || b.Next != next {
		s.Errorf("Bounds(%q) = %d to %d, want %d to %d", class, b.First, b.Next, first, next)
	}
}

// wantOffsets checks which records were read.
func (s *suite) wantOffsets(records []events.Record, want ...uint64) {
	s.Helper()
	got := make([]uint64, len(records))
	for i := range records {
		got[i] = records[i].Offset
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.Errorf("records at %v, want %v", got, want)
	}
}

// trim trims until nothing is left to trim.
func (s *suite) trim(class string, keep events.Retain, now time.Time) (n int) {
	s.Helper()
	for {
		more, err := s.store.Trim(s.Context(), class, keep, now)
		if err != nil {
			s.Fatalf("Trim(%q): %v", class, err)
		}
		if more == 0 {
			return n
		}
		n += more
	}
}

func canceledContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
