package oracle

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"cel.dev/cel-go/cel"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

var (
	pairs = flag.Int("pairs", 200_000, "pairs of a query and an event to compare")
	seed  = flag.Uint64("seed", 0, "seed of queries and events; 0 draws one")
)

// seeded returns the seed, and says how to have the same again.
func seeded(t *testing.T) uint64 {
	t.Helper()
	n := *seed
	if n == 0 {
		n = rand.Uint64() >> 16
	}
	t.Logf("-seed %d -pairs %d", n, *pairs)
	return n
}

// How many queries are compared with how many events at a time.
const eachQueries, eachEvents = 100, 50

// What the queries say of the events is what cel-go says, and the index finds
// those of which it is true.
func TestCEL(t *testing.T) {
	first := seeded(t)
	env := newEnv(t)
	counts, done := map[query.Truth]int{}, 0
	for n := first; done < *pairs; n++ {
		b := newBatch(t, env, n)
		for i := range b.events {
			b.check(t, &b.events[i], counts)
		}
		done += len(b.events) * len(b.subjects)
		if part := done / 1_000_000; part > (done-len(b.events)*len(b.subjects))/1_000_000 {
			t.Logf("%d million pairs, the last ones of -seed %d: %v", part, n, counts)
		}
	}
	t.Logf("%d pairs: %v", done, counts)
}

// A subject is a query as we have it, and as cel-go has it.
type subject struct {
	ours    *query.Query
	forms   []*query.Query // as it is written, and its normal form, read again
	program cel.Program
	id      query.ID
	added   bool
}

// A batch is queries, of which an index has some, and events.
type batch struct {
	*rand.Rand
	seed     uint64
	subjects []subject
	events   []sampled
	index    *query.Index
	matcher  *query.Matcher
}

func newBatch(t *testing.T, env *cel.Env, seed uint64) *batch {
	g := querytest.NewForCELGo(seed)
	config := query.DefaultConfig()
	config.Unanchored, config.Keys = 1<<20, 255
	b := &batch{Rand: g.Rand, seed: seed, index: query.NewIndex(config)}
	b.matcher = b.index.NewMatcher()
	for range eachEvents {
		b.events = append(b.events, newSampled(t, g.Meta(), g.Event(), g.IntN(2) == 0))
	}
	for range eachQueries {
		text := g.Query(3)
		s := subject{ours: querytest.Parse(t, text), program: program(t, env, text)}
		again, normal := querytest.Parse(t, s.ours.String()), querytest.Parse(t, s.ours.Normal())
		if again.String() != s.ours.String() || normal.Normal() != s.ours.Normal() {
			t.Fatalf("%s\nis read again as %s\nand its normal form as %s", s.ours, again, normal.Normal())
		}
		s.forms = []*query.Query{again, normal}
		b.subjects = append(b.subjects, s)
	}
	return b
}

// toggle adds a query to the index, or removes it.
func (b *batch) toggle(t *testing.T, s *subject) {
	if s.added {
		b.index.Remove(s.id)
		s.added = false
		return
	}
	var err error
	if s.id, err = b.index.Add(s.ours); err != nil {
		t.Fatalf("-seed %d: %s: %v", b.seed, s.ours, err)
	}
	s.added = true
}

func (b *batch) check(t *testing.T, e *sampled, counts map[query.Truth]int) {
	for i := range b.subjects {
		if s := &b.subjects[i]; b.IntN(4) == 0 {
			b.toggle(t, s)
		}
	}
	if err := e.load(b.matcher); err != nil {
		t.Fatalf("-seed %d: %s: %v", b.seed, e.data, err)
	}
	found := b.matcher.Match(nil)
	slices.Sort(found)
	want := []query.ID{}
	for i := range b.subjects {
		s := &b.subjects[i]
		says := celSays(s.program, e.activation)
		counts[says]++
		for _, q := range append(s.forms, s.ours) {
			if got := q.Eval(e.sample); got != says {
				t.Fatalf("-seed %d\n%s\n%+v %s\nis %v, and to cel-go %v", b.seed, q, e.meta, e.data, got, says)
			}
		}
		if !s.added {
			continue
		}
		if _, is := slices.BinarySearch(found, s.id); is != (says == query.True) {
			t.Fatalf("-seed %d\n%s\n%+v %s\nis %v, and the index finds it: %v", b.seed, s.ours, e.meta, e.data, says, is)
		}
		if says == query.True && !slices.Contains(want, s.id) {
			want = append(want, s.id)
		}
	}
	if len(found) != len(want) {
		t.Fatalf("-seed %d\n%+v %s\nthe index finds %d queries, want %d", b.seed, e.meta, e.data, len(found), len(want))
	}
}
