package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"
)

var (
	// ErrNoToken says that a [TokenStore] holds no token with the given hash.
	ErrNoToken = errors.New("auth: no such token")

	// ErrTokenChanged says that a token is not any more what somebody read who
	// wanted to replace it.
	ErrTokenChanged = errors.New("auth: the token was changed meanwhile")
)

// A Token is what the gateway remembers of a client token and of all secrets
// that followed the first one: a family, which is one device. It never has a
// secret itself, only hashes, so that a copy of the store lets nobody in.
type Token struct {
	Hash   [32]byte // what the store knows it by: [Secret.Key] of each of its secrets
	Client string   // identity of the client; outlives every session
	User   string   // who the web application says the client is; "" if nobody
	Roles  []string // the user's roles; nil if there is no user
	Realm  string   // where there is such a user with such roles; "": in every realm
	Claims string   // of the user's JWT, as [Identity.Claims]

	Created  time.Time // when the client was first seen; bounds every renewal
	Expires  time.Time // the token is worth nothing from this moment on
	LastSeen time.Time // when it was last used, as far as was written down: not each time

	Version uint64 // grows with each [TokenStore.ReplaceToken]
	Agent   string // the User-Agent of who last renewed it at /session; may be empty
	Secrets Secrets
}

// Secrets are what a [Token] remembers of its secrets. The zero value is that
// of a token from before secrets were changed: it has one for ever, of which
// Hash is the hash.
type Secrets struct {
	Made     time.Time // when the first one was given
	Current  [32]byte  // hash of the secret in force
	Since    time.Time // when that came to be in force
	Next     [32]byte  // hash of the one that is to follow, which nobody has shown yet; zero: none
	Salt     [16]byte  // from which, and the secret before, the last one was made
	Previous [32]byte  // hash of the one before Current; zero: none
	Until    time.Time // Previous is good until then
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

	// ReplaceToken replaces the token with the hash of t by t if its version
	// is the given one. The error wraps [ErrNoToken] if it is not there, and
	// [ErrTokenChanged] if it has another version. Of callers with the same
	// version at most one succeeds, unless they bring the same. It is durable
	// when ReplaceToken returns.
	ReplaceToken(ctx context.Context, t *Token, version uint64) error

	// Token returns the token with the hash, expired or not, or an error
	// that wraps [ErrNoToken].
	Token(ctx context.Context, hash [32]byte) (*Token, error)

	// DeleteToken removes the token. It is no error if there is none.
	DeleteToken(ctx context.Context, hash [32]byte) error

	// UserTokens returns the tokens of a user, expired ones too, whose Realm
	// is realm; in no order. A token without a user is nobody's.
	UserTokens(ctx context.Context, realm, user string) ([]*Token, error)

	// DeleteExpired removes every token whose Expires is not after now, and
	// returns how many.
	DeleteExpired(ctx context.Context, now time.Time) (n int, err error)
}

// SecretPrefix begins the text of every client token, so that one that leaks
// into a log or a repository can be found by a search.
const SecretPrefix = "wr_"

// The lengths of a token's text: the prefix, the handle that all secrets of a
// family begin with (128 bits), and 256 bits of its own, in base64url without
// padding. Texts from before there were families have no handle.
const (
	handleEnd   = len(SecretPrefix) + 22
	secretLen   = handleEnd + 43
	oldTokenLen = len(SecretPrefix) + 43
)

// A Secret is a credential in clear: the text of a client token, a JWT or a
// key. It prints, logs and marshals as "[redacted]"; string(s) is the text.
type Secret string

// NewSecret returns the text of a new client token, the first of a family: 384
// random bits, of which 256 change with each secret that follows.
func NewSecret() Secret {
	var b [16 + 32]byte
	rand.Read(b[:]) // never fails: the runtime ends the process instead
	return Secret(SecretPrefix + base64.RawURLEncoding.EncodeToString(b[:16]) + base64.RawURLEncoding.EncodeToString(b[16:]))
}

// Hash returns the SHA-256 of the secret's text. A secret has 256 random bits,
// so that a plain fast hash is enough.
func (s Secret) Hash() [32]byte { return sha256.Sum256([]byte(s)) }

// Key returns what a [TokenStore] knows the token of a well-formed secret by:
// the SHA-256 of its prefix and handle, which all secrets of a family share, or
// of a whole text from before there were families.
func (s Secret) Key() [32]byte {
	if len(s) == secretLen {
		s = s[:handleEnd]
	}
	return s.Hash()
}

// next returns the secret of the same family that follows s. It takes s and
// the salt to make it, so that a copy of the store does not help, and whoever
// shows s, at whichever gateway, is given the same one.
func (s Secret) next(salt [16]byte) Secret {
	m := hmac.New(sha256.New, []byte(s))
	m.Write([]byte("wireroom client token"))
	m.Write(salt[:])
	return s[:handleEnd] + Secret(base64.RawURLEncoding.EncodeToString(m.Sum(nil)))
}

// WellFormed reports whether s has the form of a client token. Only then is it
// worth asking a store.
func (s Secret) WellFormed() bool {
	return (len(s) == secretLen || len(s) == oldTokenLen) && strings.HasPrefix(string(s), SecretPrefix) && isBase64URL(string(s))
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
