package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
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

	// locks keep a renewal, which reads a token and writes it back, from
	// bringing back one that is deleted in between. A token's lock is
	// chosen by its hash; it is held during calls to the store.
	locks [64]sync.Mutex
}

// NewSessions returns the sessions of cfg, which must be valid, with their
// tokens in store. jwt may be nil: then nobody can log in by JWT. origins may
// be nil: then only pages of the gateway's own origin can use the cookie.
func NewSessions(cfg SessionConfig, store TokenStore, jwt *Verifier, origins *Origins, log *slog.Logger) *Sessions {
	return &Sessions{cfg: cfg, store: store, jwt: jwt, origins: origins, log: log}
}

// Identify says who makes the request, by its cookie: the identity of the
// first live token, or an anonymous one; and by the certificate that the client
// has shown, if TLS has verified it. The cookie and the certificate that a
// browser sends along with a page of a foreign origin are not looked at. The error is a failure of the store.
func (s *Sessions) Identify(r *http.Request) (*Identity, error) {
	if !s.origins.trusts(r, s.cfg.Secure) {
		return nobody, nil
	}
	t, _, err := s.presented(r.Context(), r.Header, time.Now())
	if err != nil {
		return nil, err
	}
	cert := certificateOf(r.TLS)
	if t == nil && cert == nil {
		return nobody, nil
	}
	id := &Identity{}
	if t != nil {
		id = s.identity(t)
	}
	id.certificate = cert
	return id, nil
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
	if !text.WellFormed() {
		return nil, fmt.Errorf("%w: malformed client token", ErrInvalid)
	}
	t, err := s.store.Token(ctx, text.Hash())
	switch {
	case errors.Is(err, ErrNoToken):
		return nil, fmt.Errorf("%w: unknown client token", ErrInvalid)
	case err != nil:
		return nil, fmt.Errorf("look up client token: %w", err)
	case !s.live(t, time.Now()):
		return nil, fmt.Errorf("%w: client token of %s", ErrExpired, t.Client)
	}
	return s.identity(t), nil
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
	secret, t := s.mint(newClient(), &Identity{Realm: realm, User: user, Roles: roles}, now, now.Add(min(ttl, s.cfg.Max)))
	if err := s.store.PutToken(ctx, t); err != nil {
		return "", nil, fmt.Errorf("store client token: %w", err)
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

// presented returns the first live token among the cookies and its secret, or
// nil.
func (s *Sessions) presented(ctx context.Context, h http.Header, now time.Time) (*Token, Secret, error) {
	for _, secret := range candidates(h, s.cfg.Cookie) {
		t, err := s.store.Token(ctx, secret.Hash())
		if errors.Is(err, ErrNoToken) {
			continue
		}
		if err != nil {
			return nil, "", fmt.Errorf("look up client token: %w", err)
		}
		if s.live(t, now) {
			return t, secret, nil
		}
	}
	return nil, "", nil
}

// give returns a token for whoever presents t, which may be nil: the same one
// renewed, or a new one for a new client.
func (s *Sessions) give(ctx context.Context, t *Token, secret Secret, now time.Time) (*Token, Secret, error) {
	if t != nil {
		renewed, err := s.renew(ctx, secret, t.Created, now)
		if err == nil {
			return renewed, secret, nil
		}
		if !errors.Is(err, ErrNoToken) {
			return nil, "", err
		}
		// It was revoked a moment ago, so this is somebody new.
	}
	secret, t = s.mint(newClient(), new(Identity), now, now.Add(s.cfg.TTL))
	if err := s.store.PutToken(ctx, t); err != nil {
		return nil, "", fmt.Errorf("store client token: %w", err)
	}
	return t, secret, nil
}

// bind returns a token that belongs to the user who, and replaces t, which may
// be nil.
//
// The secret changes with the user, the roles or the claims, so that whoever planted or
// saw the cookie before the login has nothing after it. The client stays the
// same when nobody stood behind it before, or the same user did; a different
// user is a different client.
func (s *Sessions) bind(ctx context.Context, t *Token, secret Secret, who *Identity, now time.Time) (*Token, Secret, error) {
	client := newClient()
	same := t != nil && t.User == who.User && t.Realm == string(who.Realm)
	if same && t.Claims == who.Claims && slices.Equal(t.Roles, who.Roles) {
		renewed, err := s.renew(ctx, secret, who.proven, now)
		if err == nil {
			return renewed, secret, nil
		}
		if !errors.Is(err, ErrNoToken) {
			return nil, "", err
		}
		t = nil
	}
	if t != nil && (t.User == "" || same) {
		client = t.Client
	}
	expires := s.expiry(now, who.proven)
	fresh, bound := s.mint(client, who, who.proven, expires)
	bound.LastSeen = now
	if err := s.store.PutToken(ctx, bound); err != nil {
		return nil, "", fmt.Errorf("store client token: %w", err)
	}
	if t != nil {
		if err := s.revoke(ctx, secret); err != nil {
			return nil, "", err
		}
	}
	return bound, fresh, nil
}

// renew moves the expiry of the token and returns it. It writes only when an
// hour, or a tenth of the ttl, has passed since it last did. proven is when
// the holder last showed who they are. The error wraps [ErrNoToken] if the
// token is gone.
func (s *Sessions) renew(ctx context.Context, secret Secret, proven, now time.Time) (*Token, error) {
	hash := secret.Hash()
	mu := s.lock(hash)
	mu.Lock()
	defer mu.Unlock()

	t, err := s.store.Token(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("look up client token: %w", err)
	}
	if !s.live(t, now) {
		return nil, fmt.Errorf("client token expired: %w", ErrNoToken)
	}
	created := t.Created
	if proven.After(created) {
		created = proven
	}
	expires := s.expiry(now, created)
	if now.Sub(t.LastSeen) < min(s.cfg.TTL/10, time.Hour) || expires.Equal(t.Expires) {
		return t, nil
	}
	t.Created, t.Expires, t.LastSeen = created, expires, now
	if err := s.store.PutToken(ctx, t); err != nil {
		return nil, fmt.Errorf("store client token: %w", err)
	}
	return t, nil
}

// revoke deletes the token. It is not honoured again once revoke returns nil.
func (s *Sessions) revoke(ctx context.Context, secret Secret) error {
	hash := secret.Hash()
	mu := s.lock(hash)
	mu.Lock()
	defer mu.Unlock()
	if err := s.store.DeleteToken(ctx, hash); err != nil {
		return fmt.Errorf("delete client token: %w", err)
	}
	return nil
}

// lock returns the lock of the token with the hash.
func (s *Sessions) lock(hash [32]byte) *sync.Mutex { return &s.locks[hash[0]%byte(len(s.locks))] }

// mint makes a token that no store knows yet, for a client who is the user that
// who names, if it does.
func (s *Sessions) mint(client string, who *Identity, created, expires time.Time) (Secret, *Token) {
	secret := NewSecret()
	return secret, &Token{
		Hash: secret.Hash(), Client: client, User: who.User, Roles: slices.Clone(who.Roles), Realm: string(who.Realm), Claims: who.Claims,
		Created: created, Expires: expires, LastSeen: created,
	}
}

// expiry is when a token that is renewed now ends.
func (s *Sessions) expiry(now, created time.Time) time.Time {
	sliding, absolute := now.Add(s.cfg.TTL), created.Add(s.cfg.Max)
	if absolute.Before(sliding) {
		return absolute
	}
	return sliding
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

func (s *Sessions) identity(t *Token) *Identity {
	return &Identity{Client: t.Client, User: t.User, Roles: t.Roles, Realm: wamp.URI(t.Realm), Claims: t.Claims, Expires: s.end(t), proven: t.Created}
}
