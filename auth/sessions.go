package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// Sessions hands out client tokens, and knows whom it gave them to. It is the
// http.Handler of /session.
type Sessions struct {
	// Fixed at construction.
	cfg     SessionConfig
	store   TokenStore
	jwt     *Verifier // nil: JWT is not offered
	origins *Origins
	log     *slog.Logger

	leases leases // of who has joined
	fresh  newcomers
	stats  counters

	// Set before anything is served; may be nil.
	announce, endUser func(Revocation)
}

// NewSessions returns the sessions of cfg, which must be valid, with their
// tokens in store. jwt may be nil: then nobody can log in by JWT. origins may
// be nil: then only pages of the gateway's own origin can use the cookie.
func NewSessions(cfg SessionConfig, store TokenStore, jwt *Verifier, origins *Origins, log *slog.Logger) *Sessions {
	s := &Sessions{cfg: cfg, store: store, jwt: jwt, origins: origins, log: log}
	s.leases.init()
	return s
}

// Identify says who makes the request, by its cookie: the identity of the
// first live token, or an anonymous one; and by the certificate that the client
// has shown, if TLS has verified it. The cookie and the certificate that a
// browser sends along with a page of a foreign origin are not looked at. The error is a failure of the store.
func (s *Sessions) Identify(r *http.Request) (*Identity, error) {
	if !s.origins.trusts(r, s.cfg.Secure) {
		return nobody, nil
	}
	now := time.Now()
	t, err := s.joins(r, now)
	if err != nil {
		return nil, err
	}
	cert := certificateOf(r.TLS)
	if t == nil && cert == nil {
		return nobody, nil
	}
	id := &Identity{}
	if t != nil {
		id = s.identity(t, now)
	}
	id.certificate = cert
	return id, nil
}

// joins returns the first live token among the request's cookies, or nil.
func (s *Sessions) joins(r *http.Request, now time.Time) (*Token, error) {
	for _, secret := range candidates(r.Header, s.cfg.Cookie) {
		t, err := s.use(r.Context(), secret, now)
		if err == nil || !worthless(err) {
			return t, err
		}
	}
	return nil, nil
}

// nobody is the identity of everybody of whom nothing is known: it is kept as
// long as the session.
var nobody = &Identity{}

// Allows reports whether the page that made the request, if it was one, may
// connect to the gateway: by the rule of [Origins.Allows], but with
// [SessionConfig.Secure] pages of the gateway's own host only by https.
func (s *Sessions) Allows(r *http.Request) bool { return s.origins.allows(r, s.cfg.Secure) }

// Ticket says who holds the credential text, a JWT or a client token. The
// error wraps [ErrExpired] or [ErrInvalid], or else is a failure of the store or
// of the issuer whose keys are to be fetched.
func (s *Sessions) Ticket(ctx context.Context, text Secret) (*Identity, error) {
	if !strings.HasPrefix(string(text), SecretPrefix) {
		if s.jwt == nil {
			return nil, fmt.Errorf("%w: no JWT is accepted here", ErrInvalid)
		}
		return s.jwt.Verify(ctx, text)
	}
	now := time.Now()
	t, err := s.ticketToken(ctx, text, func() (*Token, error) { return s.use(ctx, text, now) })
	if err != nil {
		return nil, err
	}
	return s.identity(t, now), nil
}

// ticketToken returns the token that find finds by a ticket, with errors as
// [Sessions.Ticket] has them.
func (s *Sessions) ticketToken(ctx context.Context, text Secret, find func() (*Token, error)) (*Token, error) {
	if !text.WellFormed() {
		return nil, fmt.Errorf("%w: malformed client token", ErrInvalid)
	}
	t, err := find()
	switch {
	case errors.Is(err, ErrNoToken):
		return nil, fmt.Errorf("%w: unknown client token", ErrInvalid)
	case errors.Is(err, errStolen):
		return nil, fmt.Errorf("%w: %v", ErrInvalid, err)
	}
	return t, err
}

// Issue makes a token for a user of a realm that the caller vouches for, as a
// new client. In other realms the client is nobody; with no realm, it is the
// user in each.
// The user trades it at /session for a cookie, or joins with it as a WAMP
// ticket. ttl is at least a second and at most the configured maximum, which
// shortens a longer one; 0 means the configured ttl. roles may be empty. An
// error about the arguments wraps nothing and may be told to the caller; a
// failure of the store is wrapped.
func (s *Sessions) Issue(ctx context.Context, realm wamp.URI, user string, roles []string, ttl time.Duration) (Secret, *Token, error) {
	if err := checkUser(user); err != nil {
		return "", nil, err
	}
	if err := checkRoles(roles); err != nil {
		return "", nil, err
	}
	if ttl == 0 {
		ttl = s.cfg.TTL
	}
	if ttl < time.Second {
		return "", nil, fmt.Errorf("ttl must be at least 1s, not %v", ttl)
	}
	now := time.Now()
	secret, t := s.mint(newClient(), &Identity{Realm: realm, User: user, Roles: roles}, now, now, now.Add(min(ttl, s.cfg.Max)))
	t.LastSeen = time.Time{} // nobody has joined with it
	if err := s.store.PutToken(ctx, t); err != nil {
		return "", nil, fmt.Errorf("store client token: %w", err)
	}
	if err := s.makeRoom(ctx, t); err != nil {
		return "", nil, err
	}
	return secret, t, nil
}

// Sweep removes expired tokens from the store and returns how many. Call it
// now and then: an expired token is never honoured, it only takes room.
func (s *Sessions) Sweep(ctx context.Context) (int, error) {
	n, err := s.store.DeleteExpired(ctx, time.Now())
	if err != nil {
		return n, fmt.Errorf("sweep expired client tokens: %w", err)
	}
	return n, nil
}

// presented returns the first live token among the cookies, as find finds it, and
// its secret. If there is none, it returns the first one that was left behind, and
// no secret, or nil.
func (s *Sessions) presented(h http.Header, find func(Secret) (*Token, error)) (t *Token, secret Secret, err error) {
	var left *Token
	for _, secret := range candidates(h, s.cfg.Cookie) {
		t, err := find(secret)
		switch {
		case err == nil:
			return t, secret, nil
		case errors.Is(err, errLeft):
			left = cmp.Or(left, t)
		case !worthless(err):
			return nil, "", err
		}
	}
	return left, "", nil
}

// A gift is what a request to /session gets.
type gift struct {
	token  *Token
	secret Secret
	moved  bool // the secret, or when it ends, is not what the client knows

	// after is what is to end when the client has been told; nil: nothing.
	after *Revocation
}

// give returns a token for whoever presents t, which may be nil: the same one
// renewed, or a new one for a new client, from the address. The error is a
// [*crowdError] if there are too many of those.
func (s *Sessions) give(ctx context.Context, t *Token, secret Secret, now time.Time, agent, remote string) (gift, error) {
	if t != nil && !t.left() {
		g, err := s.prolong(ctx, secret, t.Created, now, agent)
		if err == nil || !worthless(err) {
			return g, err
		}
		t = g.token // if it was revoked a moment ago, this is somebody new
	}
	if t != nil {
		// Another tab has logged in, and its cookie must stay. Whose it is need
		// not be told to who has the secret from before.
		return gift{token: &Token{Client: t.Client, Created: t.Created, Expires: t.Expires}}, nil
	}
	if err := s.welcome(ctx, remote, now); err != nil {
		return gift{}, err
	}
	secret, t = s.mint(newClient(), new(Identity), now, now, now.Add(s.cfg.TTL))
	t.Agent = agent
	if err := s.store.PutToken(ctx, t); err != nil {
		return gift{}, fmt.Errorf("store client token: %w", err)
	}
	return gift{token: t, secret: secret, moved: true}, nil
}

// welcome counts a new client, or returns a [*crowdError].
func (s *Sessions) welcome(ctx context.Context, remote string, now time.Time) error {
	wait, first, ok := s.fresh.add(remote, s.cfg.Newcomers, s.cfg.NewcomersPerAddress, now)
	if ok {
		return nil
	}
	s.stats.refused.Add(1)
	if first {
		s.log.LogAttrs(ctx, slog.LevelWarn, "too many new clients ask for client tokens: they are refused for a while",
			slog.String("remote", remote), slog.Duration("for", wait))
	}
	return &crowdError{wait}
}

// A crowdError is that too many new clients ask for tokens.
type crowdError struct{ wait time.Duration }

func (e *crowdError) Error() string {
	return fmt.Sprintf("too many new clients ask for client tokens, for %v more", e.wait)
}

// prolong renews the token of the secret, and gives the secret that follows if
// it is time for that. Errors are those of find, also in what comes with errLeft.
func (s *Sessions) prolong(ctx context.Context, secret Secret, proven, now time.Time, agent string) (gift, error) {
	moved, rotated := false, false
	t, err := s.update(ctx, secret, now, func(t *Token, st standing) bool {
		moved, rotated = s.renew(t, secret, st, proven, now, agent)
		return moved
	})
	if err != nil {
		return gift{token: t}, err
	}
	if rotated {
		s.stats.rotated.Add(1)
	}
	if moved {
		s.leases.prolong(t.Client, t.Hash, s.end(t))
	}
	next := t.Secrets.offered(secret)
	return gift{token: t, secret: next, moved: moved || next != secret}, nil
}

// bind returns a token that belongs to the user who, and replaces t, which may
// be nil.
//
// With the user, the roles or the claims the family changes, so that whoever
// planted or saw the cookie before the login has nothing after it. The client
// stays the same when nobody stood behind it before, or the same user did; a
// different user is a different client. What has joined as nobody, with other
// roles or as somebody else ends: what is kept for the client is the user's now.
func (s *Sessions) bind(ctx context.Context, t *Token, secret Secret, who *Identity, now time.Time, agent string) (gift, error) {
	same := t != nil && !t.left() && t.User == who.User && t.Realm == string(who.Realm)
	if same && t.Claims == who.Claims && slices.Equal(t.Roles, who.Roles) {
		g, err := s.prolong(ctx, secret, who.proven, now, agent)
		if err == nil || !worthless(err) {
			return g, err
		}
		t, same = nil, false
	}
	var after *Revocation
	client := newClient()
	switch {
	case same:
		client = t.Client
	case t != nil && (t.User == "" || t.left()):
		old, err := s.claim(ctx, t, secret, who, now)
		if err != nil {
			return gift{}, err
		}
		if old != nil {
			client = old.Client
			after = &Revocation{Client: client, Token: old.Hash, Text: "a user has logged in as this client: join again"}
		}
		t = nil
	}
	fresh, bound := s.mint(client, who, now, who.proven, s.expiry(now, who.proven))
	bound.Agent = agent
	if err := s.store.PutToken(ctx, bound); err != nil {
		return gift{}, fmt.Errorf("store client token: %w", err)
	}
	if err := s.leaveBehind(ctx, t, same); err != nil {
		return gift{}, err
	}
	if err := s.makeRoom(ctx, bound); err != nil {
		return gift{}, err
	}
	return gift{token: bound, secret: fresh, moved: true, after: after}, nil
}

// claim leaves a token of nobody behind for the user, and returns it, or nil if it
// is gone or another user has come first. One that this very user has claimed
// before is had again: two tabs may log in at once, and answers may be lost.
func (s *Sessions) claim(ctx context.Context, t *Token, secret Secret, who *Identity, now time.Time) (*Token, error) {
	if !t.left() {
		var err error
		t, err = s.update(ctx, secret, now, func(t *Token, _ standing) bool {
			t.leave(who.User, string(who.Realm), now, s.cfg.Grace)
			return true
		})
		switch {
		case errors.Is(err, errLeft):
		case worthless(err):
			return nil, nil
		case err != nil:
			return nil, err
		}
	}
	if t.User != who.User || t.Realm != string(who.Realm) {
		return nil, nil
	}
	return t, nil
}

// leaveBehind removes the token of a user, if there is one, in whose place a login
// put another one.
func (s *Sessions) leaveBehind(ctx context.Context, t *Token, same bool) error {
	switch {
	case t == nil:
		return nil
	case same:
		return s.remove(ctx, t, Revocation{Client: t.Client, Token: t.Hash, Text: "the user has logged in anew, with other rights"})
	}
	return s.remove(ctx, t, Revocation{Client: t.Client, Text: "another user has logged in"})
}

// delete removes the token from the store. It is not honoured again once delete
// returns nil.
func (s *Sessions) delete(ctx context.Context, hash [32]byte) error {
	if err := s.store.DeleteToken(ctx, hash); err != nil {
		return fmt.Errorf("delete client token: %w", err)
	}
	return nil
}

// mint makes a token that no store knows yet, for a client who is the user that
// who names, if it does.
func (s *Sessions) mint(client string, who *Identity, now, created, expires time.Time) (Secret, *Token) {
	secret := NewSecret()
	return secret, &Token{
		Hash: secret.Key(), Client: client, User: who.User, Roles: slices.Clone(who.Roles), Realm: string(who.Realm), Claims: who.Claims,
		Created: wall(created), Expires: wall(expires), LastSeen: wall(now),
		Secrets: Secrets{Made: wall(now), Current: secret.Hash(), Since: wall(now)},
	}
}

// expiry is when a token that is renewed now ends.
func (s *Sessions) expiry(now, created time.Time) time.Time {
	sliding, absolute := now.Add(s.cfg.TTL), created.Add(s.cfg.Max)
	if absolute.Before(sliding) {
		return wall(absolute)
	}
	return wall(sliding)
}

// end is when the token ends by today's configuration, whose maximum may have
// been lowered since the token was given.
func (s *Sessions) end(t *Token) time.Time {
	if absolute := t.Created.Add(s.cfg.Max); absolute.Before(t.Expires) {
		return absolute
	}
	return t.Expires
}

func (s *Sessions) live(t *Token, now time.Time) bool { return now.Before(s.end(t)) }

// identity returns who holds the token, which was read at now or after.
func (s *Sessions) identity(t *Token, now time.Time) *Identity {
	return &Identity{
		Client: t.Client, User: t.User, Roles: t.Roles, Realm: wamp.URI(t.Realm), Claims: t.Claims, Expires: s.end(t),
		proven: t.Created, token: t.Hash, known: now,
	}
}
