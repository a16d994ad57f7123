package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// withCookie is another request of the browser, with the secret that it had.
func (b *browser) withCookie(value string) *browser {
	return newBrowserWith(b.t, b.s, auth.Secret(value))
}

// rotated returns a browser that was given its token a day ago.
func rotated(t *testing.T, s *auth.Sessions) (b *browser, client, secret string) {
	b = newBrowser(t, s)
	first := b.do("POST", "")
	time.Sleep(24 * time.Hour)
	return b, first.Client, b.cookie.Value
}

// A renewal gives a new secret once a day, which counts as taken over when it
// comes back; the one before is good for a minute more, and then nobody's.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		s := sessionsOf(t, store, auth.DefaultSessionConfig())
		b, client, old := rotated(t, s)
		if got := b.withCookie(old).do("GET", ""); got.Client != client || got.cookie != nil {
			t.Fatalf("GET = %+v, want no new secret", got)
		}
		got := b.do("POST", "")
		next := b.cookie.Value
		if got.Client != client || next == old || next[:25] != old[:25] || !got.cookie.HttpOnly || got.cookie.MaxAge != 30*24*3600 {
			t.Fatalf("POST after a day = %+v with the secret %q, want another one of the family of %q", got, next, old)
		}
		for _, tk := range store.tokens {
			if tk.Secrets.Next != auth.Secret(next).Hash() || tk.Secrets.Current != auth.Secret(old).Hash() || strings.Contains(fmt.Sprint(*tk), next) {
				t.Fatalf("the store has %+v", tk)
			}
		}

		// As long as the new one has not come back, the old one stays good: the
		// answer may have been lost. It brings the same new one again.
		time.Sleep(10 * day)
		if id := b.withCookie(old).identify(); id.Client != client {
			t.Fatalf("the old secret is of %+v before the new one was shown", id)
		}
		time.Sleep(time.Hour) // no answer is under way any more, and the one that is lost may have been had by another tab
		if lost := b.withCookie(old); lost.do("POST", "").Client != client || lost.cookie.Value != next {
			t.Fatalf("the old secret brings another one than before")
		}

		// It comes back: a minute for what is under way with the old one.
		if id := b.identify(); id.Client != client {
			t.Fatalf("Identify = %+v", id)
		}
		time.Sleep(time.Minute - 1)
		if id := b.withCookie(old).identify(); id.Client != client {
			t.Fatal("the old secret is not good within the grace")
		}
		if tab := b.withCookie(old); tab.do("POST", "").Client != client || tab.cookie.Value != next {
			t.Fatal("within the grace the old secret does not bring the new one")
		}
		if stats := s.Stats(); stats.Rotated != 1 || stats.Stolen != 0 || stats.Revoked != 0 {
			t.Fatalf("Stats = %+v", stats)
		}
		time.Sleep(time.Nanosecond)
		if id := b.withCookie(old).identify(); !id.Anonymous() {
			t.Fatal("the old secret is good after the grace")
		}
		// Somebody has copied it: nobody can tell who. The family has ended.
		if !b.identify().Anonymous() {
			t.Fatal("the new secret is good after the old one was shown again")
		}
		if stats := s.Stats(); stats.Stolen != 1 || stats.Revoked != 1 {
			t.Fatalf("Stats = %+v", stats)
		}
		if got := b.do("POST", ""); got.status != 200 || got.Client == client {
			t.Fatalf("POST after a theft = %+v, want a new client", got)
		}
	})
}

// Any older secret of the family is a theft, however long ago it was replaced,
// by every way of showing one.
func TestTheft(t *testing.T) {
	for name, show := range map[string]func(b *browser, old string){
		"upgrade": func(b *browser, old string) { b.withCookie(old).identify() },
		"GET":     func(b *browser, old string) { b.withCookie(old).do("GET", "") },
		"POST":    func(b *browser, old string) { b.withCookie(old).do("POST", "") },
		"DELETE":  func(b *browser, old string) { b.withCookie(old).do("DELETE", "") },
		"login":   func(b *browser, old string) { b.withCookie(old).do("POST", ticket(b.t, "eve")) },
		"bearer":  func(b *browser, old string) { newBrowser(b.t, b.s).do("POST", auth.Secret(old)) },
		"ticket": func(b *browser, old string) {
			if _, err := b.s.Ticket(b.t.Context(), auth.Secret(old)); !errors.Is(err, auth.ErrInvalid) {
				b.t.Errorf("Ticket: %v, want ErrInvalid", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				cfg := auth.DefaultSessionConfig()
				s := auth.NewSessions(cfg, newMemStore(), must(auth.NewVerifier(jwtConfig("HS256", string(hsSecret))))(t), nil, slog.New(slog.NewTextHandler(&log, nil)))
				b := newBrowser(t, s)
				first := b.do("POST", ticket(t, "ada", "member"))
				old := b.cookie.Value
				for range 3 {
					time.Sleep(day)
					b.do("POST", "")
					b.identify()
				}
				if b.cookie.Value == old {
					t.Fatal("the secret has not changed")
				}
				var told []auth.Revocation
				s.OnRevocation(func(r auth.Revocation) { told = append(told, r) })
				show(b, old)
				if !b.identify().Anonymous() {
					t.Error("the family lives on")
				}
				if len(told) != 1 || told[0].Client != first.Client || told[0].Token != [32]byte{} {
					t.Errorf("announced %+v, want the client %s", told, first.Client)
				}
				if text := log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, first.Client) || strings.Contains(text, old) || strings.Contains(text, b.cookie.Value) {
					t.Errorf("the log says %s", text)
				}
			})
		})
	}
}

// Two tabs, at two gateways over one store, that renew at the same moment get
// the same secret, and neither is taken for a thief.
func TestTabsRenewTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		gateways := []*auth.Sessions{sessionsOf(t, store, auth.DefaultSessionConfig()), sessionsOf(t, store, auth.DefaultSessionConfig())}
		b, client, old := rotated(t, gateways[0])
		for round := range 20 {
			var wg sync.WaitGroup
			tabs := make([]*browser, 8)
			for i := range tabs {
				tabs[i] = newBrowserWith(t, gateways[i%2], auth.Secret(old))
				wg.Go(func() {
					for range 3 {
						tabs[i].do("POST", "")
						tabs[i].identify()
					}
				})
			}
			wg.Wait()
			for _, tab := range tabs {
				if tab.cookie.Value == old || tab.cookie.Value != tabs[0].cookie.Value {
					t.Fatalf("round %d: the tabs have %q, %q after %q", round, tab.cookie.Value, tabs[0].cookie.Value, old)
				}
			}
			old = tabs[0].cookie.Value
			time.Sleep(day)
		}
		b.cookie.Value = old
		if id := b.identify(); id.Client != client {
			t.Fatalf("at the end the browser is %+v", id)
		}
		for _, s := range gateways {
			if stats := s.Stats(); stats.Stolen != 0 || stats.Revoked != 0 {
				t.Errorf("Stats = %+v", stats)
			}
		}
		if n := gateways[0].Stats().Rotated + gateways[1].Stats().Rotated; n != 20 {
			t.Errorf("%d secrets were followed by another one, want one in each of 20 rounds", n)
		}
	})
}

// A token from before there were families goes on as it was.
func TestTokenFromBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		s := sessionsOf(t, store, auth.DefaultSessionConfig())
		secret := auth.NewSecret()[:46]
		now := time.Now()
		store.tokens[secret.Hash()] = &auth.Token{Hash: secret.Hash(), Client: "c", User: "ada", Created: now, Expires: now.Add(30 * day), LastSeen: now}
		b := newBrowserWith(t, s, secret)
		for range 10 {
			time.Sleep(20 * day)
			if got := b.do("POST", ""); got.Client != "c" || got.User != "ada" || got.cookie.Value != string(secret) {
				t.Fatalf("POST = %+v, want the same secret for longer", got)
			}
		}
		if devices := must(s.Devices(t.Context(), "r", "ada"))(t); len(devices) != 1 || !devices[0].Made.Equal(now) {
			t.Errorf("Devices = %+v", devices)
		}
		b.do("DELETE", "")
		if n, _ := store.counts(); n != 0 {
			t.Error("it is still there after DELETE")
		}
	})
}

// A renewal that sent the secret in force a moment ago is not overtaken by one
// that sends its successor.
func TestRotationWaitsForAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessionsOf(t, newMemStore(), auth.DefaultSessionConfig())
		b := newBrowser(t, s)
		b.do("POST", "")
		old := b.cookie.Value
		time.Sleep(day - time.Second)
		b.do("POST", "") // moves the expiry on
		time.Sleep(time.Minute - 1)
		if b.do("POST", ""); b.cookie.Value != old {
			t.Fatal("the secret changed within a minute after it was sent")
		}
		time.Sleep(time.Nanosecond)
		if b.do("POST", ""); b.cookie.Value == old {
			t.Fatal("the secret did not change")
		}
	})
}

// Where the store takes nothing, secrets that are good are good.
func TestUseWithoutWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		b, client, _ := rotated(t, sessionsOf(t, store, auth.DefaultSessionConfig()))
		b.do("POST", "")
		full := errors.New("disk full")
		store.beforePut = func() { store.fail = full }
		if id := b.identify(); id.Client != client {
			t.Errorf("Identify = %+v", id)
		}
	})
}

func devicesOf(t *testing.T, s *auth.Sessions, realm wamp.URI, user string) string {
	t.Helper()
	var list []string
	for _, d := range must(s.Devices(t.Context(), realm, user))(t) {
		list = append(list, d.Agent)
	}
	return strings.Join(list, " ")
}

// A user has a list of devices, and can end one or all; the oldest gives way
// when there are too many, and tickets that nobody has used before any device.
func TestDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := auth.DefaultSessionConfig()
		cfg.Devices = 3
		s := sessionsOf(t, newMemStore(), cfg)
		login := func(agent, user string) *browser {
			time.Sleep(2 * time.Hour)
			b := newBrowser(t, s)
			b.header = http.Header{"User-Agent": {agent}}
			b.do("POST", ticket(t, user))
			return b
		}
		a, b := login("A", "ada"), login("B", "ada")
		login("X", "adam")
		if got := devicesOf(t, s, "realm1", "ada"); got != "B A" {
			t.Errorf("devices %q, want B A", got)
		}
		for range 5 {
			if _, _, err := s.Issue(t.Context(), "", "ada", nil, 0); err != nil {
				t.Fatal(err)
			}
		}
		if got := devicesOf(t, s, "realm1", "ada"); got != "B A" {
			t.Errorf("with unused tickets: devices %q, want B A", got)
		}
		time.Sleep(2 * time.Hour)
		a.identify() // it was seen last
		login("C", "ada")
		login("D", "ada")
		if got := devicesOf(t, s, "realm1", "ada"); got != "D C A" {
			t.Errorf("devices %q, want D C A, as B was not seen for the longest", got)
		}
		if !b.identify().Anonymous() || a.identify().User != "ada" {
			t.Error("the wrong device gave way")
		}
		n, err := s.RevokeClient(t.Context(), "realm1", "ada", a.identify().Client)
		if n != 1 || err != nil || devicesOf(t, s, "realm1", "ada") != "D C" || !a.identify().Anonymous() {
			t.Errorf("RevokeClient = %d, %v", n, err)
		}
		if n, err := s.RevokeClient(t.Context(), "realm1", "adam", "nobody"); n != 0 || err != nil {
			t.Errorf("RevokeClient of another = %d, %v", n, err)
		}
		if n, err := s.RevokeUser(t.Context(), "realm1", "ada", "", true); n != 2 || err != nil || devicesOf(t, s, "realm1", "ada") != "" {
			t.Errorf("RevokeUser = %d, %v", n, err)
		}
		if got := devicesOf(t, s, "realm1", "adam"); got != "X" {
			t.Errorf("devices of somebody else: %q", got)
		}
	})
}

// Tokens that have expired, and are in the store still, take no device's place,
// however recently they were used.
func TestDevicesExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := auth.DefaultSessionConfig()
		cfg.Devices = 3
		s := sessionsOf(t, newMemStore(), cfg)
		phone := newBrowser(t, s)
		phone.header = http.Header{"User-Agent": {"phone"}}
		phone.do("POST", ticket(t, "ada"))
		for range 5 {
			secret, _, err := s.Issue(t.Context(), "", "ada", nil, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if _, err := s.Ticket(t.Context(), secret); err != nil { // it is used, later than the phone
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
		}
		if got := devicesOf(t, s, "realm1", "ada"); got != "phone" || phone.identify().User != "ada" {
			t.Errorf("devices %q, want phone", got)
		}
		if n := s.Stats().Crowded; n != 0 {
			t.Errorf("%d devices have given way, want none", n)
		}
	})
}

// A browser whose User-Agent cannot be shown has none.
func TestAgentIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for agent, want := range map[string]string{"": "", "ok": "ok", "a\tb": "", strings.Repeat("é", 200): strings.Repeat("é", 128), "\xff": ""} {
			s := newSessions(t, newMemStore())
			b := newBrowser(t, s)
			b.header = http.Header{"User-Agent": {agent}}
			b.do("POST", ticket(t, "ada"))
			if got := devicesOf(t, s, "r", "ada"); got != want {
				t.Errorf("the agent %q is kept as %q, want %q", agent, got, want)
			}
		}
	})
}

// Of changes that come before it, an update bears many; from a store that never
// takes one it gives up.
func TestUpdateGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		s := sessionsOf(t, store, auth.DefaultSessionConfig())
		b := newBrowser(t, s)
		b.do("POST", "")
		time.Sleep(day)
		secret := auth.Secret(b.cookie.Value)
		store.beforePut = func() {
			store.mu.Lock()
			store.tokens[secret.Key()].Version++
			store.mu.Unlock()
		}
		if got := b.do("POST", ""); got.status != 503 {
			t.Errorf("POST = %+v, want 503", got)
		}
		if n := s.Stats().Rotated; n != 0 {
			t.Errorf("%d secrets count as followed by another one, want none", n)
		}
		if _, err := s.Ticket(context.Background(), secret); err != nil {
			t.Errorf("Ticket: %v", err)
		}
	})
}
