package auth_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

func TestAuthorize(t *testing.T) {
	p := must(auth.NewPolicy(map[wamp.URI]auth.Roles{
		"realm1": {
			"anonymous": {Subscribe: patterns("*"), Call: patterns("wireroom.*")},
			"member":    {Subscribe: patterns("*"), Call: patterns("*"), Publish: patterns("chat.*"), Register: patterns("svc.*")},
			"nobody":    {},
		},
		"realm2": {"member": {Publish: patterns("*")}},
	}))(t)
	tests := []struct {
		realm  wamp.URI
		role   string
		action auth.Action
		uri    wamp.URI
		match  wamp.Match
		want   bool
	}{
		{"realm1", "anonymous", auth.Subscribe, "order.created", wamp.Exact, true},
		{"realm1", "anonymous", auth.Subscribe, "", wamp.Prefix, true},
		{"realm1", "anonymous", auth.Publish, "chat.lobby", wamp.Exact, false},
		{"realm1", "anonymous", auth.Call, "wireroom.query", wamp.Exact, true},
		{"realm1", "anonymous", auth.Call, "svc.add", wamp.Exact, false},
		{"realm1", "anonymous", auth.Register, "svc.add", wamp.Exact, false},
		{"realm1", "member", auth.Publish, "chat.lobby", wamp.Exact, true},
		{"realm1", "member", auth.Publish, "order.created", wamp.Exact, false},
		{"realm1", "member", auth.Register, "svc.", wamp.Prefix, true},
		{"realm1", "member", auth.Register, "svc", wamp.Prefix, false},
		{"realm2", "member", auth.Publish, "order.created", wamp.Exact, true},
		{"realm2", "member", auth.Subscribe, "chat.lobby", wamp.Exact, false},
		{"realm2", "anonymous", auth.Subscribe, "chat.lobby", wamp.Exact, false},
		{"realm3", "member", auth.Publish, "chat.lobby", wamp.Exact, false},
		{"realm1", "", auth.Subscribe, "chat.lobby", wamp.Exact, false},
		{"realm1", "nobody", auth.Subscribe, "chat.lobby", wamp.Exact, false},
		{"realm1", "member", auth.Action(4), "chat.lobby", wamp.Exact, false},
	}
	for _, tt := range tests {
		if got := p.Authorize(tt.realm, tt.role, tt.action, tt.uri, tt.match); got != tt.want {
			t.Errorf("Authorize(%s, %s, %d, %q, %v) = %v, want %v", tt.realm, tt.role, tt.action, tt.uri, tt.match, got, tt.want)
		}
	}
	for role, want := range map[string]bool{"member": true, "nobody": true, "guest": false} {
		if got := p.HasRole("realm1", role); got != want {
			t.Errorf("HasRole(realm1, %s) = %v, want %v", role, got, want)
		}
	}
}

func TestActionNames(t *testing.T) {
	var names []string
	for _, a := range []auth.Action{auth.Subscribe, auth.Publish, auth.Call, auth.Register} {
		names = append(names, a.String())
	}
	if got := strings.Join(names, " "); got != "subscribe publish call register" {
		t.Errorf("actions are %s", got)
	}
}

// problems returns what Validate reports, as "field: error".
func problems(validate func(report func(field string, err error))) []string {
	var list []string
	validate(func(field string, err error) { list = append(list, field+": "+err.Error()) })
	return list
}

func TestRolesValidate(t *testing.T) {
	roles := auth.Roles{
		"member":  {Subscribe: patterns("*"), Publish: patterns("chat.* chat*")},
		"b ad":    {},
		"another": {Call: patterns("a..b"), Register: []auth.Pattern{""}},
	}
	got := problems(roles.Validate)
	want := []string{
		`another.call[0]: pattern "a..b" must be parts divided by single dots, without spaces or #`,
		`another.register[0]: pattern is empty: use * for every URI, an empty list for none`,
		`b ad: expected a role name without spaces and characters that cannot be printed, found "b ad"`,
		`member.publish[1]: pattern "chat*": * must stand for a whole part, not for a piece of "chat*"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("Validate reports\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	_, err := auth.NewPolicy(map[wamp.URI]auth.Roles{"realm1": roles})
	if !errorContains(err, "realm realm1: roles.another.call[0]") || !errorContains(err, "roles.member.publish[1]") {
		t.Errorf("NewPolicy: %v, want every problem", err)
	}
}

// What the router offers under wamp. is for those who are given it by name.
func TestReservedURIsAreNamed(t *testing.T) {
	p := must(auth.NewPolicy(map[wamp.URI]auth.Roles{"realm1": {
		"all":     {Subscribe: patterns("*"), Call: patterns("* *.session.kill")},
		"monitor": {Subscribe: patterns("wamp.session.*"), Call: patterns("wamp.session.count wamp.*.list")},
		"admin":   {Subscribe: patterns("wamp.*"), Call: patterns("wamp.*")},
	}}))(t)
	for _, tt := range []struct {
		role   string
		action auth.Action
		uri    wamp.URI
		match  wamp.Match
		want   bool
	}{
		{"all", auth.Call, "wamp.session.kill", wamp.Exact, false},
		{"all", auth.Call, "wamps.session.kill", wamp.Exact, true},
		{"all", auth.Subscribe, "wamp.session.on_join", wamp.Exact, false},
		{"all", auth.Subscribe, "wamp.session.", wamp.Prefix, false},
		{"all", auth.Subscribe, "wamp..on_join", wamp.Wildcard, false},
		{"all", auth.Subscribe, "", wamp.Prefix, true},
		{"monitor", auth.Call, "wamp.session.count", wamp.Exact, true},
		{"monitor", auth.Call, "wamp.session.list", wamp.Exact, true},
		{"monitor", auth.Call, "wamp.session.kill", wamp.Exact, false},
		{"monitor", auth.Subscribe, "wamp.session.", wamp.Prefix, true},
		{"monitor", auth.Subscribe, "wamp.", wamp.Prefix, false},
		{"monitor", auth.Subscribe, "wamp.session.", wamp.Wildcard, true},
		{"monitor", auth.Subscribe, "wamp..on_join", wamp.Wildcard, false},
		{"admin", auth.Call, "wamp.session.kill", wamp.Exact, true},
		{"admin", auth.Subscribe, "wamp.", wamp.Prefix, true},
		{"admin", auth.Subscribe, "wamp..on_join", wamp.Wildcard, true},
	} {
		if got := p.Authorize("realm1", tt.role, tt.action, tt.uri, tt.match); got != tt.want {
			t.Errorf("role %s: %v %q %v: %v, want %v", tt.role, tt.action, tt.uri, tt.match, got, tt.want)
		}
	}
}
