package auth

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/wireroom/wireroom/router/wamp"
)

// A UserConfig is a user that the gateway itself knows: a name, roles, and one
// or more credentials. `wireroom user` writes such an entry.
type UserConfig struct {
	Name  string   `yaml:"-"`     // the authid; the key of the entry
	Roles []string `yaml:"roles"` // in order of preference; empty: the default role

	// TicketSHA256 is the SHA-256, in hex, of a ticket drawn at random
	// ([NewTicket]). It is no place for a password: a fast hash of one can
	// be guessed by whoever has the file.
	TicketSHA256 string `yaml:"ticket_sha256"`

	CRA        *CRAConfig   `yaml:"cra"`        // for wampcra; may be nil
	SCRAM      *SCRAMConfig `yaml:"scram"`      // for wamp-scram; may be nil
	Cryptosign []string     `yaml:"cryptosign"` // Ed25519 public keys in hex

	// TLS names certificates of the user's, which TLS must have verified:
	// "sha256:" and the hash of the certificate in hex, or a name in it,
	// "cn:", "dns:", "email:" or "uri:".
	TLS []string `yaml:"tls"`
}

// A CRAConfig is a credential for WAMP-CRA.
type CRAConfig struct {
	// Secret is the shared secret, 8 to 1024 bytes; with a Salt it is the
	// key that PBKDF2-HMAC-SHA-256 derives from the secret, in base64.
	// Either lets in whoever has it.
	Secret Secret `yaml:"secret"`

	Salt       string `yaml:"salt"`       // 1 to 128 printable bytes; empty: the secret is not salted
	Iterations int    `yaml:"iterations"` // with Salt: 1 to 10,000,000
	KeyLen     int    `yaml:"keylen"`     // with Salt, of the derived key in bytes: 16 to 64
}

// A SCRAMConfig is a credential for WAMP-SCRAM. It lets nobody in by itself:
// whoever has it must still guess the password.
type SCRAMConfig struct {
	KDF        string `yaml:"kdf"`        // [KDFArgon2id] or [KDFPBKDF2]
	Salt       string `yaml:"salt"`       // 8 to 64 bytes in base64
	Iterations int    `yaml:"iterations"` // argon2id13: 1 to 10,000; pbkdf2: 4096 to 10,000,000
	Memory     int    `yaml:"memory"`     // argon2id13: 8 to 4,194,304 KiB; otherwise 0
	StoredKey  Secret `yaml:"stored_key"` // 32 bytes in base64
	ServerKey  Secret `yaml:"server_key"` // 32 bytes in base64
}

// The key derivation functions of WAMP-SCRAM.
const (
	KDFArgon2id = "argon2id13"
	KDFPBKDF2   = "pbkdf2"
)

const (
	minCRASecret  = 8
	maxCRASecret  = 1024
	maxCRASalt    = 128
	minCRAKey     = 16
	maxCRAKey     = 64
	minSCRAMSalt  = 8
	maxSCRAMSalt  = 64
	maxIterations = 10_000_000
	maxUserKeys   = 64 // of one user
)

// Validate reports each bad field. It never prints a credential.
func (c UserConfig) Validate(report func(field string, err error)) {
	if err := checkUser(c.Name); err != nil {
		report("", fmt.Errorf("name: %w", err))
	} else if normal, err := saslprep(c.Name); err != nil {
		report("", fmt.Errorf("name %q: %w", c.Name, err))
	} else if normal != c.Name {
		report("", fmt.Errorf("expected the name in the form that SASLprep (RFC 4013) gives it, %q, found %q", normal, c.Name))
	}
	if err := checkRoles(c.Roles); err != nil {
		report("roles", err)
	}
	if c.TicketSHA256 != "" {
		if b, err := hex.DecodeString(c.TicketSHA256); err != nil || len(b) != 32 {
			report("ticket_sha256", errors.New("expected a SHA-256 as 64 hexadecimal digits, found something else"))
		}
	}
	if c.CRA != nil {
		c.CRA.Validate(func(field string, err error) { report("cra."+field, err) })
	}
	if c.SCRAM != nil {
		c.SCRAM.Validate(func(field string, err error) { report("scram."+field, err) })
	}
	if len(c.Cryptosign) > maxUserKeys {
		report("cryptosign", fmt.Errorf("expected at most %d keys, found %d", maxUserKeys, len(c.Cryptosign)))
	}
	for i, text := range c.Cryptosign {
		if _, ok := publicKey(text); !ok {
			report(fmt.Sprintf("cryptosign[%d]", i), fmt.Errorf("expected an Ed25519 public key as 64 hexadecimal digits, found %d bytes of something else", len(text)))
		}
	}
	if len(c.TLS) > maxUserKeys {
		report("tls", fmt.Errorf("expected at most %d certificates, found %d", maxUserKeys, len(c.TLS)))
	}
	for i, text := range c.TLS {
		if _, err := certificateName(text); err != nil {
			report(fmt.Sprintf("tls[%d]", i), err)
		}
	}
	if c.TicketSHA256 == "" && c.CRA == nil && c.SCRAM == nil && len(c.Cryptosign) == 0 && len(c.TLS) == 0 {
		report("", errors.New("expected one of ticket_sha256, cra, scram, cryptosign, tls, found none: the user can't join"))
	}
}

// Validate reports each bad field. It never prints the secret.
func (c CRAConfig) Validate(report func(field string, err error)) {
	if c.Salt == "" {
		if n := len(c.Secret); n < minCRASecret || n > maxCRASecret {
			report("secret", fmt.Errorf("expected %d to %d bytes, found %d", minCRASecret, maxCRASecret, n))
		}
		if c.Iterations != 0 {
			report("iterations", errors.New("expected none without a salt, found some"))
		}
		if c.KeyLen != 0 {
			report("keylen", errors.New("expected none without a salt, found one"))
		}
		return
	}
	if len(c.Salt) > maxCRASalt || !printable(c.Salt) {
		report("salt", fmt.Errorf("expected at most %d printable bytes, found %d bytes", maxCRASalt, len(c.Salt)))
	}
	if c.Iterations < 1 || c.Iterations > maxIterations {
		report("iterations", fmt.Errorf("must be in 1 to %d, not %d", maxIterations, c.Iterations))
	}
	if c.KeyLen < minCRAKey || c.KeyLen > maxCRAKey {
		report("keylen", fmt.Errorf("must be in %d to %d, not %d", minCRAKey, maxCRAKey, c.KeyLen))
		return
	}
	if b, err := decodeBase64(string(c.Secret)); err != nil || len(b) != c.KeyLen {
		report("secret", fmt.Errorf("expected, as there is a salt, the derived key of %d bytes in base64, found something else", c.KeyLen))
	}
}

// Validate reports each bad field. It never prints a key.
func (c SCRAMConfig) Validate(report func(field string, err error)) {
	switch c.KDF {
	case KDFArgon2id:
		if c.Iterations < 1 || c.Iterations > 10_000 {
			report("iterations", fmt.Errorf("must be in 1 to 10000 for %s, not %d", c.KDF, c.Iterations))
		}
		if c.Memory < 8 || c.Memory > 4<<20 {
			report("memory", fmt.Errorf("must be in 8 to %d (KiB), not %d", 4<<20, c.Memory))
		}
	case KDFPBKDF2:
		if c.Iterations < 4096 || c.Iterations > maxIterations {
			report("iterations", fmt.Errorf("must be in 4096 to %d for %s, not %d", maxIterations, c.KDF, c.Iterations))
		}
		if c.Memory != 0 {
			report("memory", fmt.Errorf("expected none for %s, found %d", c.KDF, c.Memory))
		}
	default:
		report("kdf", fmt.Errorf("must be %s or %s, not %q", KDFArgon2id, KDFPBKDF2, c.KDF))
	}
	if b, err := decodeBase64(c.Salt); err != nil || len(b) < minSCRAMSalt || len(b) > maxSCRAMSalt {
		report("salt", fmt.Errorf("expected %d to %d bytes in base64, found something else", minSCRAMSalt, maxSCRAMSalt))
	}
	for field, key := range map[string]Secret{"stored_key": c.StoredKey, "server_key": c.ServerKey} {
		if b, err := decodeBase64(string(key)); err != nil || len(b) != 32 {
			report(field, errors.New("expected 32 bytes in base64, found something else"))
		}
	}
}

// UsersConfig are the users of a configuration.
type UsersConfig []UserConfig

// Validate reports each bad field, as "joe.cra.secret", and names, public
// keys and certificates that two users share.
func (c UsersConfig) Validate(report func(field string, err error)) {
	names, keys, certificates := make(map[string]bool, len(c)), make(map[[32]byte]string), make(map[string]string)
	for _, user := range c {
		user.Validate(func(field string, err error) {
			if field != "" {
				field = "." + field
			}
			report(user.Name+field, err)
		})
		if names[user.Name] {
			report(user.Name, errors.New("expected each name once, found it again"))
		}
		names[user.Name] = true
		for i, text := range user.Cryptosign {
			key, ok := publicKey(text)
			if !ok {
				continue
			}
			if other, taken := keys[key]; taken {
				report(fmt.Sprintf("%s.cryptosign[%d]", user.Name, i), fmt.Errorf("expected a key of the user's own, found one of %s", other))
			}
			keys[key] = user.Name
		}
		for i, text := range user.TLS {
			name, err := certificateName(text)
			if err != nil {
				continue
			}
			if other, taken := certificates[name]; taken {
				report(fmt.Sprintf("%s.tls[%d]", user.Name, i), fmt.Errorf("expected a certificate of the user's own, found one of %s", other))
			}
			certificates[name] = user.Name
		}
	}
}

// publicKey decodes an Ed25519 public key.
func publicKey(text string) (key [32]byte, ok bool) {
	if len(text) != hex.EncodedLen(len(key)) {
		return key, false
	}
	_, err := hex.Decode(key[:], []byte(text))
	return key, err == nil
}

// decodeBase64 decodes base64 in its one canonical form: padded, with neither
// line breaks nor bits left over.
func decodeBase64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err == nil && base64.StdEncoding.EncodedLen(len(b)) != len(s) {
		err = errors.New("line breaks") // which the decoder passes over
	}
	return b, err
}

// clientMistake is the error about a HELLO that no method can work with.
func clientMistake(format string, args ...any) error {
	return wamp.Errorf(wamp.URIInvalidArgument, format, args...)
}
