package main

import (
	"context"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// provideSessions offers what clients do with their own tokens and tickets:
// stay, see on which devices they are, and log others out. Each has its own in
// hand, so anonymous clients may, too. What happened to all of them is for
// others only.
func provideSessions(realm *router.Realm, who *auth.Auth, sessions *auth.Sessions, anonymous string) {
	realm.Provide("wireroom.session.renew", func(ctx context.Context, r *router.Request) ([]any, map[string]any, error) {
		named, err := r.Payload.DecodeKwArgs()
		if err != nil {
			return nil, nil, err
		}
		ticket, err := textIn(named, "ticket")
		if err != nil {
			return nil, nil, err
		}
		lease, err := leaseOf(r.Session)
		if err != nil {
			return nil, nil, err
		}
		s := r.Session
		renewed, err := who.Renew(ctx, lease, auth.Joined{Realm: realm.Name(), AuthID: s.AuthID(), Role: s.AuthRole(), Claims: s.Claims()}, auth.Secret(ticket))
		if err != nil {
			return nil, nil, sessionError(err)
		}
		result := map[string]any{"expires": wireTime(renewed.Expires)}
		set(result, "token", string(renewed.Token))
		return nil, result, nil
	})
	realm.Provide("wireroom.session.devices", func(ctx context.Context, r *router.Request) ([]any, map[string]any, error) {
		lease, err := leaseOf(r.Session)
		if err != nil {
			return nil, nil, err
		}
		devices, err := sessions.DevicesOf(ctx, lease)
		if err != nil {
			return nil, nil, sessionError(err)
		}
		list := make([]any, len(devices))
		for i, d := range devices {
			list[i] = deviceDict(d, r.Session.Client())
		}
		return nil, map[string]any{"devices": list}, nil
	})
	realm.Provide("wireroom.session.revoke", func(ctx context.Context, r *router.Request) ([]any, map[string]any, error) {
		named, err := r.Payload.DecodeKwArgs()
		if err != nil {
			return nil, nil, err
		}
		client, err := textIn(named, "client")
		if err != nil {
			return nil, nil, err
		}
		others, ok := named["others"].(bool)
		if !ok && named["others"] != nil {
			return nil, nil, wamp.Errorf(wamp.URIInvalidArgument, "others: expected true or false")
		}
		if (client == "") == !others {
			return nil, nil, wamp.Errorf(wamp.URIInvalidArgument, "expected one of the keyword arguments client, a text, and others, true")
		}
		lease, err := leaseOf(r.Session)
		if err != nil {
			return nil, nil, err
		}
		n, err := sessions.RevokeOf(ctx, lease, client, others)
		if err != nil {
			return nil, nil, sessionError(err)
		}
		return []any{n}, nil, nil
	})
	realm.Provide("wireroom.session.stats", func(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
		if r.Session.AuthRole() == anonymous {
			return nil, nil, wamp.Errorf(wamp.URINotAuthorized, "%s is not for anonymous clients", r.Procedure)
		}
		s := sessions.Stats()
		return nil, map[string]any{
			"rotated": s.Rotated, "revoked": s.Revoked, "stolen": s.Stolen, "crowded": s.Crowded, "refused": s.Refused,
			"expired": s.Expired, "ended": s.Ended, "leases": s.Leases,
		}, nil
	})
}

// leaseOf returns what the session hangs on, or an error that tells its peer
// that this is nothing.
func leaseOf(s *router.Session) (*auth.Lease, error) {
	if t, ok := s.Tenure().(*tenure); ok {
		return t.lease, nil
	}
	return nil, wamp.Errorf(wamp.URIInvalidArgument, "this session has joined neither with a client token nor with a JWT that ends")
}

// sessionError tells a peer that the store can't be asked at the moment.
func sessionError(err error) error {
	if _, ok := unavailable(err); ok {
		return &wamp.Error{URI: wamp.URIUnavailable, Text: "client tokens cannot be read or written at the moment", Err: err}
	}
	return err
}

// textIn returns the text of that name, or an empty one if there is none.
func textIn(named map[string]any, name string) (string, error) {
	text, ok := named[name].(string)
	if !ok && named[name] != nil {
		return "", wamp.Errorf(wamp.URIInvalidArgument, "%s: expected a text", name)
	}
	return text, nil
}

// wireTime returns a time as it goes over the wire; nil if it is zero.
func wireTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// deviceDict returns a device as it goes over the wire; own is the client that
// asks.
func deviceDict(d auth.Device, own string) map[string]any {
	return map[string]any{
		"client": d.Client, "agent": d.Agent, "made": wireTime(d.Made), "seen": wireTime(d.Seen), "expires": wireTime(d.Expires),
		"sessions": d.Sessions, "this": d.Client == own,
	}
}
