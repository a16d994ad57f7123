package auth_test

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// realms: open lets anybody in, closed only who has a ticket.
func newAuth(t testing.TB, store auth.TokenStore, change func(cfg *auth.RoleConfig)) (*auth.Auth, *auth.Sessions) {
	s := newSessions(t, store)
	policy := must(auth.NewPolicy(map[wamp.URI]auth.Roles{
		"open":   {"anonymous": {}, "member": {}, "editor": {}},
		"closed": {"member": {}},
	}))(t)
	cfg := auth.DefaultRoleConfig()
	if change != nil {
		change(&cfg)
	}
	return auth.New(cfg, policy, s, nil), s
}

func TestBegin(t *testing.T) {
	a, _ := newAuth(t, newMemStore(), nil)
	soon := time.Now().Add(time.Hour)
	client := &auth.Identity{Client: "c1", Expires: soon}
	joe := &auth.Identity{Client: "c2", User: "joe", Roles: []string{"unknown", "editor", "member"}, Expires: soon}
	lost := &auth.Identity{Client: "c3", User: "sue", Roles: []string{"unknown"}, Expires: soon}
	expired := &auth.Identity{Client: "c4", User: "joe", Roles: []string{"member"}, Expires: time.Now()}

	tests := []struct {
		name    string
		realm   wamp.URI
		methods string
		id      *auth.Identity
		want    string // method/role/authid, "?" for an authid drawn; "challenge"; or an error's URI
	}{
		{"nothing asked, nothing brought", "open", "", nil, "anonymous/anonymous/?"},
		{"nothing asked, empty identity", "open", "", &auth.Identity{}, "anonymous/anonymous/?"},
		{"nothing asked, client token", "open", "", client, "cookie/anonymous/c1"},
		{"nothing asked, user", "open", "", joe, "cookie/editor/joe"},
		{"nothing asked, user without a known role", "open", "", lost, "cookie/anonymous/sue"},
		{"nothing asked, expired token", "open", "", expired, "anonymous/anonymous/?"},
		{"anonymous asked, user", "open", "anonymous", joe, "anonymous/anonymous/?"},
		{"cookie asked", "open", "cookie", client, "cookie/anonymous/c1"},
		{"cookie asked, none there", "open", "cookie", nil, "wamp.error.no_matching_auth_method"},
		{"cookie asked, expired", "open", "cookie", expired, "wamp.error.no_matching_auth_method"},
		{"cookie or anonymous, none there", "open", "cookie anonymous", nil, "anonymous/anonymous/?"},
		{"anonymous or cookie", "open", "anonymous cookie", joe, "anonymous/anonymous/?"},
		{"ticket", "open", "ticket", nil, "challenge"},
		{"ticket goes first", "open", "ticket cookie anonymous", joe, "challenge"},
		{"ticket or anonymous", "open", "ticket anonymous", nil, "challenge"},
		{"anonymous or ticket", "open", "anonymous ticket", nil, "anonymous/anonymous/?"},
		{"methods we do not have", "open", "wampcra scram", nil, "wamp.error.no_matching_auth_method"},
		{"methods we do not have, then one we have", "open", "wampcra ticket", nil, "challenge"},
		{"method in capitals", "open", "Anonymous", nil, "wamp.error.no_matching_auth_method"},

		{"closed, nothing asked", "closed", "", nil, "wamp.error.no_matching_auth_method"},
		{"closed, client token", "closed", "", client, "wamp.error.no_matching_auth_method"},
		{"closed, user", "closed", "", joe, "cookie/member/joe"},
		{"closed, user without a known role", "closed", "cookie", lost, "wamp.error.no_matching_auth_method"},
		{"closed, anonymous", "closed", "anonymous", nil, "wamp.error.no_matching_auth_method"},
		{"closed, anonymous or ticket", "closed", "anonymous ticket", nil, "challenge"},
		{"unknown realm", "other", "", joe, "wamp.error.no_matching_auth_method"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			grant, challenge, err := a.Begin(t.Context(), tt.realm, auth.Hello{AuthMethods: strings.Fields(tt.methods)}, tt.id)
			if got := outcome(grant, challenge, err); got != tt.want {
				t.Errorf("Begin(%s, %q, %+v) is %s, want %s", tt.realm, tt.methods, tt.id, got, tt.want)
			}
		})
	}
}

// outcome describes what Begin or Answer returned, in short.
func outcome(grant *auth.Grant, challenge *auth.Challenge, err error) string {
	var list []string
	if grant != nil {
		id := grant.AuthID
		if grant.AuthMethod == auth.MethodAnonymous && len(id) == 16 {
			id = "?"
		}
		list = append(list, grant.AuthMethod+"/"+grant.AuthRole+"/"+id)
	}
	if challenge != nil {
		list = append(list, "challenge")
	}
	if err != nil {
		list = append(list, string(wamp.AsError(err).URI))
	}
	return strings.Join(list, " and ")
}

func TestBeginSaysWhatIsOffered(t *testing.T) {
	a, _ := newAuth(t, newMemStore(), nil)
	live := &auth.Identity{Client: "c", Expires: time.Now().Add(time.Hour)}
	for _, tt := range []struct {
		realm   wamp.URI
		methods []string
		id      *auth.Identity
		want    string
	}{
		{"open", []string{"wampcra"}, nil, "realm offers ticket, anonymous, cookie"},
		{"open", []string{"cookie"}, nil, "realm offers ticket, anonymous, cookie; no valid session cookie came with the connection"},
		{"closed", nil, nil, "realm offers ticket, cookie; no valid session cookie came with the connection"},
		{"closed", nil, live, "realm offers ticket, cookie; the session of the cookie has no role in this realm"},
	} {
		_, _, err := a.Begin(t.Context(), tt.realm, auth.Hello{AuthMethods: tt.methods}, tt.id)
		if e, ok := errors.AsType[*wamp.Error](err); !ok || e.Text != tt.want {
			t.Errorf("Begin(%s, %q) says %v, want %q", tt.realm, tt.methods, err, tt.want)
		}
	}
}

func TestAnonymousIDsDiffer(t *testing.T) {
	a, _ := newAuth(t, newMemStore(), nil)
	seen := make(map[string]bool)
	for range 1000 {
		g, _, err := a.Begin(t.Context(), "open", auth.Hello{AuthID: "root"}, nil)
		if err != nil || seen[g.AuthID] || g.AuthID == "root" {
			t.Fatalf("Begin = %+v, %v; seen before: %v", g, err, seen[g.AuthID])
		}
		seen[g.AuthID] = true
	}
}

func TestTicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		plain, s := newAuth(t, store, nil)
		withDefault, _ := newAuth(t, store, func(cfg *auth.RoleConfig) { cfg.Default = "member" })
		badDefault, _ := newAuth(t, store, func(cfg *auth.RoleConfig) { cfg.Default = "gone" })

		expired := ticket(t, "joe", "member")
		expiredToken, _, err := s.Issue(t.Context(), "", "joe", nil, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		issued, issuedToken, err := s.Issue(t.Context(), "", "joe", []string{"editor"}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		b := newBrowser(t, s)
		own := b.do("POST", "")

		tests := []struct {
			name   string
			a      *auth.Auth
			realm  wamp.URI
			authid string
			ticket auth.Secret
			want   string // as in TestBegin
			text   string // of the error
		}{
			{"role", plain, "open", "", ticket(t, "joe", "member"), "ticket/member/joe", ""},
			{"right authid", plain, "open", "joe", ticket(t, "joe", "member"), "ticket/member/joe", ""},
			{"wrong authid", plain, "open", "sue", ticket(t, "joe", "member"), "wamp.error.authentication_failed", "ticket not valid for the authid in HELLO"},
			{"first known role", plain, "open", "", ticket(t, "joe", "x", "editor", "member"), "ticket/editor/joe", ""},
			{"first role that this realm knows", plain, "closed", "", ticket(t, "joe", "editor", "member"), "ticket/member/joe", ""},
			{"no known role", plain, "closed", "", ticket(t, "joe", "editor", "x"), "wamp.error.no_such_role", "realm closed has no role editor or x"},
			{"no known role, default", withDefault, "closed", "", ticket(t, "joe", "editor"), "wamp.error.no_such_role", "realm closed has no role editor"},
			{"no role", plain, "open", "", ticket(t, "joe"), "wamp.error.no_such_role", "ticket names no role, and realm open has no default role"},
			{"no role, default", withDefault, "open", "", ticket(t, "joe"), "ticket/member/joe", ""},
			{"no role, default that is not there", badDefault, "open", "", ticket(t, "joe"), "wamp.error.no_such_role", "ticket names no role, and realm open has no default role"},
			{"expired", plain, "open", "", expired, "wamp.error.authentication_failed", "ticket expired"},
			{"garbage", plain, "open", "", "garbage", "wamp.error.authentication_failed", "ticket not valid"},
			{"empty", plain, "open", "", "", "wamp.error.authentication_failed", "ticket not valid"},
			{"cut", plain, "open", "", ticket(t, "joe", "member")[:50], "wamp.error.authentication_failed", "ticket not valid"},
			{"huge", plain, "open", "", auth.Secret(strings.Repeat("A", 1<<20)), "wamp.error.authentication_failed", "ticket not valid"},
			{"issued token", plain, "open", "joe", issued, "ticket/editor/joe", ""},
			{"issued token, expired", plain, "open", "", expiredToken, "wamp.error.authentication_failed", "ticket expired"},
			{"unknown token", plain, "open", "", auth.NewSecret(), "wamp.error.authentication_failed", "ticket not valid"},
			{"client token", plain, "open", own.Client, auth.Secret(b.cookie.Value), "ticket/anonymous/" + own.Client, ""},
			{"client token, closed", plain, "closed", "", auth.Secret(b.cookie.Value), "wamp.error.no_such_role", "ticket names no user, and realm closed has no role for anonymous clients"},
		}
		for _, tt := range tests {
			_, challenge, err := tt.a.Begin(t.Context(), tt.realm, auth.Hello{AuthMethods: []string{"ticket"}, AuthID: tt.authid}, nil)
			if err != nil || challenge == nil || challenge.Method != "ticket" {
				t.Fatalf("%s: Begin = %+v, %v", tt.name, challenge, err)
			}
			grant, err := challenge.Answer(t.Context(), string(tt.ticket), nil)
			if got := outcome(grant, nil, err); got != tt.want {
				t.Errorf("%s: Answer is %s, want %s", tt.name, got, tt.want)
			}
			if err != nil && wamp.AsError(err).Text != tt.text {
				t.Errorf("%s: Answer says %q, want %q", tt.name, wamp.AsError(err).Text, tt.text)
			}
		}

		_, challenge, _ := plain.Begin(t.Context(), "open", auth.Hello{AuthMethods: []string{"ticket"}}, nil)
		grant := must(challenge.Answer(t.Context(), string(issued), nil))(t)
		want := map[string]any{"client": issuedToken.Client, "user": "joe", "expires": "2000-01-01T02:00:00Z"}
		if grant.Provider != "session" || !maps.Equal(grant.Extra, want) {
			t.Errorf("grant of an issued token is %+v, want extra %v", grant, want)
		}
		grant = must(challenge.Answer(t.Context(), string(ticket(t, "joe", "member")), nil))(t)
		if keys := slices.Sorted(maps.Keys(grant.Extra)); grant.Provider != "jwt" || !slices.Equal(keys, []string{"expires", "user"}) {
			t.Errorf("grant of a JWT is %+v", grant)
		}

		store.fail = errors.New("disk on fire")
		_, err = challenge.Answer(t.Context(), string(issued), nil)
		if e := wamp.AsError(err); e.URI != wamp.URIUnavailable || strings.Contains(e.Text, "fire") || !errors.Is(err, store.fail) {
			t.Errorf("Answer without a store: %v", err)
		}
	})
}

// What a peer is told about a bad ticket is one of two sentences; the log
// learns more.
func TestTicketErrorKeepsTheReason(t *testing.T) {
	a, _ := newAuth(t, newMemStore(), nil)
	_, challenge, err := a.Begin(t.Context(), "open", auth.Hello{AuthMethods: []string{"ticket"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = challenge.Answer(t.Context(), string(forge(`{"alg":"HS256"}`, `{"sub":"joe"}`, string(hsSecret))), nil)
	if e := wamp.AsError(err); e.Text != "ticket not valid" || !strings.Contains(e.Error(), "exp is missing") {
		t.Errorf("Answer: %v, text %q", err, wamp.AsError(err).Text)
	}
}

func TestNoJWT(t *testing.T) {
	s := auth.NewSessions(auth.DefaultSessionConfig(), newMemStore(), nil, nil, slog.New(slog.DiscardHandler))
	if _, err := s.Ticket(t.Context(), ticket(t, "joe")); !errors.Is(err, auth.ErrInvalid) {
		t.Errorf("Ticket without a verifier: %v, want ErrInvalid", err)
	}
}
