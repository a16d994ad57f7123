package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// Begin gives a session that joins by the terms a lease, unless they were
// revoked since they were looked at. The error is a [wamp.Error].
func (s *Sessions) Begin(h Holder, t *Terms) (*Lease, error) { return s.leases.begin(h, t, time.Now()) }

// Release ends the lease of a session that has left. It may be called again.
func (s *Sessions) Release(l *Lease) { s.leases.release(l) }

// Replace gives the lease other terms, those by which its session was taken up
// again. The error is a [wamp.Error]: they are revoked.
func (s *Sessions) Replace(l *Lease, t *Terms) error { return s.leases.renew(l, t, time.Now()) }

// A Joined is a session as it has joined.
type Joined struct {
	Realm        wamp.URI
	AuthID, Role string
	Claims       string
}

// A Renewal is what became of a lease.
type Renewal struct {
	Expires time.Time // zero: never
	Token   Secret    // the client token to use from now on; empty if that is the one before, or if there is none
}

// Renew has the session go on, in place, by a ticket of who it is already: a JWT
// of the same user if it joined with one, or a client token of the same client,
// which is renewed as by POST /session, a new secret included. Without a ticket
// it is as good as the session's client token has become meanwhile.
//
// A ticket that would give another role or other claims is refused, since those
// of a session do not change; so is one of anybody else. Errors are
// [wamp.Error]s, or failures of the store.
func (a *Auth) Renew(ctx context.Context, l *Lease, j Joined, ticket Secret) (Renewal, error) {
	s, now := a.sessions, time.Now()
	t := s.leases.termsOf(l)
	switch {
	case ticket == "" && t.client == "":
		return Renewal{}, wamp.Errorf(wamp.URIInvalidArgument, "expected a ticket, as this session has joined with a JWT")
	case ticket == "":
		return s.renewByStore(ctx, l, t, now)
	}
	id, err := s.traded(ctx, ticket)
	if err != nil {
		return Renewal{}, ticketError(err)
	}
	if err := a.fits(id, t, j); err != nil {
		return Renewal{}, err
	}
	r := Renewal{Expires: id.Expires}
	if id.Client != "" {
		g, err := s.prolong(ctx, ticket, time.Time{}, now, "")
		if err != nil {
			return Renewal{}, s.unknown(err)
		}
		id = s.identity(g.token, now)
		r.Expires = id.Expires
		if g.secret != ticket {
			r.Token = g.secret
		}
	}
	if err := s.leases.renew(l, id.terms(j.Realm), now); err != nil {
		return Renewal{}, err
	}
	return r, nil
}

// renewByStore has the lease end when its client token does by now.
func (s *Sessions) renewByStore(ctx context.Context, l *Lease, t *Terms, now time.Time) (Renewal, error) {
	token, err := s.store.Token(ctx, t.token)
	switch {
	case err == nil && token.left():
		err = errLeft
	case err == nil && !s.live(token, now):
		err = ErrExpired
	}
	if err != nil {
		return Renewal{}, s.unknown(err)
	}
	fresh := *t
	fresh.expires, fresh.known = s.end(token), now
	if err := s.leases.renew(l, &fresh, now); err != nil {
		return Renewal{}, err
	}
	return Renewal{Expires: fresh.expires}, nil
}

// unknown tells a peer that its client token is none any more.
func (s *Sessions) unknown(err error) error {
	if worthless(err) {
		return &wamp.Error{URI: wamp.URISessionExpired, Text: "the client token of this session is good no more: join again", Err: err}
	}
	return fmt.Errorf("renew a session: %w", err)
}

// fits returns why a session can't go on by what a ticket says, if so.
func (a *Auth) fits(id *Identity, t *Terms, j Joined) error {
	refuse := func(format string, args ...any) error { return wamp.Errorf(wamp.URINotAuthorized, format, args...) }
	switch {
	case id.Client != t.client && t.client == "":
		return refuse("this session has joined with a JWT, and is renewed by one")
	case id.Client != t.client:
		return refuse("expected a token of the client %s, or none after POST /session", t.client)
	case id.User != "" && id.in(j.Realm) != id:
		return refuse("ticket not valid in realm %s", j.Realm)
	case id.authID() != j.AuthID:
		return refuse("the ticket is not that of %s", j.AuthID)
	}
	role, ok := a.cookieRole(j.Realm, id)
	if !ok {
		return &wamp.Error{URI: wamp.URISessionChanged, Text: "the ticket gives no role of this realm any more"}
	}
	if role != j.Role {
		return &wamp.Error{URI: wamp.URISessionChanged, Text: fmt.Sprintf("the ticket gives the role %s, and this session has the role %s, which does not change: join again", role, j.Role)}
	}
	if id.Claims != j.Claims {
		return &wamp.Error{URI: wamp.URISessionChanged, Text: "the ticket has other claims than this session, whose claims do not change: join again"}
	}
	return nil
}

// terms returns what a session that joins the realm hangs on.
func (id *Identity) terms(realm wamp.URI) *Terms {
	return &Terms{client: id.Client, token: id.token, user: id.User, realm: realm, expires: id.Expires, known: id.known}
}
