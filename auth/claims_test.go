package auth_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
)

// Only what somebody asks for is kept of a JWT.
func TestKeptClaims(t *testing.T) {
	exp := time.Now().Add(time.Hour).Unix()
	verify := func(claims, of string) (*auth.Identity, error) {
		cfg := jwtConfig("HS256", string(hsSecret))
		if of != "" {
			cfg.Claims = strings.Split(of, " ")
		}
		v := must(auth.NewVerifier(cfg))(t)
		return v.Verify(t.Context(), forge(`{"alg":"HS256"}`, fmt.Sprintf(`{"sub":"joe","exp":%d%s}`, exp, claims), string(hsSecret)))
	}
	long := func(s string, n int) string { return `,"a":[` + strings.Repeat(s+",", n-1) + s + `]` }
	for _, tt := range []struct{ claims, of, want string }{
		{`,"a":1`, ``, ``},
		{`,"a":1,"b":2`, `a`, `{"a":1}`},
		{`,"a":9007199254740993`, `a`, `{"a":9007199254740993}`},
		{`,"a":{"b":[true,"x",null]}`, `a a c`, `{"a":{"b":[true,"x",null]},"c":null}`},
		{`,"https://example.com/team":"\u0022"`, `https://example.com/team`, `{"https://example.com/team":"\""}`},
		{``, `sub`, `{"sub":"joe"}`},
		{long("1", 999), `a`, "whole"},
		{long("1", 1000), `a`, `claim "a": expected at most 1000 values in all claims that are kept, found more`},
		{long(`"`+strings.Repeat("x", 98)+`"`, 41), `a`, `claims ["a"]: expected at most 4096 bytes, found 4148`},
		{`,"a":` + strings.Repeat("[", 8) + strings.Repeat("]", 8), `a`, "whole"},
		{`,"a":` + strings.Repeat("[", 9) + strings.Repeat("]", 9), `a`, `claim "a": expected at most 8 levels of nesting, found more`},
		{long("1", 1000), `b`, `{"b":null}`},
	} {
		id, err := verify(tt.claims, tt.of)
		switch {
		case err != nil:
			if !errors.Is(err, auth.ErrInvalid) || !strings.HasSuffix(err.Error(), ": "+tt.want) {
				t.Errorf("%.60s of %.60s: %v, want %s", tt.of, tt.claims, err, tt.want)
			}
		case tt.want != "whole" && id.Claims != tt.want, tt.want == "whole" && len(id.Claims) < len(tt.claims)-1:
			t.Errorf("%.60s of %.60s: %.80s, want %s", tt.of, tt.claims, id.Claims, tt.want)
		}
	}
	cfg := jwtConfig("HS256", string(hsSecret))
	cfg.Claims = make([]string, 65)
	if _, err := auth.NewVerifier(cfg); err == nil {
		t.Error("65 claims without a name are taken")
	}
}

// A user of one realm is nobody in another, and has no claims there.
func TestClaimsOfAnotherRealm(t *testing.T) {
	cfg := jwtConfig("HS256", string(hsSecret))
	cfg.Claims, cfg.RealmClaim = []string{"team"}, "realm"
	v := must(auth.NewVerifier(cfg))(t)
	id := must(v.Verify(t.Context(), forge(`{"alg":"HS256"}`, fmt.Sprintf(`{"sub":"joe","exp":%d,"team":"blue","realm":"shop"}`, time.Now().Add(time.Hour).Unix()), string(hsSecret))))(t)
	if here, there := id.In("shop").Claims, id.In("school").Claims; here == "" || there != "" {
		t.Errorf("claims %q in the realm of the token, and %q in another", here, there)
	}
}
