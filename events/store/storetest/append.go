package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
)

func newLog(t *testing.T, s *suite) {
	s.wantBounds("c", 1, 1)
	b := s.bounds("c")
	if b.Epoch == "" || len(b.Epoch) > 64 {
		t.Errorf("a new log has the epoch %q, want 1 to 64 characters", b.Epoch)
	}
	if again := s.bounds("c"); again != b {
		t.Errorf("Bounds = %+v, then %+v", b, again)
	}
	if other := s.bounds("d"); other.Epoch == b.Epoch {
		t.Errorf("two logs have the epoch %q", b.Epoch)
	}
	s.wantOffsets(s.all("c"))
	s.wantOffsets(s.all("never"))
}

func roundTrip(t *testing.T, s *suite) {
	epoch := s.bounds("c").Epoch
	for n := 1; n <= 20; n++ {
		r := record(n)
		got := s.mustAppend(r)[0]
		want := events.Appended{Epoch: epoch, Offset: uint64(n), Time: r.Time}
		if got != want {
			t.Fatalf("Append %d gives %+v, want %+v", n, got, want)
		}
	}
	s.wantBounds("c", 1, 21)
	for i, got := range s.all("c") {
		want := record(i + 1)
		if got.Class != "c" || got.ID != want.ID || string(got.Data) != string(want.Data) ||
			!got.Time.Equal(want.Time) || got.IDGiven || got.Channel != "" || got.Offset != uint64(i+1) {
			t.Errorf("record %d came back as %+v, want %+v", i+1, got, want)
		}
	}
}

func batches(t *testing.T, s *suite) {
	var batch []events.Record
	for n := range 10 {
		r := record(n)
		r.Class = []string{"a", "b", "c"}[n%3]
		batch = append(batch, r)
	}
	for i, got := range s.mustAppend(batch...) {
		if want := uint64(i/3 + 1); got.Offset != want {
			t.Errorf("record %d, of the class %s, is at %d, want %d", i, batch[i].Class, got.Offset, want)
		}
	}
	s.wantBounds("a", 1, 5)
	s.wantBounds("b", 1, 4)
	s.wantBounds("c", 1, 4)
	if got := s.all("b"); string(got[2].Data) != `{"n":7}` {
		t.Errorf("the third record of b is %s", got[2].Data)
	}
}

func appendNothing(_ *testing.T, s *suite) {
	s.mustAppend()
	s.wantBounds("c", 1, 1)
}

// order appends without waiting, as PublishAsync does.
func order(t *testing.T, s *suite) {
	const n = 500
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		s.store.Append([]events.Record{record(i)}, func(_ []events.Appended, err error) {
			if err != nil {
				t.Errorf("Append %d: %v", i, err)
			}
			wg.Done()
		})
	}
	wg.Wait()
	records := s.all("c")
	if len(records) != n {
		t.Fatalf("%d records, want %d", len(records), n)
	}
	for i, r := range records {
		if want := fmt.Sprintf(`{"n":%d}`, i); string(r.Data) != want {
			t.Fatalf("record %d is %s, want %s", i, r.Data, want)
		}
	}
}

// doneInOrder appends from many goroutines, without waiting, to two classes,
// and nothing at all now and then.
func doneInOrder(t *testing.T, s *suite) {
	const writers, each = 8, 60
	var all sync.WaitGroup
	var calling atomic.Bool // one done at a time
	next := map[string]uint64{"a": 1, "b": 1}
	turn := make([]int, writers)
	for w := range writers {
		all.Go(func() {
			for i := range each {
				var batch []events.Record
				if i%3 < 2 {
					r := record(i)
					r.Class = []string{"a", "b"}[i%3]
					batch = append(batch, r)
				}
				all.Add(1)
				s.store.Append(batch, func(results []events.Appended, err error) {
					defer all.Done()
					if calling.Swap(true) {
						t.Error("done is called while another is")
					}
					defer calling.Store(false)
					if err != nil || len(results) != len(batch) {
						t.Errorf("Append: %v, %v", results, err)
						return
					}
					if turn[w] != i {
						t.Errorf("writer %d: done for append %d, want %d", w, i, turn[w])
					}
					turn[w]++
					for j := range batch {
						class := batch[j].Class
						if results[j].Offset != next[class] {
							t.Errorf("done for %s %d, want %d", class, results[j].Offset, next[class])
						}
						next[class]++
					}
				})
			}
		})
	}
	all.Wait()
}

func concurrent(t *testing.T, s *suite) {
	const writers, each = 16, 40
	var mu sync.Mutex
	seen := make(map[uint64]bool)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			var last uint64
			for i := range each {
				results, err := s.append(record(w*each + i))
				if err != nil {
					t.Errorf("Append: %v", err)
					return
				}
				offset := results[0].Offset
				if offset <= last {
					t.Errorf("a writer gets offset %d after %d", offset, last)
				}
				last = offset
				mu.Lock()
				seen[offset] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for offset := uint64(1); offset <= writers*each; offset++ {
		if !seen[offset] {
			t.Errorf("nobody got offset %d", offset)
		}
	}
	s.wantBounds("c", 1, writers*each+1)
}

func reopen(t *testing.T, s *suite) {
	s.mustAppend(record(1), given("x", `{"x":1}`))
	before, all := s.bounds("c"), s.all("c")
	s.reopen()
	if after := s.bounds("c"); after != before {
		t.Errorf("Bounds = %+v, and after a restart %+v", before, after)
	}
	if again := s.all("c"); fmt.Sprint(again) != fmt.Sprint(all) {
		t.Errorf("records %v, and after a restart %v", all, again)
	}
	if got := s.mustAppend(record(3))[0].Offset; got != 3 {
		t.Errorf("the next offset after a restart is %d, want 3", got)
	}
	if got := s.mustAppend(given("x", `{"x":1}`))[0]; !got.Duplicate || got.Offset != 2 {
		t.Errorf("the id of a record before the restart gives %+v", got)
	}
}

func duplicates(t *testing.T, s *suite) {
	first := s.mustAppend(given("x", `{"n":1}`))[0]
	s.mustAppend(record(2))
	again := given("x", `{"n":1}`)
	again.Time = start.Add(time.Hour)
	want := first
	want.Duplicate = true
	if got := s.mustAppend(again)[0]; got != want {
		t.Errorf("the second one gives %+v, want %+v", got, want)
	}
	s.wantBounds("c", 1, 3)
	other := given("x", `{"n":1}`)
	other.Class = "d"
	if got := s.mustAppend(other)[0]; got.Duplicate || got.Offset != 1 {
		t.Errorf("the same id in another class gives %+v", got)
	}
}

func madeIDs(t *testing.T, s *suite) {
	made := record(1)
	s.mustAppend(made)
	if got := s.mustAppend(made)[0]; got.Duplicate || got.Offset != 2 {
		t.Errorf("a made id a second time gives %+v", got)
	}
	if got := s.mustAppend(given(made.ID, `{}`))[0]; got.Duplicate || got.Offset != 3 {
		t.Errorf("a given id that was made before gives %+v", got)
	}
}

func duplicatesInBatch(t *testing.T, s *suite) {
	s.mustAppend(given("old", `{"n":0}`))
	got := s.mustAppend(given("x", `{"n":1}`), record(2), given("x", `{"n":1}`), given("old", `{"n":0}`), given("y", `{}`))
	want := []events.Appended{{Offset: 2}, {Offset: 3}, {Offset: 2, Duplicate: true}, {Offset: 1, Duplicate: true}, {Offset: 4}}
	for i := range want {
		if got[i].Offset != want[i].Offset || got[i].Duplicate != want[i].Duplicate || got[i].Epoch != s.bounds("c").Epoch {
			t.Errorf("record %d: %+v, want %+v", i, got[i], want[i])
		}
	}
	s.wantBounds("c", 1, 5)
}

func conflicts(t *testing.T, s *suite) {
	s.mustAppend(given("x", `{"n":1}`))
	_, err := s.append(given("x", `{"n":2}`))
	conflict, ok := errors.AsType[*events.ConflictError](err)
	if !ok || conflict.Class != "c" || conflict.ID != "x" || conflict.Index != 0 {
		t.Fatalf("the same id with other data: %v, want a ConflictError", err)
	}
	s.wantBounds("c", 1, 2)
}

func conflictInBatch(t *testing.T, s *suite) {
	s.mustAppend(given("old", `{"n":1}`))
	for _, test := range []struct {
		batch []events.Record
		index int
	}{
		{[]events.Record{record(1), given("new", `{}`), given("old", `{"n":2}`)}, 2},
		{[]events.Record{record(1), given("x", `{"n":1}`), record(2), given("x", `{"n":2}`), record(3)}, 3},
	} {
		_, err := s.append(test.batch...)
		if conflict, ok := errors.AsType[*events.ConflictError](err); !ok || conflict.Index != test.index {
			t.Errorf("Append(%v): %v, want a ConflictError of record %d", test.batch, err, test.index)
		}
	}
	s.wantBounds("c", 1, 2)
	if got := s.mustAppend(given("new", `{"other":1}`))[0]; got.Duplicate || got.Offset != 2 {
		t.Errorf("an id of a refused batch gives %+v", got)
	}
}

func concurrentDuplicates(t *testing.T, s *suite) {
	const writers, ids = 8, 20
	var wg sync.WaitGroup
	var mu sync.Mutex
	offsets, firsts := make(map[string]uint64), 0
	for range writers {
		wg.Go(func() {
			for i := range ids {
				id := fmt.Sprint(i)
				results, err := s.append(given(id, `{"id":`+id+`}`))
				if err != nil {
					t.Errorf("Append: %v", err)
					return
				}
				mu.Lock()
				if !results[0].Duplicate {
					firsts++
				}
				if o := offsets[id]; o != 0 && o != results[0].Offset {
					t.Errorf("id %s is at %d and at %d", id, o, results[0].Offset)
				}
				offsets[id] = results[0].Offset
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if firsts != ids {
		t.Errorf("%d appends were no duplicates, want %d", firsts, ids)
	}
	s.wantBounds("c", 1, ids+1)
}

func idsTrimmed(t *testing.T, s *suite) {
	s.mustAppend(given("x", `{"n":1}`), given("y", `{"n":2}`))
	s.trim("c", events.Retain{Events: 1}, start)
	s.wantBounds("c", 2, 3)
	s.reopen()
	if got := s.mustAppend(given("x", `{"n":1}`))[0]; got.Duplicate || got.Offset != 3 {
		t.Errorf("the id of a record that is gone gives %+v", got)
	}
	if got := s.mustAppend(given("y", `{"n":2}`))[0]; !got.Duplicate || got.Offset != 2 {
		t.Errorf("the id of a record that is there gives %+v", got)
	}
}

func clockBackwards(t *testing.T, s *suite) {
	s.mustAppend(record(10))
	early := record(5)
	if got := s.mustAppend(early)[0].Time; !got.Equal(record(10).Time) {
		t.Errorf("a record of an earlier time gets %v, want %v", got, record(10).Time)
	}
	s.reopen()
	got := s.mustAppend(record(7), record(11))
	if !got[0].Time.Equal(record(10).Time) || !got[1].Time.Equal(record(11).Time) {
		t.Errorf("after a restart: %v and %v", got[0].Time, got[1].Time)
	}
	for i, r := range s.all("c")[:3] {
		if !r.Time.Equal(record(10).Time) {
			t.Errorf("record %d has the time %v", i+1, r.Time)
		}
	}
}
