package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/nodes"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/wamp"
)

// attendance are the rules of who may know who is on a topic: [presence.Rules] by
// way of the classes and the roles of a realm.
type attendance struct {
	realm  wamp.URI
	policy *auth.Policy
	ask    authorizer
	govern *governor
}

// keepPresence has it kept who is on the topics of a realm, and returns the keeper,
// or nil if nobody may ever ask. elsewhere is the realm at other gateways; nil: there
// are none.
func keepPresence(realm *router.Realm, all *config.Config, rules attendance, elsewhere *nodes.Realm, log *slog.Logger) *presence.Keeper {
	classes := rules.govern.hub.Catalogue().Classes()
	if !rules.policy.HasPresence(rules.realm) && !slices.ContainsFunc(classes, (*events.Class).Presence) {
		return nil
	}
	cfg := all.Presence
	cfg.MaxEvents = all.Router.MaxMetaEvents
	k := presence.New(realm, cfg, rules, peersOf(elsewhere), log)
	if elsewhere != nil {
		elsewhere.Keep(k)
	}
	providePresenceStats(realm, k, rules.govern.anonymous)
	return k
}

// Kept implements [presence.Rules].
func (a attendance) Kept(topic wamp.URI) bool {
	class, _, ok := a.govern.hub.Catalogue().Lookup(string(topic))
	return ok && class.Presence() || a.policy.AnyPresence(a.realm, topic)
}

// May implements [presence.Rules]: it must be the class that allows it or the role,
// and nothing of the class may forbid to subscribe.
func (a attendance) May(s *router.Session, topic wamp.URI) bool {
	class, _, ok := a.govern.hub.Catalogue().Lookup(string(topic))
	if !(ok && class.Presence()) && !a.policy.Presence(a.realm, s.AuthRole(), topic) {
		return false
	}
	if ok && !a.govern.sees(s, class) {
		return false
	}
	sees := a.ask.rows[s.AuthRole()]
	if sees == nil {
		return true
	}
	_, err := a.govern.narrow(s, router.Interest{Topic: topic, Where: sees}, nil)
	return err == nil
}

// Subscribes implements [presence.Rules].
func (a attendance) Subscribes(s *router.Session, topic wamp.URI) bool {
	return a.ask.Authorize(s, router.ActionSubscribe, topic, wamp.Exact, nil).Allow
}

// Hides implements [presence.Rules]: those are not named who are never named as
// publishers.
func (a attendance) Hides(s *router.Session, topic wamp.URI) bool {
	return a.policy.Discloses(a.realm, s.AuthRole(), auth.Publish, topic) == auth.DiscloseNever
}

// Locates implements [presence.Rules]: at which gateways members are is for those
// who may know which gateways there are.
func (a attendance) Locates(s *router.Session) bool {
	return s.AuthRole() != a.govern.anonymous && a.ask.Authorize(s, router.ActionCall, nodeStats, wamp.Exact, nil).Allow
}

// presenceOf returns the topic whose joins and leaves are told on uri, and whether
// uri is such one: who subscribes to it must be allowed to subscribe to that topic.
func presenceOf(action router.Action, uri wamp.URI, match wamp.Match) (wamp.URI, bool) {
	if action != router.ActionSubscribe || match != wamp.Exact {
		return "", false
	}
	topic, ok := strings.CutPrefix(string(uri), presence.Prefix)
	return wamp.URI(topic), ok && !strings.HasPrefix(topic, presence.Prefix)
}

// whole returns the decision without what narrows events of classes: joins and
// leaves are none.
func whole(d router.Decision) router.Decision {
	d.Where = nil
	if ask := d.Ask; ask != nil {
		d.Ask = func(ctx context.Context) (router.Decision, error) {
			d, err := ask(ctx)
			d.Where = nil
			return d, err
		}
	}
	return d
}
