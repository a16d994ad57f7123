package router

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

// fitsNaively is what matching means, in a few lines.
func fitsNaively(pattern, topic string, m wamp.Match) bool {
	if m == wamp.Prefix {
		return strings.HasPrefix(topic, pattern)
	}
	p, c := strings.Split(pattern, "."), strings.Split(topic, ".")
	return slices.EqualFunc(p, c, func(p, c string) bool { return p == "" || p == c })
}

// matchBoth checks the tries against the naive matcher.
func matchBoth(t *testing.T, p *patterns[subscription], all map[string]*subscription, topic string) {
	t.Helper()
	var want, got []string
	for key, sub := range all {
		if fitsNaively(string(sub.topic), topic, sub.match) {
			want = append(want, key)
		}
	}
	for _, sub := range p.match(nil, wamp.URI(topic)) {
		got = append(got, sub.match.String()+" "+string(sub.topic))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("match(%q) = %q, want %q", topic, got, want)
	}
}

// FuzzPatterns adds and takes away patterns and compares every match with the
// naive matcher's.
func FuzzPatterns(f *testing.F) {
	f.Add("a.b", "a.bc", "a..c", "a.b.c")
	f.Add("", "a", "", "a.a")
	f.Add("com.example.", "com.example", "..", "com.example.x")
	f.Fuzz(func(t *testing.T, a, b, c, topic string) {
		var p patterns[subscription]
		all := map[string]*subscription{}
		add := func(s string, m wamp.Match) {
			key := m.String() + " " + s
			if all[key] == nil {
				all[key] = &subscription{topic: wamp.URI(s), match: m}
				p.put(all[key].topic, m, all[key])
			}
			if p.get(wamp.URI(s), m) != all[key] {
				t.Fatalf("get(%q, %v) does not find what was put", s, m)
			}
		}
		for _, s := range []string{a, b, c, a + b, a + "." + b} {
			add(s, wamp.Prefix)
			add(s, wamp.Wildcard)
			matchBoth(t, &p, all, topic)
		}
		for key, sub := range all {
			p.delete(sub.topic, sub.match)
			delete(all, key)
			matchBoth(t, &p, all, topic)
			matchBoth(t, &p, all, string(sub.topic))
		}
		if len(p.prefix.children) != 0 || len(p.wild.children) != 0 || p.wild.any != nil || p.count.Load() != 0 {
			t.Fatal("the tries are not empty when everything is deleted")
		}
	})
}

func TestPatternsRandomly(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		n := 1 + rnd.IntN(4)
		parts := make([]string, n)
		for i := range parts {
			parts[i] = []string{"", "a", "b", "ab", "abc"}[rnd.IntN(5)]
		}
		return strings.Join(parts, ".")
	}
	var p patterns[subscription]
	all := map[string]*subscription{}
	for range 5000 {
		s, m := word(), wamp.Match(1+rnd.IntN(2))
		key := m.String() + " " + s
		if sub := all[key]; sub != nil {
			p.delete(sub.topic, sub.match)
			delete(all, key)
		} else {
			all[key] = &subscription{topic: wamp.URI(s), match: m}
			p.put(all[key].topic, m, all[key])
		}
		matchBoth(t, &p, all, word())
	}
}

func BenchmarkPatternMatch(b *testing.B) {
	for _, n := range []int{0, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("patterns=%d", n), func(b *testing.B) {
			var p patterns[subscription]
			for i := range n {
				m := wamp.Match(1 + i%2)
				p.put(wamp.URI(fmt.Sprintf("com.tenant%d..created", i)), m, &subscription{match: m})
			}
			var dst []*subscription
			b.ReportAllocs()
			for b.Loop() {
				dst = p.match(dst[:0], "org.example.order.created")
			}
		})
	}
}
