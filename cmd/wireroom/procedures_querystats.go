package main

import (
	"context"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// provideQueryStats offers what operators want to know of queries: how many there
// are, who has them, and what they cost events. Anonymous clients, who often may
// call wireroom.*, may not.
func provideQueryStats(realm *router.Realm, queries *events.Queries, anonymous string) {
	realm.Provide("wireroom.query.stats", func(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
		if r.Session.AuthRole() == anonymous {
			return nil, nil, wamp.Errorf(wamp.URINotAuthorized, "%s is not for anonymous clients", r.Procedure)
		}
		return nil, queryStats(queries.Stats()), nil
	})
}

// queryStats returns statistics as they go over the wire.
func queryStats(s events.QueryStats) map[string]any {
	roles := make([]any, len(s.Roles))
	for i, u := range s.Roles {
		roles[i] = map[string]any{
			"role": u.Role, "queries": u.Queries, "unanchored": u.Unanchored,
			"cost": float64(u.Cost) / query.Unit, "fields": u.Fields,
		}
	}
	classes := make([]any, len(s.Classes))
	for i, c := range s.Classes {
		classes[i] = map[string]any{
			"class": c.Class, "events": c.Events, "candidates": c.Candidates, "matches": c.Matches, "waste": c.Waste(),
		}
	}
	return map[string]any{
		"queries": s.Index.Queries, "fields": s.Index.Paths, "bytes": s.Index.Bytes,
		"roles": roles, "classes": classes,
		"refused": map[string]any{
			"session": s.Refused.Session, "role": s.Refused.Role, "waste": s.Refused.Waste, "index": s.Refused.Index,
		},
	}
}
