package storekit_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

type request struct {
	name           string
	records, bytes int
	patient        bool
	overtakes      bool
}

func (r request) Size() (records, bytes int) { return r.records, r.bytes }
func (r request) Patient() bool              { return r.patient }
func (r request) Overtakes() bool            { return r.overtakes }

func hurried(name string) request { return request{name: name, records: 1, bytes: 10} }

func calm(name string) request { return request{name: name, records: 1, bytes: 10, patient: true} }

func overtaking(name string) request {
	return request{name: name, records: 1, bytes: 10, overtakes: true}
}

// take takes requests, and drops whether there may be more.
func take(q *storekit.Queue[request], maxRecords, maxBytes int) []request {
	batch, _ := q.Take(nil, maxRecords, maxBytes)
	return batch
}

func names(batch []request) (all []string) {
	for _, r := range batch {
		all = append(all, r.name)
	}
	return all
}

func TestQueueTakes(t *testing.T) {
	abc := []request{hurried("a"), hurried("b"), hurried("c")}
	for _, test := range []struct {
		name                 string
		put                  []request
		maxRecords, maxBytes int
		want                 []string
	}{
		{"all", abc, 9, 90, []string{"a", "b", "c"}},
		{"as many records as fit", abc, 2, 90, []string{"a", "b"}},
		{"as many bytes as fit", abc, 9, 29, []string{"a", "b"}},
		{"one that is larger than a batch", []request{{name: "big", records: 7, bytes: 70}, hurried("b")}, 2, 20, []string{"big"}},
		{"patient ones with others", []request{calm("p"), hurried("b")}, 9, 90, []string{"p", "b"}},
		{"those that overtake without patient ones", []request{calm("p"), overtaking("a"), calm("q"), overtaking("b")}, 9, 90, []string{"a", "b"}},
		{"those that overtake, as many as fit", []request{calm("p"), overtaking("a"), overtaking("b"), overtaking("c")}, 2, 90, []string{"a", "b"}},
		{"all in order if one must not come first", []request{calm("p"), overtaking("a"), hurried("b")}, 9, 90, []string{"p", "a", "b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := storekit.NewQueue[request](100, 1000, time.Hour)
			records := 0
			for _, r := range test.put {
				if !q.Put(r) {
					t.Fatalf("%s is not let in", r.name)
				}
				records += r.records
			}
			if got := q.Len(); got != records {
				t.Errorf("%d records wait, want %d", got, records)
			}
			batch, _ := q.Take([]request{hurried("before")}, test.maxRecords, test.maxBytes)
			if got := names(batch); !slices.Equal(got[1:], test.want) || got[0] != "before" {
				t.Errorf("taken %q, want %q behind what the batch had", got, test.want)
			}
			rest := q.Rest()
			if got := len(batch) - 1 + len(rest); got != len(test.put) || q.Len() != 0 {
				t.Errorf("%d of %d requests taken in all, and %d records wait", got, len(test.put), q.Len())
			}
		})
	}
}

// Whoever finds the queue full waits, is counted, and gets in, in the end.
func TestQueueFull(t *testing.T) {
	for _, test := range []struct {
		name    string
		records int
		bytes   int
		first   request
		wait    bool
	}{
		{name: "of records", records: 1, bytes: 1000, first: hurried("a"), wait: true},
		{name: "of bytes", records: 100, bytes: 19, first: hurried("a"), wait: true},
		{name: "of what is patient", records: 1, bytes: 1000, first: request{name: "a", records: 1, patient: true}, wait: true},
		{name: "not at all", records: 2, bytes: 20, first: hurried("a")},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := storekit.NewQueue[request](test.records, test.bytes, time.Hour)
				q.Put(test.first)
				in := false
				go func() { in = q.Put(hurried("b")) }()
				synctest.Wait()
				if in == test.wait || (q.Waits() == 1) != test.wait {
					t.Fatalf("the second one got in: %v, and %d waited", in, q.Waits())
				}
				if got := names(take(q, 1, 10)); !slices.Equal(got, []string{"a"}) {
					t.Errorf("taken %q, want a", got)
				}
				synctest.Wait()
				if got := names(q.Rest()); !in || !slices.Equal(got, []string{"b"}) {
					t.Errorf("after there was room, b got in: %v; waiting were %q", in, got)
				}
				time.Sleep(2 * time.Hour) // the timer of the patient one ends
			})
		})
	}
}

// What is larger than the whole queue gets in when nothing else waits.
func TestQueueTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := storekit.NewQueue[request](4, 40, 0)
		big := request{name: "big", records: 9, bytes: 90}
		if !q.Put(big) {
			t.Fatal("it is not let into an empty queue")
		}
		go q.Put(big)
		synctest.Wait()
		if got := q.Len(); got != 9 || q.Waits() != 1 {
			t.Errorf("%d records wait for the committer and %d calls for room, want 9 and 1", got, q.Waits())
		}
		q.Rest()
		synctest.Wait()
		if got := len(q.Rest()); got != 1 {
			t.Errorf("%d requests got in then, want 1", got)
		}
	})
}

// Patient requests are taken when they have waited long enough, once for all
// that came meanwhile.
func TestQueuePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const patience = 10 * time.Second
		q := storekit.NewQueue[request](100, 1000, patience)
		start := time.Now()
		var sizes []int
		var at []time.Duration
		var taker sync.WaitGroup
		taker.Go(func() {
			for {
				batch, _ := q.Take(nil, 100, 1000)
				if len(batch) == 0 {
					return
				}
				sizes = append(sizes, len(batch))
				at = append(at, time.Since(start))
			}
		})
		q.Put(calm("p"))
		time.Sleep(patience / 2)
		q.Put(calm("p"))
		time.Sleep(patience) // both have been taken
		q.Put(calm("p"))
		synctest.Wait()
		q.Put(hurried("now")) // takes the patient one along
		synctest.Wait()
		q.Put(calm("p"))
		time.Sleep(2 * patience)
		q.Close()
		taker.Wait()
		if want := []int{2, 2, 1}; !slices.Equal(sizes, want) {
			t.Errorf("batches of %v requests, want %v", sizes, want)
		}
		if len(at) == 3 && (at[0] != patience || at[1] != patience*3/2 || at[2] <= at[1] || at[2] > at[1]+patience) {
			t.Errorf("taken at %v", at)
		}
	})
}

// Patient requests that are overtaken, again and again, are taken when they have
// waited long enough.
func TestQueueOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := storekit.NewQueue[request](100, 1000, time.Second)
		q.Put(calm("p"))
		for i := range 10 {
			q.Put(overtaking("a"))
			if got := names(take(q, 9, 90)); !slices.Equal(got, []string{"a"}) {
				t.Fatalf("%q taken after %d ms, want only a", got, 100*i)
			}
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		q.Put(overtaking("a"))
		if got := names(take(q, 9, 90)); !slices.Equal(got, []string{"p", "a"}) {
			t.Errorf("%q taken after a second, want p and a", got)
		}
	})
}

// Patient requests that have waited long enough are not all taken at once, and
// what is in a hurry is taken beside them.
func TestQueueManyPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := storekit.NewQueue[request](1000, 10_000, time.Second)
		for _, name := range []string{"p", "q", "r", "s"} {
			q.Put(request{name: name, records: 100, patient: true})
		}
		time.Sleep(2 * time.Second)
		var got [][]string
		for _, name := range []string{"a", "b"} {
			q.Put(overtaking(name))
			got = append(got, names(take(q, 1000, 10_000)))
		}
		if want := [][]string{{"p", "q", "a"}, {"r", "s", "b"}}; !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("taken %q, want %q", got, want)
		}
		q.Put(calm("t"))
		q.Put(overtaking("c"))
		if got := names(take(q, 1000, 10_000)); !slices.Equal(got, []string{"c"}) {
			t.Errorf("taken %q, want c without what has not waited yet", got)
		}
		time.Sleep(2 * time.Second)
	})
}

// Wake has whoever waits go on, once, with whatever there is.
func TestQueueWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := storekit.NewQueue[request](100, 1000, time.Hour)
		type taken struct {
			batch []request
			open  bool
		}
		got := make(chan taken)
		go func() {
			for open := true; open; {
				var batch []request
				batch, open = q.Take(nil, 9, 90)
				got <- taken{batch, open}
			}
		}()
		q.Wake()
		if g := <-got; len(g.batch) != 0 || !g.open {
			t.Errorf("it goes on with %q, open: %v; want with nothing, and open", names(g.batch), g.open)
		}
		synctest.Wait()
		select {
		case g := <-got:
			t.Errorf("it goes on once more, with %q", names(g.batch))
		default:
		}
		q.Put(calm("p"))
		q.Wake()
		if g := <-got; !slices.Equal(names(g.batch), []string{"p"}) || !g.open {
			t.Errorf("it goes on with %q, open: %v; want with p, and open", names(g.batch), g.open)
		}
		q.Close()
		if g := <-got; len(g.batch) != 0 || g.open {
			t.Errorf("when it is closed it goes on with %q, open: %v", names(g.batch), g.open)
		}
		time.Sleep(2 * time.Hour) // the timer of the patient one ends
	})
}

func TestQueueCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := storekit.NewQueue[request](1, 100, time.Hour)
		q.Put(request{name: "a", records: 1, patient: true})
		waiter := make(chan bool, 1)
		go func() { waiter <- q.Put(hurried("b")) }()
		synctest.Wait()
		q.Close()
		if <-waiter {
			t.Error("who waited for room got in after the queue was closed")
		}
		if q.Put(hurried("c")) {
			t.Error("a closed queue lets somebody in")
		}
		if got := names(take(q, 9, 90)); !slices.Equal(got, []string{"a"}) {
			t.Errorf("taken %q, want what waited", got)
		}
		if got := take(q, 9, 90); got != nil {
			t.Errorf("taken %q from a closed, empty queue", names(got))
		}
		time.Sleep(2 * time.Hour)
	})
}

// An emptied queue does not hold what was taken, and does not grow for ever.
func TestQueueAllocs(t *testing.T) {
	q := storekit.NewQueue[*request](1000, 1_000_000, 0)
	r := &request{records: 1, bytes: 1}
	batch := make([]*request, 0, 100)
	n := testing.AllocsPerRun(1000, func() {
		for range 100 {
			q.Put(r)
		}
		batch, _ = q.Take(batch[:0], 100, 1000)
	})
	if n > 10 {
		t.Errorf("%v allocations for 100 requests, want at most 10", n)
	}
}
