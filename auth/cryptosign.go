package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/wireroom/wireroom/router/wamp"
)

// challengeCryptosign starts WAMP-Cryptosign with the public key in HELLO. It
// challenges every key, known or not; without a key that is one, it returns an
// error.
func (a *Auth) challengeCryptosign(ctx context.Context, realm wamp.URI, r *roster, hello *Hello) (*Challenge, error) {
	text, _ := hello.AuthExtra["pubkey"].(string)
	key, ok := publicKey(text)
	if !ok {
		return nil, clientMistake("cryptosign: authextra.pubkey: expected an Ed25519 public key as 64 hexadecimal digits, found something else")
	}
	m := r.keys[key]
	var stranger error
	switch {
	case a.lookup(MethodCryptosign) != nil:
		m, stranger = a.askKey(ctx, realm, hello, key)
		if errors.Is(stranger, ErrAway) {
			return nil, stranger
		}
	case m == nil:
		stranger = fmt.Errorf("nobody has the key %s", text)
	case hello.AuthID != "" && hello.AuthID != m.name:
		stranger = fmt.Errorf("the key of %q came with another authid", m.name)
	}
	binding, err := bindingOf(MethodCryptosign, hello)
	if err != nil {
		return nil, err
	}
	challenge := make([]byte, 32)
	rand.Read(challenge) // never fails: the runtime ends the process instead
	extra := map[string]any{"challenge": hex.EncodeToString(challenge), "channel_binding": nil}
	if binding.kind != "" {
		extra["channel_binding"] = binding.kind
		id := binding.id()
		subtle.XORBytes(challenge, challenge, id[:]) // what is to be signed
	}
	return &Challenge{
		Method: MethodCryptosign,
		Extra:  extra,
		Answer: func(_ context.Context, signature string, _ map[string]any) (*Grant, error) {
			err := verifyCryptosign(key[:], challenge, signature)
			if err == nil {
				err = stranger
			}
			if err != nil {
				return nil, errRefused("cryptosign: %w", err)
			}
			return m.grant(MethodCryptosign), nil
		},
	}, nil
}

// verifyCryptosign checks an answer: the signature and, behind it, the message
// that is signed, in hex. That must be the challenge, or with a channel binding
// the challenge XOR the channel's ID.
func verifyCryptosign(key ed25519.PublicKey, challenge []byte, answer string) error {
	const size = ed25519.SignatureSize + 32
	if len(answer) != hex.EncodedLen(size) {
		return fmt.Errorf("expected a signature and the challenge, %d hexadecimal digits, found %d bytes", hex.EncodedLen(size), len(answer))
	}
	b, err := hex.DecodeString(answer)
	if err != nil {
		return errors.New("expected hexadecimal digits, found something else")
	}
	signature, message := b[:ed25519.SignatureSize], b[ed25519.SignatureSize:]
	if subtle.ConstantTimeCompare(message, challenge) == 0 {
		return errors.New("what is signed is not the challenge")
	}
	if !ed25519.Verify(key, message, signature) {
		return errors.New("the signature is wrong")
	}
	return nil
}
