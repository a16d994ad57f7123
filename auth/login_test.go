package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// copyOf is another tab of the browser, or somebody who has seen its cookie.
func copyOf(b *browser) *browser {
	c := *b.cookie
	return &browser{t: b.t, s: b.s, cookie: &c, header: b.header}
}

// What has joined as nobody ends with a login, everywhere: what is kept for the
// client is the user's from then on, and the session may be of whoever planted the
// cookie.
func TestLoginEndsAnonymousSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var told []auth.Revocation
		h.sessions.OnRevocation(func(r auth.Revocation) { told = append(told, r) })
		b := newBrowser(t, h.sessions)
		first := b.do("POST", "")
		before, planter := h.byCookie(b), copyOf(b)
		late := planter.identify()
		if got := b.do("POST", ticket(t, "ada", "member")); got.Client != first.Client {
			t.Fatalf("the login gives the client %s, want %s", got.Client, first.Client)
		}
		h.want("before the login", before, wamp.URISessionRevoked)
		after := h.byCookie(b)
		h.want("after the login", after, "")
		if len(told) != 1 || told[0].Client != first.Client || told[0].Token == [32]byte{} {
			t.Errorf("announced %+v, want the one token of the client %s", told, first.Client)
		}
		// Who was looked up before does not slip in.
		g, _, err := h.auth.Begin(t.Context(), "realm1", auth.Hello{}, late)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.sessions.Begin(&holder{}, g.Terms); err == nil {
			t.Error("who was looked up before the login joins after it")
		}
		if id := planter.identify(); !id.Anonymous() {
			t.Errorf("the cookie from before the login is of %+v", id)
		}
		// A gateway that was not told finds out.
		if _, err := h.auth.Renew(t.Context(), before.lease, before.joined(), ""); err == nil {
			t.Error("a session from before the login is renewed")
		}
	})
}

// gateways that were not told of a login find the token left behind.
func TestLoginAtAnotherGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.run()
		other := sessionsOf(t, h.store, auth.DefaultSessionConfig())
		b := newBrowser(t, h.sessions)
		b.do("POST", "")
		one, two := h.byCookie(b), h.byCookie(b)
		b.s = other
		b.do("POST", ticket(t, "ada", "member"))
		h.want("not told", one, "")
		var e *wamp.Error
		if _, err := h.auth.Renew(t.Context(), one.lease, one.joined(), ""); !errors.As(err, &e) || e.URI != wamp.URISessionExpired {
			t.Errorf("Renew: %v, want %s", err, wamp.URISessionExpired)
		}
		h.sessions.LookAgain()
		time.Sleep(time.Second)
		h.want("looked up again", two, wamp.URISessionRevoked)
	})
}

// A request of another tab that was under way when one logged in brings no cookie
// in place of the user's.
func TestLoginBesideRenewal(t *testing.T) {
	for _, rotating := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := sessionsOf(t, newMemStore(), auth.DefaultSessionConfig())
			b := newBrowser(t, s)
			first := b.do("POST", "")
			if rotating {
				time.Sleep(day)
			}
			old := copyOf(b)
			if b.do("POST", ""); rotating != (b.cookie.Value != old.cookie.Value) {
				t.Fatalf("the secret has changed: %t", !rotating)
			}
			late := []*browser{copyOf(b), old}
			b.do("POST", ticket(t, "ada", "member"))
			for _, tab := range late {
				if got := tab.do("POST", ""); got.status != http.StatusOK || got.cookie != nil || got.Client != first.Client || got.User != "" {
					t.Errorf("a late POST: %+v; want the client that it was, and no cookie", got)
				}
				if got := tab.do("GET", ""); got.status != http.StatusUnauthorized {
					t.Errorf("GET with a token left behind: %+v", got)
				}
			}
			if b.identify().User != "ada" || s.Stats().Stolen != 0 {
				t.Error("the user's cookie is not good any more")
			}
			if devices, err := s.Devices(t.Context(), "realm1", "ada"); err != nil || len(devices) != 1 {
				t.Errorf("Devices = %+v, %v; want the one", devices, err)
			}
			// After the grace it is nobody's.
			time.Sleep(time.Minute)
			for _, tab := range late {
				if got := tab.do("POST", ""); got.Client == first.Client || got.cookie == nil {
					t.Errorf("a POST after the grace: %+v, want a new client", got)
				}
			}
			if b.identify().User != "ada" || s.Stats().Stolen != 0 {
				t.Error("the user's cookie is not good any more")
			}
		})
	}
}

// Two tabs that log in at once are the client that they were before, and so is one
// whose answer was lost. Another user who has the cookie is not.
func TestLoginTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessionsOf(t, newMemStore(), auth.DefaultSessionConfig())
		b := newBrowser(t, s)
		first := b.do("POST", "")
		again, planter := copyOf(b), copyOf(b)
		one := b.do("POST", ticket(t, "ada", "member"))
		two := again.do("POST", ticket(t, "ada", "member"))
		if one.Client != first.Client || two.Client != first.Client {
			t.Errorf("logins give the clients %s and %s, want %s", one.Client, two.Client, first.Client)
		}
		if b.identify().User != "ada" || again.identify().User != "ada" {
			t.Error("a login is not good")
		}
		if eve := planter.do("POST", ticket(t, "eve", "member")); eve.Client == first.Client || eve.User != "eve" {
			t.Errorf("another user is given %+v, want another client", eve)
		}
		if b.identify().User != "ada" || again.identify().User != "ada" {
			t.Error("another user's login has ended a login")
		}
	})
}

// Of two users who log in with one cookie at the same moment, one is the client.
func TestLoginRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		s := sessionsOf(t, store, auth.DefaultSessionConfig())
		b := newBrowser(t, s)
		b.do("POST", "")
		eve := copyOf(b)
		var hers reply
		store.beforePut = func() { // ada was found with the token of nobody
			store.beforePut = nil
			hers = eve.do("POST", ticket(t, "eve", "member"))
		}
		if his := b.do("POST", ticket(t, "ada", "member")); his.Client == hers.Client || his.User != "ada" || hers.User != "eve" {
			t.Errorf("logins give %+v and %+v, want two clients", his, hers)
		}
	})
}

// The answer with the new cookie is on its way before sessions are ended: who
// comes back at once has it.
func TestLoginAnswersFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := newBrowser(t, h.sessions)
		b.do("POST", "")
		w := httptest.NewRecorder()
		h.sessions.OnRevocation(func(auth.Revocation) {
			if !w.Flushed || w.Header().Get("Set-Cookie") == "" {
				t.Error("sessions end before the answer is sent")
			}
		})
		r := httptest.NewRequestWithContext(t.Context(), "POST", "http://gw.example.net/session", nil)
		r.Header.Set("Authorization", "Bearer "+string(ticket(t, "ada")))
		r.AddCookie(b.cookie)
		h.sessions.ServeHTTP(w, r)
		if s := h.sessions.Stats(); s.Leases != 0 || w.Code != http.StatusOK || !w.Flushed {
			t.Errorf("answer %d, flushed %t", w.Code, w.Flushed)
		}
	})
}

// GET puts no successor in force: it may be a program that looks on, and the tab
// that is given the successor may never get it.
func TestGetChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		s := sessionsOf(t, store, auth.DefaultSessionConfig())
		b, client, old := rotated(t, s)
		b.do("POST", "")
		_, before := store.counts()
		if got := b.do("GET", ""); got.Client != client {
			t.Fatalf("GET = %+v", got)
		}
		if _, after := store.counts(); after != before {
			t.Error("GET was written")
		}
		time.Sleep(2 * time.Minute)
		if id := b.withCookie(old).identify(); id.Client != client || s.Stats().Stolen != 0 {
			t.Error("GET has put the successor in force")
		}
	})
}
