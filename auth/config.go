package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// SessionConfig says how client tokens are handed out. Start from
// [DefaultSessionConfig].
type SessionConfig struct {
	// Cookie is the name of the cookie. A name that begins with "__Host-"
	// keeps subdomains from planting one; it needs Secure.
	Cookie string `yaml:"cookie"`

	// TTL is how long a token is good for after it was given or last
	// renewed: 1m to 9600h (400 days, the most that browsers keep a cookie).
	TTL time.Duration `yaml:"ttl"`

	// Max is how long a token can be renewed in all, counted from when it
	// was given or its user last proved who they are: TTL to 87600h.
	Max time.Duration `yaml:"max"`

	// Rotate is how old a secret may become before a renewal gives a new one in
	// its place: Grace to 9600h; 0: it stays the same.
	Rotate time.Duration `yaml:"rotate"`

	// Grace is how long a secret is still good after its successor has come
	// back for the first time: 1s to 1h. Clocks of gateways over one store
	// must agree better than that.
	Grace time.Duration `yaml:"grace"`

	// Devices is how many live tokens a user can have in a realm: 1 to 10,000.
	// For one more, the one that has not been seen for the longest gives way.
	Devices int `yaml:"devices"`

	// Newcomers is how many clients that come without a token, or with one that
	// is good no more, are given one in a minute by POST /session, and
	// NewcomersPerAddress how many of one address, or of one network /64 of
	// IPv6: 1 to 1,000,000. Who logs in does not count.
	Newcomers           int `yaml:"newcomers"`
	NewcomersPerAddress int `yaml:"newcomers_per_address"`

	// Secure marks every cookie Secure. Set it where TLS ends in front of
	// the gateway: pages of the gateway's own host must then be of https to
	// use the cookie. For requests that reach the gateway over TLS all this
	// holds anyway.
	Secure bool `yaml:"secure"`
}

// DefaultSessionConfig returns the defaults: a cookie "wireroom" for 30 days
// after the last renewal, and at most a year, with a new secret each day and the
// old one good for another minute; 100 devices of a user; in a minute 6,000
// newcomers, 600 of one address.
func DefaultSessionConfig() SessionConfig {
	return SessionConfig{
		Cookie: "wireroom", TTL: 720 * time.Hour, Max: 8760 * time.Hour,
		Rotate: 24 * time.Hour, Grace: time.Minute, Devices: 100,
		Newcomers: 6000, NewcomersPerAddress: 600,
	}
}

const (
	minTTL = time.Minute
	maxTTL = 9600 * time.Hour
	maxMax = 87600 * time.Hour

	minGrace, maxGrace = time.Second, time.Hour
	maxDevices         = 10_000
	mostNewcomers      = 1_000_000
)

// Validate reports each field that is out of its range.
func (c SessionConfig) Validate(report func(field string, err error)) {
	prefixed := strings.HasPrefix(c.Cookie, "__Host-") || strings.HasPrefix(c.Cookie, "__Secure-")
	switch {
	case !isToken(c.Cookie) || len(c.Cookie) > 64:
		report("cookie", fmt.Errorf("must be 1 to 64 letters, digits or any of -_.!#$%%&'*+^`|~, not %q", c.Cookie))
	case prefixed && !c.Secure:
		report("cookie", fmt.Errorf("%q: browsers take a cookie with this prefix only with secure: true", c.Cookie))
	}
	if c.TTL < minTTL || c.TTL > maxTTL {
		report("ttl", fmt.Errorf("must be in 1m to 9600h, not %v", c.TTL))
	}
	if c.Max < c.TTL || c.Max > maxMax {
		report("max", fmt.Errorf("must be in ttl (%v) to 87600h, not %v", c.TTL, c.Max))
	}
	if c.Grace < minGrace || c.Grace > maxGrace {
		report("grace", fmt.Errorf("must be in 1s to 1h, not %v", c.Grace))
	}
	if c.Rotate != 0 && (c.Rotate < c.Grace || c.Rotate > maxTTL) {
		report("rotate", fmt.Errorf("must be 0 or in grace (%v) to 9600h, not %v", c.Grace, c.Rotate))
	}
	if c.Devices < 1 || c.Devices > maxDevices {
		report("devices", fmt.Errorf("must be in 1 to %d, not %d", maxDevices, c.Devices))
	}
	if c.Newcomers < 1 || c.Newcomers > mostNewcomers {
		report("newcomers", fmt.Errorf("must be in 1 to %d, not %d", mostNewcomers, c.Newcomers))
	}
	if c.NewcomersPerAddress < 1 || c.NewcomersPerAddress > mostNewcomers {
		report("newcomers_per_address", fmt.Errorf("must be in 1 to %d, not %d", mostNewcomers, c.NewcomersPerAddress))
	}
}

// isToken reports whether s is a token of RFC 9110 section 5.6.2, which is
// what the name of a cookie must be.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && strings.IndexByte("-_.!#$%&'*+^`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// JWTConfig says which JWTs are accepted. Start from [DefaultJWTConfig].
type JWTConfig struct {
	// Algorithms are the accepted ones, of HS256, RS256, ES256 and EdDSA. A
	// token's own header chooses only among them. HS256 needs Secret, the
	// others PublicKey or JWKS.
	Algorithms []string `yaml:"algorithms"`

	// Secret is the key of HS256, at least 32 bytes (RFC 7518 section 3.2).
	Secret Secret `yaml:"secret"`

	// PublicKey is PEM: one or more public keys or certificates. With
	// several, a token may be signed by any of them, so that keys can be
	// exchanged without a gap.
	PublicKey string `yaml:"public_key"`

	// JWKS is the URL of a JWK Set (RFC 7517) with the public keys, in place
	// of PublicKey: of https, or of http to this machine. [Verifier.Run]
	// fetches it.
	JWKS string `yaml:"jwks"`

	// JWKSRefresh is how often it is fetched: 10s to 24h. It is fetched
	// sooner for a token whose key is not in it.
	JWKSRefresh time.Duration `yaml:"jwks_refresh"`

	// JWKSStale is how long after the last fetch that went well the keys are
	// used: JWKSRefresh to 720h.
	JWKSStale time.Duration `yaml:"jwks_stale"`

	// Issuer, unless empty, is what iss must be. With JWKS it must be there: a
	// set may have the keys of several issuers, and a user is only told from
	// others by a name that means something with one of them.
	Issuer string `yaml:"issuer"`

	// Audience, unless empty, must be aud or one of aud.
	Audience string `yaml:"audience"`

	// RoleClaim names the claim with the user's role or list of roles, by
	// default "role". Where there is no claim of that name, dots lead into
	// nested objects: "realm_access.roles".
	RoleClaim string `yaml:"role_claim"`

	// RealmClaim, unless empty, names the claim with the one realm in which
	// the token counts, found as RoleClaim is. A token without it counts in
	// none. If it is empty, tokens count in every realm that has one of
	// their roles.
	RealmClaim string `yaml:"realm_claim"`

	// Claims names those that sessions keep, for the queries of roles: at most
	// 64 names. Of one token they may have 4 KiB as JSON, 1,000 values and 8
	// levels; tokens with more are refused. No file has this: it follows from
	// the roles.
	Claims []string `yaml:"-"`

	// Leeway is how far the issuer's clock may be off for exp and nbf: 0 to 5m.
	Leeway time.Duration `yaml:"leeway"`

	// AllowNoExpiry accepts tokens without exp, which are good for ever.
	AllowNoExpiry bool `yaml:"allow_no_expiry"`
}

// DefaultJWTConfig returns the defaults, which lack a key.
func DefaultJWTConfig() JWTConfig {
	return JWTConfig{
		Algorithms: []string{"HS256"}, RoleClaim: "role", Leeway: 30 * time.Second,
		JWKSRefresh: 15 * time.Minute, JWKSStale: 24 * time.Hour,
	}
}

const (
	minJWTSecret = 32
	maxLeeway    = 5 * time.Minute

	minJWKSRefresh = 10 * time.Second
	maxJWKSRefresh = 24 * time.Hour
	maxJWKSStale   = 720 * time.Hour
)

// Validate reports each field that is missing, out of its range, or of no use
// with the algorithms. It never prints a key.
func (c JWTConfig) Validate(report func(field string, err error)) {
	var symmetric, asymmetric bool
	if len(c.Algorithms) == 0 {
		report("algorithms", fmt.Errorf("expected at least one of %s, found none", strings.Join(algorithmNames, ", ")))
	}
	for i, name := range c.Algorithms {
		field := fmt.Sprintf("algorithms[%d]", i)
		switch {
		case !slices.Contains(algorithmNames, name):
			report(field, fmt.Errorf("must be one of %s, not %q", strings.Join(algorithmNames, ", "), name))
		case slices.Contains(c.Algorithms[:i], name):
			report(field, fmt.Errorf("expected each algorithm once, found %s again", name))
		case name == "HS256":
			symmetric = true
		default:
			asymmetric = true
		}
	}
	c.validateKeys(report, symmetric, asymmetric)
	if c.RoleClaim == "" {
		report("role_claim", errors.New("expected the name of a claim, found none"))
	}
	if c.RealmClaim == c.RoleClaim && c.RoleClaim != "" {
		report("realm_claim", fmt.Errorf("expected another claim than that of the roles, found %q", c.RealmClaim))
	}
	c.validateClaims(report)
	if c.Leeway < 0 || c.Leeway > maxLeeway {
		report("leeway", fmt.Errorf("must be in 0 to 5m, not %v", c.Leeway))
	}
}

func (c JWTConfig) validateKeys(report func(field string, err error), symmetric, asymmetric bool) {
	switch {
	case c.Secret == "" && symmetric:
		report("secret", fmt.Errorf("expected at least %d bytes for HS256 (such as: openssl rand -base64 48), found none", minJWTSecret))
	case c.Secret != "" && !symmetric:
		report("secret", errors.New("expected none, as HS256 is not among the algorithms, found one"))
	case c.Secret != "":
		if err := checkJWTSecret(c.Secret); err != nil {
			report("secret", err)
		}
	}
	switch {
	case c.JWKS != "" && c.PublicKey != "":
		report("jwks", errors.New("expected public_key or jwks, found both"))
	case c.JWKS != "" && !asymmetric:
		report("jwks", errors.New("expected none, as only HS256 is among the algorithms, found one"))
	case c.JWKS != "":
		c.validateJWKS(report)
	case c.PublicKey == "" && asymmetric:
		report("public_key", fmt.Errorf("expected a public key in PEM for %s, or jwks, found neither", strings.Join(algorithmNames[1:], ", ")))
	case c.PublicKey != "" && !asymmetric:
		report("public_key", errors.New("expected none, as only HS256 is among the algorithms, found one"))
	case c.PublicKey != "":
		keys, err := parsePublicKeys([]byte(c.PublicKey))
		if err == nil {
			err = checkKeysFit(c.Algorithms, keys)
		}
		if err != nil {
			report("public_key", err)
		}
	}
}

func (c JWTConfig) validateJWKS(report func(field string, err error)) {
	if c.Issuer == "" {
		report("issuer", errors.New("expected what iss of the tokens is, as a set of keys (jwks) may be of several issuers, and their users may have the same names; found nothing"))
	}
	if _, err := parseKeysURL(c.JWKS); err != nil {
		report("jwks", err)
	}
	if c.JWKSRefresh < minJWKSRefresh || c.JWKSRefresh > maxJWKSRefresh {
		report("jwks_refresh", fmt.Errorf("must be in 10s to 24h, not %v", c.JWKSRefresh))
	}
	if c.JWKSStale < c.JWKSRefresh || c.JWKSStale > maxJWKSStale {
		report("jwks_stale", fmt.Errorf("must be in jwks_refresh (%v) to 720h, not %v", c.JWKSRefresh, c.JWKSStale))
	}
}

// RoleConfig says which role a client gets where its credential does not.
type RoleConfig struct {
	// Anonymous is the role of clients that no user stands behind. A realm
	// without a role of that name lets no such client in.
	Anonymous string `yaml:"anonymous_role"`

	// Default is the role of users whose credential names none. If it is
	// empty, they are refused with a ticket, and anonymous with a cookie.
	Default string `yaml:"default_role"`
}

// DefaultRoleConfig returns the defaults: anonymous clients have the role
// "anonymous", and users must come with a role.
func DefaultRoleConfig() RoleConfig { return RoleConfig{Anonymous: "anonymous"} }

// Validate reports each field that is out of its range.
func (c RoleConfig) Validate(report func(field string, err error)) {
	if err := checkRoleName(c.Anonymous); err != nil {
		report("anonymous_role", err)
	}
	if c.Default != "" {
		if err := checkRoleName(c.Default); err != nil {
			report("default_role", err)
		}
	}
}
