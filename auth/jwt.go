package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/wireroom/wireroom/router/wamp"
)

// ErrExpired and ErrInvalid are what a holder of a bad credential may be told.
// The errors that wrap them say more, for the log only. ErrExpired is returned
// only for a credential that was good once.
var (
	ErrExpired = errors.New("ticket expired")
	ErrInvalid = errors.New("ticket not valid")
)

// maxTicket is the size of the largest credential that is looked into, in bytes.
const maxTicket = 16 << 10

// A Verifier checks JWTs. It is immutable, but for the keys that [Verifier.Run]
// fetches.
type Verifier struct {
	parser  *jwt.Parser
	secret  []byte                 // of HS256; nil if that is not accepted
	public  jwt.VerificationKeySet // of the others, unless they have remote
	remote  *keySet                // nil: keys come from nowhere else
	issuer  string
	aud     string
	claim   string   // with the roles
	realm   string   // likewise, with the realm; "" if tokens name none
	kept    []string // claims; sorted
	leeway  time.Duration
	forever bool // exp may be missing
}

// NewVerifier returns a verifier for cfg, or an error that names every bad
// field.
func NewVerifier(cfg JWTConfig) (*Verifier, error) {
	var errs []error
	cfg.Validate(func(field string, err error) { errs = append(errs, fmt.Errorf("jwt.%s: %w", field, err)) })
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	v := &Verifier{
		issuer: cfg.Issuer, aud: cfg.Audience, claim: cfg.RoleClaim, realm: cfg.RealmClaim,
		leeway: cfg.Leeway, forever: cfg.AllowNoExpiry, kept: slices.Compact(slices.Sorted(slices.Values(cfg.Claims))),
		parser: jwt.NewParser(
			jwt.WithValidMethods(slices.Clone(cfg.Algorithms)),
			jwt.WithJSONNumber(),
			jwt.WithStrictDecoding(),
			jwt.WithoutClaimsValidation(), // check does it, and says "expired" only if all else is right
		),
	}
	if cfg.Secret != "" {
		v.secret = []byte(cfg.Secret)
	}
	if cfg.PublicKey != "" {
		keys, err := parsePublicKeys([]byte(cfg.PublicKey))
		if err != nil {
			return nil, fmt.Errorf("jwt.public_key: %w", err)
		}
		for _, key := range keys {
			v.public.Keys = append(v.public.Keys, key)
		}
	}
	if cfg.JWKS != "" {
		v.remote = newKeySet(&cfg)
	}
	return v, nil
}

// Run keeps the keys of [JWTConfig.JWKS] up to date until ctx is done. Without
// it there are none. If the configuration names none, Run returns at once. It
// is to be called once.
func (v *Verifier) Run(ctx context.Context, log *slog.Logger) {
	if v.remote != nil {
		v.remote.run(ctx, log)
	}
}

// Verify returns whom the JWT speaks of: User is its sub, Roles are in its
// role claim, Realm is in its realm claim, Claims are those of
// [JWTConfig.Claims], Expires is its exp with the leeway.
// The error wraps [ErrExpired] or [ErrInvalid], or else says that the issuer's
// keys are not known at the moment. Until ctx is done it may wait for them, at
// most 10 seconds.
func (v *Verifier) Verify(ctx context.Context, text Secret) (*Identity, error) {
	if len(text) > maxTicket {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrInvalid, len(text), maxTicket)
	}
	if !isBase64URL(strings.ReplaceAll(string(text), ".", "")) {
		return nil, fmt.Errorf("%w: it has characters that no JWT has", ErrInvalid)
	}
	claims := jwt.MapClaims{}
	token, err := v.parser.ParseWithClaims(string(text), claims, func(t *jwt.Token) (any, error) { return v.key(ctx, t) })
	switch {
	case errors.Is(err, errNoKeys):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %v", ErrInvalid, err)
	}
	if _, ok := token.Header["crit"]; ok {
		return nil, fmt.Errorf("%w: it has critical header parameters, none is understood", ErrInvalid) // RFC 7515 section 4.1.11
	}
	return v.check(claims, time.Now())
}

// key returns what the token's signature is checked with. The parser has
// already made sure that the algorithm is an accepted one. Keys are kept apart
// by kind, so that a public key is never taken for a secret.
func (v *Verifier) key(ctx context.Context, t *jwt.Token) (any, error) {
	if _, ok := t.Method.(*jwt.SigningMethodHMAC); ok {
		return v.secret, nil
	}
	if v.remote == nil {
		return v.public, nil
	}
	id, err := keyID(t)
	if err != nil {
		return nil, err
	}
	keys, err := v.remote.candidates(ctx, id, t.Method.Alg())
	if err != nil {
		return nil, err
	}
	return jwt.VerificationKeySet{Keys: keys}, nil
}

// check judges the claims of a token whose signature is right.
func (v *Verifier) check(claims jwt.MapClaims, now time.Time) (*Identity, error) {
	invalid := func(format string, args ...any) (*Identity, error) {
		return nil, fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	if iss, _ := claims["iss"].(string); v.issuer != "" && iss != v.issuer {
		return invalid("iss is %.200q, want %q", iss, v.issuer)
	}
	if v.aud != "" && !audience(claims["aud"], v.aud) {
		return invalid("aud does not name %q", v.aud)
	}
	user, _ := claims["sub"].(string)
	if err := checkUser(user); err != nil {
		return invalid("sub: %v", err)
	}
	roles, err := rolesIn(lookupClaim(claims, v.claim))
	if err != nil {
		return invalid("%s: %v", v.claim, err)
	}
	realm, err := v.realmIn(claims)
	if err != nil {
		return invalid("%s: %v", v.realm, err)
	}
	kept, err := v.keptClaims(claims)
	if err != nil {
		return invalid("%v", err)
	}
	begin, err := date(claims, "nbf")
	if err != nil {
		return invalid("%v", err)
	}
	if !begin.IsZero() && now.Add(v.leeway).Before(begin) {
		return invalid("nbf is %v from now", begin.Sub(now))
	}
	end, err := date(claims, "exp")
	switch {
	case err != nil:
		return invalid("%v", err)
	case end.IsZero() && !v.forever:
		return invalid("exp is missing")
	case end.IsZero():
		return &Identity{User: user, Roles: roles, Realm: realm, Claims: kept, proven: now}, nil
	}
	end = end.Add(v.leeway)
	if !now.Before(end) {
		return nil, fmt.Errorf("%w: %v ago", ErrExpired, now.Sub(end))
	}
	return &Identity{User: user, Roles: roles, Realm: realm, Claims: kept, Expires: end, proven: now}, nil
}

// audience reports whether aud, a string or a list of them, names want.
func audience(aud any, want string) bool {
	switch aud := aud.(type) {
	case string:
		return aud == want
	case []any:
		return slices.Contains(aud, any(want))
	}
	return false
}

// date returns the claim as a time, zero if there is none.
func date(claims jwt.MapClaims, name string) (time.Time, error) {
	value, ok := claims[name]
	if !ok {
		return time.Time{}, nil
	}
	const year10000 = 253402300800
	number, ok := value.(json.Number)
	if !ok {
		return time.Time{}, fmt.Errorf("%s is no number", name)
	}
	seconds, err := number.Float64()
	if err != nil || seconds < 0 || seconds >= year10000 {
		return time.Time{}, fmt.Errorf("%s is no time before the year 10000", name)
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), nil
}

// lookupClaim returns the claim called path, or the one that the dots of path
// lead to, or nil.
func lookupClaim(claims map[string]any, path string) any {
	if value, ok := claims[path]; ok {
		return value
	}
	head, rest, ok := strings.Cut(path, ".")
	if !ok {
		return nil
	}
	nested, ok := claims[head].(map[string]any)
	if !ok {
		return nil
	}
	return lookupClaim(nested, rest)
}

// realmIn returns the realm in the realm claim, if tokens must have one.
func (v *Verifier) realmIn(claims jwt.MapClaims) (wamp.URI, error) {
	if v.realm == "" {
		return "", nil
	}
	name, _ := lookupClaim(claims, v.realm).(string)
	if realm := wamp.URI(name); realm.Valid() && len(name) <= maxRealm {
		return realm, nil
	}
	return "", fmt.Errorf("expected the name of a realm, found %.200q", name)
}

// rolesIn returns the roles in a role claim: a string, a list of strings, or
// nothing.
func rolesIn(claim any) ([]string, error) {
	var roles []string
	switch claim := claim.(type) {
	case nil:
		return nil, nil
	case string:
		roles = []string{claim}
	case []any:
		for _, item := range claim {
			role, ok := item.(string)
			if !ok {
				return nil, errors.New("must be a string or a list of strings")
			}
			roles = append(roles, role)
		}
	default:
		return nil, errors.New("must be a string or a list of strings")
	}
	if err := checkRoles(roles); err != nil {
		return nil, err
	}
	return roles, nil
}
