package auth

import (
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/wireroom/wireroom/router/wamp"
)

// Claims are what [MintJWT] writes into a token. Empty fields are left out.
type Claims struct {
	Subject    string // required: the user
	Roles      []string
	RoleClaim  string   // "role" if empty; taken as one name, dots and all
	Realm      wamp.URI // where the token counts
	RealmClaim string   // for Realm; taken as one name, dots and all
	Issuer     string
	Audience   string
	NotBefore  time.Time
	Expires    time.Time // zero: the token has no exp
}

// MintJWT returns a JWT that says claims, issued now. algorithm is HS256, and
// key a secret of at least 32 bytes, or one of RS256, ES256 and EdDSA, and key
// a private key as PEM.
func MintJWT(algorithm string, key Secret, claims Claims) (Secret, error) {
	method, signer, err := signingKey(algorithm, key)
	if err != nil {
		return "", err
	}
	if err := checkUser(claims.Subject); err != nil {
		return "", err
	}
	if err := checkRoles(claims.Roles); err != nil {
		return "", err
	}
	body := jwt.MapClaims{"sub": claims.Subject, "iat": jwt.NewNumericDate(time.Now())}
	name := claims.RoleClaim
	if name == "" {
		name = "role"
	}
	switch len(claims.Roles) {
	case 0:
	case 1:
		body[name] = claims.Roles[0]
	default:
		body[name] = claims.Roles
	}
	if claims.Realm != "" {
		if claims.RealmClaim == "" || claims.RealmClaim == name {
			return "", fmt.Errorf("realm %q: expected the name of a claim for it, found %q", claims.Realm, claims.RealmClaim)
		}
		body[claims.RealmClaim] = claims.Realm
	}
	if claims.Issuer != "" {
		body["iss"] = claims.Issuer
	}
	if claims.Audience != "" {
		body["aud"] = claims.Audience
	}
	if !claims.NotBefore.IsZero() {
		body["nbf"] = jwt.NewNumericDate(claims.NotBefore)
	}
	if !claims.Expires.IsZero() {
		body["exp"] = jwt.NewNumericDate(claims.Expires)
	}
	text, err := jwt.NewWithClaims(method, body).SignedString(signer)
	if err != nil {
		return "", fmt.Errorf("sign JWT with %s: %w", algorithm, err)
	}
	return Secret(text), nil
}

// signingKey returns the method of the algorithm and the key that it signs with.
func signingKey(algorithm string, key Secret) (jwt.SigningMethod, any, error) {
	method := jwt.GetSigningMethod(algorithm)
	switch algorithm {
	case "HS256":
		if err := checkJWTSecret(key); err != nil {
			return nil, nil, fmt.Errorf("key: %w", err)
		}
		return method, []byte(key), nil
	case "RS256", "ES256", "EdDSA":
		private, err := parsePrivateKey([]byte(key))
		if err != nil {
			return nil, nil, fmt.Errorf("key %w", err)
		}
		if err := checkKeysFit([]string{algorithm}, []crypto.PublicKey{private.Public()}); err != nil {
			return nil, nil, fmt.Errorf("key %w", err)
		}
		return method, private, nil
	}
	return nil, nil, errors.New("algorithm must be HS256, RS256, ES256 or EdDSA, not " + fmt.Sprintf("%q", algorithm))
}
