package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"github.com/wireroom/wireroom/router/wamp"
)

// KeyConfig is a key that a web application posts events with.
type KeyConfig struct {
	Name    string    `yaml:"name"`    // for the log: 1 to 64 characters
	Secret  Secret    `yaml:"secret"`  // what the application sends: 16 to 1024 bytes
	Realm   wamp.URI  `yaml:"realm"`   // whose classes it posts, and whose users get its tokens
	Classes []Pattern `yaml:"classes"` // the event classes that it may post

	// Tokens are the roles that users may have for whom the key asks for a
	// token; "*" stands for every role. Empty: it may ask for none.
	Tokens []string `yaml:"tokens"`

	// AllowWeak admits a secret of fewer than 16 bytes. It is there for the
	// built-in demonstration, whose key is printed on its page anyway, and
	// cannot be set from a file.
	AllowWeak bool `yaml:"-"`
}

const (
	minKeySecret = 16
	maxKeySecret = 1024
	maxKeyName   = 64
)

// Validate reports each bad field. It never prints the secret.
func (c KeyConfig) Validate(report func(field string, err error)) {
	if c.Name == "" || len(c.Name) > maxKeyName || !printable(c.Name) {
		report("name", fmt.Errorf("expected 1 to %d printable characters, found %q", maxKeyName, c.Name))
	}
	switch n := len(c.Secret); {
	case n == 0:
		report("secret", fmt.Errorf("expected %d to %d bytes (such as: openssl rand -base64 24), found none", minKeySecret, maxKeySecret))
	case n < minKeySecret && !c.AllowWeak:
		report("secret", fmt.Errorf("expected at least %d bytes (such as: openssl rand -base64 24), found %d", minKeySecret, n))
	case n > maxKeySecret:
		report("secret", fmt.Errorf("expected at most %d bytes, found %d", maxKeySecret, n))
	}
	if len(c.Classes) == 0 && len(c.Tokens) == 0 {
		report("classes", errors.New(`expected a class, or "*" for every class, found none: the key is of no use`))
	}
	for i, p := range c.Classes {
		if err := p.Validate(); err != nil {
			report(fmt.Sprintf("classes[%d]", i), err)
		}
	}
	for i, role := range c.Tokens {
		if err := checkRoleName(role); err != nil {
			report(fmt.Sprintf("tokens[%d]", i), err)
		}
	}
}

// KeysConfig are the ingest keys of a configuration.
type KeysConfig []KeyConfig

// Validate reports each bad field as "[0].secret", and names and secrets that
// two keys share.
func (c KeysConfig) Validate(report func(field string, err error)) {
	names, secrets := make(map[string]int), make(map[Secret]int)
	for i, key := range c {
		key.Validate(func(field string, err error) { report(fmt.Sprintf("[%d].%s", i, field), err) })
		if first, ok := names[key.Name]; ok {
			report(fmt.Sprintf("[%d].name", i), fmt.Errorf("expected a name of its own, found %q, the name of key %d", key.Name, first))
		} else {
			names[key.Name] = i
		}
		if first, ok := secrets[key.Secret]; ok && key.Secret != "" {
			report(fmt.Sprintf("[%d].secret", i), fmt.Errorf("expected a secret of its own, found that of key %d (%s)", first, c[first].Name))
		} else {
			secrets[key.Secret] = i
		}
	}
}

// A Key is an ingest key. It is immutable.
type Key struct {
	name    string
	realm   wamp.URI
	classes *PatternSet
	tokens  []string
}

// Name returns the key's name, for the log.
func (k *Key) Name() string { return k.name }

// Realm returns the realm that the key belongs to.
func (k *Key) Realm() wamp.URI { return k.realm }

// MayPost reports whether the key may post events of the class. It does not
// allocate.
func (k *Key) MayPost(class string) bool { return k.classes.Covers(wamp.URI(class), wamp.Exact) }

// MayIssue reports whether the key may ask for a token for a user with these
// roles, which may be none.
func (k *Key) MayIssue(roles []string) bool {
	if len(k.tokens) == 0 {
		return false
	}
	if slices.Contains(k.tokens, "*") {
		return true
	}
	for _, role := range roles {
		if !slices.Contains(k.tokens, role) {
			return false
		}
	}
	return true
}

// Keys is the set of ingest keys. It is immutable; a nil pointer is the empty
// set.
type Keys struct {
	keys   []Key
	hashes [][sha256.Size]byte // hashes[i] is that of the secret of keys[i]
}

// NewKeys returns the keys of cfg, or an error that names every bad field.
func NewKeys(cfg KeysConfig) (*Keys, error) {
	var errs []error
	cfg.Validate(func(field string, err error) { errs = append(errs, fmt.Errorf("keys%s: %w", field, err)) })
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	set := &Keys{keys: make([]Key, len(cfg)), hashes: make([][sha256.Size]byte, len(cfg))}
	for i, c := range cfg {
		classes, err := NewPatternSet(c.Classes)
		if err != nil {
			return nil, fmt.Errorf("keys[%d].classes: %w", i, err)
		}
		set.keys[i] = Key{name: c.Name, realm: c.Realm, classes: classes, tokens: slices.Clone(c.Tokens)}
		set.hashes[i] = c.Secret.Hash()
	}
	return set, nil
}

// Lookup returns the key with the secret, or nil.
//
// How long it takes depends on the length of the given secret and the number
// of keys, and on nothing else: it compares hashes, which are of equal length,
// with every key, whether or not it has found one.
func (s *Keys) Lookup(secret Secret) *Key {
	if s == nil || len(secret) > maxKeySecret {
		return nil
	}
	hash := secret.Hash()
	found := -1
	for i := range s.hashes {
		equal := subtle.ConstantTimeCompare(hash[:], s.hashes[i][:])
		found = subtle.ConstantTimeSelect(equal, i, found)
	}
	if found < 0 {
		return nil
	}
	return &s.keys[found]
}
