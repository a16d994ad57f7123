package config

import (
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
)

// readQueries reads what subscribers' queries may be and cost.
func (c *Config) readQueries(o *object) {
	q := &c.Queries
	o.integer("number", &q.Index.Queries, 1, 1<<24)
	o.integer("fields", &q.Index.Paths, 16, 1<<16)
	o.integer("waste", &q.Waste, 0, 1_000_000)
	readRoleQueries(o, &q.RoleQueries)
}

// readRoleQueries reads what a role can have of its own.
func readRoleQueries(o *object, q *events.RoleQueries) {
	l := &q.Limits
	o.size("text", &l.Text, 1, 1<<16)
	o.integer("depth", &l.Depth, 1, 100)
	o.integer("comparisons", &l.Leaves, 1, 1000)
	o.integer("list", &l.List, 1, 128) // each value is a key
	o.size("string", &l.Literal, 1, 1<<16)
	o.size("regexp", &l.Regexp, 1, 1000)
	o.integer("names", &l.Path, 1, 100)
	readBudget(o, "session", &q.Session)
	readBudget(o, "role", &q.Role)
}

// readBudget reads what some sessions' queries may be and cost.
func readBudget(o *object, key string, b *query.Budget) {
	o.sub(key, func(o *object) {
		o.integer("queries", &b.Queries, 0, 1<<24)
		o.integer("unanchored", &b.Unanchored, 0, 1_000_000)
		cost := int(b.Cost / query.Unit)
		o.integer("cost", &cost, 0, 1_000_000_000)
		b.Cost = int64(cost) * query.Unit
		o.integer("fields", &b.Fields, 0, 1<<16)
	})
}

// readRoleQueries reads what bounds the queries of a role, where that is not what
// bounds those of all.
func (r *Realm) readRoleQueries(role string, o *object, all events.RoleQueries) {
	q := all
	o.sub("queries", func(o *object) { readRoleQueries(o, &q) })
	if q == all {
		return
	}
	if r.RoleQueries == nil {
		r.RoleQueries = map[string]*events.RoleQueries{}
	}
	r.RoleQueries[role] = &q
}
