package main

import (
	"context"
	"net/http"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/dynamic"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// An authenticator lets package auth decide who joins a realm:
// [router.Authenticator] by way of the [auth.Auth] of each.
type authenticator struct {
	realms   *realms
	sessions *auth.Sessions
}

// Authenticate implements [router.Authenticator].
func (a authenticator) Authenticate(ctx context.Context, j router.Joining) (*router.Grant, *router.Challenge, error) {
	r := a.realms.get(j.Realm)
	if r == nil { // it is being opened or closed
		return nil, nil, wamp.Errorf(wamp.URINoSuchRealm, "there is no realm %q here", j.Realm)
	}
	peer := j.Peer
	id, _ := peer.Identity.(*auth.Identity)
	hello := auth.Hello{
		AuthMethods: j.Hello.AuthMethods, AuthID: j.Hello.AuthID, AuthExtra: j.Hello.AuthExtra, Session: j.Session,
		ChannelID: peer.ChannelID,
		Transport: func() map[string]any { return describeTransport(peer) },
	}
	g, ch, err := r.auth.Begin(ctx, j.Realm, hello, id)
	switch {
	case err != nil:
		return nil, nil, err
	case g != nil:
		granted, err := a.grant(r, g)
		return granted, nil, err
	}
	answer := func(ctx context.Context, signature string, extra map[string]any) (*router.Grant, error) {
		g, err := ch.Answer(ctx, signature, extra)
		if err != nil {
			return nil, err
		}
		return a.grant(r, g)
	}
	return nil, &router.Challenge{Method: ch.Method, Extra: ch.Extra, Answer: answer}, nil
}

// describeTransport is what the application is told of a client's connection.
func describeTransport(p *router.Peer) map[string]any {
	return map[string]any{
		"type": p.Transport, "protocol": p.Serializer.Subprotocol(), "secure": p.Secure, "peer": p.RemoteAddr,
	}
}

// grant returns what a peer gets in the realm r, or in the one to which the
// application sends it.
func (a authenticator) grant(r *realm, g *auth.Grant) (*router.Grant, error) {
	if g.Realm != "" {
		if r = a.realms.get(g.Realm); r == nil { // it has been closed since
			return nil, wamp.Errorf(wamp.URINoSuchRealm, "there is no realm %q here", g.Realm)
		}
	}
	granted := &router.Grant{
		Realm:  g.Realm,
		AuthID: g.AuthID, AuthRole: g.AuthRole, AuthMethod: g.AuthMethod, Provider: g.Provider, Extra: g.Extra, Claims: g.Claims, Client: g.Client,
		Limits: r.limits[g.AuthRole],
	}
	if g.Terms != nil {
		granted.Expires = g.Terms.Expires()
		granted.Tenure = &tenure{sessions: a.sessions, terms: g.Terms}
	}
	return granted, nil
}

// A tenure is the lease of a session: [router.Tenure] by way of [auth.Sessions].
type tenure struct {
	sessions *auth.Sessions
	terms    *auth.Terms // by which its peer wants to join
	lease    *auth.Lease // set by Begin
}

// Begin implements [router.Tenure].
func (t *tenure) Begin(s *router.Session) (err error) {
	t.lease, err = t.sessions.Begin(s, t.terms)
	return err
}

// Resume implements [router.Tenure].
func (t *tenure) Resume(g *router.Grant) error {
	return t.sessions.Replace(t.lease, g.Tenure.(*tenure).terms)
}

// End implements [router.Tenure].
func (t *tenure) End() { t.sessions.Release(t.lease) }

// endUser ends the sessions of the user that a revocation names, however they
// joined.
func (r *realms) endUser(rev auth.Revocation) {
	if one := r.get(rev.Realm); one != nil {
		one.router.EndSessions(rev.Why(), func(s *router.Session) bool { return s.AuthID() == rev.User && !s.Trusted() })
	}
}

// An authorizer lets the roles decide, and the procedures that they name:
// [router.Authorizer] by way of [auth.Policy] and [dynamic.Authorizer].
type authorizer struct {
	policy *auth.Policy
	asks   *dynamic.Authorizer
	rows   map[string]*rows // by role
	hub    *events.Hub
}

// Authorize implements [router.Authorizer]. What a role allows by itself is not
// asked about.
func (a authorizer) Authorize(s *router.Session, action router.Action, uri wamp.URI, match wamp.Match, m wamp.Message) router.Decision {
	if topic, ok := presenceOf(action, uri, match); ok {
		return whole(a.Authorize(s, action, topic, match, m))
	}
	realm, role := s.Realm().Name(), s.AuthRole()
	var sees *rows
	if action == router.ActionSubscribe {
		if sees = a.rows[role]; sees != nil && match == wamp.Exact && sees.hides(a.hub.Catalogue(), uri) {
			return router.Decision{}
		}
	}
	d := a.decide(realm, role, action, uri, match)
	if d.Allow {
		return sees.narrow(d)
	}
	procedure, who := a.policy.Authorizer(realm, role, auth.Action(action), uri)
	if procedure == "" {
		return d
	}
	return sees.narrow(a.asks.Decide(procedure, s, action, uri, match, m, router.Disclosure(who)))
}

// decide asks the roles. Actions and disclosures have the same values in
// both packages.
func (a authorizer) decide(realm wamp.URI, role string, action router.Action, uri wamp.URI, match wamp.Match) router.Decision {
	allowed, who := a.policy.Decide(realm, role, auth.Action(action), uri, match)
	return router.Decision{Allow: allowed, Disclose: router.Disclosure(who)}
}

// identify returns the function that finds out who asks for a WebSocket. It
// also refuses pages of foreign origins, so that one set of rules holds for
// /ws and /session.
func identify(sessions *auth.Sessions) func(r *http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		if !sessions.Allows(r) {
			return nil, wamp.Errorf(wamp.URINotAuthorized, "pages of the origin %q may not connect", r.Header.Get("Origin"))
		}
		return sessions.Identify(r)
	}
}
