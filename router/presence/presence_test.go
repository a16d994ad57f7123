package presence_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/local"
	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/wamp"
)

// A guest of the oracle is a session and what it is subscribed to.
type guest struct {
	c    *local.Client
	who  string
	subs map[wamp.URI]*local.Subscription
}

// Sessions come, subscribe, unsubscribe, are ended and break off at random. After
// each step the list is what a plain model says; at the end so is what those have
// put together who listened from the beginning, and who came in the middle.
func TestOracle(t *testing.T) {
	for _, linger := range []time.Duration{0, 5 * time.Second} {
		t.Run(linger.String(), func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			synctest.Test(t, func(t *testing.T) { oracle(t, rand.New(rand.NewPCG(seed, 1)), linger) })
		})
	}
}

func oracle(t *testing.T, rnd *rand.Rand, linger time.Duration) {
	rt, k := open(t, func(c *presence.Config) { c.Linger = linger })
	topics := []wamp.URI{"room.a", "room.b"}
	var guests []*guest
	lastThere := map[wamp.URI]map[string]time.Time{"room.a": {}, "room.b": {}} // when somebody was seen on a topic last
	type late struct {
		*listener
		answered []listed
	}
	var listeners []late
	hear := func() {
		l := listen(t, join(t, rt, "listener"), topics[rnd.IntN(2)])
		members, _ := l.list(t, 1+rnd.IntN(3))
		listeners = append(listeners, late{l, members})
	}
	there := func(topic wamp.URI) (sessions map[string]int) {
		sessions = map[string]int{}
		for who, at := range lastThere[topic] {
			if linger > 0 && time.Since(at) < linger {
				sessions[who] = 0
			}
		}
		for _, g := range guests {
			if g.subs[topic] != nil {
				sessions[g.who]++
			}
		}
		return sessions
	}
	hear()
	for step := range 300 {
		for _, g := range guests {
			for topic := range g.subs {
				lastThere[topic][g.who] = time.Now()
			}
		}
		i := rnd.IntN(max(len(guests), 1))
		switch what := rnd.IntN(10); {
		case what < 3 || len(guests) == 0:
			who := fmt.Sprint("guest", rnd.IntN(5))
			guests = append(guests, &guest{c: join(t, rt, who), who: who, subs: map[wamp.URI]*local.Subscription{}})
		case what < 6:
			if topic := topics[rnd.IntN(2)]; guests[i].subs[topic] == nil {
				guests[i].subs[topic] = subscribe(t, guests[i].c, topic)
			}
		case what < 7:
			for topic, sub := range guests[i].subs {
				if err := sub.Unsubscribe(t.Context()); err != nil {
					t.Fatal(err)
				}
				delete(guests[i].subs, topic)
				break
			}
		case what < 8:
			guests[i].c.Close()
			guests = slices.Delete(guests, i, i+1)
		case what < 9:
			rt.Realm(realm).Session(guests[i].c.ID()).End(&wamp.Error{URI: wamp.URINetworkFailure})
			guests = slices.Delete(guests, i, i+1)
		default:
			hear()
		}
		synctest.Wait()
		if rnd.IntN(3) == 0 {
			time.Sleep(time.Duration(rnd.IntN(4000)) * time.Millisecond)
			synctest.Wait()
		}
		for _, topic := range topics {
			members, _, _ := k.List(topic, 0, 1000, false)
			got := map[string]int{}
			for _, m := range members {
				got[m.AuthID] = m.Sessions
			}
			if want := there(topic); !maps.Equal(got, want) {
				t.Fatalf("step %d: on %s are %v, want %v", step, topic, got, want)
			}
			if n, _ := k.Count(topic); n != len(members) {
				t.Fatalf("step %d: %s has %d members, and %d are listed", step, topic, n, len(members))
			}
		}
	}
	for _, l := range listeners {
		got := slices.Sorted(maps.Values(check(t, l.heard(), l.answered)))
		if want := slices.Sorted(maps.Keys(there(l.topic))); !slices.Equal(got, want) {
			t.Errorf("who listened to %s knows of %v, want %v", l.topic, got, want)
		}
	}
	for _, g := range guests {
		g.c.Close()
	}
	for _, l := range listeners {
		l.c.Close()
	}
	time.Sleep(linger)
	synctest.Wait()
	if s := k.Stats(); s.Topics != 0 || s.Members != 0 || s.Watched != 0 || s.Joins != s.Leaves || s.Lost != 0 {
		t.Errorf("when all have gone there is left %+v", s)
	}
}

// Many come and go at the same time, while others begin to listen: each of these
// knows at the end exactly who is there, whatever overtook what.
func TestChurn(t *testing.T) {
	rt, k := open(t, nil)
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range 8 {
		all.Go(func() {
			<-begin
			for range 30 {
				c, err := local.Join(rt, realm, router.Grant{AuthID: fmt.Sprint("guest", i/2), AuthRole: "guest"})
				if err != nil {
					t.Error(err)
					return
				}
				subscribe(t, c, "room.a")
				if rand.IntN(2) == 0 {
					subscribe(t, c, "room.a.b")
				}
				c.Close()
			}
		})
	}
	type late struct {
		*listener
		answered []listed
	}
	found := make(chan late, 100)
	for range 4 {
		all.Go(func() {
			<-begin
			for range 5 {
				l := listen(t, join(t, rt, "listener"), "room.a")
				members, _ := l.list(t, 2)
				found <- late{l, members}
			}
		})
	}
	first := listen(t, join(t, rt, "listener"), "room.a")
	close(begin)
	all.Wait()
	close(found)
	stays := join(t, rt, "stays")
	subscribe(t, stays, "room.a")
	await(t, "all leaves", func() bool {
		n, _ := k.Count("room.a")
		return n == 1
	})
	listeners := []late{{first, nil}}
	for l := range found {
		listeners = append(listeners, l)
	}
	_, seq := first.list(t, 1000)
	for _, l := range listeners {
		await(t, "the last event", func() bool {
			heard := l.heard()
			return len(heard) > 0 && heard[len(heard)-1].Seq == seq
		})
		there := check(t, l.heard(), l.answered)
		if len(there) != 1 || slices.Collect(maps.Values(there))[0] != "stays" {
			t.Errorf("a listener knows of %v, want stays", there)
		}
	}
}

// await waits until something that must happen has happened.
func await(t testing.TB, what string, yes func() bool) {
	t.Helper()
	for late := time.Now().Add(30 * time.Second); !yes(); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// When too many joins and leaves wait to be told, those who listen are told that
// some are missing, and which number to go on from.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, k := open(t, func(c *presence.Config) { c.MaxEvents = 3; c.Linger = time.Second })
		l := listen(t, join(t, rt, "listener"), "room.a")
		for i := range 10 {
			c := join(t, rt, fmt.Sprint("guest", i))
			subscribe(t, c, "room.a")
			synctest.Wait()
			c.Close()
		}
		synctest.Wait()
		time.Sleep(2 * time.Second) // all leave at the same time
		synctest.Wait()
		heard := l.heard()[10:]
		if len(heard) != 4 || heard[2].Change != "leave" || heard[3].Change != "lost" || heard[3].Missed != 7 || heard[3].Seq != 20 {
			t.Fatalf("after ten joins come %+v", heard)
		}
		if s := k.Stats(); s.Lost != 7 || s.Leaves != 10 {
			t.Errorf("%+v, want 7 lost of 10 leaves", s)
		}
		subscribe(t, join(t, rt, "after"), "room.a")
		synctest.Wait()
		if heard := l.heard(); heard[len(heard)-1].Seq != 21 || heard[len(heard)-1].Change != "join" {
			t.Errorf("then comes %+v", heard[len(heard)-1])
		}
	})
}

// Numbers and IDs never come again, also when a topic was forgotten meanwhile.
func TestNumbersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, k := open(t, nil)
		var lastID, lastSeq uint64
		for range 3 {
			c := join(t, rt, "guest")
			subscribe(t, c, "room.a")
			members, seq, _ := k.List("room.a", 0, 10, false)
			if members[0].ID <= lastID || seq <= lastSeq {
				t.Errorf("member %d, number %d after %d and %d", members[0].ID, seq, lastID, lastSeq)
			}
			lastID, lastSeq = members[0].ID, seq
			c.Close()
			synctest.Wait()
			if _, seq, _ := k.List("room.a", 0, 10, false); seq <= lastSeq {
				t.Errorf("number %d when all have gone, after %d", seq, lastSeq)
			}
		}
	})
}

// Parts of the program listen, and are not there; sessions that nobody knows are
// members each.
func TestWhoCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, k := open(t, nil)
		part, err := local.Join(rt, realm, router.Grant{AuthID: "part", AuthRole: "trusted", Trusted: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(part.Close)
		subscribe(t, part, "room.a")
		l := listen(t, part, "room.a")
		for range 2 {
			subscribe(t, join(t, rt, ""), "room.a")
		}
		subscribe(t, join(t, rt, "ada"), "room.a")
		synctest.Wait()
		if members, sessions := k.Count("room.a"); members != 3 || sessions != 3 {
			t.Errorf("%d members with %d sessions, want 3 with 3", members, sessions)
		}
		if members, _ := l.list(t, 1); len(members) != 3 || len(l.heard()) != 3 {
			t.Errorf("a part of the program finds %v and hears %v", members, l.heard())
		}
	})
}
