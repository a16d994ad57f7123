package router_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

const secondRealm wamp.URI = "com.example.second"

// helloTo says HELLO to a realm with everything that a client can be.
func helloTo(realm wamp.URI) string {
	return fmt.Sprintf(`[1,%q,{"roles":{"publisher":{},"subscriber":{},"caller":{"features":{"progressive_call_invocations":true}},`+
		`"callee":{"features":{"call_canceling":true,"progressive_call_results":true,"progressive_call_invocations":true}}}}]`, realm)
}

// rest returns the messages that have come and were not looked at.
func (c *client) rest() (all []string) {
	for msg, ok := c.next(); ok; msg, ok = c.next() {
		all = append(all, string(msg))
	}
	return all
}

// keptAlone replays only what it governs.
type keptAlone struct{ *keeper }

func (k keptAlone) Subscribe(s *router.Session, i router.Interest, o *wamp.SubscribeOptions) (router.Terms, error) {
	if !k.Governs(i.Topic) {
		return router.Terms{}, nil
	}
	return k.keeper.Subscribe(s, i, o)
}

// A realm that is removed ends with everything that is under way in it, and
// nothing else does. Everybody is told, and no timer, goroutine or memory of it
// stays behind.
func TestRemoveRealm(t *testing.T) {
	gone := make(chan weak.Pointer[router.Realm], 1)
	synctest.Test(t, func(t *testing.T) {
		replaying := make(chan struct{})
		k := &keeper{replay: func(feed *router.Feed) {
			<-feed.Context().Done()
			time.Sleep(time.Second) // it takes its time
			close(replaying)
		}}
		tr := newRouter(t, func(c *router.Config) { c.Linger = 100 * time.Millisecond })
		second := tr.rt.AddRealm(secondRealm, open{}, keptAlone{k})
		gone <- weak.Make(second)
		joined := func(realm wamp.URI) *client {
			c := tr.connect()
			c.send(helloTo(realm))
			c.mustNext(t, 2)
			return c
		}

		// A callee that answers nothing, and callers of all kinds.
		callee := joined(secondRealm)
		callee.send(`[64,1,{"concurrency":3},"com.example.slow"]`)
		callee.mustNext(t, 65)
		callers := map[string]*client{
			"a call":                                 joined(secondRealm),
			"a call with a timeout":                  joined(secondRealm),
			"a call that is sent in parts":           joined(secondRealm),
			"a call that waits":                      joined(secondRealm),
			"a call that waits and has a timeout":    joined(secondRealm),
			"a call with results in parts that came": nil,
		}
		callers["a call"].send(`[48,1,{},"com.example.slow"]`)
		callers["a call with a timeout"].send(`[48,1,{"timeout":5000},"com.example.slow"]`)
		callers["a call that is sent in parts"].send(`[48,1,{"progress":true},"com.example.slow"]`)
		callers["a call that waits"].send(`[48,1,{},"com.example.slow"]`)
		callers["a call that waits and has a timeout"].send(`[48,1,{"timeout":5000},"com.example.slow"]`)
		other := joined(secondRealm)
		other.send(`[64,1,{},"com.example.parts"]`)
		other.mustNext(t, 65)
		inParts := joined(secondRealm)
		inParts.send(`[48,1,{"receive_progress":true},"com.example.parts"]`)
		other.mustNext(t, 68)
		other.send(`[70,1,{"progress":true},[1]]`)
		inParts.mustNext(t, 50)
		callers["a call with results in parts that came"] = inParts

		// A subscriber for whom an event lingers, with a testament, and a replay.
		subscriber := joined(secondRealm)
		subscriber.send(`[32,1,{},"com.example.topic"]`)
		subscriber.mustNext(t, 33)
		subscriber.send(`[32,2,{},"kept.topic"]`)
		subscriber.mustNext(t, 33)
		subscriber.send(`[48,1,{},"wamp.session.add_testament",["kept.topic",["gone"],{}]]`)
		subscriber.mustNext(t, 50)
		callee.send(`[16,2,{"retain":true},"com.example.topic",["retained"]]`)

		// Those who are about to join, and those who have nothing to do with it.
		challenged := tr.connect()
		challenged.send(fmt.Sprintf(`[1,%q,{"roles":{"caller":{}},"authmethods":["ticket"]}]`, secondRealm))
		challenged.mustNext(t, 4)
		silent := tr.connect()
		outside := joined(testRealm)
		outside.send(`[64,1,{},"com.example.slow"]`)
		outside.mustNext(t, 65)
		outCaller := joined(testRealm)
		outCaller.send(`[48,1,{"timeout":5000},"com.example.slow"]`)
		outside.mustNext(t, 68)

		began := time.Now()
		removing := make(chan error, 1)
		go func() { removing <- tr.rt.RemoveRealm(t.Context(), secondRealm) }()
		synctest.Wait()

		// The name is free at once.
		third := tr.rt.AddRealm(secondRealm, open{}, nil)
		again := joined(secondRealm)
		again.send(`[32,1,{"get_retained":true},"com.example.topic"]`)
		again.mustNext(t, 33)
		synctest.Wait()
		if got := again.rest(); len(got) > 0 {
			t.Errorf("the new realm of the name has %q of the old one", got)
		}

		if err := <-removing; err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d != time.Second {
			t.Errorf("removal took %v, want the 1s that the replay took to end", d)
		}
		<-replaying
		for name, c := range callers {
			got := c.rest()
			if len(got) != 2 || !strings.HasPrefix(got[0], `[8,48,1,{},"wamp.error.canceled"`) || !strings.Contains(got[1], `"wamp.close.close_realm"]`) {
				t.Errorf("%s: the caller was told %q, want that it was canceled, and goodbye", name, got)
			}
		}
		for name, c := range map[string]*client{"the callee": callee, "the other callee": other, "the subscriber": subscriber} {
			got := c.rest()
			if len(got) == 0 || !strings.HasPrefix(got[len(got)-1], `[6,`) {
				t.Errorf("%s was told %q, want goodbye", name, got)
			}
			if i := slices.IndexFunc(got, func(m string) bool { return strings.Contains(m, "retained") }); name == "the subscriber" && i != 0 {
				t.Errorf("the subscriber was told %q, want the event that lingered first", got)
			}
		}
		if got := challenged.rest(); len(got) != 1 || !strings.HasPrefix(got[0], `[3,`) || !strings.Contains(got[0], "wamp.error.no_such_realm") {
			t.Errorf("a peer that was about to join was told %q, want ABORT", got)
		}
		k.mu.Lock()
		if len(k.held) != 1 {
			t.Errorf("%d testaments were published, want 1", len(k.held))
		}
		k.held = nil // it has the session, and so the realm
		k.mu.Unlock()
		if left := second.Leftovers(); left != "" {
			t.Errorf("%s of the realm are left", left)
		}
		if id := second.Publish(&router.Publication{Topic: "com.example.topic"}); id == 0 {
			t.Error("a publication to nobody has no ID")
		}

		time.Sleep(10 * time.Second)
		synctest.Wait()
		for name, c := range callers {
			if got := c.rest(); len(got) > 0 || !c.closed() {
				t.Errorf("%s: the caller was told %q after the goodbye, closed: %v", name, got, c.closed())
			}
		}
		if got := outCaller.rest(); len(got) != 1 || !strings.Contains(got[0], "wamp.error.timeout") {
			t.Errorf("a caller in another realm was told %q, want its timeout", got)
		}
		if got := outside.rest(); len(got) != 1 || !strings.HasPrefix(got[0], "[69,") {
			t.Errorf("a callee in another realm was told %q, want its interruption", got)
		}
		if silent.closed(); !slices.ContainsFunc(silent.rest(), func(m string) bool { return strings.Contains(m, "no HELLO came") }) {
			t.Error("a peer without a realm was not waited for")
		}
		if third.SessionCount() != 1 {
			t.Errorf("the new realm has %d sessions, want 1", third.SessionCount())
		}
		if err := tr.rt.RemoveRealm(t.Context(), "com.example.nowhere"); !errors.Is(err, router.ErrNoRealm) {
			t.Errorf("removal of a realm that is not there: %v", err)
		}
	})
	realm := <-gone
	for deadline := time.Now().Add(30 * time.Second); realm.Value() != nil; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatal("something still refers to the realm")
		}
	}
}

// RemoveRealm gives up waiting when its context is done, and the realm comes to
// its end all the same.
func TestRemoveRealmImpatiently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{replay: func(feed *router.Feed) {
			<-feed.Context().Done()
			time.Sleep(time.Minute)
		}}
		tr := newRouterGoverned(t, k)
		c := tr.connect()
		c.send(helloTo(testRealm))
		c.send(`[32,1,{},"kept.topic"]`)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := tr.rt.RemoveRealm(ctx, testRealm); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("RemoveRealm: %v", err)
		}
		if got := c.rest(); !strings.Contains(got[len(got)-1], "wamp.close.close_realm") {
			t.Errorf("the session was told %q", got)
		}
		if tr.rt.Realm(testRealm) != nil {
			t.Error("the realm is there still")
		}
	})
}

// Goodbyes to many sessions of a realm are said in steps; those who have not
// been told yet are served, and who has no time left is told at once.
func TestRemoveRealmSpreadsGoodbyes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration // when RemoveRealm is told to stop
		told  []int         // after each step
	}{
		{"in peace", time.Hour, []int{200, 400, 600, 800, 1000}},
		{"in a hurry", 75 * time.Millisecond, []int{200, 400, 1000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newRouter(t)
				second := tr.rt.AddRealm(secondRealm, open{}, nil)
				for range 1000 {
					tr.connect().send(helloTo(secondRealm))
				}
				for _, c := range tr.all {
					c.mustNext(t, 2)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				stop := time.AfterFunc(tt.after, cancel)
				defer stop.Stop()
				done := make(chan error, 1)
				go func() { done <- tr.rt.RemoveRealm(ctx, secondRealm) }()
				for step, want := range tt.told {
					if step > 0 {
						time.Sleep(50 * time.Millisecond)
					}
					synctest.Wait()
					told, asked := 0, false
					for _, c := range tr.all {
						c.link.mu.Lock()
						bye := len(c.link.got) > 0
						c.link.mu.Unlock()
						switch {
						case bye:
							told++
						case !asked:
							asked = true
							c.send(`[48,1,{},"wamp.session.count"]`)
							c.mustNext(t, 50)
						}
					}
					if told != want {
						t.Errorf("after step %d goodbye was said to %d, want %d", step, told, want)
					}
				}
				<-done // with or without an error: the end and the stop may fall together
				for _, c := range tr.all {
					if got := c.rest(); len(got) != 1 || !strings.Contains(got[0], "wamp.close.close_realm") {
						t.Fatalf("a client was told %q", got)
					}
				}
				if left := second.Leftovers(); left != "" {
					t.Errorf("%s are left", left)
				}
			})
		})
	}
}
