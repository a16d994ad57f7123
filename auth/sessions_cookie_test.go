package auth_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wireroom/wireroom/auth"
)

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
