package dynamic

import (
	"errors"
	"fmt"

	"github.com/wireroom/wireroom/router"
)

// An authorization is the answer of an authorizer: a bool, or a dictionary with
// allow and, maybe, cache and disclose.
type authorization struct {
	allow    bool
	cache    bool
	disclose *bool // nil: it says nothing of that
}

// parseAuthorization reads an answer. What is not understood is an error, never
// a permission.
func parseAuthorization(v any) (a authorization, err error) {
	if allow, ok := v.(bool); ok {
		return authorization{allow: allow}, nil
	}
	dict, ok := v.(map[string]any)
	if !ok {
		return a, fmt.Errorf("expected a bool or a dictionary as the answer, found a value of type %s", typeName(v))
	}
	for key, v := range dict {
		b, isBool := v.(bool)
		switch key {
		case "allow":
			a.allow = b
		case "cache":
			a.cache = b
		case "disclose":
			a.disclose = new(b)
		case "validate":
			if v == nil {
				continue
			}
			return authorization{}, errors.New("answer: validate: payloads are not validated here, so that nothing can be allowed under this condition")
		default:
			return authorization{}, fmt.Errorf("answer: expected allow, cache and disclose, found %.40q", key)
		}
		if !isBool {
			return authorization{}, fmt.Errorf("answer: %s: expected a bool, found a value of type %s", key, typeName(v))
		}
	}
	if _, ok := dict["allow"]; !ok {
		return authorization{}, errors.New("answer: expected allow, found none")
	}
	return a, nil
}

// disclosure returns what the answer says of it, or else standing.
func (a *authorization) disclosure(standing router.Disclosure) router.Disclosure {
	switch {
	case a.disclose == nil:
		return standing
	case *a.disclose:
		return router.DiscloseAlways
	default:
		return router.DiscloseNever
	}
}

// typeName returns what WAMP calls the type of a decoded value.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case string:
		return "string"
	case []any:
		return "list"
	case map[string]any:
		return "dict"
	default:
		return "number"
	}
}
