package main

import (
	"context"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/dynamic"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// provideAuth offers what the application needs whose procedures decide what
// sessions may do: to have their answers forgotten, and to see how many there
// are. Anonymous clients, who often may call wireroom.*, may not.
func provideAuth(realm *router.Realm, asks *dynamic.Authorizer, anonymous string) {
	known := func(r *router.Request) error {
		if r.Session.AuthRole() == anonymous {
			return wamp.Errorf(wamp.URINotAuthorized, "%s is not for anonymous clients", r.Procedure)
		}
		return nil
	}
	realm.Provide("wireroom.auth.flush", func(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
		if err := known(r); err != nil {
			return nil, nil, err
		}
		args, err := r.Payload.DecodeArgs()
		if err != nil {
			return nil, nil, err
		}
		authid := ""
		if len(args) > 0 {
			var ok bool
			if authid, ok = args[0].(string); !ok || authid == "" {
				return nil, nil, wamp.Errorf(wamp.URIInvalidArgument, "argument 1, authid: expected a text that is not empty")
			}
		}
		return []any{asks.Flush(authid)}, nil, nil
	})
	realm.Provide("wireroom.auth.stats", func(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
		if err := known(r); err != nil {
			return nil, nil, err
		}
		s := asks.Stats()
		return nil, map[string]any{"hits": s.Hits, "misses": s.Misses, "denied": s.Denied, "failed": s.Failed, "kept": s.Kept}, nil
	})
}
