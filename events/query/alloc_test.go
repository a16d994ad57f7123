package query_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

// To load an event and to match it allocates nothing, whatever the queries look
// at.
func TestMatchAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ix := query.NewIndex(generous())
	for i := range 100 {
		for _, form := range []string{
			`a == %d`, `n > %d`, `s.startsWith("abc") && n < %d`, `s.endsWith("cd") && n != %d`, `s.contains("bcd") && n >= %d`,
			`s.matches("^a.*d$") && n > %d`, `"x%d" in tags || "x" in tags`, `items.exists(i, i.sku == "A" && i.qty > %d)`,
			`class == "order.created" && a == 7 && n < %d`, `has(a) && n != %d`, `!(a in [1, %d]) && b`,
		} {
			if _, err := ix.Add(querytest.Parse(t, fmt.Sprintf(form, i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	m := ix.NewMatcher()
	defer m.Close()
	data := []byte(`{"a":7,"n":33.5,"s":"ab\u0063d","tags":["x","y"],"items":[{"sku":"A","qty":5},{"sku":"B"}],"b":true}`)
	var out []query.ID
	matches := 0
	untyped := new(query.Schema)
	got := testing.AllocsPerRun(100, func() {
		meta := query.Meta{Class: "order.created"}
		if err := errors.Join(m.Load(meta, data), m.LoadChecked(untyped, meta, data)); err != nil {
			t.Fatal(err)
		}
		out = m.Match(out[:0])
		matches = len(out)
	})
	if got > 0 || matches < 300 {
		t.Errorf("%v allocations for %d matches, want none", got, matches)
	}
}
