package main

import (
	"context"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/nodes"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// nodeStats is the procedure that says which gateways there are.
const nodeStats = "wireroom.node.stats"

// provideNodeStats offers what operators want to know of other gateways. Anonymous
// clients, who often may call wireroom.*, may not.
func provideNodeStats(realm *router.Realm, mesh *nodes.Mesh, anonymous string) {
	realm.Provide(nodeStats, func(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
		if r.Session.AuthRole() == anonymous {
			return nil, nil, wamp.Errorf(wamp.URINotAuthorized, "%s is not for anonymous clients", r.Procedure)
		}
		s := mesh.Stats()
		c := mesh.Configuration()
		gateways := make([]any, len(c.Gateways))
		for i, n := range c.Gateways {
			gateways[i] = map[string]any{"name": n.Name, "node": n.Node, "epoch": n.Epoch, "since": n.Since.Format(time.RFC3339), "newest": n.Newest}
		}
		return nil, map[string]any{
			"configuration_epoch": c.Epoch, "gateways": gateways,
			"nodes": s.Nodes, "differ": s.Differ, "sent": s.Sent, "unsent": s.Unsent, "received": s.Received,
			"dropped": s.Dropped, "unknown": s.Unknown, "gaps": s.Gaps, "revoked": s.Revoked,
		}, nil
	})
}
