package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/wireroom/wireroom/router/wamp"
)

// askSCRAM starts WAMP-SCRAM with whom the application knows, and just as well
// with whom it does not. It returns neither if nobody can have the name.
func (a *Auth) askSCRAM(ctx context.Context, realm wamp.URI, hello *Hello) (*Challenge, error) {
	name, err := saslprep(hello.AuthID)
	if err != nil || !nameable(name) {
		return nil, nil
	}
	x, err := newSCRAMExchange(hello)
	if err != nil {
		return nil, err // before anybody is asked
	}
	m, p, err := a.asked(ctx, realm, MethodSCRAM, hello, name, "")
	if errors.Is(err, ErrAway) {
		return nil, err
	}
	if err == nil {
		m.scram, err = p.scramSecret()
	}
	if err == nil {
		a.ask.scram.remember(&member{role: m.role, scram: m.scram})
	} else {
		m = a.scramStranger(name)
	}
	return x.challenge(m, err), nil
}

// scramStranger makes up whom the application does not know.
func (a *Auth) scramStranger(name string) *member {
	r := a.ask.scram.roster.Load()
	m := r.disguise(name)
	if m.scram == nil { // nobody was known yet
		m.scram = &scramSecret{kdf: KDFArgon2id, iterations: 3, memory: 64 << 10}
		m.scram.salt = base64.StdEncoding.EncodeToString(r.secret("scram salt\x00"+name, 16))
		copy(m.scram.stored[:], r.secret("scram stored\x00"+name, 32))
		copy(m.scram.server[:], r.secret("scram server\x00"+name, 32))
	}
	m.provider = providerDynamic
	return m
}

// kdfDraft is what clients of Crossbar's SCRAM call Argon2id. They take its
// result as text, so that other keys come of the same password.
const kdfDraft = "argon2id-13"

// scramSecret returns the principal's secret for WAMP-SCRAM.
func (p *Principal) scramSecret() (*scramSecret, error) {
	switch p.KDF {
	case KDFArgon2id, KDFPBKDF2:
	case kdfDraft:
		return nil, fmt.Errorf("the application answers with keys for %s, a draft of WAMP-SCRAM, of which no others can be made; expected those for %s or %s", kdfDraft, KDFArgon2id, KDFPBKDF2)
	default:
		return nil, fmt.Errorf("the application answers with another kdf than %s and %s", KDFArgon2id, KDFPBKDF2)
	}
	c := SCRAMConfig{KDF: p.KDF, Salt: p.Salt, Iterations: p.Iterations, Memory: p.Memory, StoredKey: p.StoredKey, ServerKey: p.ServerKey}
	if err := check(c.Validate); err != nil {
		return nil, fmt.Errorf("the application answers with what is no secret for %s: %w", MethodSCRAM, err)
	}
	return newSCRAMSecret(&c), nil
}
