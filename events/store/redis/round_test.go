package redis_test

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

// Requests that share a call with duplicates, conflicts, batches, channels and
// records of an earlier time each learn what became of theirs. All share one but
// if Redis stops too late; what they learn is the same then.
func TestManyInOneCall(t *testing.T) {
	sv := start(t)
	s := open(t, sv.url())
	defer s.Close()
	first := mustPost(t, s, record(0))[0]

	made := func(class, channel string, ms int) events.Record {
		return events.Record{Class: class, Channel: channel, ID: fmt.Sprint("made-", ms), Time: at.Add(time.Duration(ms) * time.Millisecond), Data: []byte("{}")}
	}
	other := record(0)
	other.Data = []byte(`{"n":-1}`)
	given := record(7)
	given.Channel = "k"
	requests := [][]events.Record{
		{made("c", "", 1)},
		{made("b", "k", 5)},
		{record(0)},
		{other},
		{made("c", "k", 3), record(0), made("b", "", 2)},
		{},
		{record(1), other, made("c", "", 4)},
		{given, given},
		{made("c", "", 4)},
		{given},
	}
	type answer struct {
		results []events.Appended
		err     error
	}
	answers := make([]answer, len(requests))
	var wg sync.WaitGroup
	sv.signal(syscall.SIGSTOP)
	wg.Add(1)
	s.Append([]events.Record{made("c", "", 0)}, func([]events.Appended, error) { wg.Done() }) // which the others wait for
	await(t, "the committer waits for Redis", func() error {
		if s.Stats().Queued > 0 {
			return errors.New("it has not begun")
		}
		return nil
	})
	for i, r := range requests {
		wg.Add(1)
		s.Append(r, func(results []events.Appended, err error) {
			answers[i] = answer{append([]events.Appended(nil), results...), err}
			wg.Done()
		})
	}
	sv.signal(syscall.SIGCONT)
	wg.Wait()

	// Offsets, where 1 and 2 of c are there already; 0: a conflict.
	want := [][]uint64{{3}, {1}, {1}, {0}, {4, 1, 2}, {}, {0}, {5, 5}, {6}, {5}}
	conflicts := map[int]int{3: 0, 6: 1}
	last := map[string]time.Time{}
	for i, a := range answers {
		if c, ok := errors.AsType[*events.ConflictError](a.err); ok != (len(want[i]) == 1 && want[i][0] == 0) || ok && c.Index != conflicts[i] {
			t.Errorf("request %d: %v", i, a.err)
		}
		if a.err != nil {
			continue
		}
		if len(a.results) != len(want[i]) {
			t.Errorf("request %d has %d results, expected %d", i, len(a.results), len(want[i]))
			continue
		}
		for j, r := range a.results {
			rec := requests[i][j]
			if r.Offset != want[i][j] {
				t.Errorf("record %d of request %d has the offset %d, expected %d", j, i, r.Offset, want[i][j])
			}
			if r.Duplicate != (r.Offset == 1 && rec.Class == "c" || i == 7 && j == 1 || i == 9) {
				t.Errorf("record %d of request %d: duplicate is %v", j, i, r.Duplicate)
			}
			if rec.Class == "c" && r.Epoch != first.Epoch {
				t.Errorf("record %d of request %d has the epoch %s, expected %s", j, i, r.Epoch, first.Epoch)
			}
			if !r.Duplicate {
				if r.Time.Before(last[rec.Class]) || r.Time.Before(rec.Time) {
					t.Errorf("record %d of request %d has the time %v", j, i, r.Time)
				}
				last[rec.Class] = r.Time
			}
		}
	}

	// The log says the same of each.
	records := all(t, s)
	for i, a := range answers {
		for j, r := range a.results {
			rec := requests[i][j]
			if rec.Class != "c" {
				continue
			}
			if got := records[r.Offset-1]; got.Offset != r.Offset || got.ID != rec.ID || got.IDGiven != rec.IDGiven || got.Channel != rec.Channel || !got.Time.Equal(r.Time) {
				t.Errorf("the log has %+v where record %d of request %d should be: %+v", got, j, i, r)
			}
		}
	}
	if len(records) != 6 {
		t.Errorf("the log has %d records, expected 6", len(records))
	}
}
