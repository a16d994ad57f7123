package auth_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
)

func TestSessionBind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		b := newBrowser(t, newSessions(t, store))
		anonymous := b.do("POST", "")
		planted := *b.cookie

		// Logging in keeps the client, and changes the secret.
		joe := b.do("POST", ticket(t, "joe", "member"))
		if joe.status != 200 || joe.Client != anonymous.Client || joe.User != "joe" || !slices.Equal(joe.Roles, []string{"member"}) || b.cookie.Value == planted.Value {
			t.Fatalf("POST with a JWT = %+v", joe)
		}
		if id := b.identify(); id.Client != anonymous.Client || id.User != "joe" || !slices.Equal(id.Roles, []string{"member"}) {
			t.Fatalf("Identify = %+v", id)
		}
		other := newBrowser(t, b.s)
		other.cookie = &planted
		if !other.identify().Anonymous() {
			t.Fatal("the cookie from before the login is still good")
		}

		// The same user again: the same token, written only now and then.
		value := b.cookie.Value
		_, before := store.counts()
		if got := b.do("POST", ticket(t, "joe", "member")); got.Client != joe.Client || b.cookie.Value != value {
			t.Fatalf("POST with the same user = %+v", got)
		}
		if _, after := store.counts(); after != before {
			t.Fatal("binding to the same user was written")
		}
		// A POST without a JWT renews, and keeps the user.
		time.Sleep(10 * day)
		if got := b.do("POST", ""); got.User != "joe" || !got.Expires.Equal(time.Now().Add(30*day)) {
			t.Fatalf("POST without a JWT = %+v", got)
		}
		// A login restarts the maximum.
		time.Sleep(29 * day)
		b.do("POST", ticket(t, "joe", "member"))
		if got := store.tokens[auth.Secret(b.cookie.Value).Key()]; !got.Created.Equal(time.Now()) {
			t.Fatalf("the maximum counts from %v ago", time.Since(got.Created))
		}

		// Other roles of the same user: the same client, a new secret.
		if got := b.do("POST", ticket(t, "joe", "admin")); got.Client != joe.Client || !slices.Equal(got.Roles, []string{"admin"}) || b.cookie.Value == value {
			t.Fatalf("POST with other roles = %+v", got)
		}
		// Another user: another client.
		if got := b.do("POST", ticket(t, "sue")); got.Client == joe.Client || got.User != "sue" || got.Roles != nil {
			t.Fatalf("POST with another user = %+v", got)
		}
		if _, err := b.s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, _ := store.counts(); n != 1 {
			t.Fatalf("%d tokens are left of one browser, want 1", n)
		}
		// Without a cookie.
		if got := newBrowser(t, b.s).do("POST", ticket(t, "sue")); got.status != 200 || got.User != "sue" || got.cookie == nil {
			t.Fatalf("POST with a JWT and no cookie = %+v", got)
		}
	})
}

// What a JWT says that the queries of roles ask for goes with the client token
// that it was traded for.
func TestSessionClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := jwtConfig("HS256", string(hsSecret))
		cfg.Claims = []string{"team", "absent"}
		s := auth.NewSessions(auth.DefaultSessionConfig(), newMemStore(), must(auth.NewVerifier(cfg))(t), nil, slog.New(slog.DiscardHandler))
		b := newBrowser(t, s)
		of := func(team string) auth.Secret {
			return forge(`{"alg":"HS256"}`, fmt.Sprintf(`{"sub":"joe","exp":%d,"team":%q,"other":1}`, time.Now().Add(time.Hour).Unix(), team), string(hsSecret))
		}
		b.do("POST", of("blue"))
		if got, want := b.identify().Claims, `{"absent":null,"team":"blue"}`; got != want {
			t.Fatalf("claims %s, want %s", got, want)
		}
		value := b.cookie.Value
		if b.do("POST", of("blue")); b.cookie.Value != value {
			t.Error("the secret changed with the same claims")
		}
		b.do("POST", of("red"))
		if got, want := b.identify().Claims, `{"absent":null,"team":"red"}`; got != want || b.cookie.Value == value {
			t.Errorf("after another login claims %s, want %s, and another secret", got, want)
		}
		id, err := s.Ticket(t.Context(), auth.Secret(b.cookie.Value))
		if err != nil || id.Claims != `{"absent":null,"team":"red"}` {
			t.Errorf("the client token as a ticket has the claims %s, %v", id.Claims, err)
		}
	})
}

func TestSessionBindRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		s := newSessions(t, store)
		b := newBrowser(t, s)
		b.do("POST", "")
		own := auth.Secret(b.cookie.Value)
		expired := ticket(t, "joe")
		short, _, err := s.Issue(t.Context(), "", "joe", nil, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		tests := []struct {
			name          string
			authorization []string
			want          string
		}{
			{"expired JWT", []string{"Bearer " + string(expired)}, "ticket expired"},
			{"expired token", []string{"Bearer " + string(short)}, "ticket expired"},
			{"garbage", []string{"Bearer garbage"}, "ticket not valid"},
			{"unknown token", []string{"Bearer " + string(auth.NewSecret())}, "ticket not valid"},
			{"malformed token", []string{"Bearer wr_x"}, "ticket not valid"},
			{"token without a user", []string{"Bearer " + string(own)}, "ticket not valid"},
			{"basic", []string{"Basic am9lOmpvZQ=="}, "ticket not valid"},
			{"no scheme", []string{string(ticket(t, "joe"))}, "ticket not valid"},
			{"empty", []string{""}, "ticket not valid"},
			{"two", []string{"Bearer " + string(ticket(t, "joe")), "Bearer " + string(ticket(t, "joe"))}, "ticket not valid"},
		}
		for _, tt := range tests {
			before := *b.cookie
			b.header["Authorization"] = tt.authorization
			got := b.do("POST", "")
			if got.status != 401 || got.Detail != tt.want || got.cookie != nil || got.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: POST = %+v, want 401 %q", tt.name, got, tt.want)
			}
			if b.cookie.Value != before.Value || b.identify().Anonymous() {
				t.Errorf("%s: a bad ticket cost the client its session", tt.name)
			}
		}
		b.header = http.Header{"Authorization": {"bearer  " + string(ticket(t, "joe"))}}
		if got := b.do("POST", ""); got.User != "joe" {
			t.Errorf("POST with another spelling of Bearer = %+v", got)
		}
		b.s = auth.NewSessions(auth.DefaultSessionConfig(), store, nil, nil, slog.New(slog.DiscardHandler))
		if got := b.do("POST", ""); got.status != 401 {
			t.Errorf("POST with a JWT where none is accepted = %+v", got)
		}
	})
}

func TestIssue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		s := newSessions(t, store)
		secret, token, err := s.Issue(t.Context(), "", "joe", []string{"member"}, 10*time.Minute)
		if err != nil || token.User != "joe" || !token.Expires.Equal(time.Now().Add(10*time.Minute)) || token.Hash != secret.Key() {
			t.Fatalf("Issue = %+v, %v", token, err)
		}
		id, err := s.Ticket(t.Context(), secret)
		if err != nil || id.User != "joe" || id.Client != token.Client {
			t.Fatalf("Ticket = %+v, %v", id, err)
		}
		b := newBrowser(t, s)
		anonymous := b.do("POST", "")
		got := b.do("POST", secret)
		if got.User != "joe" || got.Client != anonymous.Client || !got.Expires.Equal(time.Now().Add(30*day)) || b.cookie.Value == string(secret) {
			t.Fatalf("POST with an issued token = %+v", got)
		}
		time.Sleep(10 * time.Minute)
		if _, err := s.Ticket(t.Context(), secret); !errors.Is(err, auth.ErrExpired) {
			t.Fatalf("Ticket after its ttl: %v", err)
		}

		for _, tt := range []struct {
			user  string
			roles []string
			ttl   time.Duration
			left  time.Duration
			want  string
		}{
			{"joe", nil, 0, 30 * day, ""},
			{"joe", nil, time.Second, time.Second, ""},
			{"joe", nil, 1e6 * time.Hour, 365 * day, ""},
			{"", nil, 0, 0, "user is empty"},
			{"joe", []string{"a b"}, 0, 0, "expected a role name without spaces"},
			{"joe", nil, -1, 0, "ttl must be at least 1s, not -1ns"},
			{"joe", nil, time.Millisecond, 0, "ttl must be at least 1s, not 1ms"},
		} {
			_, token, err := s.Issue(t.Context(), "", tt.user, tt.roles, tt.ttl)
			if !errorContains(err, tt.want) || err == nil && time.Until(token.Expires) != tt.left || err != nil && errors.Unwrap(err) != nil {
				t.Errorf("Issue(%q, %q, %v) = %+v, %v; want %v left or error %q", tt.user, tt.roles, tt.ttl, token, err, tt.left, tt.want)
			}
		}
	})
}

// Whoever has a token cannot make it last longer than the maximum by trading
// it for another, over and over.
func TestTokenForTokenIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSessions(t, newMemStore())
		secret, _, err := s.Issue(t.Context(), "", "joe", nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		end := time.Now().Add(365 * day)
		for range 20 {
			time.Sleep(25 * day)
			b := newBrowser(t, s)
			got := b.do("POST", secret)
			if time.Now().Before(end) != (got.status == 200) || got.Expires.After(end) {
				t.Fatalf("%v before the end: POST = %+v", time.Until(end), got)
			}
			if got.status == 200 {
				secret = auth.Secret(b.cookie.Value)
			}
		}
	})
}
