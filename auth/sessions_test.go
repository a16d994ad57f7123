package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
)

// A browser talks to /session and keeps its cookie.
type browser struct {
	t      *testing.T
	s      *auth.Sessions
	cookie *http.Cookie
	header http.Header // sent with each request
}

func newBrowser(t *testing.T, s *auth.Sessions) *browser {
	return &browser{t: t, s: s, header: make(http.Header)}
}

// A reply is what /session answered.
type reply struct {
	status  int
	header  http.Header
	text    string
	Client  string    `json:"client"`
	Expires time.Time `json:"expires"`
	User    string    `json:"user"`
	Roles   []string  `json:"roles"`
	Detail  string    `json:"detail"` // of a problem
	cookie  *http.Cookie
}

func (b *browser) do(method string, bearer auth.Secret) reply {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), method, "http://gw.example.net/session", nil)
	maps.Copy(r.Header, b.header)
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+string(bearer))
	}
	if b.cookie != nil {
		r.AddCookie(&http.Cookie{Name: b.cookie.Name, Value: b.cookie.Value})
	}
	w := httptest.NewRecorder()
	b.s.ServeHTTP(w, r)
	got := reply{status: w.Code, header: w.Header(), text: w.Body.String()}
	if got.text != "" {
		if err := json.Unmarshal([]byte(got.text), &got); err != nil {
			b.t.Fatalf("%s /session: %q: %v", method, got.text, err)
		}
	}
	for _, c := range w.Result().Cookies() {
		if got.cookie != nil {
			b.t.Fatalf("%s /session sets more than one cookie", method)
		}
		got.cookie, b.cookie = c, c
		if c.MaxAge < 0 {
			b.cookie = nil
		}
	}
	return got
}

// identify is what a WebSocket upgrade of the browser is.
func (b *browser) identify() *auth.Identity {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), "GET", "http://gw.example.net/ws", nil)
	maps.Copy(r.Header, b.header)
	if b.cookie != nil {
		r.AddCookie(&http.Cookie{Name: b.cookie.Name, Value: b.cookie.Value})
	}
	id, err := b.s.Identify(r)
	if err != nil || id == nil {
		b.t.Fatalf("Identify = %v, %v", id, err)
	}
	return id
}

// newSessions returns sessions whose secrets stay the same.
func newSessions(t testing.TB, store auth.TokenStore) *auth.Sessions {
	cfg := auth.DefaultSessionConfig()
	cfg.Rotate = 0
	return sessionsOf(t, store, cfg)
}

func sessionsOf(t testing.TB, store auth.TokenStore, cfg auth.SessionConfig) *auth.Sessions {
	v := must(auth.NewVerifier(jwtConfig("HS256", string(hsSecret))))(t)
	return auth.NewSessions(cfg, store, v, nil, slog.New(slog.DiscardHandler))
}

// ticket returns a JWT for a user.
func ticket(t testing.TB, user string, roles ...string) auth.Secret {
	return must(auth.MintJWT("HS256", hsSecret, auth.Claims{Subject: user, Roles: roles, Expires: time.Now().Add(5 * time.Minute)}))(t)
}

const day = 24 * time.Hour

func TestSessionLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		b := newBrowser(t, newSessions(t, store))
		start := time.Now().UTC()

		if got := b.do("GET", ""); got.status != 401 || got.header.Get("Content-Type") != "application/problem+json" || got.header.Get("WWW-Authenticate") == "" || got.cookie != nil {
			t.Fatalf("GET without a session = %+v", got)
		}
		if !b.identify().Anonymous() {
			t.Fatal("no cookie, but an identity")
		}

		first := b.do("POST", "")
		if first.status != 200 || first.Client == "" || first.User != "" || !first.Expires.Equal(start.Add(30*day)) {
			t.Fatalf("first POST = %+v", first)
		}
		c := first.cookie
		if c == nil || c.Name != "wireroom" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure ||
			c.MaxAge != 30*24*3600 || !c.Expires.Equal(start.Add(30*day)) || c.Domain != "" || !auth.Secret(c.Value).WellFormed() {
			t.Fatalf("cookie is %+v", c)
		}
		if strings.Contains(first.text, c.Value) || first.header.Get("Cache-Control") != "no-store" {
			t.Fatal("the secret is in the body, or the reply may be cached")
		}
		for hash := range store.tokens {
			if hash != auth.Secret(c.Value).Key() {
				t.Fatal("the store knows the token by something else than its hash")
			}
		}
		if id := b.identify(); id.Client != first.Client || id.User != "" || !id.Expires.Equal(start.Add(30*day)) {
			t.Fatalf("Identify = %+v", id)
		}

		// Renewals in short order write nothing.
		for range 10 {
			time.Sleep(5 * time.Minute)
			got := b.do("POST", "")
			if got.Client != first.Client || !got.Expires.Equal(first.Expires) || got.cookie != nil {
				t.Fatalf("POST again = %+v", got)
			}
		}
		if n, writes := store.counts(); n != 1 || writes != 1 {
			t.Fatalf("%d tokens, %d writes; want 1 and 1", n, writes)
		}
		// GET moves nothing, ever.
		time.Sleep(20 * day)
		if got := b.do("GET", ""); got.status != 200 || !got.Expires.Equal(first.Expires) || got.cookie != nil {
			t.Fatalf("GET = %+v", got)
		}
		// After more than the interval, POST slides.
		now := time.Now().UTC()
		if got := b.do("POST", ""); got.Client != first.Client || !got.Expires.Equal(now.Add(30*day)) || got.cookie.Value != c.Value {
			t.Fatalf("POST after 20 days = %+v", got)
		}
		if _, writes := store.counts(); writes != 2 {
			t.Fatalf("%d writes, want 2", writes)
		}
		// At the end it is over, to the moment.
		time.Sleep(30*day - 1)
		if b.identify().Anonymous() {
			t.Fatal("the token ended too early")
		}
		time.Sleep(time.Nanosecond)
		if !b.identify().Anonymous() || b.do("GET", "").status != 401 {
			t.Fatal("the token has not ended")
		}
		if got := b.do("POST", ""); got.status != 200 || got.Client == first.Client || got.cookie.Value == c.Value {
			t.Fatalf("POST with an expired token = %+v, want a new client", got)
		}
	})
}

func TestSessionMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		s := newSessions(t, store)
		b := newBrowser(t, s)
		start := time.Now().UTC()
		first := b.do("POST", "")
		for time.Since(start) < 365*day-29*day {
			time.Sleep(28 * day)
			if got := b.do("POST", ""); got.Client != first.Client {
				t.Fatalf("after %v the client is another: %+v", time.Since(start), got)
			}
		}
		// Past the last full ttl, the maximum cuts it off, whatever is renewed.
		end := start.Add(365 * day)
		if got := b.do("POST", ""); !got.Expires.Equal(end) || b.cookie.MaxAge != int(time.Until(end)/time.Second) {
			t.Fatalf("POST = %+v with Max-Age %d, want the end at %v", got, b.cookie.MaxAge, end)
		}
		_, before := store.counts()
		time.Sleep(2 * day)
		b.do("POST", "")
		if _, after := store.counts(); after != before {
			t.Fatal("a renewal that can move nothing was written")
		}
		time.Sleep(time.Until(end))
		if !b.identify().Anonymous() {
			t.Fatal("the token outlives the maximum")
		}
	})
}

// A maximum that was lowered holds for tokens that were given before.
func TestSessionMaximumLowered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		b := newBrowser(t, newSessions(t, store))
		b.do("POST", "")
		cfg := auth.DefaultSessionConfig()
		cfg.TTL, cfg.Max = time.Hour, 2*time.Hour
		b.s = auth.NewSessions(cfg, store, nil, nil, slog.New(slog.DiscardHandler))
		if id := b.identify(); !id.Expires.Equal(time.Now().Add(2 * time.Hour)) {
			t.Fatalf("the token ends in %v, want 2h", time.Until(id.Expires))
		}
		time.Sleep(2 * time.Hour)
		if !b.identify().Anonymous() {
			t.Fatal("the token outlives the maximum")
		}
	})
}

func TestSessionDelete(t *testing.T) {
	store := newMemStore()
	b := newBrowser(t, newSessions(t, store))
	first := b.do("POST", "")
	stolen := *b.cookie
	got := b.do("DELETE", "")
	if got.status != 204 || got.text != "" || got.cookie == nil || got.cookie.MaxAge >= 0 || got.cookie.Value != "" || !got.cookie.HttpOnly || got.cookie.Path != "/" {
		t.Fatalf("DELETE = %+v", got)
	}
	if n, _ := store.counts(); n != 0 {
		t.Fatal("the token is still there")
	}
	// The cookie is worth nothing to whoever has kept it.
	b.cookie = &stolen
	if !b.identify().Anonymous() {
		t.Fatal("a revoked token identifies")
	}
	if got := b.do("GET", ""); got.status != 401 {
		t.Fatalf("GET with a revoked token = %+v", got)
	}
	if _, err := b.s.Ticket(t.Context(), auth.Secret(stolen.Value)); !errors.Is(err, auth.ErrInvalid) {
		t.Fatalf("Ticket with a revoked token: %v", err)
	}
	if got := b.do("POST", ""); got.Client == first.Client || got.cookie.Value == stolen.Value {
		t.Fatalf("POST with a revoked token = %+v, want a new client", got)
	}
	b.cookie = nil
	if got := b.do("DELETE", ""); got.status != 204 {
		t.Fatalf("DELETE without a session = %+v", got)
	}
}

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

func TestSeveralCookies(t *testing.T) {
	store := newMemStore()
	b := newBrowser(t, newSessions(t, store))
	first := b.do("POST", "")
	good := b.cookie.Value
	b.cookie = nil
	b.header.Set("Cookie", `prefs={"a":"b;c"}; wireroom=`+string(auth.NewSecret())+"; wireroom=junk; wireroom="+good)
	if id := b.identify(); id.Client != first.Client {
		t.Fatalf("Identify = %+v, want the client of the one live cookie", id)
	}
	if got := b.do("POST", ""); got.Client != first.Client || got.cookie != nil {
		t.Fatalf("POST = %+v, want the same client", got)
	}
	// DELETE revokes all of them.
	second := newBrowser(t, b.s)
	second.do("POST", "")
	b.header.Set("Cookie", "wireroom="+good+"; wireroom="+second.cookie.Value)
	b.cookie = nil
	b.do("DELETE", "")
	if n, _ := store.counts(); n != 0 {
		t.Fatalf("%d tokens are left, want none", n)
	}
}

func TestSessionCrossOrigin(t *testing.T) {
	origins := must(auth.NewOrigins([]string{"https://app.example.com", "*"}))(t)
	store := newMemStore()
	s := auth.NewSessions(auth.DefaultSessionConfig(), store, nil, origins, slog.New(slog.DiscardHandler))
	b := newBrowser(t, s)
	b.do("POST", "")
	_, before := store.counts()
	for _, header := range []http.Header{
		{"Origin": {"https://evil.example"}},
		{"Origin": {"null"}},
		{"Sec-Fetch-Site": {"cross-site"}},
		{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"same-site"}},
	} {
		b.header = header
		for _, method := range []string{"POST", "DELETE"} {
			got := b.do(method, "")
			if got.status != 403 || got.cookie != nil || got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s from %v = %+v, want 403", method, header, got)
			}
		}
		if got := b.do("GET", ""); got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("GET from %v can be read by the page", header)
		}
		if !b.identify().Anonymous() {
			t.Errorf("a page of %v is somebody", header)
		}
	}
	if n, after := store.counts(); n != 1 || after != before {
		t.Error("a foreign page changed the store")
	}

	b.header = http.Header{"Origin": {"https://app.example.com"}, "Sec-Fetch-Site": {"cross-site"}}
	for method, want := range map[string]int{"OPTIONS": 204, "GET": 200, "POST": 200} {
		got := b.do(method, "")
		if got.status != want || got.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" ||
			got.header.Get("Access-Control-Allow-Credentials") != "true" || got.header.Get("Vary") != "Origin" {
			t.Errorf("%s from a listed origin = %+v", method, got)
		}
	}
	if b.identify().Anonymous() {
		t.Error("a page of a listed origin is nobody")
	}
}

// Where TLS ends in front of the gateway, the gateway cannot see it: an http
// page of its host is somebody else's on the way.
func TestSessionSecureOrigin(t *testing.T) {
	for _, secure := range []bool{false, true} {
		cfg := auth.DefaultSessionConfig()
		cfg.Secure = secure
		s := auth.NewSessions(cfg, newMemStore(), nil, nil, slog.New(slog.DiscardHandler))
		b := newBrowser(t, s)
		if got := b.do("POST", ""); got.status != 200 {
			t.Fatalf("POST of a program = %+v, want 200", got)
		}
		for scheme, trusted := range map[string]bool{"https": true, "http": !secure} {
			b.header = http.Header{"Origin": {scheme + "://gw.example.net"}}
			if got := b.do("POST", ""); (got.status == 200) != trusted {
				t.Errorf("secure %v: POST from the own host over %s = %+v, want 200: %v", secure, scheme, got, trusted)
			}
			r := httptest.NewRequest("GET", "http://gw.example.net/ws", nil)
			r.Header = b.header
			if got := s.Allows(r); got != trusted {
				t.Errorf("secure %v: a page of the own host over %s may connect: %v, want %v", secure, scheme, got, trusted)
			}
			if got := !b.identify().Anonymous(); got != trusted {
				t.Errorf("secure %v: the cookie counts for the own host over %s: %v, want %v", secure, scheme, got, trusted)
			}
		}
	}
}

func TestSessionMethods(t *testing.T) {
	b := newBrowser(t, newSessions(t, newMemStore()))
	for _, method := range []string{"PUT", "PATCH", "TRACE", "POKE"} {
		if got := b.do(method, ""); got.status != 405 || got.header.Get("Allow") != "GET, HEAD, POST, DELETE, OPTIONS" || got.cookie != nil {
			t.Errorf("%s = %+v, want 405", method, got)
		}
	}
	if got := b.do("HEAD", ""); got.status != 401 {
		t.Errorf("HEAD = %+v, want 401", got)
	}
}

func TestSessionSecureCookie(t *testing.T) {
	for name, tt := range map[string]struct {
		url    string
		secure bool
		want   bool
	}{
		"plain":             {"http://gw/session", false, false},
		"TLS":               {"https://gw/session", false, true},
		"plain, configured": {"http://gw/session", true, true},
	} {
		cfg := auth.DefaultSessionConfig()
		cfg.Secure = tt.secure
		s := auth.NewSessions(cfg, newMemStore(), nil, nil, slog.New(slog.DiscardHandler))
		for _, method := range []string{"POST", "DELETE"} {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, tt.url, nil))
			if c := w.Result().Cookies(); len(c) != 1 || c[0].Secure != tt.want {
				t.Errorf("%s: %s sets %v, want Secure %v", name, method, c, tt.want)
			}
		}
	}
}

func TestSessionStoreFails(t *testing.T) {
	var log strings.Builder
	store := newMemStore()
	s := auth.NewSessions(auth.DefaultSessionConfig(), store, nil, nil, slog.New(slog.NewTextHandler(&log, nil)))
	b := newBrowser(t, s)
	b.do("POST", "")
	store.fail = errors.New("disk on fire")
	for _, method := range []string{"GET", "POST", "DELETE"} {
		got := b.do(method, "")
		if got.status != 503 || got.header.Get("Retry-After") == "" || got.cookie != nil || strings.Contains(got.text, "fire") {
			t.Errorf("%s = %+v, want 503 without the cause", method, got)
		}
	}
	if got := strings.Count(log.String(), "disk on fire"); got != 3 {
		t.Errorf("the failure is logged %d times, want 3:\n%s", got, log.String())
	}
	if strings.Contains(log.String(), b.cookie.Value) {
		t.Error("the log has a secret")
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/ws", nil)
	r.AddCookie(b.cookie)
	if id, err := s.Identify(r); !errors.Is(err, store.fail) {
		t.Errorf("Identify = %+v, %v; want the store's error", id, err)
	}
	if _, _, err := s.Issue(t.Context(), "", "joe", nil, 0); !errors.Is(err, store.fail) {
		t.Errorf("Issue: %v; want the store's error", err)
	}
	if _, err := s.Sweep(t.Context()); !errors.Is(err, store.fail) {
		t.Errorf("Sweep: %v; want the store's error", err)
	}
	if _, err := s.Ticket(t.Context(), auth.NewSecret()); !errors.Is(err, store.fail) || errors.Is(err, auth.ErrInvalid) {
		t.Errorf("Ticket: %v; want the store's error", err)
	}
}

func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		s := newSessions(t, store)
		old, fresh := newBrowser(t, s), newBrowser(t, s)
		old.do("POST", "")
		time.Sleep(10 * day)
		fresh.do("POST", "")
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, 0}, {20*day - 1, 0}, {1, 1}, {0, 0}, {10 * day, 1}} {
			time.Sleep(step.after)
			if n, err := s.Sweep(t.Context()); n != step.want || err != nil {
				t.Fatalf("Sweep = %d, %v; want %d", n, err, step.want)
			}
		}
	})
}

// A renewal that has read the token when it is revoked must not write it back,
// at whichever gateway that happens.
func TestRenewalDoesNotUndoRevocation(t *testing.T) {
	store := newMemStore()
	s := newSessions(t, store)
	b := newBrowser(t, s)
	first := b.do("POST", "")
	secret := auth.Secret(b.cookie.Value)
	token := store.tokens[secret.Key()]
	token.LastSeen = token.LastSeen.Add(-2 * time.Hour)
	token.Expires = token.Expires.Add(-2 * time.Hour)

	revoked := false
	store.beforePut = sync.OnceFunc(func() {
		revoked = true
		newSessions(t, store).ServeHTTP(httptest.NewRecorder(), deleteRequest(t, secret))
	})
	got := newBrowserWith(t, s, secret).do("POST", "")
	if !revoked {
		t.Fatal("the renewal writes nothing: the test has lost its point")
	}
	if _, err := store.Token(t.Context(), secret.Key()); !errors.Is(err, auth.ErrNoToken) {
		t.Fatal("the revoked token is back")
	}
	if got.status != 200 || got.Client == first.Client || got.cookie == nil {
		t.Fatalf("POST = %+v, want a new client", got)
	}
}

func deleteRequest(t *testing.T, secret auth.Secret) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), "DELETE", "http://gw.example.net/session", nil)
	r.AddCookie(&http.Cookie{Name: "wireroom", Value: string(secret)})
	return r
}

func newBrowserWith(t *testing.T, s *auth.Sessions, secret auth.Secret) *browser {
	b := newBrowser(t, s)
	b.cookie = &http.Cookie{Name: "wireroom", Value: string(secret)}
	return b
}

// A token that is revoked between being looked up and being renewed stays
// revoked: the request goes on as that of somebody new.
func TestRevokedWhileInUse(t *testing.T) {
	for _, bearer := range []auth.Secret{"", ticket(t, "joe"), ticket(t, "sue")} {
		store := newMemStore()
		s := newSessions(t, store)
		b := newBrowser(t, s)
		first := b.do("POST", ticket(t, "joe"))
		secret := auth.Secret(b.cookie.Value)
		var once atomic.Bool // a sync.Once would wait for itself, as deleting reads, too
		store.afterRead = func() {
			if once.CompareAndSwap(false, true) {
				s.ServeHTTP(httptest.NewRecorder(), deleteRequest(t, secret))
			}
		}
		got := b.do("POST", bearer)
		if got.status != 200 || got.Client == first.Client || got.cookie.Value == string(secret) {
			t.Errorf("POST = %+v, want a new client", got)
		}
		if _, err := store.Token(t.Context(), secret.Key()); !errors.Is(err, auth.ErrNoToken) {
			t.Error("the revoked token is back")
		}
	}
}

// The store fails after the token was looked up.
func TestSessionStoreFailsHalfway(t *testing.T) {
	for name, bearer := range map[string]auth.Secret{"renew": "", "same user": ticket(t, "joe"), "other user": ticket(t, "sue")} {
		store := newMemStore()
		b := newBrowser(t, newSessions(t, store))
		b.do("POST", ticket(t, "joe"))
		secret := b.cookie.Value
		store.afterRead = func() {
			store.mu.Lock()
			defer store.mu.Unlock()
			store.fail = errors.New("disk on fire")
		}
		if got := b.do("POST", bearer); got.status != 503 || got.cookie != nil || b.cookie.Value != secret {
			t.Errorf("%s: POST = %+v, want 503 and no cookie", name, got)
		}
	}
}

// A client that goes away is no failure of the store.
func TestCanceledRequestIsNotLogged(t *testing.T) {
	var log strings.Builder
	store := newMemStore()
	store.fail = context.Canceled
	s := auth.NewSessions(auth.DefaultSessionConfig(), store, nil, nil, slog.New(slog.NewTextHandler(&log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "POST", "/session", nil))
	if log.Len() > 0 {
		t.Errorf("logged: %s", log.String())
	}
}

func TestSessionsConcurrently(t *testing.T) {
	store := newMemStore()
	s := newSessions(t, store)
	shared := newBrowser(t, s)
	shared.do("POST", "")
	jwt := ticket(t, "joe", "member")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			b := newBrowser(t, s)
			if i%2 == 0 {
				b.cookie = shared.cookie
			}
			for j := range 20 {
				switch (i + j) % 5 {
				case 0, 1:
					b.do("POST", "")
				case 2:
					b.do("POST", jwt)
				case 3:
					b.identify()
				case 4:
					if _, err := s.Sweep(context.Background()); err != nil {
						t.Error(err)
					}
				}
			}
			b.do("DELETE", "")
		})
	}
	wg.Wait()
}
