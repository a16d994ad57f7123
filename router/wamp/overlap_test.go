package wamp_test

import (
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

// words returns every sequence of up to most of the parts, joined.
func words(parts []string, sep string, least, most int) (all []string) {
	last := []string{""}
	for n := 1; n <= most; n++ {
		var next []string
		for _, w := range last {
			for _, p := range parts {
				if n > 1 {
					p = w + sep + p
				}
				next = append(next, p)
			}
		}
		if n >= least {
			all = append(all, next...)
		}
		last = next
	}
	return all
}

// Two patterns overlap if and only if one of some hundred URIs fits both.
func TestOverlap(t *testing.T) {
	uris := words([]string{"a", "b", "ab", "aba"}, ".", 1, 4)
	type pattern struct {
		uri   wamp.URI
		match wamp.Match
	}
	var patterns []pattern
	for _, w := range words([]string{"a", "b", "ab"}, ".", 1, 2) {
		patterns = append(patterns, pattern{wamp.URI(w), wamp.Exact})
	}
	for _, w := range append(words([]string{"a", "b", "ab"}, ".", 1, 2), "") {
		patterns = append(patterns, pattern{wamp.URI(w), wamp.Prefix})
		if w != "" {
			patterns = append(patterns, pattern{wamp.URI(w + "."), wamp.Prefix})
		}
	}
	for _, w := range words([]string{"", "a", "ab"}, ".", 1, 3) {
		if p := wamp.URI(w); p.ValidPattern(wamp.Wildcard) {
			patterns = append(patterns, pattern{p, wamp.Wildcard})
		}
	}
	fits := func(u string, p pattern) bool {
		switch p.match {
		case wamp.Prefix:
			return strings.HasPrefix(u, string(p.uri))
		case wamp.Wildcard:
			have, want := strings.Split(u, "."), strings.Split(string(p.uri), ".")
			for i := range want {
				if len(have) != len(want) || want[i] != "" && want[i] != have[i] {
					return false
				}
			}
			return true
		default:
			return u == string(p.uri)
		}
	}
	common := 0
	for _, p := range patterns {
		for _, u := range uris {
			if got, want := wamp.URI(u).Fits(p.uri, p.match), fits(u, p); got != want {
				t.Errorf("%q fits %v %q: %v, want %v", u, p.match, p.uri, got, want)
			}
		}
		for _, q := range patterns {
			want := false
			for _, u := range uris {
				if fits(u, p) && fits(u, q) {
					want = true
					common++
					break
				}
			}
			if got := wamp.Overlap(p.uri, p.match, q.uri, q.match); got != want {
				t.Errorf("Overlap(%q, %v, %q, %v) = %v, want %v", p.uri, p.match, q.uri, q.match, got, want)
			}
		}
	}
	if n := len(patterns) * len(patterns); common < n/20 || common > n/2 {
		t.Errorf("%d of %d pairs overlap: that tests little", common, n)
	}
}
