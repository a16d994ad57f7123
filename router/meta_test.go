package router_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// joinAs connects a peer that has said HELLO.
func (tr *testRouter) joinAs(t testing.TB) *client {
	t.Helper()
	c := tr.connect()
	c.send(hello)
	if m, ok := c.next(); !ok || !strings.HasPrefix(string(m), "[2,") {
		t.Fatalf("HELLO is answered with %s", m)
	}
	return c
}

// A metaMessage is an EVENT as the tests of meta events look at it.
type metaMessage struct {
	topic   string
	missed  uint64
	session wamp.ID
	subject wamp.ID // the subscription or registration; 0: none
}

// metaEvents returns the meta events that c has got.
func (c *client) metaEvents(t testing.TB) (events []metaMessage) {
	t.Helper()
	for m, ok := c.next(); ok; m, ok = c.next() {
		var parts []json.RawMessage
		if json.Unmarshal(m, &parts) != nil || len(parts) < 5 || string(parts[0]) != "36" {
			t.Fatalf("got %s, want an event", m)
		}
		var details struct {
			Topic  string
			Missed uint64 `json:"_missed"`
		}
		var args []json.RawMessage
		if json.Unmarshal(parts[3], &details) != nil || json.Unmarshal(parts[4], &args) != nil || len(args) == 0 {
			t.Fatalf("cannot read %s", m)
		}
		e := metaMessage{topic: details.Topic, missed: details.Missed}
		var object struct{ Session, ID wamp.ID }
		if json.Unmarshal(args[0], &e.session) != nil {
			_ = json.Unmarshal(args[0], &object)
			e.session = object.Session
		}
		if len(args) > 1 && json.Unmarshal(args[1], &e.subject) != nil {
			_ = json.Unmarshal(args[1], &object)
			e.subject = object.ID
		}
		events = append(events, e)
	}
	return events
}

// Thousands of sessions that join and leave at once are all told, each join
// before its leaving.
func TestMetaStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.QueueBytes = 64 << 20 })
		watcher := tr.joinAs(t)
		watcher.send(`[32,1,{"match":"prefix"},"wamp.session."]`)
		watcher.next()
		const n = 4_000
		peers := make([]*client, n)
		for i := range peers {
			peers[i] = tr.connect()
		}
		var wg sync.WaitGroup
		for part := range 4 {
			wg.Go(func() {
				for _, c := range peers[part*n/4 : (part+1)*n/4] {
					c.send(hello)
					c.hangUp()
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		state := map[wamp.ID]string{}
		for _, e := range watcher.metaEvents(t) {
			if e.topic == "wamp.session.on_join" && state[e.session] != "" || e.topic == "wamp.session.on_leave" && state[e.session] != "wamp.session.on_join" {
				t.Fatalf("%s follows %q", e.topic, state[e.session])
			}
			state[e.session] = e.topic
		}
		if len(state) != n {
			t.Errorf("%d sessions were told of, want %d", len(state), n)
		}
		for id, last := range state {
			if last != "wamp.session.on_leave" {
				t.Fatalf("the last of session %d is %s", id, last)
			}
		}
		if lost := tr.rt.Stats().MetaLost; lost != 0 {
			t.Errorf("%d events are lost", lost)
		}
	})
}

// A queue of meta events that is full is counted, and who is subscribed is told
// how many are missing, where they are.
func TestMetaQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 1000
		tr := newRouter(t, func(c *router.Config) { c.QueueBytes, c.MaxMetaEvents = 64<<20, most })
		watcher, about := tr.joinAs(t), tr.joinAs(t)
		watcher.send(`[32,1,{},"wamp.session.on_join"]`)
		watcher.next()
		realm := tr.rt.Realm(testRealm)
		realm.FloodMeta(about.s, 3)
		synctest.Wait()
		tr.joinAs(t)
		tr.joinAs(t)
		synctest.Wait()
		events := watcher.metaEvents(t)
		if len(events) != most+2 {
			t.Fatalf("got %d events, want %d", len(events), most+2)
		}
		for i, e := range events {
			want := uint64(0)
			if i == most {
				want = 3
			}
			if e.missed != want {
				t.Fatalf("event %d says that %d are missing, want %d", i, e.missed, want)
			}
		}
		if lost := tr.rt.Stats().MetaLost; lost != 3 {
			t.Errorf("MetaLost = %d, want 3", lost)
		}
	})
}

// What happens to a subscription or registration is told in its order, however
// many sessions act at once.
func TestMetaOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.QueueBytes = 64 << 20 })
		watcher := tr.joinAs(t)
		watcher.send(`[32,1,{"match":"prefix"},"wamp.subscription."]`)
		watcher.next()
		watcher.send(`[32,2,{"match":"prefix"},"wamp.registration."]`)
		watcher.next()
		peers := make([]*client, 8)
		for i := range peers {
			peers[i] = tr.joinAs(t)
		}
		var wg sync.WaitGroup
		for i, c := range peers {
			wg.Go(func() {
				for round := range 200 {
					for k, msg := range []string{`[32,%d,{},"com.example.topic"]`, `[64,%d,{"invoke":"random"},"com.example.proc"]`} {
						c.send(fmt.Sprintf(msg, 4*round+2*k+1))
						answer, _ := c.next()
						var parts []any
						if json.Unmarshal(answer, &parts) != nil || len(parts) != 3 {
							continue // the last callee was just leaving
						}
						c.send(fmt.Sprintf(`[%.0f,%d,%.0f]`, parts[0].(float64)+1, 4*round+2*k+2, parts[2]))
						c.next()
					}
				}
				if i%2 == 0 {
					c.hangUp()
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		type state struct {
			exists  bool
			members map[wamp.ID]bool
		}
		subjects := map[string]*state{}
		events := watcher.metaEvents(t)
		for _, e := range events {
			kind := strings.TrimPrefix(e.topic, "wamp.")
			kind, what, _ := strings.Cut(kind, ".")
			key := fmt.Sprint(kind, e.subject)
			s := subjects[key]
			if s == nil {
				s = &state{members: map[wamp.ID]bool{}}
				subjects[key] = s
			}
			ok := false
			switch what {
			case "on_create":
				ok = !s.exists && len(s.members) == 0
				s.exists = true
			case "on_subscribe", "on_register":
				ok = s.exists && !s.members[e.session]
				s.members[e.session] = true
			case "on_unsubscribe", "on_unregister":
				ok = s.exists && s.members[e.session]
				delete(s.members, e.session)
			case "on_delete":
				ok = s.exists && len(s.members) == 0
				s.exists = false
			}
			if !ok {
				t.Fatalf("%s of session %d does not fit what was told of %s before", what, e.session, key)
			}
		}
		for key, s := range subjects {
			if s.exists || len(s.members) > 0 {
				t.Errorf("%s was not told to its end", key)
			}
		}
		if len(events) < 1000 {
			t.Errorf("only %d events came", len(events))
		}
	})
}

// With nobody to tell, joining and subscribing pay nothing.
func TestMetaUnwatchedAllocs(t *testing.T) {
	tr := newRouter(t)
	c := tr.joinAs(t)
	realm := tr.rt.Realm(testRealm)
	if n := testing.AllocsPerRun(100, func() { realm.NoteJoin(c.s) }); n != 0 {
		t.Errorf("noting what nobody wants to know needs %v allocations", n)
	}
}

func TestMetaWatches(t *testing.T) {
	for _, tt := range []struct {
		topic wamp.URI
		match wamp.Match
		want  int
	}{
		{"wamp.session.on_join", wamp.Exact, 1},
		{"wamp.session", wamp.Exact, 0},
		{"com.example", wamp.Exact, 0},
		{"", wamp.Prefix, 11},
		{"w", wamp.Prefix, 11},
		{"wamp", wamp.Prefix, 11},
		{"wamp.", wamp.Prefix, 11},
		{"wamp.session.on_j", wamp.Prefix, 1},
		{"wamp.subscription.on_", wamp.Prefix, 4},
		{"wampum", wamp.Prefix, 0},
		{"x", wamp.Prefix, 0},
		{"wamp..on_create", wamp.Wildcard, 2},
		{"..", wamp.Wildcard, 11},
		{".", wamp.Wildcard, 0},
		{"...", wamp.Wildcard, 0},
		{".session.", wamp.Wildcard, 3},
		{"wamp.session.on_join.", wamp.Wildcard, 0},
		{"com..", wamp.Wildcard, 0},
	} {
		if got := router.Watches(tt.topic, tt.match); got != tt.want {
			t.Errorf("%v %q gets events of %d topics, want %d", tt.match, tt.topic, got, tt.want)
		}
	}
}

// A pattern fits by itself what the router's tries say that it fits.
func FuzzFitsURI(f *testing.F) {
	f.Add("a..c", uint8(2), "a.b.c")
	f.Add("a.", uint8(1), "a.b")
	f.Add("..", uint8(2), "a.b.c")
	f.Fuzz(func(t *testing.T, pattern string, match uint8, uri string) {
		p, m, u := wamp.URI(pattern), wamp.Match(match%3), wamp.URI(uri)
		if !p.ValidPattern(m) || !u.Valid() {
			t.Skip()
		}
		var want bool
		switch m {
		case wamp.Prefix:
			want = strings.HasPrefix(uri, pattern)
		case wamp.Wildcard:
			ps, us := strings.Split(pattern, "."), strings.Split(uri, ".")
			want = len(ps) == len(us)
			for i := range min(len(ps), len(us)) {
				want = want && (ps[i] == "" || ps[i] == us[i])
			}
		default:
			want = pattern == uri
		}
		if got := router.FitsURI(p, m, u); got != want {
			t.Errorf("%v %q fits %q: %v, want %v", m, pattern, uri, got, want)
		}
	})
}
