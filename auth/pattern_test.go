package auth_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

func TestPatternValidate(t *testing.T) {
	tests := []struct {
		pattern auth.Pattern
		want    string // part of the error; "": valid
	}{
		{"*", ""},
		{"order.created", ""},
		{"order.*", ""},
		{"*.created", ""},
		{"*.*.*", ""},
		{"a.*.c", ""},
		{"", "empty"},
		{"order.", "single dots"},
		{".order", "single dots"},
		{"a..b", "single dots"},
		{"a b", "spaces"},
		{"a#", "spaces or #"},
		{"order*", "whole part"},
		{"order.c*", "whole part"},
		{"**", "whole part"},
		{auth.Pattern(strings.Repeat("a", 513)), "513 bytes"},
	}
	for _, tt := range tests {
		t.Run(string(tt.pattern), func(t *testing.T) {
			err := tt.pattern.Validate()
			_, setErr := auth.NewPatternSet([]auth.Pattern{tt.pattern})
			if !errorContains(err, tt.want) || !errorContains(setErr, tt.want) {
				t.Errorf("Pattern(%q): Validate: %v, NewPatternSet: %v; want an error with %q", tt.pattern, err, setErr, tt.want)
			}
		})
	}
}

// errorContains reports whether err has part in its text; for part "", whether
// there is no error.
func errorContains(err error, part string) bool {
	if part == "" || err == nil {
		return part == "" && err == nil
	}
	return strings.Contains(err.Error(), part)
}

func TestCovers(t *testing.T) {
	tests := []struct {
		patterns string // divided by spaces
		uri      wamp.URI
		match    wamp.Match
		want     bool
	}{
		{"", "a", wamp.Exact, false},
		{"", "", wamp.Prefix, false},
		{"*", "a", wamp.Exact, true},
		{"*", "a.b.c", wamp.Exact, true},
		{"*", "", wamp.Exact, false},
		{"*", "", wamp.Prefix, true},
		{"*", "..", wamp.Wildcard, true},

		{"order.created", "order.created", wamp.Exact, true},
		{"order.created", "order.create", wamp.Exact, false},
		{"order.created", "order.created.x", wamp.Exact, false},
		{"order.created", "order", wamp.Exact, false},
		{"order.created", "order.created", wamp.Prefix, false},
		{"order.created", "order.created", wamp.Wildcard, true},

		{"order.*", "order.a", wamp.Exact, true},
		{"order.*", "order.a.b", wamp.Exact, true},
		{"order.*", "order", wamp.Exact, false},
		{"order.*", "order.", wamp.Exact, false},
		{"order.*", "orders.a", wamp.Exact, false},
		{"order.*", "order.", wamp.Prefix, true},
		{"order.*", "order.a", wamp.Prefix, true},
		{"order.*", "order.a.", wamp.Prefix, true},
		{"order.*", "order", wamp.Prefix, false},
		{"order order.*", "order", wamp.Prefix, false}, // orders.a
		{"order.*", "", wamp.Prefix, false},
		{"order.*", "order.", wamp.Wildcard, true},
		{"order.*", "order..x", wamp.Wildcard, true},
		{"order.*", ".x", wamp.Wildcard, false},

		{"order.*.*", "order.", wamp.Prefix, false},
		{"order.*.*", "order.a.", wamp.Prefix, true},
		{"order.*.*", "order.a", wamp.Exact, false},
		{"order.*.*", "order.a.b.c", wamp.Exact, true},

		{"a.*.c", "a.b.c", wamp.Exact, true},
		{"a.*.c", "a.b.d", wamp.Exact, false},
		{"a.*.c", "a.b.x.c", wamp.Exact, false},
		{"a.*.c", "a..c", wamp.Exact, false},
		{"a.*.c", "a..c", wamp.Wildcard, true},
		{"a.*.c", "a.b.", wamp.Wildcard, false},
		{"a.*.c", "a.b.", wamp.Prefix, false},
		{"*.created", "order.created", wamp.Exact, true},
		{"*.created", ".created", wamp.Wildcard, true},
		{"*.created", "created", wamp.Exact, false},
		{"*.*", "a", wamp.Exact, false},
		{"*.*", "a.b.c", wamp.Exact, true},

		{"a.x a.y", "a.", wamp.Wildcard, false},
		{"a.b.x a.*.y", "a.b.y", wamp.Exact, true}, // the literal way fails, the other holds
		{"a.b.x *.b.y", "a.b.y", wamp.Exact, true},
		{"a.b.c.* *.b.*", "a.b.z", wamp.Prefix, true},

		{"a.b", "a.*", wamp.Exact, false}, // a part of a URI that is * is a part like others
		{"a.*", "a.*", wamp.Exact, true},
	}
	for _, tt := range tests {
		t.Run(tt.patterns+"/"+string(tt.uri)+"/"+tt.match.String(), func(t *testing.T) {
			set := must(auth.NewPatternSet(patterns(tt.patterns)))(t)
			if got := set.Covers(tt.uri, tt.match); got != tt.want {
				t.Errorf("{%s}.Covers(%q, %v) = %v, want %v", tt.patterns, tt.uri, tt.match, got, tt.want)
			}
		})
	}
	if (*auth.PatternSet)(nil).Covers("a", wamp.Exact) || new(auth.PatternSet).Covers("", wamp.Prefix) {
		t.Error("an empty set covers something")
	}
}

func patterns(text string) []auth.Pattern {
	var list []auth.Pattern
	for p := range strings.FieldsSeq(text) {
		list = append(list, auth.Pattern(p))
	}
	return list
}

// naiveMatch is the meaning of a pattern, in as few words as possible.
func naiveMatch(pattern, uri string) bool {
	p, u := strings.Split(pattern, "."), strings.Split(uri, ".")
	for i, part := range p {
		if part == "*" && i == len(p)-1 {
			return len(u) >= len(p)
		}
		if i >= len(u) || part != "*" && part != u[i] {
			return false
		}
	}
	return len(u) == len(p)
}

// stands reports whether uri is one of those that pattern matches under match.
func stands(pattern, uri string, match wamp.Match) bool {
	switch match {
	case wamp.Prefix:
		return strings.HasPrefix(uri, pattern)
	case wamp.Wildcard:
		p, u := strings.Split(pattern, "."), strings.Split(uri, ".")
		if len(p) != len(u) {
			return false
		}
		for i := range p {
			if p[i] != "" && p[i] != u[i] {
				return false
			}
		}
		return true
	default:
		return pattern == uri
	}
}

// allURIs returns every URI of 1 to depth parts. The parts are those that
// patterns use, and some that no pattern has: one that is new altogether, and
// for each of the others one that it is the beginning of.
func allURIs(depth int) []string {
	parts := []string{"a", "b", "ab", "aq", "bq", "abq", "q"}
	level, all := parts, parts
	for range depth - 1 {
		var next []string
		for _, head := range level {
			for _, part := range parts {
				next = append(next, head+"."+part)
			}
		}
		level, all = next, append(all[:len(all):len(all)], next...)
	}
	return all
}

// Covers says yes exactly if every URI is matched by one of the patterns, by
// enumeration of all URIs of up to four parts; patterns and subscriptions have
// up to three.
func TestCoversIsExact(t *testing.T) {
	uris := allURIs(4)
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(parts []string, n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = parts[rng.IntN(len(parts))]
		}
		return strings.Join(list, ".")
	}
	covered, touched := map[wamp.Match]int{}, map[wamp.Match]int{}
	for range 3000 {
		var list []auth.Pattern
		for range 1 + rng.IntN(4) {
			list = append(list, auth.Pattern(draw([]string{"a", "b", "ab", "*", "*"}, 1+rng.IntN(3))))
		}
		set := must(auth.NewPatternSet(list))(t)
		match := wamp.Match(rng.IntN(3))
		var uri string
		switch match {
		case wamp.Exact:
			uri = draw([]string{"a", "b", "ab", "q"}, 1+rng.IntN(3))
		case wamp.Prefix:
			uri = draw([]string{"a", "b", "ab"}, rng.IntN(3))
			if uri != "" && rng.IntN(2) == 0 {
				uri += "."
			}
		case wamp.Wildcard:
			uri = draw([]string{"a", "b", "", ""}, 1+rng.IntN(3))
			if uri == "" {
				continue // no wildcard pattern
			}
		}
		want := true
		for _, u := range uris {
			if stands(uri, u, match) && !matchesAny(list, u) {
				want = false
				break
			}
		}
		if got := set.Covers(wamp.URI(uri), match); got != want {
			t.Fatalf("%q.Covers(%q, %v) = %v, enumeration says %v", list, uri, match, got, want)
		}
		if want {
			covered[match]++
		}
		touches := slices.ContainsFunc(uris, func(u string) bool { return stands(uri, u, match) && matchesAny(list, u) })
		if got := set.Touches(wamp.URI(uri), match); got != touches {
			t.Fatalf("%q.Touches(%q, %v) = %v, enumeration says %v", list, uri, match, got, touches)
		}
		if touches && !want {
			touched[match]++
		}
	}
	for _, match := range []wamp.Match{wamp.Exact, wamp.Prefix, wamp.Wildcard} {
		if covered[match] < 50 || match != wamp.Exact && touched[match] < 50 {
			t.Errorf("only %d covered and %d touched cases of %v: the test has lost its point", covered[match], touched[match], match)
		}
	}
}

func matchesAny(list []auth.Pattern, uri string) bool {
	for _, p := range list {
		if naiveMatch(string(p), uri) {
			return true
		}
	}
	return false
}

func FuzzCovers(f *testing.F) {
	f.Add("order.* a.*.c", "order.a")
	f.Add("*", "x")
	f.Add("*.*.x *.b.* a.b.c", "a.b.x")
	f.Add("order* a..b", "a..b")
	f.Fuzz(func(t *testing.T, text, uri string) {
		list := patterns(text)
		set, err := auth.NewPatternSet(list)
		if err != nil {
			for _, p := range list {
				if p.Validate() != nil {
					return
				}
			}
			t.Fatalf("NewPatternSet(%q): %v, but each pattern is valid", list, err)
		}
		if n, limit := set.NodeCount(), 1+len(text); n > limit {
			t.Fatalf("%d bytes of patterns make %d nodes", len(text), n)
		}
		if !wamp.URI(uri).Valid() {
			set.Covers(wamp.URI(uri), wamp.Exact)
			set.Covers(wamp.URI(uri), wamp.Prefix)
			set.Covers(wamp.URI(uri), wamp.Wildcard)
			set.Touches(wamp.URI(uri), wamp.Prefix)
			set.Touches(wamp.URI(uri), wamp.Wildcard)
			return
		}
		want := matchesAny(list, uri)
		if got := set.Covers(wamp.URI(uri), wamp.Exact); got != want {
			t.Fatalf("%q.Covers(%q, exact) = %v, want %v", list, uri, got, want)
		}
		if got := set.Covers(wamp.URI(uri), wamp.Wildcard); got != want {
			t.Fatalf("%q.Covers(%q, wildcard) = %v, want %v: it has no empty part", list, uri, got, want)
		}
		for _, match := range []wamp.Match{wamp.Exact, wamp.Prefix, wamp.Wildcard} {
			if set.Covers(wamp.URI(uri), match) && !set.Touches(wamp.URI(uri), match) {
				t.Fatalf("%q covers %q with %v, and does not touch it", list, uri, match)
			}
		}
		if set.Covers(wamp.URI(uri), wamp.Prefix) && (!want || !matchesAny(list, uri+"z") || !matchesAny(list, uri+".z")) {
			t.Fatalf("%q covers the prefix %q, but not all that it matches", list, uri)
		}
	})
}

func TestCoversAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	p := must(auth.NewPolicy(map[wamp.URI]auth.Roles{"realm1": {"member": {
		Subscribe: patterns("chat.* *.created a.*.c order.x.y.z"),
	}}}))(t)
	for _, match := range []wamp.Match{wamp.Exact, wamp.Prefix, wamp.Wildcard} {
		got := testing.AllocsPerRun(100, func() {
			p.Authorize("realm1", "member", auth.Subscribe, "order.x.created.more", match)
			p.Authorize("realm1", "member", auth.Subscribe, "chat.lobby", match)
		})
		if got != 0 {
			t.Errorf("Authorize with %v: %v allocations, want none", match, got)
		}
	}
}

func BenchmarkAuthorize(b *testing.B) {
	p := must(auth.NewPolicy(map[wamp.URI]auth.Roles{"realm1": {"member": {
		Publish: patterns("chat.* order.created order.paid *.comment a.*.c"),
	}}}))(b)
	for _, uri := range []wamp.URI{"chat.lobby", "order.paid", "none.such.topic"} {
		b.Run("uri="+string(uri), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Authorize("realm1", "member", auth.Publish, uri, wamp.Exact)
			}
		})
	}
}
