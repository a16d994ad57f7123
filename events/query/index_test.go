package query_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

var indexSeed = flag.Uint64("indexseed", 0, "seed of the queries and events for the index; 0 draws one")

// seeded returns a generator, and says how to have the same again.
func seeded(t *testing.T) *querytest.Generator {
	seed := *indexSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-indexseed %d", seed)
	return querytest.New(seed)
}

func generous() query.Config {
	c := query.DefaultConfig()
	c.Unanchored, c.Keys = 1<<20, 255
	return c
}

// What a program says of an event is what the query says of it, errors and all.
func TestProgramSaysWhatQuerySays(t *testing.T) {
	g := seeded(t)
	ix := query.NewIndex(generous())
	m := ix.NewMatcher()
	defer m.Close()
	counts := map[query.Truth]int{}
	for range 1_500 {
		q := querytest.Parse(t, g.Query(3))
		id, err := ix.Add(q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		for range 8 {
			meta, data := g.Meta(), g.Event()
			want := q.Eval(querytest.Sample(t, meta, data))
			if err := m.Load(meta, []byte(data)); err != nil {
				t.Fatalf("%s: %v", data, err)
			}
			if got := m.Flat(ix, id); got != want {
				t.Fatalf("%s\n%+v %s\nis %v to the program, and %v", q, meta, data, got, want)
			}
			counts[want]++
		}
		ix.Remove(id)
	}
	t.Log(counts)
	if s := ix.Stats(); s.Queries != 0 || s.Unanchored != 0 {
		t.Errorf("%+v are left", s)
	}
	ix.Sweep()
	if s := ix.Stats(); s.Paths != 0 {
		t.Errorf("%d paths are left", s.Paths)
	}
	if n := ix.UsedBytes(); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
}

// A model is an index and what should be in it.
type model struct {
	ix   *query.Index
	m    *query.Matcher
	have map[query.ID]*query.Query
	adds []query.ID // one for each Add that was not taken back
}

func newModel(tiny bool) *model {
	md := &model{ix: query.NewIndex(generous()), have: map[query.ID]*query.Query{}}
	if tiny {
		md.ix.SetTiny()
	}
	md.m = md.ix.NewMatcher()
	return md
}

func (md *model) add(t *testing.T, text string) {
	t.Helper()
	q := querytest.Parse(t, text)
	id, err := md.ix.Add(q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	if old, ok := md.have[id]; ok && old.Normal() != q.Normal() {
		t.Fatalf("%s and %s share an ID", old, q)
	}
	md.have[id] = q
	md.adds = append(md.adds, id)
}

func (md *model) remove(t *testing.T, i int) {
	t.Helper()
	id := md.adds[i]
	md.adds = slices.Delete(md.adds, i, i+1)
	if !md.ix.Remove(id) {
		t.Fatalf("%s is not there to be removed", md.have[id])
	}
	if !slices.Contains(md.adds, id) {
		delete(md.have, id)
		if md.ix.Remove(id) {
			t.Fatal("a query was removed twice")
		}
	}
}

// check compares what the index says of an event with what each query says, and
// returns how many match.
func (md *model) check(t *testing.T, meta query.Meta, data string) (matches int) {
	t.Helper()
	if err := md.m.Load(meta, []byte(data)); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return md.compare(t, querytest.Sample(t, meta, data), data)[query.True]
}

// compare compares what the index says of the event that is loaded with what each
// query says of the sample of it: that it is found once or not at all, and what
// its program says. It returns how many queries say what.
func (md *model) compare(t *testing.T, s *query.Sample, data string) map[query.Truth]int {
	t.Helper()
	got := md.m.Match(nil)
	said := map[query.Truth]int{}
	for id, q := range md.have {
		want := q.Eval(s)
		if n := count(got, id); want == query.True && n != 1 || want != query.True && n != 0 {
			t.Fatalf("%s\nof %d queries\n%s\nis %v, and is found %d times", q, len(md.have), data, want, n)
		}
		if is := md.m.Flat(md.ix, id); is != want {
			t.Fatalf("%s\n%s\nis %v to the program, and %v", q, data, is, want)
		}
		said[want]++
	}
	if said[query.True] != len(got) {
		t.Fatalf("%s\n%d queries match, and %d were found", data, said[query.True], len(got))
	}
	return said
}

func count(list []query.ID, id query.ID) (n int) {
	for _, x := range list {
		if x == id {
			n++
		}
	}
	return n
}

// The index finds what comparing with every query finds, while queries come and
// go.
func TestIndexFindsWhatScanFinds(t *testing.T) {
	for _, tiny := range []bool{false, true} {
		t.Run(fmt.Sprintf("tiny=%v", tiny), func(t *testing.T) {
			g := seeded(t)
			md := newModel(tiny)
			matches := 0
			for step := range 1_500 {
				switch {
				case len(md.adds) > 400 || len(md.adds) > 0 && g.IntN(5) < 2:
					md.remove(t, g.IntN(len(md.adds)))
				default:
					md.add(t, g.Query(2))
				}
				if step%10 == 0 {
					matches += md.check(t, g.Meta(), g.Event())
				}
				if step%500 == 499 {
					md.ix.Sweep()
				}
			}
			for len(md.adds) > 0 {
				md.remove(t, g.IntN(len(md.adds)))
			}
			md.check(t, g.Meta(), g.Event())
			if n := md.ix.UsedBytes(); n != 0 {
				t.Errorf("%d bytes are left of nothing", n)
			}
			t.Logf("%d matches", matches)
		})
	}
}

// Many queries that differ only in their ranges are in one big cluster.
func TestIndexRanges(t *testing.T) {
	for _, form := range []string{
		`a >= %d && a < %[2]d`, `s == "x" && a > %d && a <= %[2]d && b != 7`, `s == "x" && (a < %d || a >= %[2]d)`,
		`items.exists(i, i.q > %d && i.q < %[2]d)`, `a > %d.5 && t == "t" && s == "x" && a != %[2]d`, `s >= "%03d" && s < "%03[2]d"`,
		`time > timestamp("2026-01-01T00:%02d:00Z") && a != %[2]d`,
	} {
		g := seeded(t)
		md := newModel(true)
		for range 300 {
			lo := g.IntN(60)
			md.add(t, fmt.Sprintf(form, lo, lo+g.IntN(20)))
		}
		for step := range 300 {
			data := fmt.Sprintf(`{"a":%d,"b":%d,"s":"x","t":"t","items":[{"q":%d},{"q":%d.5},3]}`, g.IntN(120), g.IntN(10), g.IntN(120), g.IntN(120))
			if step%2 == 0 {
				data = fmt.Sprintf(`{"a":%d.25,"s":"%03d"}`, g.IntN(120), g.IntN(120))
			}
			meta := g.Meta()
			meta.Time = time.Date(2026, 1, 1, 0, g.IntN(60), g.IntN(2), 0, time.UTC)
			md.check(t, meta, data)
			md.remove(t, g.IntN(len(md.adds)))
		}
		if n := md.ix.UsedBytes(); n != 0 {
			t.Errorf("%s: %d bytes are left of nothing", form, n)
		}
	}
}

// A list is what its values are one by one.
func TestIndexLists(t *testing.T) {
	md := newModel(false)
	md.add(t, `a in [1, 2, "x", null]`)
	md.add(t, `a == 2.0 || a == "x" || a == 1u || a == null`)
	md.add(t, `!(a in [1, 2])`)
	md.add(t, `!(a == 1 || a == 2)`)
	if len(md.have) != 2 {
		t.Errorf("four ways to say two things are %d queries", len(md.have))
	}
	for _, v := range []string{"1", "1.0", "2", "3", `"x"`, "null", "[1]", "{}", "true"} {
		md.check(t, query.Meta{}, `{"a":`+v+`}`)
	}
	md.check(t, query.Meta{}, `{}`)
}

func TestIndexRefuses(t *testing.T) {
	c := query.Config{Queries: 3, Paths: 4, Keys: 5, Pairs: 1, Unanchored: 1}
	ix := query.NewIndex(c)
	add := func(text string, want error) query.ID {
		t.Helper()
		id, err := ix.Add(querytest.Parse(t, text))
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
		return id
	}
	first := add(`a != 1`, nil)
	add(`a != 1`, nil) // it is there
	add(`b != 1`, query.ErrNoAnchor)
	add(`has(a)`, query.ErrNoAnchor)
	add(`!has(b)`, query.ErrNoAnchor)
	add(`a.contains("xy")`, query.ErrNoAnchor)
	add(`true`, query.ErrNoAnchor)
	add(`a in [1, 2, 3, 4, 5, 6]`, query.ErrNoAnchor)
	add(`b == 1 && (a in [1, 2, 3, 4, 5, 6] || c == 1)`, nil)
	add(`e == 1 && f == 1`, query.ErrPaths)
	add(`d == 1`, nil)
	add(`d == 2`, query.ErrFull)
	for i, want := range []bool{true, true, false} { // it was added twice
		if got := ix.Remove(first); got != want {
			t.Errorf("removal %d: %v, want %v", i, got, want)
		}
	}
	add(`d != 3`, nil)
	add(`d > "`+strings.Repeat("x", 900)+`"`, query.ErrFull)
	if s := ix.Stats(); s.Queries != 3 || s.Unanchored != 1 {
		t.Errorf("%+v", s)
	}
}

// Fields that nothing refers to any more make room for others, and an event that
// was read before is matched by none of the queries about these.
func TestIndexPathsAreUsedAgain(t *testing.T) {
	c := query.DefaultConfig()
	c.Paths = 3
	ix := query.NewIndex(c)
	old, now := ix.NewMatcher(), ix.NewMatcher()
	for i := range 1_000 {
		data := fmt.Appendf(nil, `{"f%d":1,"f%d":1}`, i, i+1)
		id, err := ix.Add(querytest.Parse(t, fmt.Sprintf(`f%d == 1 && l%d.exists(x, x > 1) || f%[1]d == 1`, i, i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := old.Load(query.Meta{}, data); err != nil {
			t.Fatal(err)
		}
		if got := old.Match(nil); !slices.Equal(got, []query.ID{id}) {
			t.Fatalf("%d: matched %v, want %v", i, got, id)
		}
		ix.Remove(id)
		next, err := ix.Add(querytest.Parse(t, fmt.Sprintf(`f%d == 1`, i+1)))
		if err != nil {
			t.Fatal(err)
		}
		if got := old.Match(nil); len(got) > 1 || len(got) == 1 && got[0] != next {
			t.Fatalf("%d: the event from before matched %v, removed was %v", i, got, id)
		}
		if err := now.Load(query.Meta{}, data); err != nil {
			t.Fatal(err)
		}
		if got := now.Match(nil); !slices.Equal(got, []query.ID{next}) {
			t.Fatalf("%d: matched %v, want %v", i, got, next)
		}
		ix.Remove(next)
	}
}

// However crowded a key is, it is better than none.
func TestIndexCrowdedAnchor(t *testing.T) {
	c := query.DefaultConfig()
	c.Unanchored = 0
	ix := query.NewIndex(c)
	for i := range 3_000 {
		if _, err := ix.Add(querytest.Parse(t, fmt.Sprintf(`a == 1 && b != %d`, i))); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
}
