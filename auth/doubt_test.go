package auth_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// When revocations may have been missed, the sessions whose tokens are gone end,
// a second after the first thousand of sessions at most, and no others.
func TestLookAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.run()
		jwt := h.byTicket(ticket(t, "ada", "member"))
		var good, bad []stay
		elsewhere := sessionsOf(t, h.store, auth.DefaultSessionConfig())
		for i := range 100 {
			user := fmt.Sprint("user", i)
			secret := must2(h.sessions.Issue(t.Context(), "realm1", user, []string{"member"}, time.Hour))(t)
			if i%2 == 0 {
				good = append(good, h.byTicket(secret))
				continue
			}
			bad = append(bad, h.byTicket(secret), h.byTicket(secret))
			must(elsewhere.RevokeUser(t.Context(), "realm1", user, "", true))(t)
		}
		time.Sleep(time.Minute)
		for _, s := range bad {
			h.want("nobody was told", s, "")
		}
		h.sessions.LookAgain()
		h.sessions.LookAgain()
		time.Sleep(time.Second)
		for _, s := range bad {
			h.want("its token is gone", s, wamp.URISessionRevoked)
		}
		for _, s := range append(good, jwt) {
			h.want("its token is there", s, "")
		}
		if stats := h.sessions.Stats(); stats.Ended != 100 || stats.Leases != 51 {
			t.Errorf("Stats = %+v", stats)
		}
		time.Sleep(time.Hour)
		for _, s := range good {
			h.want("in the end", s, wamp.URISessionExpired)
		}
	})
}

// Who was looked up before and joins after it is looked up again.
func TestLookAgainAtWhoJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.run()
		b, c := newBrowser(t, h.sessions), newBrowser(t, h.sessions)
		b.do("POST", ticket(t, "ada", "member"))
		c.do("POST", ticket(t, "bob", "member"))
		late, good := b.identify(), c.identify()
		must(sessionsOf(t, h.store, auth.DefaultSessionConfig()).RevokeUser(t.Context(), "realm1", "ada", "", false))(t)
		h.sessions.LookAgain()
		time.Sleep(time.Minute)
		joined := make([]stay, 2)
		for i, id := range []*auth.Identity{late, good} {
			g, _, err := h.auth.Begin(t.Context(), "realm1", auth.Hello{}, id)
			joined[i] = h.join(g, err)
		}
		h.want("its token is gone", joined[0], wamp.URISessionRevoked)
		h.want("its token is there", joined[1], "")
	})
}

// If the store can't be asked, it is asked again, and nobody ends meanwhile. A
// renewal meanwhile is no answer.
func TestLookAgainWithoutStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.run()
		b, c := newBrowser(t, h.sessions), newBrowser(t, h.sessions)
		b.do("POST", ticket(t, "ada", "member"))
		c.do("POST", ticket(t, "bob", "member"))
		gone, there := h.byCookie(b), h.byCookie(c)
		time.Sleep(4 * day)
		must(sessionsOf(t, h.store, auth.DefaultSessionConfig()).RevokeUser(t.Context(), "realm1", "ada", "", false))(t)
		h.store.setFail(errors.New("away"))
		h.sessions.LookAgain()
		time.Sleep(10 * time.Minute)
		h.want("while the store is away", gone, "")
		h.want("while the store is away", there, "")
		h.store.setFail(nil)
		c.do("POST", "")
		// It is asked every five seconds, but of no other token in the second after a
		// question that failed.
		time.Sleep(6 * time.Second)
		h.want("when it is back", gone, wamp.URISessionRevoked)
		h.want("when it is back", there, "")
	})
}

// The store answers that a token is there, and while it does there is reason to ask
// again.
func TestLookAgainMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.run()
		secret := must2(h.sessions.Issue(t.Context(), "realm1", "ada", []string{"member"}, time.Hour))(t)
		s := h.byTicket(secret)
		elsewhere := sessionsOf(t, h.store, auth.DefaultSessionConfig())
		first := true
		h.store.afterRead = func() {
			if first {
				first = false
				must(elsewhere.RevokeUser(t.Context(), "realm1", "ada", "", false))(t)
				h.sessions.LookAgain()
			}
		}
		h.sessions.LookAgain()
		time.Sleep(time.Second)
		h.want("revoked while it was asked for", s, wamp.URISessionRevoked)
	})
}
