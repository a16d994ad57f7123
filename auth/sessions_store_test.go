package auth_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
)

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
