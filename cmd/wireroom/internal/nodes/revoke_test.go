package nodes_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/nodes"
)

// wantEnded compares what a gateway was told to end, and how often to ask the store
// again, since the last time.
func (g *gateway) wantEnded(what string, looks bool, want ...auth.Revocation) {
	g.t.Helper()
	ended, n := g.end.cred.take()
	if !slices.Equal(ended, want) || (n > 0) != looks {
		g.t.Errorf("%s: %d looks, and it was told to end %+v; want looks %v and %+v", what, n, ended, looks, want)
	}
}

// What is revoked at one gateway is revoked at all others, once.
func TestRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		a, b, c := w.start(t, nil), w.start(t, nil), w.start(t, nil)
		synctest.Wait()
		list := []auth.Revocation{
			{Client: "c1", Text: "x"},
			{Client: "c2", Token: [32]byte{1, 31: 2}, Text: "y"},
			{User: "ada", Realm: realm, Text: "z"},
		}
		for _, r := range list {
			a.mesh.Revoked(r)
		}
		a.wantEnded("who says it", false)
		b.wantEnded("another", false, list...)
		c.wantEnded("a third", false, list...)
		if n := b.mesh.Stats().Revoked; n != 3 {
			t.Errorf("%d are counted, want 3", n)
		}
	})
}

// A gateway that has missed something asks the store about tokens, and the others
// about users, of whom it is told only what it does not know.
func TestRevokedWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		a, b := w.start(t, nil), w.start(t, nil)
		synctest.Wait()
		logout := func(user string) auth.Revocation { return auth.Revocation{User: user, Realm: realm, Text: "x"} }
		a.mesh.Revoked(logout("ada"))
		b.wantEnded("before", false, logout("ada"))

		b.end.cut()
		a.mesh.Revoked(auth.Revocation{Client: "c1"})
		a.mesh.Revoked(logout("bob"))
		b.wantEnded("while it is cut off", false)
		b.end.mend()
		b.wantEnded("afterwards", true, logout("bob"))

		// It is taken for gone, and nobody else is there meanwhile.
		b.end.cut()
		w.lose(b.end)
		a.wantEnded("when one is gone", true)
		a.mesh.Revoked(logout("carl"))
		w.join(b.end)
		b.end.mend()
		b.wantEnded("when it is back", true, logout("carl"))

		// Who says it can't.
		a.end.cut()
		a.mesh.Revoked(auth.Revocation{Client: "c2"})
		a.mesh.Revoked(logout("dora"))
		time.Sleep(time.Minute)
		b.wantEnded("while the other is cut off", false)
		a.end.mend()
		time.Sleep(time.Second)
		b.wantEnded("when the other is back", true, logout("dora"))
		a.wantEnded("who was cut off", true)

		// One that comes is told nothing of what was before it.
		c := w.start(t, nil)
		c.wantEnded("a new one", false)

		// For an hour.
		b.end.cut()
		a.mesh.Revoked(logout("eve"))
		time.Sleep(time.Hour)
		a.mesh.Revoked(logout("fred"))
		b.end.mend()
		b.wantEnded("after more than an hour", true, logout("fred"))
	})
}

// Who cannot ask others yet, when it is told that it has missed something, asks
// later.
func TestRevokedAskedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		a, b := w.start(t, nil), w.start(t, nil)
		synctest.Wait()
		bob := auth.Revocation{User: "bob", Realm: realm, Text: "x"}
		b.end.cut()
		a.mesh.Revoked(bob)
		b.end.hush(true)
		b.end.mend()
		b.wantEnded("while it can say nothing", true)
		b.end.hush(false)
		time.Sleep(time.Minute)
		b.wantEnded("when it can", false, bob)
	})
}

// What is remembered of users is bounded, on both sides.
func TestRevokedBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		a, b := w.start(t, nil), w.start(t, nil)
		synctest.Wait()
		b.end.cut()
		for n := range nodes.MaxLogouts + 10 {
			a.mesh.Revoked(auth.Revocation{User: fmt.Sprint(n), Realm: realm})
		}
		b.end.mend()
		ended, _ := b.end.cred.take()
		if len(ended) != nodes.MaxLogouts || ended[0].User != "10" {
			t.Errorf("%d logouts are told of, want the last %d", len(ended), nodes.MaxLogouts)
		}
		for n := range nodes.MaxObeyed + 10 {
			a.mesh.Revoked(auth.Revocation{User: fmt.Sprint(n), Realm: realm})
		}
		synctest.Wait()
		if n := b.mesh.Obeyed(); n != nodes.MaxObeyed {
			t.Errorf("%d logouts are remembered, want %d", n, nodes.MaxObeyed)
		}
	})
}
