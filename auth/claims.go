package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// Bounds of the claims that are kept of one token, in all.
const (
	maxClaims      = 4 << 10 // bytes of JSON
	maxClaimValues = 1000    // texts, numbers, lists and so on
	maxClaimDepth  = 8
	maxClaimNames  = 64 // of [JWTConfig.Claims]
)

// keptClaims returns those of the claims that somebody asks for, as JSON; empty if
// nobody asks for any. One that the token lacks is null there: it was looked for.
// A token with more than is kept is refused, as what is cut off may be what keeps
// its user from seeing something.
func (v *Verifier) keptClaims(claims jwt.MapClaims) (string, error) {
	if len(v.kept) == 0 {
		return "", nil
	}
	kept := make(map[string]any, len(v.kept))
	values := 0
	for _, name := range v.kept {
		kept[name] = claims[name]
		if err := countValues(claims[name], 1, &values); err != nil {
			return "", fmt.Errorf("claim %.100q: %w", name, err)
		}
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return "", fmt.Errorf("claims: %w", err)
	}
	if len(text) > maxClaims {
		return "", fmt.Errorf("claims %.100q: expected at most %d bytes, found %d", v.kept, maxClaims, len(text))
	}
	return string(text), nil
}

// countValues counts what is in a claim.
func countValues(v any, depth int, n *int) error {
	if *n++; *n > maxClaimValues {
		return fmt.Errorf("expected at most %d values in all claims that are kept, found more", maxClaimValues)
	}
	if depth > maxClaimDepth {
		return fmt.Errorf("expected at most %d levels of nesting, found more", maxClaimDepth)
	}
	switch v := v.(type) {
	case []any:
		for _, el := range v {
			if err := countValues(el, depth+1, n); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, el := range v {
			if err := countValues(el, depth+1, n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c JWTConfig) validateClaims(report func(field string, err error)) {
	if n := len(c.Claims); n > maxClaimNames {
		report("claims", fmt.Errorf("expected at most %d, found %d", maxClaimNames, n))
	}
	if slices.Contains(c.Claims, "") {
		report("claims", errors.New("expected the name of a claim, found an empty text"))
	}
}
