package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Device is a client token of a user, with all its secrets.
type Device struct {
	Client   string
	Agent    string    // the User-Agent with which it was last renewed at /session; may be empty
	Made     time.Time // when its first secret was given; zero if that is not known
	Seen     time.Time // when it was last used, but for an hour or a tenth of the ttl
	Expires  time.Time
	Sessions int // of the client, at this gateway
}

// Devices returns the devices of a user in a realm that were ever used, those
// first that were used last. A token that counts in every realm counts in this.
func (s *Sessions) Devices(ctx context.Context, realm wamp.URI, user string) ([]Device, error) {
	tokens, err := s.userTokens(ctx, realm, user)
	if err != nil {
		return nil, err
	}
	list, now := []Device{}, time.Now()
	for _, t := range tokens {
		if s.live(t, now) && !t.LastSeen.IsZero() {
			list = append(list, s.device(t))
		}
	}
	slices.SortFunc(list, func(a, b Device) int { return b.Seen.Compare(a.Seen) })
	return list, nil
}

func (s *Sessions) device(t *Token) Device {
	made := t.Secrets.Made
	if made.IsZero() {
		made = t.Created
	}
	return Device{
		Client: t.Client, Agent: t.Agent, Made: made, Seen: t.LastSeen, Expires: s.end(t), Sessions: s.leases.sessions(t.Client),
	}
}

// userTokens returns the tokens with which the user is somebody in the realm.
func (s *Sessions) userTokens(ctx context.Context, realm wamp.URI, user string) ([]*Token, error) {
	here, err := s.tokensOf(ctx, realm, user)
	if err != nil || realm == "" {
		return here, err
	}
	everywhere, err := s.tokensOf(ctx, "", user)
	return append(here, everywhere...), err
}

func (s *Sessions) tokensOf(ctx context.Context, realm wamp.URI, user string) ([]*Token, error) {
	tokens, err := s.store.UserTokens(ctx, string(realm), user)
	if err != nil {
		return nil, fmt.Errorf("look up the client tokens of a user: %w", err)
	}
	return slices.DeleteFunc(tokens, (*Token).left), nil
}

// DevicesOf returns the devices of who holds the lease: of a user all, and of a client that nobody is logged in at its own. The error is a
// [wamp.Error] if the holder has none.
func (s *Sessions) DevicesOf(ctx context.Context, l *Lease) ([]Device, error) {
	terms := s.leases.termsOf(l)
	switch {
	case terms.user != "":
		return s.Devices(ctx, terms.realm, terms.user)
	case terms.client == "":
		return nil, errNoDevices
	}
	t, err := s.store.Token(ctx, terms.token)
	if err == nil && t.left() {
		err = errLeft
	}
	switch {
	case errors.Is(err, ErrNoToken): // the session is about to hear of it
		return nil, &wamp.Error{URI: wamp.URISessionExpired, Text: "the client token of this session is good no more: join again", Err: err}
	case err != nil:
		return nil, fmt.Errorf("look up client token: %w", err)
	}
	return []Device{s.device(t)}, nil
}

var errNoDevices = wamp.Errorf(wamp.URIInvalidArgument, "this session belongs to no client and no user of client tokens")

// RevokeOf revokes, for who holds the lease, the client tokens of the client, or
// with others all of the user but the holder's own, and returns how many. A
// client that nobody is logged in at can revoke its own.
func (s *Sessions) RevokeOf(ctx context.Context, l *Lease, client string, others bool) (n int, err error) {
	terms := s.leases.termsOf(l)
	switch {
	case terms.user != "" && others:
		return s.RevokeUser(ctx, terms.realm, terms.user, terms.client, false)
	case terms.user != "":
		return s.RevokeClient(ctx, terms.realm, terms.user, client)
	case terms.client == "":
		return 0, errNoDevices
	case others || client != terms.client:
		return 0, nil
	}
	// Only those of this very token: a user who has logged in since has another,
	// and may have left this one to somebody else.
	err = s.remove(ctx, &Token{Hash: terms.token}, Revocation{Client: client, Token: terms.token, Text: textRevoked})
	if err != nil {
		return 0, err
	}
	return 1, nil
}
