package query_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

// sayTheSame compares what queries say of events, one by one and by way of an
// index.
func sayTheSame(t *testing.T, md *model, ways []string, events func() (query.Meta, string)) {
	t.Helper()
	queries := make([]*query.Query, len(ways))
	for i, text := range ways {
		queries[i] = querytest.Parse(t, text)
		md.add(t, text)
	}
	for range 10 {
		meta, data := events()
		s := querytest.Sample(t, meta, data)
		for _, q := range queries[1:] {
			if got, want := q.Eval(s), queries[0].Eval(s); got != want {
				t.Fatalf("%s\nof %+v %s\nis %v, and %v if it is said as %s", q, meta, data, got, want, queries[0])
			}
		}
		md.check(t, meta, data)
	}
	for len(md.adds) > 0 {
		md.remove(t, 0)
	}
}

// Terms may change places, "not" may go in and out, and and may be multiplied
// out: what was said before stays true, false or an error.
func TestWaysOfLogic(t *testing.T) {
	g := seeded(t)
	for range 120 {
		md := newModel(true)
		a, b, c := g.Query(1), g.Query(1), g.Query(1)
		ways := []string{
			fmt.Sprintf("(%s) && ((%s) || (%s))", a, b, c),
			fmt.Sprintf("((%[3]s) || (%[2]s)) && (%[1]s)", a, b, c),
			fmt.Sprintf("!(!(%s) || !(%s) && !(%s))", a, b, c),
			fmt.Sprintf("!!((%s) && ((%s) || (%s)))", a, b, c),
			fmt.Sprintf("(%[1]s) && (%[2]s) || (%[1]s) && (%[3]s)", a, b, c),
		}
		hash := querytest.Parse(t, ways[0]).Hash()
		for _, way := range ways[:4] {
			if querytest.Parse(t, way).Hash() != hash {
				t.Fatalf("%s\nand %s\nhave different hashes", ways[0], way)
			}
		}
		g.Shuffle(len(ways), func(i, j int) { ways[i], ways[j] = ways[j], ways[i] })
		sayTheSame(t, md, ways, func() (query.Meta, string) { return g.Meta(), g.Event() })
		if n := md.ix.UsedBytes(); n != 0 {
			t.Fatalf("%q: %d bytes are left of nothing", ways, n)
		}
	}
}

// The order of terms of one operator does not matter, however many they are.
func TestWaysOfOrder(t *testing.T) {
	g := seeded(t)
	for range 40 {
		terms := make([]string, 2+g.IntN(6))
		for i := range terms {
			terms[i] = "(" + g.Query(1) + ")"
		}
		for _, sign := range []string{" && ", " || "} {
			ways := []string{strings.Join(terms, sign)}
			for range 3 {
				g.Shuffle(len(terms), func(i, j int) { terms[i], terms[j] = terms[j], terms[i] })
				ways = append(ways, strings.Join(terms, sign))
			}
			md := newModel(true)
			for _, way := range ways {
				md.add(t, way)
			}
			if len(md.have) != 1 {
				t.Fatalf("%q are %d queries", ways, len(md.have))
			}
			sayTheSame(t, md, ways, func() (query.Meta, string) { return g.Meta(), g.Event() })
		}
	}
}

// A list of values is an alternative of equalities.
func TestWaysOfLists(t *testing.T) {
	g := seeded(t)
	values := []string{"0", "1", "2", "1.0", "-0.0", "2u", "9007199254740993", `"a"`, `"b"`, `""`, "null", "true", "false", `timestamp("2026-01-02T03:04:05Z")`}
	for range 80 {
		md := newModel(true)
		list := make([]string, 1+g.IntN(6))
		var or, and []string
		for i := range list {
			list[i] = values[g.IntN(len(values))]
			or, and = append(or, "data.a == "+list[i]), append(and, "data.a != "+list[i])
		}
		in := "data.a in [" + strings.Join(list, ", ") + "]"
		event := func() (query.Meta, string) {
			if g.IntN(8) == 0 {
				return g.Meta(), g.Event()
			}
			return query.Meta{}, `{"a":` + []string{"0", "1", "1.0", "-0", "2", "9007199254740993", "9007199254740992.0", `"a"`, `"b"`, `""`, "null", "true", "[1]", "{}"}[g.IntN(14)] + "}"
		}
		sayTheSame(t, md, []string{in, strings.Join(or, " || ")}, event)
		sayTheSame(t, md, []string{"!(" + in + ")", strings.Join(and, " && ")}, event)
	}
}

// What a text begins with says where it is in the order of texts.
func TestWaysOfPrefixes(t *testing.T) {
	g := seeded(t)
	for _, prefix := range []string{"a", "ab", "order.", "å", "電", "\ud7ff", "a\uffff", "abcdefghijklmnopqrst", "\U0001F600"} {
		runes := []rune(prefix)
		if runes[len(runes)-1]++; runes[len(runes)-1] == 0xd800 {
			runes[len(runes)-1] = 0xe000 // there are no characters in between
		}
		next := string(runes)
		texts := []string{
			prefix, prefix + "x", prefix + "\U0010FFFF", next, next + "a", prefix[:1], "", "a", "zz", prefix + strings.Repeat("y", 20),
		}
		md := newModel(true)
		sayTheSame(t, md, []string{
			fmt.Sprintf(`data.s.startsWith(%q)`, prefix),
			fmt.Sprintf(`data.s >= %q && data.s < %q`, prefix, next),
			fmt.Sprintf(`!(data.s < %q || data.s >= %q)`, prefix, next),
		}, func() (query.Meta, string) {
			if g.IntN(4) == 0 {
				return g.Meta(), g.Event()
			}
			return query.Meta{}, `{"s":"` + strings.ToValidUTF8(texts[g.IntN(len(texts))], "?") + `"}`
		})
	}
}

// Queries that came in another order, and some of which went and came again, are
// found by the same events.
func TestIndexOrder(t *testing.T) {
	g := seeded(t)
	for range 12 {
		texts := make([]string, 60)
		for i := range texts {
			texts[i] = g.Query(2)
			if i%3 > 0 {
				texts[i] = fmt.Sprintf(`class == "order.created" && data.a == %d && (%s)`, i%4, texts[i])
			}
		}
		one, other := newModel(true), newModel(false)
		for _, text := range texts {
			one.add(t, text)
		}
		slices.Reverse(texts)
		for i, text := range texts {
			other.add(t, text)
			if i%3 == 0 {
				other.remove(t, g.IntN(len(other.adds)))
			}
		}
		for _, q := range one.have { // those that are gone, once more
			if !other.has(q) {
				other.add(t, q.String())
			}
		}
		for range 12 {
			meta, data := g.Meta(), g.Event()
			if a, b := one.check(t, meta, data), other.check(t, meta, data); a != b {
				t.Fatalf("%+v %s\nis found by %d queries, and by %d if they come in another order", meta, data, a, b)
			}
		}
	}
}

// has reports whether a query that says the same is there.
func (md *model) has(q *query.Query) bool {
	for _, have := range md.have {
		if have.Normal() == q.Normal() {
			return true
		}
	}
	return false
}

// Nothing is lost if all that can be forgotten is at every step: unused fields,
// kinds of keys, and the memory of what was removed.
func TestIndexSweptAtEveryStep(t *testing.T) {
	g := seeded(t)
	md := newModel(true)
	for range 250 {
		if len(md.adds) > 60 || len(md.adds) > 0 && g.IntN(5) < 2 {
			md.remove(t, g.IntN(len(md.adds)))
		} else {
			md.add(t, g.Query(2))
		}
		md.ix.Sweep()
		md.ix.UsedBytes() // collects
		md.check(t, g.Meta(), g.Event())
	}
}

// The place of a query is used again soon, and its ID never is.
func TestIndexIDs(t *testing.T) {
	md := newModel(true)
	seen := map[query.ID]bool{}
	places := map[uint32]bool{}
	for i := range 3_000 {
		md.add(t, fmt.Sprintf(`a == %d && b > %d`, i%5, i))
		id := md.adds[len(md.adds)-1]
		if seen[id] {
			t.Fatalf("%v is the ID of a second query", id)
		}
		seen[id], places[uint32(id)] = true, true
		if i%100 == 0 {
			md.check(t, query.Meta{}, fmt.Sprintf(`{"a":%d,"b":%d}`, i%5, i-1))
		}
		if len(md.adds) > 20 {
			md.remove(t, i%20)
		}
	}
	if len(places) > 600 { // what was removed waits, up to some hundreds at a time
		t.Errorf("%d places were used for 21 queries at a time", len(places))
	}
}
