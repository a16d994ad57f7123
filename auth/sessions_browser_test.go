package auth_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
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
