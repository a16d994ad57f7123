package auth

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Disclosure says whether somebody learns who a session is. The values are
// those of the router's own type.
type Disclosure uint8

// For a call and a publication it is about the session itself, and for a
// registration about the callers of it.
const (
	DiscloseOnRequest Disclosure = iota // if it is asked for
	DiscloseAlways
	DiscloseNever
)

// A Disclose says which members of a role are named to others, and what others
// are named to them.
type Disclose struct {
	// Caller says for which procedures callees learn who calls, and
	// Publisher for which topics subscribers learn who publishes: always, or
	// with false never. Of the patterns that fit a URI the one counts that is
	// the most specific, part by part: a literal part goes before a * in its
	// place, and that before a * at the end, which stands for more. Where none
	// fits, members are named if they ask for it.
	Caller    map[Pattern]bool
	Publisher map[Pattern]bool

	// ToCallee says whether members learn who calls what they register:
	// always, or never; nil: if they ask for it.
	ToCallee *bool
}

// validate reports each bad pattern, as "caller.chat.*" and so on.
func (d Disclose) validate(report func(field string, err error)) {
	for _, part := range []struct {
		name     string
		patterns map[Pattern]bool
	}{{"caller", d.Caller}, {"publisher", d.Publisher}} {
		for _, p := range slices.Sorted(maps.Keys(part.patterns)) {
			if err := p.Validate(); err != nil {
				report(fmt.Sprintf("%s.%s", part.name, p), err)
			}
		}
	}
}

func disclosure(always bool) Disclosure {
	if always {
		return DiscloseAlways
	}
	return DiscloseNever
}

// A disclosureTree finds the most specific of patterns for a URI. It is
// immutable; a nil pointer is without patterns.
type disclosureTree struct {
	parts map[string]*disclosureTree
	any   *disclosureTree // for * in the middle or in front
	end   Disclosure      // of the pattern that ends here
	below Disclosure      // of the pattern that ends in .* here
}

// newDisclosureTree returns the tree of valid patterns, or nil for none.
func newDisclosureTree(patterns map[Pattern]bool) *disclosureTree {
	if len(patterns) == 0 {
		return nil
	}
	t := new(disclosureTree)
	for p, always := range patterns {
		t.add(string(p), disclosure(always))
	}
	return t
}

func (t *disclosureTree) add(pattern string, d Disclosure) {
	part, rest, more := strings.Cut(pattern, ".")
	if part == "*" && !more {
		t.below = d
		return
	}
	at := &t.any
	if part != "*" {
		child := t.parts[part]
		at = &child
	}
	if *at == nil {
		*at = new(disclosureTree)
	}
	if part != "*" {
		if t.parts == nil {
			t.parts = make(map[string]*disclosureTree)
		}
		t.parts[part] = *at
	}
	if more {
		(*at).add(rest, d)
	} else {
		(*at).end = d
	}
}

// find returns what the most specific pattern says of uri. It does not
// allocate, and visits each node at most once.
func (t *disclosureTree) find(uri string) Disclosure {
	if t == nil {
		return DiscloseOnRequest
	}
	part, rest, more := strings.Cut(uri, ".")
	for _, next := range [...]*disclosureTree{t.parts[part], t.any} {
		switch {
		case next == nil:
		case more:
			if d := next.find(rest); d != DiscloseOnRequest {
				return d
			}
		case next.end != DiscloseOnRequest:
			return next.end
		}
	}
	return t.below
}
