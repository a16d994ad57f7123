package auth_test

import (
	"crypto/elliptic"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
)

func TestSessionConfigValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(c *auth.SessionConfig)
		want   []string
	}{
		{"defaults", func(*auth.SessionConfig) {}, nil},
		{"limits", func(c *auth.SessionConfig) { c.TTL, c.Max = time.Minute, 87600*time.Hour }, nil},
		{"ttl equal to max", func(c *auth.SessionConfig) { c.TTL, c.Max = time.Hour, time.Hour }, nil},
		{"ttl too short", func(c *auth.SessionConfig) { c.TTL = time.Second }, []string{"ttl: must be in 1m to 9600h, not 1s"}},
		{"ttl too long", func(c *auth.SessionConfig) { c.TTL, c.Max = 9601*time.Hour, 9601*time.Hour }, []string{"ttl: must be in 1m to 9600h, not 9601h0m0s"}},
		{"max below ttl", func(c *auth.SessionConfig) { c.Max = time.Hour }, []string{"max: must be in ttl (720h0m0s) to 87600h, not 1h0m0s"}},
		{"max too long", func(c *auth.SessionConfig) { c.Max = 87601 * time.Hour }, []string{"max: must be in ttl (720h0m0s) to 87600h, not 87601h0m0s"}},
		{"no cookie", func(c *auth.SessionConfig) { c.Cookie = "" }, []string{`cookie: must be 1 to 64 letters, digits or any of -_.!#$%&'*+^` + "`" + `|~, not ""`}},
		{"bad cookie", func(c *auth.SessionConfig) { c.Cookie = "a=b" }, []string{`cookie: must be 1 to 64 letters, digits or any of -_.!#$%&'*+^` + "`" + `|~, not "a=b"`}},
		{"host cookie", func(c *auth.SessionConfig) { c.Cookie, c.Secure = "__Host-wireroom", true }, nil},
		{"host cookie, not secure", func(c *auth.SessionConfig) { c.Cookie = "__Host-wireroom" }, []string{`cookie: "__Host-wireroom": browsers take a cookie with this prefix only with secure: true`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := auth.DefaultSessionConfig()
			tt.change(&cfg)
			if got := problems(cfg.Validate); !slices.Equal(got, tt.want) {
				t.Errorf("Validate of %+v reports %q, want %q", cfg, got, tt.want)
			}
		})
	}
}

func TestJWTConfigValidate(t *testing.T) {
	hs := func(change func(c *auth.JWTConfig)) auth.JWTConfig {
		cfg := jwtConfig("HS256", string(hsSecret))
		change(&cfg)
		return cfg
	}
	tests := []struct {
		name string
		cfg  auth.JWTConfig
		want []string // beginnings
	}{
		{"HS256", jwtConfig("HS256", string(hsSecret)), nil},
		{"RS256", jwtConfig("RS256", rsaKey().public), nil},
		{"ES256", jwtConfig("ES256", ecKey().public), nil},
		{"EdDSA", jwtConfig("EdDSA", edKey().public), nil},
		{"no key", auth.DefaultJWTConfig(), []string{"secret: expected at least 32 bytes for HS256 (such as: openssl rand -base64 48), found none"}},
		{"no public key", jwtConfig("RS256", ""), []string{"public_key: expected a public key in PEM for RS256, ES256, EdDSA, or jwks, found neither"}},
		{"no algorithm", hs(func(c *auth.JWTConfig) { c.Algorithms = nil }), []string{"algorithms: expected at least one of HS256, RS256, ES256, EdDSA, found none", "secret: expected none, as"}},
		{"alg none", hs(func(c *auth.JWTConfig) { c.Algorithms = []string{"HS256", "none"} }), []string{`algorithms[1]: must be one of HS256, RS256, ES256, EdDSA, not "none"`}},
		{"twice", hs(func(c *auth.JWTConfig) { c.Algorithms = []string{"HS256", "HS256"} }), []string{"algorithms[1]: expected each algorithm once, found HS256 again"}},
		{"short secret", jwtConfig("HS256", "12345678901234567890"), []string{"secret: expected at least 32 bytes (such as: openssl rand -base64 48), found 20"}},
		{"public key as secret", jwtConfig("HS256", rsaKey().public), []string{"secret: is PEM"}},
		{"private key as secret", jwtConfig("HS256", string(rsaKey().private)), []string{"secret: is PEM"}},
		{"public key without use", hs(func(c *auth.JWTConfig) { c.PublicKey = rsaKey().public }), []string{"public_key: expected none, as only HS256 is among the algorithms, found one"}},
		{"private key", jwtConfig("RS256", string(rsaKey().private)), []string{"public_key: PEM block 1: is a private key"}},
		{"no PEM", jwtConfig("RS256", "MIIB"), []string{"public_key: holds no PEM block"}},
		{"empty PEM", jwtConfig("RS256", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"), []string{"public_key: PEM block 1: "}},
		{"cut PEM", jwtConfig("RS256", rsaKey().public+rsaKey2().public[:200]), []string{"public_key: PEM block 2 cannot be read"}},
		{"other PEM", jwtConfig("RS256", "-----BEGIN X-----\nAAAA\n-----END X-----\n"), []string{`public_key: PEM block 1: must be PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE, not "X"`}},
		{"too many keys", jwtConfig("EdDSA", strings.Repeat(edKey().public, 17)), []string{"public_key: holds more than 16 keys"}},
		{"key of another kind", jwtConfig("RS256", edKey().public), []string{"public_key: holds a key for EdDSA, which is not among the algorithms"}},
		{"weak RSA", jwtConfig("RS256", weakRSA().public), []string{"public_key: PEM block 1: RSA key must have at least 2048 bits, not 1024"}},
		{"wrong curve", jwtConfig("ES256", newEC(elliptic.P384()).public), []string{"public_key: PEM block 1: EC key must be on the curve P-256, not P-384"}},
		{"one key of two", func() auth.JWTConfig {
			cfg := jwtConfig("RS256", rsaKey().public)
			cfg.Algorithms = []string{"RS256", "ES256"}
			return cfg
		}(), []string{"public_key: holds no key for ES256"}},
		{"leeway", hs(func(c *auth.JWTConfig) { c.Leeway = time.Hour }), []string{"leeway: must be in 0 to 5m, not 1h0m0s"}},
		{"negative leeway", hs(func(c *auth.JWTConfig) { c.Leeway = -1 }), []string{"leeway: must be in 0 to 5m, not -1ns"}},
		{"the role claim once more", hs(func(c *auth.JWTConfig) { c.RealmClaim = c.RoleClaim }), []string{`realm_claim: expected another claim than that of the roles, found "role"`}},
		{"no role claim", hs(func(c *auth.JWTConfig) { c.RoleClaim = "" }), []string{"role_claim: expected the name of a claim, found none"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := problems(tt.cfg.Validate)
			if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf("Validate reports %q, want %q", got, tt.want)
			}
			if _, err := auth.NewVerifier(tt.cfg); (err != nil) != (len(tt.want) > 0) {
				t.Errorf("NewVerifier: %v, but Validate reports %d problems", err, len(tt.want))
			}
			for _, line := range got {
				if tt.cfg.Secret != "" && strings.Contains(line, string(tt.cfg.Secret)) {
					t.Errorf("a secret is in %q", line)
				}
			}
		})
	}
}

func TestRoleConfigValidate(t *testing.T) {
	if got := problems(auth.DefaultRoleConfig().Validate); got != nil {
		t.Errorf("the defaults have problems: %q", got)
	}
	got := problems(auth.RoleConfig{Anonymous: "", Default: "a b"}.Validate)
	want := []string{"anonymous_role: expected the name of a role, found an empty text", `default_role: expected a role name without spaces and characters that cannot be printed, found "a b"`}
	if !slices.Equal(got, want) {
		t.Errorf("Validate reports %q, want %q", got, want)
	}
}
