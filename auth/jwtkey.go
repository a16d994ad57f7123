package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// algorithmNames are the JWT algorithms that can be configured. "none" is not
// among them.
var algorithmNames = []string{"HS256", "RS256", "ES256", "EdDSA"}

const (
	minRSABits    = 2048 // RFC 7518 section 3.3
	maxPublicKeys = 16
)

// checkJWTSecret reports why secret is no key for HS256.
func checkJWTSecret(secret Secret) error {
	if strings.Contains(string(secret), "-----BEGIN ") {
		return errors.New("is PEM, which HS256 does not use: a public key belongs in public_key, a private key does not belong here at all")
	}
	if len(secret) < minJWTSecret {
		return fmt.Errorf("expected at least %d bytes (such as: openssl rand -base64 48), found %d", minJWTSecret, len(secret))
	}
	return nil
}

// parsePublicKeys returns the public keys in PEM text, of which there is at
// least one: PKIX, PKCS #1, or those of certificates.
func parsePublicKeys(text []byte) ([]crypto.PublicKey, error) {
	var keys []crypto.PublicKey
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		if len(keys) == maxPublicKeys {
			return nil, fmt.Errorf("holds more than %d keys", maxPublicKeys)
		}
		key, err := parsePublicKey(block)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", len(keys)+1, err)
		}
		if _, err := keyAlgorithm(key); err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", len(keys)+1, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("holds no PEM block: must begin with -----BEGIN PUBLIC KEY----- or the like")
	}
	if strings.Contains(string(text), "-----BEGIN ") {
		return nil, fmt.Errorf("PEM block %d cannot be read", len(keys)+1)
	}
	return keys, nil
}

func parsePublicKey(block *pem.Block) (crypto.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	if strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return nil, errors.New("is a private key: only its public half is needed here (openssl pkey -pubout)")
	}
	return nil, fmt.Errorf("must be PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE, not %q", block.Type)
}

// parsePrivateKey returns the private key in PEM text: PKCS #8, PKCS #1 or SEC 1.
func parsePrivateKey(text []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "EC PARAMETERS": // openssl ecparam -genkey writes it in front of the key
			continue
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			err = errors.New("is encrypted: decrypt it first (openssl pkey)")
		default:
			err = fmt.Errorf("must be PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY, not %q", block.Type)
		}
		if err != nil {
			return nil, err
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("is a key of type %T, which cannot sign", key)
		}
		return signer, nil
	}
	return nil, errors.New("holds no PEM block: must begin with -----BEGIN PRIVATE KEY----- or the like")
}

// keyAlgorithm returns the one algorithm that a public key is used with.
func keyAlgorithm(key crypto.PublicKey) (string, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits {
			return "", fmt.Errorf("RSA key must have at least %d bits, not %d", minRSABits, bits)
		}
		return "RS256", nil
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return "", fmt.Errorf("EC key must be on the curve P-256, not %s", key.Curve.Params().Name)
		}
		return "ES256", nil
	case ed25519.PublicKey:
		return "EdDSA", nil
	}
	return "", fmt.Errorf("key of type %T fits no algorithm: must be RSA, EC on P-256 or Ed25519", key)
}

// checkKeysFit reports a key that no algorithm uses and an algorithm that has
// no key. The keys come from parsePublicKeys.
func checkKeysFit(algorithms []string, keys []crypto.PublicKey) error {
	have := make(map[string]bool)
	want := make(map[string]bool)
	for _, name := range algorithms {
		want[name] = name != "HS256"
	}
	for _, key := range keys {
		name, err := keyAlgorithm(key)
		if err != nil {
			return err
		}
		if !want[name] {
			return fmt.Errorf("holds a key for %s, which is not among the algorithms", name)
		}
		have[name] = true
	}
	for _, name := range algorithms {
		if want[name] && !have[name] {
			return fmt.Errorf("holds no key for %s", name)
		}
	}
	return nil
}
