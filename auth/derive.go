package auth

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// ticketPrefix begins the text of every ticket that is drawn here, so that one
// that leaks can be found by a search. It is not that of client tokens.
const ticketPrefix = "wrt_"

// NewTicket draws a static ticket, 256 random bits, and returns it with what
// [UserConfig.TicketSHA256] keeps of it.
func NewTicket() (ticket Secret, hash string) {
	var b [32]byte
	rand.Read(b[:]) // never fails: the runtime ends the process instead
	ticket = Secret(ticketPrefix + base64.RawURLEncoding.EncodeToString(b[:]))
	sum := ticket.Hash()
	return ticket, hex.EncodeToString(sum[:])
}

// NewCRA returns the salted credential for WAMP-CRA of a password, with a salt
// of its own. iterations is 1 to 10,000,000: what each login costs the client.
func NewCRA(password Secret, iterations int) (*CRAConfig, error) {
	if password == "" {
		return nil, errNoPassword
	}
	c := &CRAConfig{Salt: newSalt(), Iterations: iterations, KeyLen: 32}
	key, err := deriveCRA(password, c.Salt, c.Iterations, c.KeyLen)
	if err != nil {
		return nil, err
	}
	c.Secret = Secret(key)
	return c, check(c.Validate)
}

// deriveCRA is what a client does with a salted challenge. The HMAC key is the
// base64 text of the derived key, as in every implementation there is.
func deriveCRA(password Secret, salt string, iterations, keyLen int) (string, error) {
	if iterations < 1 || iterations > maxIterations {
		return "", fmt.Errorf("iterations must be in 1 to %d, not %d", maxIterations, iterations)
	}
	key, err := pbkdf2.Key(sha256.New, string(password), []byte(salt), iterations, keyLen)
	if err != nil {
		return "", fmt.Errorf("derive a key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(key), nil
}

// NewSCRAM returns the credential for WAMP-SCRAM of a password, with a salt of
// its own. The ranges of iterations and memory (KiB) are those of
// [SCRAMConfig]; this call and each login cost the client that much.
func NewSCRAM(password Secret, kdf string, iterations, memory int) (*SCRAMConfig, error) {
	c := &SCRAMConfig{KDF: kdf, Salt: newSalt(), Iterations: iterations, Memory: memory}
	any32 := Secret(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	c.StoredKey, c.ServerKey = any32, any32
	if err := check(c.Validate); err != nil {
		return nil, err // before so much is computed
	}
	salted, err := saltPassword(password, c)
	if err != nil {
		return nil, err
	}
	stored, server := scramKeys(salted)
	c.StoredKey = Secret(base64.StdEncoding.EncodeToString(stored[:]))
	c.ServerKey = Secret(base64.StdEncoding.EncodeToString(server[:]))
	return c, nil
}

// saltPassword returns the SaltedPassword of RFC 5802. c must be valid.
func saltPassword(password Secret, c *SCRAMConfig) ([]byte, error) {
	if password == "" {
		return nil, errNoPassword
	}
	normal, err := saslprep(string(password))
	if err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	salt, err := decodeBase64(c.Salt)
	if err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	if c.KDF == KDFArgon2id {
		return argon2.IDKey([]byte(normal), salt, uint32(c.Iterations), uint32(c.Memory), 1, 32), nil
	}
	return pbkdf2.Key(sha256.New, normal, salt, c.Iterations, 32)
}

// scramKeys returns the StoredKey and the ServerKey of RFC 5802.
func scramKeys(salted []byte) (stored, server [32]byte) {
	stored = sha256.Sum256(mac(salted, "Client Key"))
	copy(server[:], mac(salted, "Server Key"))
	return stored, server
}

var errNoPassword = errors.New("password: expected one, found an empty text")

// newSalt returns 128 random bits in base64.
func newSalt() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

// mac returns the HMAC-SHA-256 of the text.
func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// check returns what a Validate method reports as an error.
func check(validate func(report func(field string, err error))) error {
	var errs []error
	validate(func(field string, err error) { errs = append(errs, fmt.Errorf("%s: %w", field, err)) })
	return errors.Join(errs...)
}
