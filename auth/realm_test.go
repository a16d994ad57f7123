package auth_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// twoRealms returns the authentication of two realms with the same roles, whose
// JWTs name a realm.
func twoRealms(t *testing.T, claim string) (*auth.Auth, *auth.Sessions) {
	t.Helper()
	cfg := jwtConfig("HS256", string(hsSecret))
	cfg.RealmClaim = claim
	v := must(auth.NewVerifier(cfg))(t)
	s := auth.NewSessions(auth.DefaultSessionConfig(), newMemStore(), v, nil, slog.New(slog.DiscardHandler))
	policy := must(auth.NewPolicy(map[wamp.URI]auth.Roles{
		"shop":   {"anonymous": {}, "member": {}},
		"school": {"anonymous": {}, "member": {}},
	}))(t)
	roles := auth.DefaultRoleConfig()
	roles.Default = "member"
	return auth.New(roles, policy, s, nil), s
}

// byTicket and byCookie say what becomes of a client in a realm.
func byTicket(t *testing.T, a *auth.Auth, realm wamp.URI, secret auth.Secret) string {
	t.Helper()
	_, ch, err := a.Begin(t.Context(), realm, auth.Hello{AuthMethods: []string{"ticket"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	grant, err := ch.Answer(t.Context(), string(secret), nil)
	return outcome(grant, nil, err)
}

func byCookie(t *testing.T, a *auth.Auth, realm wamp.URI, id *auth.Identity) string {
	t.Helper()
	return outcome(a.Begin(t.Context(), realm, auth.Hello{}, id))
}

// A token that a realm's web application asked for names its user there, and
// nobody anywhere else, whatever roles and default role another realm has.
func TestTokenOfARealm(t *testing.T) {
	a, s := twoRealms(t, "")
	for _, roles := range [][]string{{"member"}, nil} {
		secret, _, err := s.Issue(t.Context(), "shop", "joe", roles, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if got := byTicket(t, a, "shop", secret); got != "ticket/member/joe" {
			t.Errorf("roles %q: the token is %s in its realm", roles, got)
		}
		if got := byTicket(t, a, "school", secret); got != "wamp.error.authentication_failed" {
			t.Errorf("roles %q: the token is %s in another realm", roles, got)
		}
		b := newBrowser(t, s)
		got := b.do("POST", secret)
		if got.status != 200 || !strings.Contains(got.text, `"realm":"shop"`) {
			t.Fatalf("roles %q: POST = %+v", roles, got)
		}
		id := b.identify()
		if got := byCookie(t, a, "shop", id); got != "cookie/member/joe" {
			t.Errorf("roles %q: the cookie is %s in its realm", roles, got)
		}
		if got, want := byCookie(t, a, "school", id), "cookie/anonymous/"+got.Client; got != want {
			t.Errorf("roles %q: the cookie is %s in another realm, want %s", roles, got, want)
		}
	}
}

// A browser that logs in as a user of another realm is another client, even if
// that user has the same name and roles.
func TestLoginToAnotherRealm(t *testing.T) {
	a, s := twoRealms(t, "")
	b := newBrowser(t, s)
	login := func(realm wamp.URI) reply {
		secret, _, err := s.Issue(t.Context(), realm, "joe", []string{"member"}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return b.do("POST", secret)
	}
	shop := login("shop")
	if again := login("shop"); again.Client != shop.Client {
		t.Error("the same user of the same realm is another client")
	}
	school := login("school")
	if school.Client == shop.Client {
		t.Error("a user of another realm is the same client")
	}
	if got := byCookie(t, a, "school", b.identify()); got != "cookie/member/joe" {
		t.Errorf("after the login the cookie is %s", got)
	}
	if got := byCookie(t, a, "shop", b.identify()); got != "cookie/anonymous/"+school.Client {
		t.Errorf("after the login the cookie is %s in the realm from before", got)
	}
}

// JWTs count in the realm that they name, if the configuration says where;
// otherwise in every realm that has one of their roles.
func TestJWTOfARealm(t *testing.T) {
	mint := func(claim string, realm wamp.URI) auth.Secret {
		return must(auth.MintJWT("HS256", hsSecret, auth.Claims{
			Subject: "joe", Roles: []string{"member"}, Realm: realm, RealmClaim: claim, Expires: time.Now().Add(time.Hour),
		}))(t)
	}
	for _, tt := range []struct {
		name         string
		configured   string
		token        auth.Secret
		shop, school string
	}{
		{"no claim wanted", "", mint("", ""), "ticket/member/joe", "ticket/member/joe"},
		{"no claim wanted, one there", "", mint("realm", "shop"), "ticket/member/joe", "ticket/member/joe"},
		{"its realm", "realm", mint("realm", "shop"), "ticket/member/joe", "wamp.error.authentication_failed"},
		{"the other realm", "realm", mint("realm", "school"), "wamp.error.authentication_failed", "ticket/member/joe"},
		{"no realm that is here", "realm", mint("realm", "elsewhere"), "wamp.error.authentication_failed", "wamp.error.authentication_failed"},
		{"none", "realm", mint("", ""), "wamp.error.authentication_failed", "wamp.error.authentication_failed"},
		{"in another claim", "realm", mint("https://example.com/realm", "shop"), "wamp.error.authentication_failed", "wamp.error.authentication_failed"},
		{"a name with dots", "https://example.com/realm", mint("https://example.com/realm", "shop"), "ticket/member/joe", "wamp.error.authentication_failed"},
		{"no URI", "realm", mint("realm", "sh op"), "wamp.error.authentication_failed", "wamp.error.authentication_failed"},
		{"too long", "realm", mint("realm", wamp.URI(strings.Repeat("x", 1025))), "wamp.error.authentication_failed", "wamp.error.authentication_failed"},
	} {
		a, s := twoRealms(t, tt.configured)
		if got := byTicket(t, a, "shop", tt.token); got != tt.shop {
			t.Errorf("%s: the JWT is %s in the shop, want %s", tt.name, got, tt.shop)
		}
		if got := byTicket(t, a, "school", tt.token); got != tt.school {
			t.Errorf("%s: the JWT is %s in the school, want %s", tt.name, got, tt.school)
		}
		if tt.name != "its realm" {
			continue
		}
		b := newBrowser(t, s) // and so does what it is traded for
		b.do("POST", tt.token)
		if got := byCookie(t, a, "school", b.identify()); strings.HasSuffix(got, "/joe") || !strings.HasPrefix(got, "cookie/anonymous/") {
			t.Errorf("the cookie is %s in another realm", got)
		}
	}
	if _, err := auth.MintJWT("HS256", hsSecret, auth.Claims{Subject: "joe", Realm: "shop"}); err == nil {
		t.Error("a JWT is made for a realm without a claim to say so")
	}
	if _, err := auth.MintJWT("HS256", hsSecret, auth.Claims{Subject: "joe", Realm: "shop", RealmClaim: "role"}); err == nil {
		t.Error("a JWT is made whose realm stands in the place of its roles")
	}
}

// Whoever asks for the same name in two realms cannot learn from the answers
// whether either knows it: a stranger is asked something else in each.
func TestStrangersInTwoRealms(t *testing.T) {
	users := must(auth.NewUsers(auth.UsersConfig{
		{Name: "joe", Roles: []string{"member"}, CRA: must(auth.NewCRA("password", 1000))(t)},
	}, decoyKey))(t)
	policy := must(auth.NewPolicy(map[wamp.URI]auth.Roles{"shop": {"member": {}}, "school": {"member": {}}}))(t)
	a := auth.New(auth.DefaultRoleConfig(), policy, newSessions(t, newMemStore()), users)
	salt := func(realm wamp.URI) any {
		ch, err := begin(t, a, realm, "wampcra", "stranger", nil)
		if err != nil {
			t.Fatal(err)
		}
		return ch.Extra["salt"]
	}
	if salt("shop") == salt("school") || salt("shop") != salt("shop") {
		t.Errorf("a stranger is asked with the salts %v, %v and %v", salt("shop"), salt("school"), salt("shop"))
	}
}
