package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// ErrNoToken says that a [TokenStore] holds no token with the given hash.
var ErrNoToken = errors.New("auth: no such token")

// A Token is what the gateway remembers of a client token: never the secret
// itself, only its hash, so that a copy of the store lets nobody in.
type Token struct {
	Hash   [32]byte // SHA-256 of the secret's text
	Client string   // identity of the client; outlives every session
	User   string   // who the web application says the client is; "" if nobody
	Roles  []string // the user's roles; nil if there is no user
	Realm  string   // where there is such a user with such roles; "": in every realm
	Claims string   // of the user's JWT, as [Identity.Claims]

	Created  time.Time // when the client was first seen; bounds every renewal
	Expires  time.Time // the token is worth nothing from this moment on
	LastSeen time.Time // when the expiry was last moved; it is not written on each request
}

// Clone returns a copy of t that shares no memory with it.
func (t *Token) Clone() *Token {
	c := *t
	c.Roles = slices.Clone(t.Roles)
	return &c
}

// A TokenStore keeps tokens. All methods may be called concurrently. The
// store neither keeps nor changes a *Token that it was given, and what it
// returns belongs to the caller. It does not look at Expires except in
// DeleteExpired.
type TokenStore interface {
	// PutToken inserts the token or replaces the one with the same hash. It
	// is durable when PutToken returns.
	PutToken(ctx context.Context, t *Token) error

	// Token returns the token with the hash, expired or not, or an error
	// that wraps [ErrNoToken].
	Token(ctx context.Context, hash [32]byte) (*Token, error)

	// DeleteToken removes the token. It is no error if there is none.
	DeleteToken(ctx context.Context, hash [32]byte) error

	// DeleteExpired removes every token whose Expires is not after now, and
	// returns how many.
	DeleteExpired(ctx context.Context, now time.Time) (n int, err error)
}

// SecretPrefix begins the text of every client token, so that one that leaks
// into a log or a repository can be found by a search.
const SecretPrefix = "wr_"

// secretLen is the length of a token's text: the prefix and 256 bits in
// base64url without padding.
const secretLen = len(SecretPrefix) + 43

// A Secret is a credential in clear: the text of a client token, a JWT or a
// key. It prints, logs and marshals as "[redacted]"; string(s) is the text.
type Secret string

// NewSecret returns the text of a new client token: 256 random bits.
func NewSecret() Secret {
	var b [32]byte
	rand.Read(b[:]) // never fails: the runtime ends the process instead
	return Secret(SecretPrefix + base64.RawURLEncoding.EncodeToString(b[:]))
}

// Hash returns the SHA-256 of the secret's text: what a [TokenStore] knows it
// by. The secret has 256 random bits, so that a plain fast hash is enough.
func (s Secret) Hash() [32]byte { return sha256.Sum256([]byte(s)) }

// WellFormed reports whether s has the form of a client token. Only then is it
// worth asking a store.
func (s Secret) WellFormed() bool {
	return len(s) == secretLen && strings.HasPrefix(string(s), SecretPrefix) && isBase64URL(string(s))
}

// isBase64URL reports whether s has only characters of base64url without
// padding. The decoder of the standard library passes over line breaks.
func isBase64URL(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (s Secret) GoString() string { return redacted }

// MarshalText returns "[redacted]", for JSON and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

const redacted = "[redacted]"
