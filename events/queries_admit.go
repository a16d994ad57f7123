package events

import "github.com/wireroom/wireroom/events/query"

// An Asker is a session that asks for events by a query.
type Asker struct {
	Role string
	Have []uint64 // the IDs of the queries that it has; some perhaps twice

	// Sees has those of the classes that the session gets events of; nil: all. It
	// is told of no others.
	Sees []*Class
}

// admit adds a query to the index, if the role and the session may have it.
func (qs *Queries) admit(a Asker, q *query.Query, classes []*Class) (query.ID, error) {
	of := qs.config.of(a.Role)
	b := query.Bearer{Role: a.Role, Session: &of.Session, All: &of.Role, Have: make([]query.ID, len(a.Have))}
	for i, id := range a.Have {
		b.Have[i] = query.ID(id)
	}
	if a.Sees != nil {
		classes = a.Sees
	}
	names := make([]string, len(classes))
	for i, c := range classes {
		names[i] = c.name
	}
	return qs.ledger.Add(b, q, names...)
}

// QueryStats is what there is of queries, and what was done with them since the
// realm was opened.
type QueryStats struct {
	Index   query.Stats
	Roles   []query.RoleUse    // those that have queries, sorted by name
	Refused query.Refusals     // queries
	Classes []query.ClassCount // those whose events were matched, sorted by name
}

// Stats returns what there is, and what was done.
func (qs *Queries) Stats() QueryStats {
	s := QueryStats{Index: qs.index.Stats(), Classes: qs.index.Classes()}
	s.Roles, s.Refused = qs.ledger.Use()
	return s
}
