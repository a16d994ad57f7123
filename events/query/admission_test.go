package query_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/events/query/querytest"
)

// Of each limit of what a query may be, what just fits is read, and one more is
// refused as a limit.
func TestLimitsOfAQuery(t *testing.T) {
	repeat := func(s, sep string, n int) string { return strings.Repeat(s+sep, n-1) + s }
	for _, tt := range []struct {
		limit string
		set   func(l *query.Limits)
		of    func(n int) string // a query that needs n
		most  int
	}{
		{"text", func(l *query.Limits) { l.Text = 20 }, func(n int) string { return "a == 1" + strings.Repeat(" ", n-6) }, 20},
		{"depth of parentheses", func(l *query.Limits) { l.Depth = 5 }, func(n int) string { return strings.Repeat("(", n-1) + "a" + strings.Repeat(")", n-1) }, 5},
		{"depth of negations", func(l *query.Limits) { l.Depth = 5 }, func(n int) string { return strings.Repeat("!", n-1) + "a" }, 5},
		{"leaves", func(l *query.Limits) { l.Leaves = 7 }, func(n int) string { return repeat("a == 1", " || ", n) }, 7},
		{"list", func(l *query.Limits) { l.List = 4 }, func(n int) string { return "a in [" + repeat("1", ",", n) + "]" }, 4},
		{"literal", func(l *query.Limits) { l.Literal = 9 }, func(n int) string { return `a == "` + strings.Repeat("x", n) + `"` }, 9},
		{"regexp", func(l *query.Limits) { l.Regexp = 9 }, func(n int) string { return `a.matches("` + strings.Repeat("x", n) + `")` }, 9},
		{"states of a regexp", func(*query.Limits) {}, func(n int) string { return fmt.Sprintf(`a.matches("x{%d}")`, n) }, 510},
		{"path", func(l *query.Limits) { l.Path = 3 }, func(n int) string { return repeat("a", ".", n) + " == 1" }, 3},
		{"exists in exists", func(*query.Limits) {}, func(n int) string { return strings.Repeat("a.exists(x, ", n) + "x" + strings.Repeat(")", n) }, 1},
	} {
		o := query.DefaultOptions()
		tt.set(&o.Limits)
		if _, err := query.Parse(tt.of(tt.most), o); err != nil {
			t.Errorf("%s: %d: %v", tt.limit, tt.most, err)
		}
		_, err := query.Parse(tt.of(tt.most+1), o)
		e, ok := errors.AsType[*query.Error](err)
		if !ok || !e.Limit && tt.limit != "exists in exists" {
			t.Errorf("%s: %d: %v", tt.limit, tt.most+1, err)
		}
	}
}

// The same of what an index has room for.
func TestLimitsOfAnIndex(t *testing.T) {
	for _, tt := range []struct {
		limit string
		set   func(c *query.Config)
		fits  []string
		over  string
		want  error
	}{
		{"queries", func(c *query.Config) { c.Queries = 2 }, []string{`a == 1`, `a == 2`, `1 == a`}, `a == 3`, query.ErrFull},
		{"paths", func(c *query.Config) { c.Paths = 3 }, []string{`a == 1 && b == 1`, `c == 1`}, `d == 1`, query.ErrPaths},
		{"elements are paths", func(c *query.Config) { c.Paths = 3 }, []string{`"x" in tags`, `a == 1`}, `d == 1`, query.ErrPaths},
		{"keys", func(c *query.Config) { c.Keys, c.Unanchored = 3, 0 }, []string{`a in [1, 2, 3]`, `a == 4 || b == 5 || c == 6`}, `a in [1, 2, 3, 4]`, query.ErrNoAnchor},
		{"unanchored", func(c *query.Config) { c.Unanchored = 1 }, []string{`a != 1`, `a == 1`}, `a != 2`, query.ErrNoAnchor},
		{"literals of a regexp", func(c *query.Config) { c.Unanchored = 0 }, []string{`a.matches("a+bcd")`}, `a.matches("a+b+c")`, query.ErrNoAnchor},
		{"three bytes", func(c *query.Config) { c.Unanchored = 0 }, []string{`a.contains("bcd")`, `a.contains("電")`}, `a.contains("ab")`, query.ErrNoAnchor},
	} {
		c := query.DefaultConfig()
		tt.set(&c)
		ix := query.NewIndex(c)
		for _, text := range tt.fits {
			if _, err := ix.Add(querytest.Parse(t, text)); err != nil {
				t.Errorf("%s: %s: %v", tt.limit, text, err)
			}
		}
		if _, err := ix.Add(querytest.Parse(t, tt.over)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %s: %v, want %v", tt.limit, tt.over, err, tt.want)
		}
	}
}

// Whatever the texts are, nothing is added that is beyond the limits, and what
// was added is gone at the end.
func FuzzAdmission(f *testing.F) {
	for _, text := range []string{
		"a == 1\na == 2\na == 3\na == 4", "a != 1\nhas(b)\nc.contains(\"x\")", "a in [1,2,3]\n\"x\" in tags\ntags.exists(t, t == 1 || t > 3)",
		"a.matches(\"(a|b)*c\")\n!(a && b || c.d.e == \"x\")", "class == \"c\" && paid\npaid && class == \"c\"",
	} {
		f.Add(text)
	}
	limits := query.Limits{Text: 64, Depth: 5, Leaves: 4, List: 3, Literal: 8, Regexp: 12, Path: 3}
	session := &query.Budget{Queries: 3, Unanchored: 1, Cost: 4 * query.Unit, Fields: 5}
	role := &query.Budget{Queries: 4, Unanchored: 2, Cost: 5 * query.Unit, Fields: 6}
	f.Fuzz(func(t *testing.T, texts string) {
		c := query.Config{Queries: 5, Paths: 7, Keys: 4, Pairs: 1, Unanchored: 2}
		ix := query.NewIndex(c)
		l := query.NewLedger(ix, 0)
		visitors := []*visitor{{l: l, role: "r", session: session, all: role}, {l: l, role: "r", session: session, all: role}, {l: l, role: "s", session: session, all: role}}
		i := 0
		for text := range strings.SplitSeq(texts, "\n") {
			if i++; i > 20 {
				break
			}
			q, err := query.Parse(text, query.Options{Limits: limits})
			if err != nil {
				continue
			}
			if leaves := leavesOf(q.Tree()); len(text) > limits.Text || leaves > limits.Leaves {
				t.Fatalf("%q has %d bytes and %d leaves", text, len(text), leaves)
			}
			before := ix.Stats()
			if _, err := visitors[i%len(visitors)].Add(q); err != nil && ix.Stats().Queries != before.Queries {
				t.Fatalf("%q was refused, and is there: %v", text, err)
			}
			if s := ix.Stats(); s.Queries > c.Queries || s.Paths > c.Paths || s.Unanchored > c.Unanchored {
				t.Fatalf("%+v", s)
			}
			use, _ := l.Use()
			for _, r := range use {
				if r.Queries > role.Queries || r.Unanchored > role.Unanchored || r.Cost > role.Cost || r.Fields > role.Fields {
					t.Fatalf("%+v", r)
				}
			}
		}
		for _, a := range visitors {
			a.Close()
		}
		if s := ix.Stats(); s.Queries != 0 || s.Unanchored != 0 || ix.UsedBytes() != 0 {
			t.Fatalf("%+v and %d bytes are left", s, ix.UsedBytes())
		}
	})
}

// leavesOf counts comparisons and tests; exists is one.
func leavesOf(n query.Node) (sum int) {
	if n.Op == "leaf" && n.Text != "true" && n.Text != "false" || n.Op == "exists" {
		sum = 1
	}
	for _, k := range n.Kids {
		sum += leavesOf(k)
	}
	return sum
}
