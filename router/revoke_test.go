package router_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

const revocable = `[1,"realm1",{"roles":{"subscriber":{"features":{"subscription_revocation":true}},"callee":{"features":{"registration_revocation":true}},"caller":{}}}]`

// The gateway takes away what it thinks fit, of all sessions at once, and a
// replay ends with its subscription.
func TestRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		k := &keeper{replay: func(f *router.Feed) {
			<-f.Context().Done()
			ended <- f.Context().Err()
		}}
		tr := newRouterGoverned(t, k)
		realm := tr.rt.Realm(testRealm)
		a := tr.subscribed(t, revocable, "kept.topic")
		k.mu.Lock()
		k.replay = nil
		k.mu.Unlock()
		b := tr.subscribed(t, revocable, "kept.topic")
		b.send(`[32,2,{"match":"prefix"},"kept"]`)
		b.mustNext(t, 33)
		b.send(`[64,3,{},"app.one"]`)
		b.mustNext(t, 65)
		b.send(`[64,4,{},"app.two"]`)
		b.mustNext(t, 65)

		n := realm.RevokeSubscriptions("the class is gone", func(s *router.Session, topic wamp.URI, match wamp.Match) bool {
			return topic == "kept.topic" && match == wamp.Exact && s.AuthRole() == "tester"
		})
		if n != 2 {
			t.Errorf("%d subscriptions revoked, want 2", n)
		}
		synctest.Wait()
		for _, c := range []*client{a, b} {
			if m := c.mustNext(t, 35); string(m[2]) != `{"subscription":1,"reason":"the class is gone"}` {
				t.Errorf("told %s", m[2])
			}
		}
		select {
		case <-ended:
		default:
			t.Error("the replay goes on")
		}
		realm.Publish(&router.Publication{Topic: "kept.topic"})
		synctest.Wait()
		b.mustNext(t, 36)
		if msg, ok := a.next(); ok {
			t.Errorf("after UNSUBSCRIBED %s came", msg)
		}
		n = realm.RevokeRegistrations("", func(_ *router.Session, procedure wamp.URI, _ wamp.Match) bool { return procedure == "app.two" })
		if n != 1 {
			t.Errorf("%d registrations revoked, want 1", n)
		}
		synctest.Wait()
		b.mustNext(t, 67)
		b.send(`[48,5,{},"app.two"]`)
		b.mustNext(t, 8)
		b.send(`[48,6,{},"app.one"]`)
		b.mustNext(t, 68)
		if st := tr.rt.Stats(); st.Revoked != 3 {
			t.Errorf("counted %d, want 3", st.Revoked)
		}
	})
}

// However subscribers that come back at once, publishers and revocations fall
// together, no event stands outside of a subscription, and nothing is left.
func TestRevokeUnderChurn(t *testing.T) {
	const subscribers, revocations = 4, 50
	tr := newRouter(t, func(c *router.Config) { c.QueueBytes = 64 << 20 })
	realm := tr.rt.Realm(testRealm)
	var over atomic.Bool
	var wg, publishing sync.WaitGroup
	var seen [subscribers]atomic.Int64 // revocations that they were told of
	for i := range subscribers {
		c := tr.connect()
		wg.Go(func() {
			on := false
			c.send(revocable)
			c.send(`[32,1,{},"com.example.topic"]`)
			for request := 2; !over.Load(); {
				c.link.await()
				msg, ok := c.next()
				if !ok {
					continue
				}
				var m []json.RawMessage
				if err := json.Unmarshal(msg, &m); err != nil {
					t.Error(err)
					return
				}
				switch code := string(m[0]); {
				case code == "2":
				case code == "33" && !on:
					on = true
				case code == "35" && on:
					on = false
					seen[i].Add(1)
					c.send(fmt.Sprintf(`[32,%d,{},"com.example.topic"]`, request))
					request++
				case code == "36" && on:
				default:
					t.Errorf("subscriber %d, subscribed %v, got %s", i, on, msg)
					return
				}
			}
			c.hangUp()
		})
	}
	publishing.Go(func() {
		for n := 0; n < 20_000 && !over.Load(); n++ {
			realm.Publish(&router.Publication{Topic: "com.example.topic"})
			runtime.Gosched()
		}
	})
	told := func() bool { // each of them, some times
		for i := range seen {
			if seen[i].Load() < revocations && !t.Failed() {
				return false
			}
		}
		return true
	}
	for !told() {
		realm.RevokeSubscriptions("", func(*router.Session, wamp.URI, wamp.Match) bool { return true })
		runtime.Gosched()
	}
	over.Store(true)
	wg.Wait()
	publishing.Wait()
	if left := realm.Leftovers(); left != "" {
		t.Errorf("left over: %s", left)
	}
}
