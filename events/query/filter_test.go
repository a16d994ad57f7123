package query_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

// A filter says of every event of a class what the query says, and And what all
// of its parts say.
func TestFilterSaysWhatQuerySays(t *testing.T) {
	g := seeded(t)
	r := rand.New(rand.NewPCG(g.Uint64(), 8))
	said := map[bool]int{}
	for range 100 {
		parts := []*query.Query{querytest.Parse(t, g.Query(3)), querytest.Parse(t, g.Query(2)), querytest.Parse(t, `data.c != "b" || t > timestamp("2026-01-31T12:00:00Z")`)}
		all := query.And(parts...)
		if again := querytest.Parse(t, all.Text()); again.Normal() != all.Normal() || again.Hash() != all.Hash() {
			t.Fatalf("%s\nhas the normal form\n%s\nand its text\n%s", all, all.Normal(), again.Normal())
		}
		for _, q := range append(parts, all) {
			f, err := query.NewFilter(q)
			if err != nil {
				t.Fatalf("%s: %v", q, err)
			}
			for i := range 10 {
				data, meta := g.Event(), g.Meta()
				if i > 5 {
					data, meta = strictData(r), query.Meta{Class: "order.created", Time: time.Unix(1_800_000_000, 0)}
				}
				s, err := strict.NewSample(meta, []byte(data))
				if err != nil {
					t.Fatalf("%s: %v", data, err)
				}
				want := q.Match(s)
				if q == all {
					want = parts[0].Match(s) && parts[1].Match(s) && parts[2].Match(s)
				}
				if got, err := f.Match(strict, meta, []byte(data)); got != want || err != nil {
					t.Errorf("%s\n%s\nmatches %v, %v, want %v", q, data, got, err, want)
				}
				said[want]++
			}
		}
	}
	if said[true] < 200 || said[false] < 200 {
		t.Errorf("of the pairs, %v match", said)
	}
	f, err := query.NewFilter(querytest.Parse(t, `a == 1`))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := f.Match(strict, query.Meta{}, []byte(`{"a":1`)); ok || err == nil {
		t.Errorf("what is no JSON: %v, %v", ok, err)
	}
}

// What is wrong with a part is said of the whole, too, and of no place in it.
func TestAndHasNoPlaces(t *testing.T) {
	part := querytest.Parse(t, `s == "a" &&
  totl > 100`)
	both := query.And(querytest.Parse(t, `class == "order.created"`), part)
	if err, ok := part.Check(strict).(*query.Error); !ok || err.Line != 2 || err.Column != 3 {
		t.Errorf("the part: %v", err)
	}
	if err, ok := both.Check(strict).(*query.Error); !ok || err.Offset != 0 || err.Line != 1 {
		t.Errorf("the whole: %v", err)
	}
	if part.Text() != "s == \"a\" &&\n  totl > 100" || part.Tree().Kids[1].Offset == 0 {
		t.Error("the part is not what it was")
	}
}

// A filter allocates nothing once it has seen an event.
func TestFilterAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	f, err := query.NewFilter(querytest.Parse(t, `s.matches("^a.*d$") && items.exists(i, i.sku == "A" && i.qty > 3) && t > timestamp("2026-01-31T12:00:00Z")`))
	if err != nil {
		t.Fatal(err)
	}
	data := []byte(`{"s":"ab\u0063d","t":"2026-02-01T12:00:00Z","items":[{"sku":"A","qty":5},{"sku":"B"}]}`)
	got := testing.AllocsPerRun(100, func() {
		if ok, err := f.Match(strict, query.Meta{Class: "order.created"}, data); !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
	})
	if got > 0 {
		t.Errorf("%v allocations, want none", got)
	}
}
