package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
)

const (
	// maxJWKs is how many keys of a set are looked at. A token without a key
	// ID is checked with each that fits its algorithm.
	maxJWKs = 32

	// maxRSABits bounds what a key costs whom it is used by.
	maxRSABits = 8192

	// maxKeyID is the longest kid in bytes.
	maxKeyID = 256
)

// A jwk is a public key of a JWK Set (RFC 7517), made ready for use.
type jwk struct {
	id        string // kid; empty: it has none, and fits every token
	algorithm string
	key       crypto.PublicKey
}

// A rawJWK is what is looked at of a key in a JWK Set.
type rawJWK struct {
	Type       string   `json:"kty"`
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	Algorithm  string   `json:"alg"`
	ID         string   `json:"kid"`
	Curve      string   `json:"crv"`
	N          string   `json:"n"`
	E          string   `json:"e"`
	X          string   `json:"x"`
	Y          string   `json:"y"`

	D *json.RawMessage `json:"d"` // of a private key
}

// parseJWKs returns the keys of a JWK Set that can check signatures by one of
// the algorithms, and why others cannot. The error is that it is no JWK Set.
func parseJWKs(text []byte, algorithms []string) (keys []jwk, skipped []error, err error) {
	var set struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, nil, fmt.Errorf("expected a JWK Set, found something else: %w", err)
	}
	if set.Keys == nil {
		return nil, nil, errors.New("expected a JWK Set, found no list of keys")
	}
	for i, raw := range *set.Keys {
		if i == maxJWKs {
			skipped = append(skipped, fmt.Errorf("keys beyond the first %d are not looked at", maxJWKs))
			break
		}
		key, err := parseJWK(raw, algorithms)
		if err != nil {
			skipped = append(skipped, fmt.Errorf("key %d: %w", i+1, err))
			continue
		}
		keys = append(keys, key)
	}
	return keys, skipped, nil
}

// parseJWK returns a key, or why it cannot be used. Its errors never quote the
// key, which may be a secret at the wrong place.
func parseJWK(text []byte, algorithms []string) (jwk, error) {
	var raw rawJWK
	if json.Unmarshal(text, &raw) != nil {
		return jwk{}, errors.New("expected an object with members of the types of RFC 7517, found something else")
	}
	switch {
	case raw.D != nil:
		return jwk{}, errors.New("it is a private key, which everybody can read there: it must not be used any more")
	case raw.Use != "" && raw.Use != "sig":
		return jwk{}, fmt.Errorf(`use: expected "sig", found %.20q`, raw.Use)
	case raw.Operations != nil && !slices.Contains(raw.Operations, "verify"):
		return jwk{}, errors.New(`key_ops: expected "verify" among them`)
	case len(raw.ID) > maxKeyID:
		return jwk{}, fmt.Errorf("kid: expected at most %d bytes, found %d", maxKeyID, len(raw.ID))
	}
	key, err := raw.publicKey()
	if err != nil {
		return jwk{}, err
	}
	algorithm, err := keyAlgorithm(key)
	switch {
	case err != nil:
		return jwk{}, err
	case raw.Algorithm != "" && raw.Algorithm != algorithm:
		return jwk{}, fmt.Errorf("alg: a key of this type is used with %s, found %.20q", algorithm, raw.Algorithm)
	case !slices.Contains(algorithms, algorithm):
		return jwk{}, fmt.Errorf("it is a key for %s, which is not among the algorithms", algorithm)
	}
	return jwk{id: raw.ID, algorithm: algorithm, key: key}, nil
}

func (raw *rawJWK) publicKey() (crypto.PublicKey, error) {
	switch raw.Type {
	case "RSA":
		return raw.rsaKey()
	case "EC":
		return raw.ecKey()
	case "OKP":
		x, err := field("x", raw.X)
		switch {
		case err != nil:
			return nil, err
		case raw.Curve != "Ed25519":
			return nil, fmt.Errorf("crv: expected Ed25519, found %.20q", raw.Curve)
		case len(x) != ed25519.PublicKeySize:
			return nil, fmt.Errorf("x: expected %d bytes, found %d", ed25519.PublicKeySize, len(x))
		}
		return ed25519.PublicKey(x), nil
	case "oct":
		return nil, errors.New("kty oct: it is a secret, which everybody can read there: it must not be used any more")
	}
	return nil, fmt.Errorf("kty: expected RSA, EC or OKP, found %.20q", raw.Type)
}

func (raw *rawJWK) rsaKey() (crypto.PublicKey, error) {
	n, err := field("n", raw.N)
	if err != nil {
		return nil, err
	}
	e, err := field("e", raw.E)
	if err != nil {
		return nil, err
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	if bits := modulus.BitLen(); bits > maxRSABits {
		return nil, fmt.Errorf("n: expected an RSA key of at most %d bits, found %d", maxRSABits, bits)
	}
	if exponent.BitLen() > 31 || exponent.Cmp(big.NewInt(3)) < 0 || exponent.Bit(0) == 0 {
		return nil, fmt.Errorf("e: expected an odd number in 3 to %d", math.MaxInt32)
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
}

func (raw *rawJWK) ecKey() (crypto.PublicKey, error) {
	const size = 32
	if raw.Curve != "P-256" {
		return nil, fmt.Errorf("crv: expected P-256, found %.20q", raw.Curve)
	}
	x, err := field("x", raw.X)
	if err != nil {
		return nil, err
	}
	y, err := field("y", raw.Y)
	if err != nil {
		return nil, err
	}
	if len(x) != size || len(y) != size { // RFC 7518 section 6.2.1.2
		return nil, fmt.Errorf("x, y: expected %d bytes each, found %d and %d", size, len(x), len(y))
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, errors.New("x, y: expected a point of the curve P-256, found another")
	}
	return key, nil
}

// field decodes a member that must be there.
func field(name, value string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("%s: expected a value in base64url without padding", name)
	}
	return b, nil
}
