package router

import (
	"context"

	"github.com/wireroom/wireroom/router/wamp"
)

// An Elsewhere is the same realm at other gateways. Package nodes of the gateway
// has one.
type Elsewhere interface {
	// Published is told of each publication of a session, or of its testaments, to a
	// topic that no [Governor] rules, after it was routed here: of one session's in
	// their order. It must be fast and must not keep p.
	Published(p *Publication)

	// Kill ends sessions at other gateways, as [Realm.Kill] does here, and returns
	// their IDs. The error says that not all gateways have answered; what could be
	// done was done.
	Kill(ctx context.Context, k Kill) ([]wamp.ID, error)
}

// Extend makes the realm one that is at other gateways, too. It must be called
// before anybody can join the realm, and once at most.
func (r *Realm) Extend(e Elsewhere) { r.elsewhere = e }

// published tells other gateways of a publication.
func (r *Realm) published(p *Publication) {
	if r.elsewhere != nil {
		r.elsewhere.Published(p)
	}
}

// A Publisher is who published at another gateway.
type Publisher struct {
	ID               wamp.ID
	AuthID, AuthRole string
}

// Publisher returns who the publication is from: its session here, or
// p.Elsewhere; nil if that is the gateway itself.
func (p *Publication) Publisher() *Publisher {
	if p.From != nil {
		return &Publisher{ID: p.From.id, AuthID: p.From.authid, AuthRole: p.From.authrole}
	}
	return p.Elsewhere
}

// Receive routes what a session of the realm published at another gateway, with the
// ID that it has there: p.Elsewhere says who. If it is to be retained, it is. Receive
// reports false if a [Governor] rules the topic here, and does nothing then.
func (r *Realm) Receive(p *Publication) bool {
	if r.gov != nil && r.gov.Governs(p.Topic) {
		return false
	}
	if p.Options != nil && p.Options.Retain {
		_ = r.retention.keep(p) // what there is no room for is counted, and goes to those who are there
	}
	r.Publish(p)
	return true
}

// A Kill says which sessions are to end, and why. One of Session, AuthID, AuthRole
// and All says which.
type Kill struct {
	Session  wamp.ID
	AuthID   *string
	AuthRole *string
	All      bool // in silence: neither meta events nor testaments tell of it

	Except wamp.ID     // a session that stays
	Why    *wamp.Error // what they are told
}

// fits reports whether the session is to end.
func (k *Kill) fits(s *Session) bool {
	switch {
	case s.id == k.Except:
		return false
	case k.AuthID != nil:
		return s.authid == *k.AuthID
	case k.AuthRole != nil:
		return s.authrole == *k.AuthRole
	default:
		return k.All || s.id == k.Session
	}
}

// Kill ends sessions of the realm here (WAMP "Session Meta API"), and returns their
// IDs.
func (r *Realm) Kill(k Kill) []wamp.ID {
	var sessions []*Session
	if k.Session != 0 {
		if s := r.Session(k.Session); s != nil && k.fits(s) && !s.ending.Load() {
			sessions = []*Session{s}
		}
	} else {
		sessions = r.sessionsWhere(k.fits)
	}
	for _, s := range sessions {
		if k.All {
			s.silent.Store(true)
		}
		s.kill(k.Why)
	}
	return sessionIDs(sessions)
}

// killEverywhere is Kill, here and at other gateways.
func (r *Realm) killEverywhere(ctx context.Context, k Kill) ([]wamp.ID, error) {
	ids := r.Kill(k)
	if r.elsewhere == nil || k.Session != 0 && len(ids) > 0 {
		return ids, nil
	}
	more, err := r.elsewhere.Kill(ctx, k)
	return append(ids, more...), err
}
