package main

import (
	"context"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// provideQuery offers the procedure that makes topics of queries, for clients
// that cannot send options. It tells nobody about a class who may not subscribe
// to it.
func provideQuery(realm *router.Realm, g *governor, policy *auth.Policy) {
	realm.Provide("wireroom.query", func(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
		topic, options, err := queryArguments(r)
		if err != nil {
			return nil, nil, err
		}
		role := r.Session.AuthRole()
		if !r.Session.Trusted() && !policy.Authorize(realm.Name(), role, auth.Subscribe, topic, wamp.Exact) {
			if procedure, _ := policy.Authorizer(realm.Name(), role, auth.Subscribe, topic); procedure == "" {
				return nil, nil, wamp.Errorf(wamp.URINotAuthorized, "role %q may not subscribe %q", role, topic)
			}
		}
		q, err := g.where(r.Session, router.Interest{Topic: topic}, options)
		if err != nil {
			return nil, nil, err
		}
		uri, err := topicOfQuery(topic, q)
		if err != nil {
			return nil, nil, err
		}
		if _, err := query.Parse(q.Normal(), g.queries.Options(role)); err != nil {
			return nil, nil, whereError(err, "the query's normal form")
		}
		return []any{uri}, nil, nil // with named results clients hand out more than the topic
	})
}

// queryArguments returns the topic and, as options of a subscription, the query.
func queryArguments(r *router.Request) (topic wamp.URI, options map[string]any, err error) {
	args, err := r.Payload.DecodeArgs()
	if err != nil {
		return "", nil, err
	}
	named, err := r.Payload.DecodeKwArgs()
	if err != nil {
		return "", nil, err
	}
	options = make(map[string]any, 3)
	if len(args) > 1 {
		options[optionWhere] = args[1]
	}
	if v, ok := named["channel"]; ok {
		options[events.OptionChannel] = v
	}
	if v, ok := named["dialect"]; ok {
		options[optionDialect] = v
	}
	if len(args) > 0 {
		name, _ := args[0].(string)
		topic = wamp.URI(name)
	}
	if topic == "" || len(args) > 2 || options[optionWhere] == nil && options[events.OptionChannel] == nil {
		return "", nil, wamp.Errorf(wamp.URIInvalidArgument, "expected the topic of a class and a query, or the topic and the keyword argument channel")
	}
	return topic, options, nil
}
