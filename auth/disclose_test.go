package auth_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

func TestDecide(t *testing.T) {
	p := must(auth.NewPolicy(map[wamp.URI]auth.Roles{"realm1": {
		"silent": {Call: patterns("*"), Publish: patterns("*"), Register: patterns("*"), Subscribe: patterns("*")},
		"member": {
			Call: patterns("*"), Publish: patterns("chat.*"), Register: patterns("*"),
			Disclose: auth.Disclose{
				Caller:    map[auth.Pattern]bool{"*": true, "vote.*": false, "vote.result": true, "*.count": false},
				Publisher: map[auth.Pattern]bool{"chat.*": true, "news.*": true},
				ToCallee:  new(false),
			},
		},
		"service": {Register: patterns("*"), Disclose: auth.Disclose{ToCallee: new(true)}},
	}}))(t)
	tests := []struct {
		role    string
		action  auth.Action
		uri     wamp.URI
		allowed bool
		who     auth.Disclosure
	}{
		{"silent", auth.Call, "a.b", true, auth.DiscloseOnRequest},
		{"silent", auth.Publish, "a.b", true, auth.DiscloseOnRequest},
		{"silent", auth.Register, "a.b", true, auth.DiscloseOnRequest},
		{"member", auth.Call, "a", true, auth.DiscloseAlways},
		{"member", auth.Call, "vote", true, auth.DiscloseAlways},
		{"member", auth.Call, "vote.cast", true, auth.DiscloseNever},
		{"member", auth.Call, "vote.result", true, auth.DiscloseAlways},
		{"member", auth.Call, "vote.result.final", true, auth.DiscloseNever},
		{"member", auth.Call, "lots.count", true, auth.DiscloseNever},
		{"member", auth.Call, "lots.count.all", true, auth.DiscloseAlways},
		{"member", auth.Publish, "chat.lobby", true, auth.DiscloseAlways},
		{"member", auth.Publish, "news.today", false, auth.DiscloseOnRequest},
		{"member", auth.Register, "a.b", true, auth.DiscloseNever},
		{"member", auth.Subscribe, "a.b", false, auth.DiscloseOnRequest},
		{"silent", auth.Subscribe, "a.b", true, auth.DiscloseOnRequest},
		{"service", auth.Register, "a.b", true, auth.DiscloseAlways},
		{"stranger", auth.Call, "a.b", false, auth.DiscloseOnRequest},
		{"member", auth.Action(4), "a.b", false, auth.DiscloseOnRequest},
	}
	for _, tt := range tests {
		allowed, who := p.Decide("realm1", tt.role, tt.action, tt.uri, wamp.Exact)
		if allowed != tt.allowed || who != tt.who {
			t.Errorf("Decide(%s, %v, %q) = %v, %d, want %v, %d", tt.role, tt.action, tt.uri, allowed, who, tt.allowed, tt.who)
		}
		if got := p.Authorize("realm1", tt.role, tt.action, tt.uri, wamp.Exact); got != allowed {
			t.Errorf("Authorize(%s, %v, %q) = %v, and Decide %v", tt.role, tt.action, tt.uri, got, allowed)
		}
	}
}

// The most specific pattern that fits counts, whatever others there are.
func TestMostSpecificDiscloses(t *testing.T) {
	words := []string{"a", "b", "*"}
	var all []auth.Pattern // in the order in which they go before each other, for any URI
	var list func(prefix string, depth int)
	list = func(prefix string, depth int) {
		for _, w := range words {
			if w != "*" {
				all = append(all, auth.Pattern(prefix+w))
			}
			if depth > 1 {
				list(prefix+w+".", depth-1)
			}
			if w == "*" {
				all = append(all, auth.Pattern(prefix+w))
			}
		}
	}
	list("", 3)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		chosen := map[auth.Pattern]bool{}
		for range rng.IntN(8) {
			chosen[all[rng.IntN(len(all))]] = rng.IntN(2) == 0
		}
		p := must(auth.NewPolicy(map[wamp.URI]auth.Roles{"realm1": {"r": {
			Call: patterns("*"), Disclose: auth.Disclose{Caller: chosen},
		}}}))(t)
		for _, uri := range []string{"a", "b", "c", "a.a", "a.b", "c.b", "a.c", "a.b.a", "c.a.b", "c.c.c", "a.c.b", "a.b.a.b"} {
			want := auth.DiscloseOnRequest
			i := slices.IndexFunc(all, func(p auth.Pattern) bool {
				_, ok := chosen[p]
				return ok && matchesAny([]auth.Pattern{p}, uri)
			})
			if i >= 0 {
				want = auth.DiscloseNever
				if chosen[all[i]] {
					want = auth.DiscloseAlways
				}
			}
			if _, got := p.Decide("realm1", "r", auth.Call, wamp.URI(uri), wamp.Exact); got != want {
				t.Fatalf("%v: %q is disclosed %d, want %d", chosen, uri, got, want)
			}
		}
	}
}

func TestDiscloseValidate(t *testing.T) {
	roles := auth.Roles{"member": {Disclose: auth.Disclose{
		Caller: map[auth.Pattern]bool{"a..b": true, "ok.*": false}, Publisher: map[auth.Pattern]bool{"": true},
	}}}
	got := problems(roles.Validate)
	want := []string{
		`member.disclose.caller.a..b: pattern "a..b" must be parts divided by single dots, without spaces or #`,
		`member.disclose.publisher.: pattern is empty: use * for every URI, an empty list for none`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("Validate reports\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDecideAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	p := must(auth.NewPolicy(map[wamp.URI]auth.Roles{"realm1": {"member": {
		Call: patterns("chat.*"), Disclose: auth.Disclose{Caller: map[auth.Pattern]bool{"*": true, "chat.lobby": false, "*.lobby": true}},
	}}}))(t)
	if got := testing.AllocsPerRun(100, func() { p.Decide("realm1", "member", auth.Call, "chat.lobby", wamp.Exact) }); got != 0 {
		t.Errorf("Decide: %v allocations, want none", got)
	}
}
