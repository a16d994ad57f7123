package router_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// subscribed returns the ID of a new subscription of the client.
func (c *client) subscribe(t testing.TB, topic, match string) (id wamp.ID) {
	t.Helper()
	var m []json.RawMessage
	if err := json.Unmarshal([]byte(c.ask(fmt.Sprintf(`[32,1,{"match":%q},%q]`, match, topic))), &m); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(m[2], &id); err != nil {
		t.Fatalf("SUBSCRIBE is answered with %s", m)
	}
	return id
}

// A record is an event in an answer about the past.
type record struct {
	Timestamp    time.Time
	Subscription wamp.ID
	Publication  wamp.ID
	Details      map[string]any
	Args         []any
	KwArgs       map[string]any
}

// past asks for the past of a subscription, with JSON keyword arguments.
func (c *client) past(t testing.TB, sub wamp.ID, kwargs string) (list []record, more bool, missed int) {
	t.Helper()
	msg := c.ask(fmt.Sprintf(`[48,9,{},"wamp.subscription.get_events",[%d],%s]`, sub, kwargs))
	var m []json.RawMessage
	if err := json.Unmarshal([]byte(msg), &m); err != nil || string(m[0]) != "50" {
		t.Fatalf("get_events with %s: %.300q", kwargs, msg)
	}
	var info struct {
		More   bool
		Missed int
	}
	if err := json.Unmarshal(m[3], &list); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(m[4], &info); err != nil {
		t.Fatal(err)
	}
	return list, info.More, info.Missed
}

func texts(list []record) (all []string) {
	for _, r := range list {
		all = append(all, fmt.Sprint(r.Args...))
	}
	return all
}

// What the gateway itself publishes is kept, too; of a pattern, a session gets
// the topics that it may subscribe to, and the answer of an authorizer that
// must ask first is waited for.
func TestHistoryOfPatterns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		realm := tr.rt.Realm(testRealm)
		realm.KeepHistory([]router.HistoryConfig{{Match: wamp.Prefix, Events: 100, Bytes: 1 << 20}})
		all := tr.joinAs(t).subscribe(t, "", "prefix")
		c := tr.joinAs(t) // which gets no events
		for _, topic := range []wamp.URI{"forbidden.x", "open.x", "asked.open.x", "asked.forbidden.x", "open.y", "wamp.session.on_join", "wireroom.x"} {
			realm.Publish(&router.Publication{Topic: topic, Payload: wamp.Payload{Args: fmt.Appendf(nil, "[%q]", topic)}})
		}
		realm.Publish(&router.Publication{Topic: "open.z", Allow: func(*router.Session) bool { return true }})
		go c.send(fmt.Sprintf(`[48,1,{},"wamp.subscription.get_events",[%d]]`, all))
		time.Sleep(5 * time.Second) // as long as the authorizer is asked
		synctest.Wait()
		got := string(c.mustNext(t, 50)[3])
		for topic, want := range map[string]bool{
			"open.x": true, "asked.open.x": true, "open.y": true,
			"forbidden.x": false, "asked.forbidden.x": false, "wamp.session": false, "wireroom.x": false, "open.z": false,
		} {
			if strings.Contains(got, `["`+topic) != want {
				t.Errorf("%s in the past: %v, want %v\n%s", topic, !want, want, got)
			}
		}
	})
}

// An authorizer that fails must not make events seem not to be there.
func TestHistoryAuthorizerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		realm := tr.rt.Realm(testRealm)
		realm.KeepHistory([]router.HistoryConfig{{Match: wamp.Prefix, Events: 100, Bytes: 1 << 20}})
		all := tr.joinAs(t).subscribe(t, "", "prefix")
		c := tr.joinAs(t)
		realm.Publish(&router.Publication{Topic: "asked.failing.x"})
		go c.send(fmt.Sprintf(`[48,1,{},"wamp.subscription.get_events",[%d]]`, all))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if m, _ := c.next(); !strings.Contains(string(m), "wamp.error.authorization_failed") {
			t.Errorf("the answer is %s", m)
		}
	})
}

// However long the authorizer takes for each topic, one call does not read the
// past for longer than it may.
func TestHistoryAuthorizerSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		realm := tr.rt.Realm(testRealm)
		realm.KeepHistory([]router.HistoryConfig{{Match: wamp.Prefix, Events: 100, Bytes: 1 << 20}})
		all := tr.joinAs(t).subscribe(t, "", "prefix")
		c := tr.joinAs(t)
		for i := range 60 {
			realm.Publish(&router.Publication{Topic: wamp.URI(fmt.Sprintf("asked.open.x%d", i))})
		}
		start := time.Now()
		c.send(fmt.Sprintf(`[48,1,{},"wamp.subscription.get_events",[%d]]`, all))
		took := time.Since(start) // the authorizer takes 1s for each
		if m, _ := c.next(); took > 15*time.Second || !strings.Contains(string(m), "reading the past took too long") {
			t.Errorf("the answer after %v is %s", took, m)
		}
	})
}

// Who asks page by page gets everything once, forwards and backwards, however
// the pages are bounded, in every serializer.
func TestHistoryPages(t *testing.T) {
	const events = 200
	for _, tt := range []struct {
		name   string
		kwargs string
		change func(*router.Config)
	}{
		{name: "limit", kwargs: `"limit":7`},
		{name: "number of events", change: func(c *router.Config) { c.MaxPastEvents = 9 }},
		{name: "bytes", change: func(c *router.Config) { c.MaxPastBytes = 2000 }},
		{name: "queue", change: func(c *router.Config) { c.QueueBytes = 4096 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				change := tt.change
				if change == nil {
					change = func(*router.Config) {}
				}
				tr := newRouter(t, change)
				realm := tr.rt.Realm(testRealm)
				realm.KeepHistory([]router.HistoryConfig{{Topic: "chat.x", Events: 1000, Bytes: 1 << 20}})
				const sub = 1 // the history's own, without subscribers
				c := tr.joinAs(t)
				want := make([]string, events)
				for i := range events {
					want[i] = fmt.Sprint(i, strings.Repeat("x", i%90))
					realm.Publish(&router.Publication{Topic: "chat.x", Payload: wamp.Payload{Args: fmt.Appendf(nil, "[%q]", want[i])}})
				}
				for _, way := range []struct{ reverse, cursor string }{{"false", "after_publication"}, {"true", "before_publication"}} {
					var got []string
					cursor, pages := "", 0
					for more := true; more; pages++ {
						kwargs := fmt.Sprintf(`{"reverse":%s%s%s}`, way.reverse, prefixed(",", tt.kwargs), cursor)
						var list []record
						if list, more, _ = c.past(t, sub, kwargs); len(list) == 0 {
							t.Fatalf("an empty page after %d events", len(got))
						}
						got = append(got, texts(list)...)
						cursor = fmt.Sprintf(`,%q:%d`, way.cursor, list[len(list)-1].Publication)
					}
					if way.reverse == "true" {
						slices.Reverse(got)
					}
					if !slices.Equal(got, want) {
						t.Errorf("reverse %s: got %d events in %d pages, want %d", way.reverse, len(got), pages, events)
					}
					if pages < 10 {
						t.Errorf("reverse %s: all in %d pages", way.reverse, pages)
					}
				}
				if n := tr.rt.Stats().SlowConsumers; n != 0 {
					t.Errorf("%d sessions were overrun by answers", n)
				}
			})
		})
	}
}

func prefixed(with, s string) string {
	if s == "" {
		return ""
	}
	return with + s
}

// What a session cannot take is counted, not passed over in silence; one event
// that is longer than an answer should be comes alone.
func TestHistoryMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.MaxPastBytes = 1 << 10 })
		realm := tr.rt.Realm(testRealm)
		realm.KeepHistory([]router.HistoryConfig{{Topic: "chat.x", Events: 1000, Bytes: 1 << 20}})
		sub := tr.joinAs(t).subscribe(t, "chat.x", "exact")
		c := tr.joinAs(t)
		long := strings.Repeat("x", 3000)
		for _, p := range []wamp.Payload{
			{Args: []byte(`["a"]`)},
			{Serializer: wamp.MessagePack, Args: []byte{0x91, 0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0}}, // infinite
			{Args: []byte(`["` + long + `"]`)},
			{Args: []byte(`["b"]`)},
		} {
			realm.Publish(&router.Publication{Topic: "chat.x", Payload: p})
		}
		list, more, missed := c.past(t, sub, `{}`)
		if got := texts(list); !slices.Equal(got, []string{"a"}) || !more || missed != 1 {
			t.Errorf("first page: %q, more %v, missed %d; want a, more and 1", got, more, missed)
		}
		list, more, _ = c.past(t, sub, fmt.Sprintf(`{"after_publication":%d,"limit":1}`, list[0].Publication))
		if got := texts(list); !slices.Equal(got, []string{long}) || !more {
			t.Errorf("second page: %.20q, more %v; want the long one, and more", got, more)
		}

		short := tr.joinShort(t, 2000)
		list, more, missed = short.past(t, sub, `{}`)
		if got := texts(list); !slices.Equal(got, []string{"a", "b"}) || more || missed != 2 {
			t.Errorf("for one that takes 2000 bytes: %.20q, more %v, missed %d; want a, b and 2", got, more, missed)
		}
	})
}

// joinShort connects a peer that takes no longer messages, and has joined.
func (tr *testRouter) joinShort(t testing.TB, most int) *client {
	c := tr.connectAs(router.Peer{Serializer: wamp.JSON, Framing: plain, Transport: "memory", RemoteAddr: "test", MaxFrame: most})
	if m := c.ask(hello); !strings.HasPrefix(m, "[2,") {
		t.Fatalf("HELLO is answered with %s", m)
	}
	return c
}

// An event that is longer than its history may be is not kept, and counted.
func TestHistoryTooLong(t *testing.T) {
	tr := newRouter(t)
	realm := tr.rt.Realm(testRealm)
	realm.KeepHistory([]router.HistoryConfig{{Topic: "chat.x", Events: 10, Bytes: 1 << 10}})
	sub := tr.joinAs(t).subscribe(t, "chat.x", "exact")
	c := tr.joinAs(t)
	realm.Publish(&router.Publication{Topic: "chat.x", Payload: wamp.Payload{Args: []byte(`["short"]`)}})
	realm.Publish(&router.Publication{Topic: "chat.x", Payload: wamp.Payload{Args: []byte(`["` + strings.Repeat("x", 1<<10) + `"]`)}})
	if list, _, _ := c.past(t, sub, `{}`); len(list) != 1 {
		t.Errorf("%d events are kept, want 1", len(list))
	}
	if n := tr.rt.Stats().NotKept; n != 1 {
		t.Errorf("NotKept = %d, want 1", n)
	}
}

// Publishers that run at the same time: everybody finds the same order in the
// history, in which each one's events stand in theirs, and who has received an
// event finds it there.
func TestHistoryOrder(t *testing.T) {
	const publishers, each = 4, 200
	tr := newRouter(t, func(c *router.Config) { c.QueueBytes, c.MaxPastBytes = 64<<20, 16<<20 })
	realm := tr.rt.Realm(testRealm)
	realm.KeepHistory([]router.HistoryConfig{{Topic: "chat.", Match: wamp.Prefix, Events: publishers * each, Bytes: 1 << 24}})
	sub := tr.joinAs(t).subscribe(t, "chat.", "prefix")
	acked := make([][]wamp.ID, publishers)
	var wg sync.WaitGroup
	for p := range publishers {
		c := tr.joinAs(t)
		wg.Go(func() {
			for i := range each {
				var m [3]wamp.ID
				if err := json.Unmarshal([]byte(c.ask(fmt.Sprintf(`[16,%d,{"acknowledge":true},"chat.x",[%d,%d]]`, i+1, p, i))), &m); err != nil {
					t.Error(err)
				}
				acked[p] = append(acked[p], m[2])
				if i%50 != 0 {
					continue
				}
				got := c.ask(fmt.Sprintf(`[48,%d,{},"wamp.subscription.get_events",[%d],{"from_publication":%d,"limit":1}]`, i+1, sub, m[2]))
				if !strings.Contains(got, fmt.Sprintf(`"publication":%d,`, m[2])) {
					t.Errorf("what was acknowledged is not in the history: %.200s", got)
				}
			}
		})
	}
	wg.Wait()
	list, _, _ := tr.joinAs(t).past(t, sub, `{}`)
	if len(list) != publishers*each {
		t.Fatalf("%d events are kept, want %d", len(list), publishers*each)
	}
	found := make([][]wamp.ID, publishers)
	for i, r := range list {
		p := int(r.Args[0].(float64))
		found[p] = append(found[p], r.Publication)
		if i > 0 && r.Timestamp.Before(list[i-1].Timestamp) {
			t.Errorf("event %d is of %v, the one before it of %v", i, r.Timestamp, list[i-1].Timestamp)
		}
	}
	for p := range publishers {
		if !slices.Equal(found[p], acked[p]) {
			t.Errorf("the events of publisher %d are not in the order in which they were published", p)
		}
	}
}

// No more than some sessions read the past at a time. Others wait for them, but
// not for ever, and those who do not read wait for nobody.
func TestHistoryReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		gov := &archive{books: []*logbook{{topic: "log.a", slow: func() { <-gate }}}}
		tr := newRouterGoverned(t, gov)
		gov.books[0].add("", "x")
		sub := tr.joinAs(t).subscribe(t, "log.a", "exact")
		const all = 7
		clients := make([]*client, all)
		for i := range all {
			clients[i] = tr.joinAs(t)
			go clients[i].send(fmt.Sprintf(`[48,1,{},"wamp.subscription.get_events",[%d]]`, sub))
		}
		synctest.Wait()
		if m := tr.joinAs(t).ask(`[48,1,{},"wamp.session.count"]`); !strings.HasPrefix(m, "[50,") {
			t.Errorf("another call is answered with %q", m)
		}
		time.Sleep(time.Minute)
		close(gate)
		synctest.Wait()
		answers := map[string]int{}
		for _, c := range clients {
			m, _ := c.next()
			answers[answerTo(t, string(m))]++
		}
		if got := answers[string(wamp.URIUnavailableHere)]; got != all {
			t.Errorf("answers %v; want all to have been too late", answers)
		}
		if m := clients[0].ask(fmt.Sprintf(`[48,2,{},"wamp.subscription.get_events",[%d]]`, sub)); answerTo(t, m) != "[10] false" {
			t.Errorf("afterwards the answer is %s", m)
		}
	})
}

// Access to governed topics is the governor's to decide.
func TestHistoryRefusedByGovernor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouterGoverned(t, &archive{})
		c := tr.joinAs(t)
		sub := c.subscribe(t, "log.secret", "exact")
		if got := answerTo(t, c.ask(fmt.Sprintf(`[48,1,{},"wamp.subscription.get_events",[%d]]`, sub))); got != string(wamp.URINotAuthorized) {
			t.Errorf("the answer is %s", got)
		}
	})
}

// A pattern that would have too much read at once is refused.
func TestHistorySources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gov := &archive{}
		for i := range 65 {
			gov.books = append(gov.books, &logbook{topic: wamp.URI(fmt.Sprint("log.", i)), number: uint64(i)})
		}
		tr := newRouterGoverned(t, gov)
		c := tr.joinAs(t)
		sub := c.subscribe(t, "log.", "prefix")
		if got := answerTo(t, c.ask(fmt.Sprintf(`[48,1,{},"wamp.subscription.get_events",[%d]]`, sub))); got != string(wamp.URILimit) {
			t.Errorf("the answer is %s", got)
		}
	})
}

// Subscriptions that are there without subscribers do not ask for meta events.
func TestHistoryWatchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		tr.rt.Realm(testRealm).KeepHistory([]router.HistoryConfig{{Match: wamp.Prefix, Events: 10, Bytes: 1 << 20}})
		before := tr.rt.Stats().Publications
		a := tr.joinAs(t)
		synctest.Wait()
		if n := tr.rt.Stats().Publications; n != before {
			t.Errorf("%d meta events are published for nobody", n-before)
		}
		a.subscribe(t, "", "prefix")
		tr.joinAs(t)
		synctest.Wait()
		if m, _ := a.next(); !strings.Contains(string(m), "on_join") {
			t.Errorf("the first subscriber gets %q, want wamp.session.on_join", m)
		}
		a.ask(`[34,5,1]`)
		synctest.Wait()
		before = tr.rt.Stats().Publications
		tr.joinAs(t)
		synctest.Wait()
		if n := tr.rt.Stats().Publications; n != before {
			t.Errorf("%d meta events are published for nobody", n-before)
		}
	})
}

// Histories that cannot be are a mistake of the program.
func TestHistoryConfig(t *testing.T) {
	valid := router.HistoryConfig{Topic: "a.b", Events: 1, Bytes: 1 << 10}
	for name, change := range map[string]func(c *router.HistoryConfig){
		"topic":    func(c *router.HistoryConfig) { c.Topic = "a..b" },
		"reserved": func(c *router.HistoryConfig) { c.Topic = "wamp.x" },
		"events":   func(c *router.HistoryConfig) { c.Events = 0 },
		"bytes":    func(c *router.HistoryConfig) { c.Bytes = 1 },
		"for":      func(c *router.HistoryConfig) { c.For = time.Millisecond },
	} {
		c := valid
		change(&c)
		problems := 0
		c.Validate(func(string, error) { problems++ })
		if problems != 1 {
			t.Errorf("%s: %d problems, want 1", name, problems)
		}
	}
	for name, list := range map[string][]router.HistoryConfig{
		"invalid": {{}}, "twice": {valid, valid}, "too many": make([]router.HistoryConfig, 257),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: KeepHistory does not panic", name)
				}
			}()
			newRouter(t).rt.Realm(testRealm).KeepHistory(list)
		}()
	}
}

// FuzzHistoryFilters has get_events called with whatever keyword arguments: the
// answer is a result, or one of the errors that tell the caller what is wrong.
func FuzzHistoryFilters(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"limit":2,"reverse":true}`, `{"from_time":"2026-01-31T09:30:00.25+01:00","topic":"chat.x"}`, `{"limit":-1}`,
		`{"after_publication":9007199254740992}`, `{"until_time":"0000-01-01T00:00:00Z"}`, `{"before_time":"9999-12-31T23:59:59.9999Z"}`, `{"limit":null}`,
		`{"x":[]}`, `{"topic":"..."}`, `[]`, `{"from_time":"2026-01-31T24:00:00Z"}`,
	} {
		f.Add([]byte(s))
	}
	tr := newRouter(f)
	realm := tr.rt.Realm(testRealm)
	realm.KeepHistory([]router.HistoryConfig{{Topic: "chat.", Match: wamp.Prefix, Events: 10, Bytes: 1 << 20}})
	sub := wamp.ID(1)
	for range 5 {
		realm.Publish(&router.Publication{Topic: "chat.x"})
	}
	known := []wamp.URI{wamp.URIInvalidArgument, wamp.URIInvalidURI, wamp.URINoSuchEvent}
	f.Fuzz(func(t *testing.T, kwargs []byte) {
		if len(kwargs) == 0 || kwargs[0] != '{' || !json.Valid(kwargs) {
			return
		}
		c := tr.connect()
		defer c.hangUp()
		c.ask(hello)
		got := c.ask(fmt.Sprintf(`[48,1,{},"wamp.subscription.get_events",[%d],%s]`, sub, kwargs))
		for got == "" { // ABORT is left to a flusher
			ended := c.closed()
			msg, _ := c.next()
			if got = string(msg); got == "" && ended {
				t.Fatalf("get_events with %q: no answer", kwargs)
			}
			runtime.Gosched()
		}
		if strings.HasPrefix(got, "[3,") {
			return // JSON that is no message
		}
		if answer := answerTo(t, got); answer[0] != '[' && !slices.Contains(known, wamp.URI(answer)) {
			t.Errorf("get_events with %s: %s", kwargs, got)
		}
	})
}

// What is too old is forgotten, though nobody publishes or asks any more; a
// realm that is removed takes its histories along.
func TestHistoryIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		realm := tr.rt.Realm(testRealm)
		realm.KeepHistory([]router.HistoryConfig{{Topic: "a.b", Events: 100, Bytes: 1 << 20, For: time.Minute}})
		publish := func() { realm.Publish(&router.Publication{Topic: "a.b"}) }
		publish()
		time.Sleep(30 * time.Second)
		publish()
		time.Sleep(45 * time.Second)
		if realm.HistoryHeld() == 0 {
			t.Error("an event is forgotten before its time")
		}
		time.Sleep(20 * time.Second)
		if n := realm.HistoryHeld(); n != 0 {
			t.Errorf("there is memory for %d events that are too old", n)
		}
		publish()
		if err := tr.rt.RemoveRealm(t.Context(), testRealm); err != nil {
			t.Fatal(err)
		}
		publish()
		if n := realm.HistoryHeld(); n != 0 {
			t.Errorf("a realm that is removed has memory for %d events", n)
		}
	})
}

// Who looks for an event in a long history stops when the time is over.
func TestHistoryFindEnds(t *testing.T) {
	for steps, want := range map[int]error{0: context.DeadlineExceeded, 2: context.DeadlineExceeded, 3: nil} {
		if err := router.FindInRing(3000, steps); !errors.Is(err, want) {
			t.Errorf("after %d steps of 3: %v, want %v", steps, err, want)
		}
	}
}
