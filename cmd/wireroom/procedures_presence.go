package main

import (
	"context"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/wamp"
)

// providePresenceStats offers what operators want to know of presence. Anonymous
// clients, who often may call wireroom.*, may not.
func providePresenceStats(realm *router.Realm, k *presence.Keeper, anonymous string) {
	realm.Provide("wireroom.presence.stats", func(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
		if r.Session.AuthRole() == anonymous {
			return nil, nil, wamp.Errorf(wamp.URINotAuthorized, "%s is not for anonymous clients", r.Procedure)
		}
		s := k.Stats()
		return nil, map[string]any{
			"topics": s.Topics, "watched": s.Watched, "members": s.Members,
			"joins": s.Joins, "leaves": s.Leaves, "told": s.Told, "lost": s.Lost, "refused": s.Refused,
		}, nil
	})
}
