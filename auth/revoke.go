package auth

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Revocation says whose sessions are to end, at every gateway over the store.
// It names a client, or a user.
type Revocation struct {
	// Client is whose sessions end, in every realm: those that joined with a
	// client token of that client, or, unless Token is zero, of the token of
	// which this is the [Token.Hash].
	Client string
	Token  [32]byte

	// User is whose sessions end in Realm, however they joined, if Client is
	// empty.
	User  string
	Realm wamp.URI

	Text string // why, for people; it is sent to them
}

// OnRevocation has announce called whenever sessions are to end because of
// something that happened here, after those of this gateway were told, so that
// other gateways over the same store can be told: what they are told they hand
// to [Sessions.End]. It is called by the goroutine that caused it, for which the
// revocation is done when it returns; what it can't pass on at once it keeps. It
// is to be set before anything else is done.
func (s *Sessions) OnRevocation(announce func(Revocation)) { s.announce = announce }

// EndUsers has end called for revocations of users, whose sessions it is to
// end: not all of them hang on what the package knows. It is to be set before
// anything else is done.
func (s *Sessions) EndUsers(end func(Revocation)) { s.endUser = end }

// End ends the sessions that a revocation names at this gateway, and does not
// let a client that it names join any more with what was looked up before now.
func (s *Sessions) End(r Revocation) {
	if r.Client == "" {
		if s.endUser != nil {
			s.endUser(r)
		}
		return
	}
	holders := s.leases.revoke(r, time.Now())
	s.stats.ended.Add(uint64(len(holders)))
	for _, h := range holders {
		h.End(r.Why())
	}
}

// Why is what sessions are told that end because of the revocation.
func (r Revocation) Why() *wamp.Error { return revoked(r.Text) }

// revoked is why a session ends whose token was revoked.
func revoked(text string) *wamp.Error {
	return &wamp.Error{URI: wamp.URISessionRevoked, Text: text}
}

// remove deletes the token, and ends what came of it by the revocation.
func (s *Sessions) remove(ctx context.Context, t *Token, r Revocation) error {
	if err := s.delete(ctx, t.Hash); err != nil {
		return err
	}
	s.stats.revoked.Add(1)
	s.spread(r)
	return nil
}

// spread ends sessions here and at other gateways.
func (s *Sessions) spread(r Revocation) {
	s.End(r)
	if s.announce != nil {
		s.announce(r)
	}
}

// RevokeUser revokes the client tokens of a user in a realm, but not that of
// the client except, if there is one, and returns how many. With everything, all
// sessions of the user in the realm end, also those that joined otherwise.
func (s *Sessions) RevokeUser(ctx context.Context, realm wamp.URI, user, except string, everything bool) (n int, err error) {
	n, err = s.revokeSome(ctx, realm, user, func(t *Token) bool { return except == "" || t.Client != except })
	if everything {
		s.spread(Revocation{User: user, Realm: realm, Text: textRevoked})
	}
	return n, err
}

// RevokeClient revokes the client tokens of a user in a realm that are of the
// client, and returns how many.
func (s *Sessions) RevokeClient(ctx context.Context, realm wamp.URI, user, client string) (n int, err error) {
	return s.revokeSome(ctx, realm, user, func(t *Token) bool { return t.Client == client })
}

const textRevoked = "the session was revoked"

func (s *Sessions) revokeSome(ctx context.Context, realm wamp.URI, user string, doomed func(t *Token) bool) (n int, err error) {
	tokens, err := s.userTokens(ctx, realm, user)
	if err != nil {
		return 0, err
	}
	now := time.Now()
	for _, t := range tokens {
		if !doomed(t) {
			continue
		}
		if err := s.remove(ctx, t, Revocation{Client: t.Client, Text: textRevoked}); err != nil {
			return n, err
		}
		if s.live(t, now) {
			n++
		}
	}
	return n, nil
}

// makeRoom removes tokens of the user of t, which was given a moment ago, if
// there are too many: first those that have expired, which nobody has swept up yet,
// then those with which nobody has ever joined, then those that were not used for
// the longest.
func (s *Sessions) makeRoom(ctx context.Context, t *Token) error {
	if t.User == "" {
		return nil
	}
	tokens, err := s.tokensOf(ctx, wamp.URI(t.Realm), t.User)
	if err != nil || len(tokens) <= s.cfg.Devices {
		return err
	}
	now, surplus := time.Now(), len(tokens)-s.cfg.Devices
	slices.SortFunc(tokens, func(a, b *Token) int {
		switch live := s.live(a, now); {
		case live == s.live(b, now):
			return cmp.Or(a.LastSeen.Compare(b.LastSeen), a.Secrets.Made.Compare(b.Secrets.Made))
		case live:
			return 1
		}
		return -1
	})
	for _, old := range slices.DeleteFunc(tokens, func(o *Token) bool { return o.Hash == t.Hash })[:surplus] {
		if s.live(old, now) {
			s.stats.crowded.Add(1)
		}
		if err := s.remove(ctx, old, Revocation{Client: old.Client, Token: old.Hash, Text: "the user has too many devices, and this one was not seen for the longest time"}); err != nil {
			return err
		}
	}
	return nil
}

// counters count what happened to client tokens.
type counters struct {
	rotated, revoked, stolen, crowded, refused, expired, ended atomic.Uint64
}

// SessionStats are counts since the gateway started.
type SessionStats struct {
	Rotated uint64 // secrets that were followed by another one
	Revoked uint64 // tokens that were revoked, for whatever reason
	Stolen  uint64 // times that a secret was shown that had been replaced
	Crowded uint64 // tokens that gave way as their user had too many
	Refused uint64 // new clients that were given none, as there were too many
	Expired uint64 // sessions that ended with their token or JWT
	Ended   uint64 // sessions that ended as their token was revoked
	Leases  int    // sessions that hang on a token or JWT, now
}

// Stats returns the counts as they are now.
func (s *Sessions) Stats() SessionStats {
	return SessionStats{
		Rotated: s.stats.rotated.Load(), Revoked: s.stats.revoked.Load(), Stolen: s.stats.stolen.Load(),
		Crowded: s.stats.crowded.Load(), Refused: s.stats.refused.Load(), Expired: s.stats.expired.Load(), Ended: s.stats.ended.Load(), Leases: s.leases.count(),
	}
}
