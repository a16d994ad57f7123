package bridge

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"time"

	"github.com/wireroom/wireroom/ingest"
)

// A keyring knows the keys of a bridge and the requests that they signed. It is
// shared by the bridge's handlers, so that a request to one is no request to
// the other.
type keyring struct {
	// Fixed at construction.
	skew      time.Duration
	anonymous *Principal
	keys      map[string]*key // by name
	all       []*key
	foreign   http.CrossOriginProtection
}

type key struct {
	Principal
	secret []byte
	hash   [sha256.Size]byte // of secret
	seen   memory
}

func newKeyring(c *Config) *keyring {
	r := &keyring{skew: c.ClockSkew, anonymous: c.Anonymous, keys: make(map[string]*key)}
	for _, k := range c.Keys {
		one := &key{Principal: k.Principal, secret: []byte(k.Secret), hash: sha256.Sum256([]byte(k.Secret))}
		one.seen.skew = c.ClockSkew
		r.keys[k.Key], r.all = one, append(r.all, one)
	}
	return r
}

// errKey is the answer to every request that proves nothing, whatever is wrong
// with it.
func errKey() error {
	return ingest.Errorf(ingest.NotAuthorized, "the key is unknown, or its secret or signature is wrong")
}

// beginning returns on whose behalf an unsigned request is made, by its header
// alone, or nil for one that is signed.
func (r *keyring) beginning(req *http.Request, query url.Values) (*Principal, error) {
	switch {
	case signed(query):
		return nil, nil
	case req.Header["Authorization"] != nil:
		secret, ok := ingest.Bearer(req)
		if !ok {
			return nil, ingest.Errorf(ingest.NotAuthorized, `expected the header "Authorization: Bearer <secret of a key>"`)
		}
		if k := r.bySecret(secret); k != nil {
			return &k.Principal, nil
		}
		return nil, errKey()
	case r.anonymous == nil:
		return nil, ingest.Errorf(ingest.NotAuthorized, `expected a signed request, or the header "Authorization: Bearer <secret of a key>"`)
	}
	// A page of somebody else must not have its visitors publish where only
	// they can reach the gateway.
	if err := r.foreign.Check(req); err != nil {
		return nil, &ingest.Error{Kind: ingest.Forbidden, Text: "pages of other origins may not do this", Index: -1, Err: err}
	}
	return r.anonymous, nil
}

// bySecret returns the key with the secret, or nil. How long it takes does not
// depend on what it finds.
func (r *keyring) bySecret(secret string) *key {
	if len(secret) > maxSecret {
		return nil
	}
	hash := sha256.Sum256([]byte(secret))
	found := -1
	for i, k := range r.all {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], k.hash[:]), i, found)
	}
	if found < 0 {
		return nil
	}
	return r.all[found]
}

// bySignature returns on whose behalf a signed request is made.
func (r *keyring) bySignature(query url.Values, body []byte, now time.Time) (*Principal, error) {
	s, err := parseSignature(query)
	if err != nil {
		return nil, err
	}
	k, secret := r.keys[s.key], decoy
	if k != nil {
		secret = k.secret
	}
	if good := s.by(secret, body); !good || k == nil {
		return nil, errKey()
	}
	if off := now.Sub(s.at); off.Abs() > r.skew {
		return nil, &ingest.Error{
			Kind: ingest.BadRequest, Field: "timestamp", Expected: "a time that differs from now by at most " + r.skew.String(),
			Found: s.timestamp, Text: "is the clock right?", Index: -1,
		}
	}
	switch k.seen.admit(s, now) {
	case admitted:
		return &k.Principal, nil
	case crowded:
		return nil, &ingest.Error{
			Kind: ingest.Unavailable, Index: -1, RetryAfter: r.skew,
			Text: "too many requests were signed with the key lately, as all of them must be remembered",
		}
	case untelling:
		return nil, &ingest.Error{
			Kind: ingest.Unavailable, Index: -1, RetryAfter: r.skew,
			Text: "the gateway's clock was set back, and requests of this time are remembered no more: the request may have come before",
		}
	}
	return nil, ingest.Errorf(ingest.Conflict, "the request has come before")
}
