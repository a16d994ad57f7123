package dynamic

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// Lookups returns how to ask procedures about who wants to join, by the method of
// authentication.
func Lookups(caller *Caller, procedures map[string]wamp.URI, log *slog.Logger) map[string]auth.Lookup {
	lookups := make(map[string]auth.Lookup, len(procedures))
	for method, procedure := range procedures {
		lookups[method] = func(ctx context.Context, authid string, details map[string]any) (*auth.Principal, error) {
			p, err := lookUp(ctx, caller, procedure, authid, details)
			if err != nil {
				log.LogAttrs(ctx, slog.LevelInfo, "the authenticator lets nobody in",
					slog.String("procedure", string(procedure)), slog.String("method", method), slog.String("authid", authid), slog.Any("err", err))
			}
			return p, err
		}
	}
	return lookups
}

func lookUp(ctx context.Context, caller *Caller, procedure wamp.URI, authid string, details map[string]any) (*auth.Principal, error) {
	result, err := caller.call(ctx, procedure, caller.realm, orNull(authid), details)
	switch {
	case err != nil && isAway(err):
		return nil, fmt.Errorf("%w: %w", auth.ErrAway, err)
	case err != nil:
		return nil, err
	}
	return parsePrincipal(result)
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// parsePrincipal reads the answer of an authenticator: a role, or a dictionary
// with role, authid, realm, extra, and what the method needs: secret, salt,
// iterations and keylen; kdf, salt, iterations, memory, stored_key and
// server_key; or pubkey. Other keys are passed over. Errors quote nothing of it,
// as it may hold a secret.
func parsePrincipal(v any) (*auth.Principal, error) {
	if role, ok := v.(string); ok {
		if role == "" {
			return nil, errors.New("expected a role as the answer, found an empty text")
		}
		return &auth.Principal{Role: role}, nil
	}
	dict, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("expected a role or a dictionary as the answer, found a value of type %s", typeName(v))
	}
	p := new(auth.Principal)
	var realm, secret, stored, server string
	err := errors.Join(
		text(dict, "role", &p.Role), text(dict, "authid", &p.AuthID), text(dict, "realm", &realm),
		text(dict, "secret", &secret), text(dict, "salt", &p.Salt), text(dict, "pubkey", &p.PublicKey),
		count(dict, "iterations", &p.Iterations), count(dict, "keylen", &p.KeyLen),
		text(dict, "kdf", &p.KDF), count(dict, "memory", &p.Memory), text(dict, "stored_key", &stored), text(dict, "server_key", &server),
	)
	p.Realm, p.Secret, p.StoredKey, p.ServerKey = wamp.URI(realm), auth.Secret(secret), auth.Secret(stored), auth.Secret(server)
	err = errors.Join(err, hexKeys(dict, p))
	if extra := dict["extra"]; extra != nil {
		if p.Extra, ok = extra.(map[string]any); !ok {
			err = errors.Join(err, fmt.Errorf("answer: extra: expected a dictionary, found a value of type %s", typeName(extra)))
		}
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// hexKeys reads the keys of WAMP-SCRAM as Crossbar has them: under other names,
// and in hexadecimal digits, the salt likewise.
func hexKeys(dict map[string]any, p *auth.Principal) error {
	if dict["stored-key"] == nil && dict["server-key"] == nil {
		return nil
	}
	if p.StoredKey != "" || p.ServerKey != "" {
		return errors.New("answer: stored-key: expected it in place of stored_key and server_key, found both")
	}
	var stored, server string
	err := errors.Join(text(dict, "stored-key", &stored), text(dict, "server-key", &server))
	for _, v := range []struct {
		key, hex string
		set      func(base64 string)
	}{
		{"stored-key", stored, func(s string) { p.StoredKey = auth.Secret(s) }},
		{"server-key", server, func(s string) { p.ServerKey = auth.Secret(s) }},
		{"salt", p.Salt, func(s string) { p.Salt = s }},
	} {
		b, herr := hex.DecodeString(v.hex)
		if herr != nil {
			err = errors.Join(err, fmt.Errorf("answer: %s: expected hexadecimal digits, as stored-key is there, found something else", v.key))
		}
		v.set(base64.StdEncoding.EncodeToString(b))
	}
	return err
}

func text(dict map[string]any, key string, v *string) error {
	value := dict[key]
	if value == nil {
		return nil
	}
	s, ok := value.(string)
	if !ok {
		return fmt.Errorf("answer: %s: expected a text, found a value of type %s", key, typeName(value))
	}
	*v = s
	return nil
}

func count(dict map[string]any, key string, v *int) error {
	value := dict[key]
	if value == nil {
		return nil
	}
	n, ok := value.(int64)
	if !ok || n < 0 || n > math.MaxInt32 {
		return fmt.Errorf("answer: %s: expected an integer from 0 on, found something else", key)
	}
	*v = int(n)
	return nil
}
