package main

import (
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/router/wamp"
)

// boundsOfQueries returns what bounds the queries of a realm.
func boundsOfQueries(all *config.Config, realm *config.Realm) events.QueryConfig {
	c := all.Queries
	c.Roles = realm.RoleQueries
	return c
}

// budgetError tells a client which budget does not have its query, as numbers in
// the keyword arguments. what says which query. Others' queries are not named.
func budgetError(e *query.BudgetError, what string) error {
	scale := func(n int64) any {
		if e.Limit == "cost" {
			return float64(n) / query.Unit
		}
		return n
	}
	details := map[string]any{"of": e.Of, "limit": e.Limit, "most": scale(e.Most), "have": scale(e.Have), "more": scale(e.More)}
	set(details, "class", e.Class)
	return &wamp.Error{URI: wamp.URIQueryBudget, Text: what + ": " + e.Error(), Details: details}
}
