package presence_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/wamp"
)

// fill has so many members come to a topic, from another gateway.
func fill(k *presence.Keeper, topic wamp.URI, n int) {
	for i := range n {
		k.There("node", presence.Attendee{Topic: topic, AuthID: fmt.Sprintf("user-%d", i), AuthRole: "guest", Present: true, Sessions: 1, Since: time.Now()})
	}
}

// Pages have each member once, in the order in which they came, whatever their
// length.
func TestListPages(t *testing.T) {
	_, k := open(t, nil)
	const all = 257
	fill(k, "room.a", all)
	fill(k, "room.b", 3)
	for _, limit := range []int{1, 2, 100, all - 1, all, all + 1, 1000} {
		got, after := 0, uint64(0)
		for {
			members, _, more := k.List("room.a", after, limit, false)
			for _, m := range members {
				if want := fmt.Sprintf("user-%d", got); m.AuthID != want || m.ID <= after {
					t.Fatalf("in pages of %d: member %d is %s with the ID %d after %d, want %s", limit, got, m.AuthID, m.ID, after, want)
				}
				got, after = got+1, m.ID
			}
			if len(members) > limit || more && len(members) < limit || more != (got < all) {
				t.Fatalf("in pages of %d: after %d members %d more in a page, and more is %v", limit, got, len(members), more)
			}
			if !more {
				break
			}
		}
		if got != all {
			t.Errorf("in pages of %d: %d members, want %d", limit, got, all)
		}
	}
}

// Who asks for one member of very many makes the gateway allocate for one.
func TestListMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	_, k := open(t, nil)
	fill(k, "room.a", 10_000)
	var before, after runtime.MemStats
	const calls = 10
	runtime.ReadMemStats(&before)
	for range calls {
		k.List("room.a", 5000, 1, false)
	}
	runtime.ReadMemStats(&after)
	if bytes := (after.TotalAlloc - before.TotalAlloc) / calls; bytes > 4096 {
		t.Errorf("a list of one member of 10,000 allocates %d bytes", bytes)
	}
}

// A member that leaves here and is elsewhere, too, stays; sessions that nobody
// knows are members each, at whichever gateway.
func TestMembersOfSeveralGateways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, k := open(t, nil)
		l := listen(t, join(t, rt, "listener"), "room.a")
		here := presence.Attendee{Topic: "room.a", AuthID: "ada", AuthRole: "guest", Present: true, Sessions: 2}
		ada := join(t, rt, "ada")
		subscribe(t, ada, "room.a")
		k.There("b", here)
		for _, node := range []string{"b", "c"} {
			k.There(node, presence.Attendee{Topic: "room.a", Session: 5, Present: true, Sessions: 1})
		}
		ada.Close()
		synctest.Wait()
		if members, _, _ := k.List("room.a", 0, 10, false); len(members) != 3 {
			t.Errorf("there are %+v, want ada and two that nobody knows", members)
		}
		here.Present, here.Sessions = false, 0
		k.There("b", here)
		k.There("b", presence.Attendee{Topic: "room.a", Session: 5})
		synctest.Wait()
		heard := l.heard()
		if members, _, _ := k.List("room.a", 0, 10, false); len(members) != 1 || members[0].AuthID != "" || len(heard) != 5 {
			t.Errorf("there are %+v after %+v, want one that nobody knows, after three joins and two leaves", members, heard)
		}
	})
}

// Where the realm keeps as many members as it may, another session of one of them
// comes in.
func TestRoomForMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, k := open(t, func(c *presence.Config) { c.MaxMembers = 1 })
		subscribe(t, join(t, rt, "ada"), "room.a")
		subscribe(t, join(t, rt, "ada"), "room.a")
		for _, who := range []struct {
			authid string
			topic  wamp.URI
		}{{"bob", "room.a"}, {"ada", "room.b"}} {
			_, err := join(t, rt, who.authid).Subscribe(t.Context(), who.topic, wamp.SubscribeOptions{}, func(context.Context, *wamp.Event) {})
			if wamp.AsError(err).URI != wamp.URILimit {
				t.Errorf("%s on %s: %v, want %s", who.authid, who.topic, err, wamp.URILimit)
			}
		}
		subscribe(t, join(t, rt, "bob"), "plain")
		if s := k.Stats(); s.Members != 1 || s.Refused != 2 {
			t.Errorf("%+v, want one member, and two refused", s)
		}
	})
}

// What was told as lost is not told as lost again.
func TestLostOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, k := open(t, func(c *presence.Config) { c.MaxEvents = 1; c.Linger = time.Second })
		l := listen(t, join(t, rt, "listener"), "room.a")
		for range 2 {
			for i := range 5 {
				c := join(t, rt, fmt.Sprint("guest", i))
				subscribe(t, c, "room.a")
				synctest.Wait()
				c.Close()
			}
			time.Sleep(2 * time.Second) // all leave at the same time
			synctest.Wait()
		}
		var told, missed uint64
		for _, e := range l.heard() {
			if e.Change == "lost" {
				missed += e.Missed
			} else {
				told++
			}
		}
		if told+missed != 20 || missed != k.Stats().Lost || missed == 0 {
			t.Errorf("of 20 joins and leaves %d are told, and %d told as lost; %+v", told, missed, k.Stats())
		}
	})
}
