package query_test

import (
	"testing"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

// A query is there until it was removed as often as it was added, also if that is
// more often than its block can count.
func TestIndexAddedOften(t *testing.T) {
	ix := query.NewIndex(query.DefaultConfig())
	m := ix.NewMatcher()
	defer m.Close()
	found := func() int {
		if err := m.Load(query.Meta{}, []byte(`{"a":1}`)); err != nil {
			t.Fatal(err)
		}
		return len(m.Match(nil))
	}
	const times = 600
	q := querytest.Parse(t, `a == 1`)
	first, err := ix.Add(q)
	if err != nil {
		t.Fatal(err)
	}
	for range times - 1 {
		if id, err := ix.Add(q); id != first || err != nil {
			t.Fatalf("the query is %v again, and was %v: %v", id, first, err)
		}
	}
	for i := range times {
		if n := found(); n != 1 {
			t.Fatalf("the query is found %d times after %d of %d were removed", n, i, times)
		}
		if !ix.Remove(first) {
			t.Fatalf("the query is gone after %d of %d were removed", i, times)
		}
	}
	if found() != 0 || ix.Remove(first) {
		t.Error("the query is there after it was removed as often as it was added")
	}
	// IDs that never were name nothing, wherever they point.
	for id := range query.ID(2_000) {
		if ix.Remove(id<<32|id) || ix.Remove(id) || ix.Remove(id<<48|id<<20) {
			t.Fatalf("%v was removed", id)
		}
	}
}
