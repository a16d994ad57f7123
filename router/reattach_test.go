package router_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A shelf keeps subscriptions to topics for whoever comes back. Each begins with
// one event of the past.
type shelf struct {
	keeper

	topics  []string
	about   string // told of each
	failing bool

	begun, ended atomic.Int32
}

func (h *shelf) Begun(wamp.ID) { h.begun.Add(1) }
func (h *shelf) Live(bool)     {}
func (h *shelf) Queued()       {}
func (h *shelf) Ended()        { h.ended.Add(1) }

func (h *shelf) Subscribe(_ *router.Session, i router.Interest, options *wamp.SubscribeOptions) (router.Terms, error) {
	if options.Extra == nil {
		return router.Terms{}, nil
	}
	return router.Terms{Watch: h, Replay: func(f *router.Feed) {
		if f.Send(&router.Publication{Topic: i.Topic, Payload: args("past")}) == nil {
			f.Live()
		}
	}}, nil
}

func (h *shelf) Reattach(_ context.Context, _ *router.Session, names []string) (all []router.Reattached, err error) {
	if h.failing {
		return nil, errors.New("the shelf is locked")
	}
	if names == nil {
		names = h.topics
	}
	for _, name := range names {
		one := router.Reattached{Details: map[string]any{"name": name, "about": h.about}}
		one.Subscribe.Topic, one.Subscribe.Options.Extra = wamp.URI(name), map[string]any{"_kept": true}
		if name == "lost" {
			one.Err = wamp.Errorf(wamp.URINoSuchSubscription, "lost")
		}
		all = append(all, one)
	}
	return all, nil
}

func args(text string) wamp.Payload {
	return wamp.Payload{Serializer: wamp.JSON, Args: fmt.Appendf(nil, "[%q]", text)}
}

// even wants every watch that has begun to have ended.
func (h *shelf) even(t *testing.T, most int32) {
	t.Helper()
	synctest.Wait()
	if b, e := h.begun.Load(), h.ended.Load(); b > e || e > most {
		t.Errorf("%d watches have begun and %d ended, want every one to end, and at most %d", b, e, most)
	}
}

// A comeback is what WELCOME tells of one subscription.
type comeback struct {
	Name, Error, Message string
	Subscription         *wamp.ID
}

// welcomed reads WELCOME, and what that says became of the subscriptions: "ok", or
// why not.
func welcomed(t *testing.T, c *client) (ids map[wamp.ID]string, list string) {
	t.Helper()
	var details struct {
		Subs *[]comeback `json:"_subscriptions"`
	}
	if err := json.Unmarshal(c.mustNext(t, 2)[2], &details); err != nil {
		t.Fatal(err)
	}
	if details.Subs == nil {
		return nil, "absent"
	}
	ids = make(map[wamp.ID]string)
	var all []string
	for _, s := range *details.Subs {
		what := s.Error
		switch {
		case s.Subscription != nil && what == "":
			ids[*s.Subscription] = s.Name
			what = "ok"
		case s.Subscription != nil || s.Message == "":
			what = "neither"
		}
		all = append(all, s.Name+": "+what)
	}
	return ids, strings.Join(all, ", ")
}

// wantEvents reads one event of each of the subscriptions.
func wantEvents(t *testing.T, c *client, ids map[wamp.ID]string, text string) {
	t.Helper()
	synctest.Wait()
	for range ids {
		m := c.mustNext(t, 36)
		var id wamp.ID
		if err := json.Unmarshal(m[1], &id); err != nil {
			t.Fatal(err)
		}
		if ids[id] == "" || string(m[4]) != `["`+text+`"]` {
			t.Errorf("an event of the subscription %d with %s, want one of %v with %q", id, m[4], ids, text)
		}
	}
	if m, more := c.next(); more {
		t.Errorf("then %s", m)
	}
}

// joins are those who come back, by what they ask for.
var joins = map[string]string{
	"plain":     `[1,"realm1",{"roles":{"subscriber":{}},"_reattach":true}]`,
	"resumable": `[1,"realm1",{"roles":{"subscriber":{}},"_reattach":true,"resumable":true}]`,
}

// Who comes back has its subscriptions when it is welcomed, as far as it may, and
// no event comes before it can know of which subscription that is.
func TestReattach(t *testing.T) {
	for name, join := range joins {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &shelf{topics: []string{"kept.one", "forbidden.two", "asked.kept.three", "asked.failing.four", "kept.one", "lost", "not valid"}}
				tr := newRouterGoverned(t, h)
				c := tr.connect()
				publish := func() {
					for _, topic := range []wamp.URI{"kept.one", "asked.kept.three"} {
						tr.rt.Realm(testRealm).Publish(&router.Publication{Topic: topic, Payload: args("present")})
					}
				}
				go c.send(join)
				synctest.Wait()
				publish() // which the replay would have in its log
				synctest.Wait()
				if m, more := c.next(); more {
					t.Fatalf("%s comes before it is known what the authorizer says", m)
				}
				time.Sleep(3 * time.Second)
				synctest.Wait()
				ids, list := welcomed(t, c)
				if want := "kept.one: ok, forbidden.two: wamp.error.not_authorized, asked.kept.three: ok, " +
					"asked.failing.four: wamp.error.authorization_failed, kept.one: wamp.error.option_not_allowed, " +
					"lost: wamp.error.no_such_subscription, not valid: wamp.error.invalid_uri"; list != want {
					t.Errorf("the client is told %q, want %q", list, want)
				}
				wantEvents(t, c, ids, "past")
				publish()
				wantEvents(t, c, ids, "present")
				c.send(`[32,1,{},"kept.one"]`)
				if m := c.mustNext(t, 33); ids[idOf(t, m[2])] != "kept.one" {
					t.Errorf("SUBSCRIBE of what it has is answered with %s", m)
				}
				c.send(`[6,{},"wamp.close.normal"]`)
				h.even(t, 4)
			})
		})
	}
}

func idOf(t *testing.T, text json.RawMessage) (id wamp.ID) {
	t.Helper()
	if err := json.Unmarshal(text, &id); err != nil {
		t.Fatal(err)
	}
	return id
}

// What ends a session while the authorizer is asked about its subscriptions comes
// after WELCOME, if there is still somebody there, and nothing stays behind.
func TestReattachEnds(t *testing.T) {
	ways := map[string]func(tr *testRouter, c *client){
		"killed": func(tr *testRouter, c *client) {
			killer := tr.connect()
			killer.send(hello)
			killer.send(`[48,1,{},"wamp.session.kill_all",[],{"reason":"com.example.enough"}]`)
		},
		"gone":      func(_ *testRouter, c *client) { c.hangUp() },
		"broken":    func(_ *testRouter, c *client) { c.link.setBroken(); c.s.SendControl([]byte("ping")) },
		"shut down": func(tr *testRouter, _ *client) { _ = tr.rt.Shutdown(context.Background()) },
	}
	for way, end := range ways {
		for name, join := range joins {
			t.Run(way+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := &shelf{topics: []string{"kept.one", "asked.kept.two", "kept.three"}}
					tr := newRouterGoverned(t, h)
					c := tr.connect()
					var all sync.WaitGroup
					all.Go(func() { c.send(join) })
					synctest.Wait()
					all.Go(func() { end(tr, c) })
					all.Wait()
					time.Sleep(2 * time.Minute) // until nobody could resume it
					synctest.Wait()
					var got []string
					for m, more := c.next(); more; m, more = c.next() {
						if string(m) != "ping" {
							got = append(got, strings.SplitN(string(m), ",", 2)[0])
						}
					}
					told := strings.Join(got, " ")
					if way == "killed" && name == "plain" && told != "[2 [6" {
						t.Errorf("got %q, want WELCOME and GOODBYE", told)
					}
					for i, m := range got {
						if i == 0 && m != "[2" && m != "[3" {
							t.Errorf("got %q: nothing but WELCOME or ABORT comes first", told)
						}
					}
					h.even(t, 3)
					if st := tr.rt.Stats(); st.Joined-st.Left > 1 { // the killer
						t.Errorf("%d sessions have joined, and %d left", st.Joined, st.Left)
					}
				})
			})
		}
	}
}

// The rest is left to the client if the first ones take as long as a HELLO may.
func TestReattachTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &shelf{topics: []string{"asked.a", "asked.b", "asked.c"}}
		tr := newRouterGoverned(t, h, func(c *router.Config) { c.HelloTimeout = 1500 * time.Millisecond })
		for _, join := range joins {
			c := tr.connect()
			c.send(join)
			if _, list := welcomed(t, c); list != "asked.a: ok, asked.b: ok, asked.c: wamp.error.timeout" {
				t.Errorf("the client is told %q", list)
			}
		}
	})
}

// What HELLO can say, and what comes of it.
func TestReattachAsk(t *testing.T) {
	tests := []struct{ ask, want string }{
		{`true`, "kept.one: ok, kept.two: ok"},
		{`["kept.two","lost"]`, "kept.two: ok, lost: wamp.error.no_such_subscription"},
		{`false`, "absent"},
		{`null`, "absent"},
		{`[]`, "absent"},
		{`1`, "ABORT"},
		{`"kept.one"`, "ABORT"},
		{`["kept.one",1]`, "ABORT"},
		{`[` + strings.Repeat(`"kept.one",`, 10_000) + `"kept.one"]`, "ABORT"},
	}
	for _, tt := range tests {
		for _, more := range []string{``, `,"resumable":true`} {
			synctest.Test(t, func(t *testing.T) {
				tr := newRouterGoverned(t, &shelf{topics: []string{"kept.one", "kept.two"}})
				c := tr.connect()
				c.send(`[1,"realm1",{"roles":{"subscriber":{}},"_reattach":` + tt.ask + more + `}]`)
				synctest.Wait()
				if tt.want == "ABORT" {
					c.mustNext(t, 3)
					return
				}
				if _, list := welcomed(t, c); list != tt.want {
					t.Errorf("_reattach: %.40s: the client is told %q, want %q", tt.ask, list, tt.want)
				}
			})
		}
	}
}

// If nobody keeps anything, or it cannot be found out what, there is no list,
// which is not the same as an empty one.
func TestReattachUnknown(t *testing.T) {
	for name, gov := range map[string]router.Governor{"none": nil, "keeps nothing": new(keeper), "fails": &shelf{failing: true}} {
		for _, join := range joins {
			synctest.Test(t, func(t *testing.T) {
				c := newRouterGoverned(t, gov).connect()
				c.send(join)
				if _, list := welcomed(t, c); list != "absent" {
					t.Errorf("%s: the client is told %q", name, list)
				}
			})
		}
	}
}

// A client that takes no WELCOME as long as that would be is told so, after one
// without the list.
func TestReattachTooLong(t *testing.T) {
	for name, join := range joins {
		synctest.Test(t, func(t *testing.T) {
			h := &shelf{topics: []string{"kept.one"}, about: strings.Repeat("x", 9000)}
			tr := newRouterGoverned(t, h)
			c := tr.connectAs(router.Peer{Serializer: wamp.JSON, Framing: plain, Transport: "memory", RemoteAddr: "test", MaxFrame: 8000})
			c.send(join)
			synctest.Wait()
			if _, list := welcomed(t, c); list != "absent" {
				t.Errorf("%s: the client is told %q", name, list)
			}
			if m := c.mustNext(t, 6); string(m[2]) != `"wamp.error.payload_size_exceeded"` {
				t.Errorf("%s: then it gets %s", name, m)
			}
			h.even(t, 1)
		})
	}
}
