package config_test

import (
	"strings"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
)

// A role's bounds of queries are those of all, but for what it says itself.
func TestRoleQueries(t *testing.T) {
	c, problems := config.Parse("w.yaml", []byte(`
queries: {number: 500, fields: 100, waste: 7, depth: 20, comparisons: 50, session: {queries: 10, cost: 20}, role: {unanchored: 3}}
roles:
  anonymous:
    subscribe: ["*"]
    queries: {list: 4, session: {unanchored: 0}, role: {cost: 1, fields: 9}}
  same: {subscribe: ["*"], queries: {depth: 20, session: {}}}
  plain: {subscribe: ["*"]}
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	all := events.DefaultQueryConfig()
	all.Index.Queries, all.Index.Paths, all.Waste = 500, 100, 7
	all.Limits.Depth, all.Limits.Leaves = 20, 50
	all.Session.Queries, all.Session.Cost, all.Role.Unanchored = 10, 20*query.Unit, 3
	if got := c.Queries; got.RoleQueries != all.RoleQueries || got.Index != all.Index || got.Waste != all.Waste {
		t.Errorf("%+v, want %+v", got, all)
	}
	want := all.RoleQueries
	want.Limits.List, want.Session.Unanchored, want.Role.Cost, want.Role.Fields = 4, 0, query.Unit, 9
	roles := c.Realms[0].RoleQueries
	if len(roles) != 1 || roles["anonymous"] == nil || *roles["anonymous"] != want {
		t.Errorf("roles have %+v, want anonymous %+v", roles, want)
	}
}

func TestQueriesOutOfRange(t *testing.T) {
	_, problems := config.Parse("w.yaml", []byte(`
queries: {number: 0, fields: 15, waste: -1, text: 65KiB, depth: 101, list: 129, session: {queries: -1}}
roles: {anonymous: {subscribe: ["*"], queries: {role: {cost: 2000000000}, number: 5}}}
`))
	all := problems.Error()
	for _, key := range []string{"queries.number", "queries.fields", "queries.waste", "queries.text", "queries.depth", "queries.list", "queries.session.queries", "roles.anonymous.queries.role.cost", "roles.anonymous.queries.number"} {
		if !strings.Contains(all, key) {
			t.Errorf("nothing is said of %s in\n%s", key, all)
		}
	}
}
