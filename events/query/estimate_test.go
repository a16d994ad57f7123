package query_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

// What a query is found by, and what it costs.
func TestEstimate(t *testing.T) {
	const of = `class == "c" && `
	for _, tt := range []struct {
		text     string
		anchored bool
		cost     int64 // of an event of the class, in thousandths
		keys     []string
	}{
		{of + `a == 1`, true, 10, []string{`a == 1`}},
		{`a == 1`, true, 10, []string{`a == 1`}},
		{of + `a == 1 && b == 2`, true, 20, []string{`a == 1`}},
		{of + `a == true && b == 2`, true, 20, []string{`b == 2`}},
		{of + `paid`, true, 500, []string{`paid`}},
		{of + `!paid && n > 1`, true, 500, []string{`!paid && n > 1`}},
		{of + `n > 1`, true, 500, []string{`n > 1`}},
		{of + `n > 1 && n < 5`, true, 250, []string{`n < 5 && n > 1`}},
		{of + `n > 1 && m < 5 && a == 1`, true, 15, []string{`a == 1 && m < 5`}},
		{of + `(a == 1 || b == 2 && n > 1)`, true, 45, []string{`a == 1`, `b == 2 && n > 1`}},
		{of + `a in [1, 2, 3]`, true, 30, []string{`a == 1`, `a == 2`, `a == 3`}},
		{of + `"x" in tags`, true, 160, []string{`"x" in tags`}},
		{of + `items.exists(i, i.sku == "A" && i.qty > 1)`, true, 180, []string{`items.exists(x, x.qty > 1 && x.sku == "A")`}},
		{of + `s.startsWith("a")`, true, 63, []string{`s.startsWith("a")`}},
		{of + `s.endsWith("ab")`, true, 16, []string{`s.endsWith("ab")`}},
		{of + `s.contains("abc")`, true, 125, []string{`s.contains("abc")`}},
		{of + `s.matches("^[a-c]+xyz$")`, true, 1000, []string{`s.contains("xyz")`}},
		{of + `time > timestamp("2026-01-01T00:00:00Z")`, true, 500, []string{`time > timestamp("2026-01-01T00:00:00Z")`}},
		{of + `id == "x"`, true, 10, []string{`id == "x"`}},
		{`class == "c" && class > "a"`, false, 1000, nil},
		{`class.startsWith("order.")`, false, 1000, nil},
		{`class == "c" && topic == "c"`, false, 1000, nil},
		{of + `a != 1`, false, 1000, nil},
		{of + `has(a)`, false, 1000, nil},
		{of + `!(a in [1, 2])`, false, 1000, nil},
		{of + `s.contains("ab")`, false, 2000, nil},
		{of + `s.matches("(?i)abc")`, false, 16_000, nil},
		{of + `a == b`, false, 1000, nil},
		{of + `(a == 1 || b != 1)`, false, 2000, nil},
		{of + `tags.exists(t, t != "x")`, false, 5000, nil},
		{of + `items.exists(i, class == "c")`, false, 1000, nil},
		{`true`, false, 1000, nil},
		{`false`, true, 0, []string{}},
	} {
		q := querytest.Parse(t, tt.text)
		e := q.Estimate()
		keys := q.Keys()
		if e.Anchored != tt.anchored || e.Cost != tt.cost || !slices.Equal(keys, tt.keys) {
			t.Errorf("%s\nis anchored: %v, costs %d, keys %q\nwant %v, %d, %q", tt.text, e.Anchored, e.Cost, keys, tt.anchored, tt.cost, tt.keys)
		}
	}
}

// What a query is true of has one of its keys, and the estimate of equal queries
// is equal.
func TestKeysOfWhatMatches(t *testing.T) {
	g := seeded(t)
	matches, anchored := 0, 0
	for range 1_500 {
		q := querytest.Parse(t, g.Query(3))
		e := q.Estimate()
		if again := querytest.Parse(t, q.Normal()).Estimate(); again != e {
			t.Fatalf("%s: %+v, and %s: %+v", q, e, q.Normal(), again)
		}
		if e.Share < 0 || e.Share > 1 || !e.Anchored && e.Share != 1 || e.Cost < 0 {
			t.Fatalf("%s: %+v", q, e)
		}
		if !e.Anchored {
			continue
		}
		anchored++
		var keys []*query.Query
		for _, text := range q.Keys() {
			keys = append(keys, querytest.Parse(t, text))
		}
		for range 8 {
			s := querytest.Sample(t, g.Meta(), g.Event())
			if !q.Match(s) {
				continue
			}
			matches++
			if !slices.ContainsFunc(keys, func(k *query.Query) bool { return k.Match(s) }) {
				t.Fatalf("%s\nis true of an event that has none of its keys %q", q, q.Keys())
			}
		}
	}
	t.Logf("%d queries with keys, %d matches", anchored, matches)
	if anchored < 100 || matches < 20 {
		t.Error("that is too few to say anything")
	}
}

// Queries that say more than of which class events are do not cost the class's
// other events anything, but for a few.
func TestIndexFindsWithinClass(t *testing.T) {
	for _, form := range []string{
		`class == "c" && k == %d && b != %[1]d`, `class == "c" && k in [%d, -1%[1]d] && b != %[1]d`, `b != %d && class == "c" && "k%[1]d" in tags`,
		`class == "c" && s.startsWith("%03d")`,
	} {
		ix := query.NewIndex(query.DefaultConfig())
		for i := range 2_000 {
			if _, err := ix.Add(querytest.Parse(t, fmt.Sprintf(form, i))); err != nil {
				t.Fatal(err)
			}
		}
		m := ix.NewMatcher()
		if err := m.Load(query.Meta{Class: "c"}, []byte(`{"k":5,"b":1,"s":"005","tags":["k5"]}`)); err != nil {
			t.Fatal(err)
		}
		if got := m.Match(nil); len(got) != 1 || m.Candidates() > 20 {
			t.Errorf("%s: %d matches of %d candidates", form, len(got), m.Candidates())
		}
		m.Close()
	}
}

func TestFields(t *testing.T) {
	for text, want := range map[string]string{
		`class == "c" && id == "i" && topic == "t" && time > timestamp("2026-01-01T00:00:00Z")`: "",
		`a == 1 && a < 2 && data.a != 3`:                            "a",
		`has(a.b) && a == c`:                                        "a a.b c",
		`"x" in tags && items.exists(i, i.sku == "A" && i.n > lim)`: "items items[] items[].n items[].sku lim tags tags[]",
		`data["a b"] == 1 && data["a.b"].c == 1`:                    `"a b" "a.b".c`,
		`true && !paid`:                                             "paid",
	} {
		got := querytest.Parse(t, text).Fields()
		slices.Sort(got)
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s is about %q, want %q", text, s, want)
		}
	}
}

// An index reads events for no field that the query does not name.
func TestFieldsAreWhatIsRead(t *testing.T) {
	g := seeded(t)
	for range 500 {
		q := querytest.Parse(t, g.Query(3))
		ix := query.NewIndex(generous())
		if _, err := ix.Add(q); err != nil {
			t.Fatal(err)
		}
		// The data itself counts, where a query compares it.
		if n, fields := ix.Stats().Paths, q.Fields(); n > len(fields) {
			t.Fatalf("%s: %d paths, and %d fields %q", q, n, len(fields), fields)
		}
	}
}
