package wamp

import "strings"

// Overlap reports whether there can be a URI that fits both patterns.
func Overlap(a URI, am Match, b URI, bm Match) bool {
	if am > bm {
		a, am, b, bm = b, bm, a, am
	}
	switch {
	case am == Exact:
		return a.Fits(b, bm)
	case bm == Prefix:
		n := min(len(a), len(b))
		return a[:n] == b[:n]
	case am == Prefix:
		return prefixMeets(string(a), string(b))
	default:
		return wildcardsMeet(string(a), string(b))
	}
}

// Fits reports whether the URI is one of those that the pattern names.
func (u URI) Fits(pattern URI, m Match) bool {
	switch m {
	case Prefix:
		return strings.HasPrefix(string(u), string(pattern))
	case Wildcard:
		p, u := string(pattern), string(u)
		for {
			want, restWant, moreWant := strings.Cut(p, ".")
			have, restHave, moreHave := strings.Cut(u, ".")
			if want != "" && want != have || moreWant != moreHave {
				return false
			}
			if !moreWant {
				return true
			}
			p, u = restWant, restHave
		}
	default:
		return u == pattern
	}
}

// prefixMeets reports whether a URI that fits the wildcard pattern can begin
// with prefix.
func prefixMeets(prefix, wildcard string) bool {
	for {
		begin, restBegin, moreBegin := strings.Cut(prefix, ".")
		want, restWant, moreWant := strings.Cut(wildcard, ".")
		switch {
		case !moreBegin: // the component may go on behind the prefix
			return want == "" || strings.HasPrefix(want, begin)
		case want != "" && want != begin || !moreWant:
			return false
		}
		prefix, wildcard = restBegin, restWant
	}
}

func wildcardsMeet(a, b string) bool {
	for {
		x, restA, moreA := strings.Cut(a, ".")
		y, restB, moreB := strings.Cut(b, ".")
		if x != "" && y != "" && x != y || moreA != moreB {
			return false
		}
		if !moreA {
			return true
		}
		a, b = restA, restB
	}
}
