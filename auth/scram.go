package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
)

// Bounds on a client's nonce. The specification asks for a nonce that can't
// come again; its own example has 8 bytes.
const (
	minNonce = 8
	maxNonce = 256
)

// A scramExchange is one login by WAMP-SCRAM, which is RFC 5802 with SHA-256
// in messages of WAMP.
type scramExchange struct {
	authID      string // as in HELLO
	clientNonce string
	nonce       string // the client's and ours
	secret      *scramSecret
	binding     channelBinding
}

// challengeSCRAM starts WAMP-SCRAM with who the client says it is, or returns
// neither if a user of this look has no secret for it.
func (a *Auth) challengeSCRAM(r *roster, hello *Hello) (*Challenge, error) {
	name, err := saslprep(hello.AuthID)
	if err != nil || !nameable(name) {
		return nil, nil
	}
	m, known := r.find(name)
	if m.scram == nil {
		return nil, nil
	}
	x, err := newSCRAMExchange(hello)
	if err != nil {
		return nil, err
	}
	var stranger error
	if !known {
		stranger = fmt.Errorf("there is no user %q", m.name)
	}
	return x.challenge(m, stranger), nil
}

// newSCRAMExchange begins a login with what HELLO says, whoever that is from.
func newSCRAMExchange(hello *Hello) (*scramExchange, error) {
	clientNonce, _ := hello.AuthExtra["nonce"].(string)
	if b, err := decodeBase64(clientNonce); err != nil || len(b) < minNonce || len(b) > maxNonce {
		return nil, clientMistake("wamp-scram: authextra.nonce: expected %d to %d bytes in base64, found something else", minNonce, maxNonce)
	}
	binding, err := bindingOf(MethodSCRAM, hello)
	if err != nil {
		return nil, err
	}
	return &scramExchange{
		authID: hello.AuthID, clientNonce: clientNonce, nonce: clientNonce + serverNonce(), binding: binding,
	}, nil
}

// challenge challenges m, which stranger says is made up, and why.
func (x *scramExchange) challenge(m *member, stranger error) *Challenge {
	x.secret = m.scram
	extra := map[string]any{
		"nonce": x.nonce, "salt": m.scram.salt, "kdf": m.scram.kdf,
		"iterations": int64(m.scram.iterations), "memory": nil,
	}
	if m.scram.memory > 0 {
		extra["memory"] = int64(m.scram.memory)
	}
	return &Challenge{
		Method: MethodSCRAM,
		Extra:  extra,
		Answer: func(_ context.Context, signature string, extra map[string]any) (*Grant, error) {
			verifier, err := x.judge(signature, extra)
			if stranger != nil {
				err = stranger
			}
			if err != nil {
				return nil, errRefused("wamp-scram: %w", err)
			}
			g := m.grant(MethodSCRAM)
			g.Extra["verifier"] = verifier
			return g, nil
		},
	}
}

// serverNonce returns 128 random bits in base64.
func serverNonce() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

// judge checks an AUTHENTICATE message and returns the signature that proves
// to the client that we know it.
func (x *scramExchange) judge(signature string, extra map[string]any) (verifier string, err error) {
	message := x.authMessage()
	clientSignature := mac(x.secret.stored[:], message)
	proof, err := decodeBase64(signature)
	if err != nil || len(proof) != len(clientSignature) {
		return "", fmt.Errorf("expected a proof of %d bytes in base64", len(clientSignature))
	}
	// The client's key is the proof less the signature.
	subtle.XORBytes(proof, proof, clientSignature)
	stored := sha256.Sum256(proof)
	right := subtle.ConstantTimeCompare(stored[:], x.secret.stored[:])
	nonce, _ := extra["nonce"].(string)
	switch {
	case subtle.ConstantTimeCompare([]byte(nonce), []byte(x.nonce)) == 0:
		return "", fmt.Errorf("the nonce of %q is not that of the challenge", x.authID)
	case !x.binding.agrees(extra):
		return "", fmt.Errorf("%q does not bind the login to the channel as HELLO said", x.authID)
	case right == 0:
		return "", fmt.Errorf("the proof of %q is wrong", x.authID)
	}
	return base64.StdEncoding.EncodeToString(mac(x.secret.server[:], message)), nil
}

// authMessage returns the AuthMessage of the specification.
func (x *scramExchange) authMessage() string {
	return fmt.Sprintf("n=%s,r=%s,r=%s,s=%s,i=%d,c=%s,r=%s",
		scramEscape.Replace(x.authID), x.clientNonce, x.nonce, x.secret.salt, x.secret.iterations, x.binding.input(), x.nonce)
}

var scramEscape = strings.NewReplacer(",", "=2C", "=", "=3D")
