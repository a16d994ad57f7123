package auth_test

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
)

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
