package auth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
)

// comeFrom posts to /session from an address.
func comeFrom(t *testing.T, s *auth.Sessions, remote string, bearer auth.Secret, cookie *http.Cookie) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "http://gw.example.net/session", nil)
	r.RemoteAddr = remote
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+string(bearer))
	}
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// New clients are bounded by address and in all; who has a token or logs in is not.
func TestNewcomers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := auth.DefaultSessionConfig()
		cfg.Newcomers, cfg.NewcomersPerAddress = 5, 2
		store := newMemStore()
		s := sessionsOf(t, store, cfg)
		first := comeFrom(t, s, "192.0.2.1:1000", "", nil)
		time.Sleep(10*time.Second + time.Millisecond)
		for _, step := range []struct {
			remote string
			status int
		}{
			{"192.0.2.1:2000", 200},
			{"192.0.2.1:3000", 429},
			{"[::ffff:192.0.2.1]:3000", 429},
			{"[2001:db8::1]:1", 200},
			{"[2001:db8::2]:1", 200},
			{"[2001:db8::3]:1", 429}, // of the same network
			{"@", 200},               // by a socket in the file system
			{"192.0.2.7:1", 429},     // in all
			{"@", 429},
		} {
			got := comeFrom(t, s, step.remote, "", nil)
			if got.Code != step.status {
				t.Errorf("%s: status %d, want %d", step.remote, got.Code, step.status)
			}
			if retry := got.Header().Get("Retry-After"); (retry == "50") != (step.status == 429) {
				t.Errorf("%s: Retry-After %q", step.remote, retry)
			}
			if cookie := got.Header().Get("Set-Cookie"); (cookie == "") != (step.status == 429) {
				t.Errorf("%s: Set-Cookie %q", step.remote, cookie)
			}
		}
		if n, _ := store.counts(); n != 5 || s.Stats().Refused != 5 {
			t.Errorf("the store has %d tokens, %d were refused; want 5 and 5", n, s.Stats().Refused)
		}
		if got := comeFrom(t, s, "192.0.2.1:1", "", first.Result().Cookies()[0]); got.Code != http.StatusOK {
			t.Errorf("who has a token is answered %d", got.Code)
		}
		if got := comeFrom(t, s, "192.0.2.1:1", ticket(t, "ada"), nil); got.Code != http.StatusOK {
			t.Errorf("who logs in is answered %d", got.Code)
		}
		time.Sleep(50 * time.Second)
		for n := range 2 {
			if got := comeFrom(t, s, fmt.Sprintf("192.0.2.1:%d", 1+n), "", nil); got.Code != http.StatusOK {
				t.Errorf("after a minute a newcomer is answered %d", got.Code)
			}
		}
	})
}
