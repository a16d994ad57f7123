package dynamic

import (
	"context"
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
	if err != nil {
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
// iterations and keylen, or pubkey. Other keys are passed over. Errors quote
// nothing of it, as it may hold a secret.
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
	var realm, secret string
	err := errors.Join(
		text(dict, "role", &p.Role), text(dict, "authid", &p.AuthID), text(dict, "realm", &realm),
		text(dict, "secret", &secret), text(dict, "salt", &p.Salt), text(dict, "pubkey", &p.PublicKey),
		count(dict, "iterations", &p.Iterations), count(dict, "keylen", &p.KeyLen),
	)
	p.Realm, p.Secret = wamp.URI(realm), auth.Secret(secret)
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
