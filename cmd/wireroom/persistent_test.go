package main

import (
	"io"
	"log"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/wamp"
)

// persistentConfig is a gateway whose messages can be subscribed to for good.
var persistentConfig = strings.NewReplacer(
	"retain: {events: 100000}", "retain: {events: 100000}\n    persistent: true",
	"retain: {events: 10}", "retain: {events: 10}\n    persistent: {expires: 1h}",
).Replace(testConfig)

// ask calls a procedure and returns the named results, or the URI of the error.
func (c *wampClient) ask(t *testing.T, procedure string, kwargs wamp.Dict) (wamp.Dict, string) {
	t.Helper()
	got, err := c.Call(t.Context(), procedure, nil, nil, kwargs, nil)
	if rpc, ok := err.(client.RPCError); ok {
		return nil, string(rpc.Err.Error)
	}
	if err != nil {
		t.Fatalf("%s: %v", procedure, err)
	}
	return got.ArgumentsKw, ""
}

// owns returns the persistent subscriptions of the session's owner, by name.
func (c *wampClient) owns(t *testing.T) map[string]wamp.Dict {
	t.Helper()
	got, uri := c.ask(t, "wireroom.subscription.list", nil)
	if uri != "" {
		t.Fatal(uri)
	}
	list, _ := wamp.AsList(got["subscriptions"])
	all := make(map[string]wamp.Dict)
	for _, v := range list {
		one, _ := wamp.AsDict(v)
		name, _ := wamp.AsString(one["name"])
		all[name] = one
	}
	return all
}

// reaches waits until the subscription's position is that offset.
func (c *wampClient) reaches(t *testing.T, name string, offset int64) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		got, _ := wamp.AsInt64(c.owns(t)[name]["_offset"])
		if got == offset {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the position of %s is %d, want %d", name, got, offset)
		}
	}
}

// wantOffsets reads so many events and wants them to have these offsets, in
// order, and the mark of a replay or none.
func wantOffsets(t *testing.T, events <-chan *wamp.Event, replayed bool, want ...int64) {
	t.Helper()
	for i, marked := range wantEvents(t, events, want...) {
		if marked != replayed {
			t.Errorf("the event %d is marked %v, want %v", want[i], marked, replayed)
		}
	}
}

// wantEvents is wantOffsets for events of which the replay may have read some
// that were posted before it was over. It returns which are marked.
func wantEvents(t *testing.T, events <-chan *wamp.Event, want ...int64) (marked []bool) {
	t.Helper()
	var got []int64
	for range want {
		e := next(t, events)
		n, _ := wamp.AsInt64(e.Details["_offset"])
		is, _ := e.Details["_replayed"].(bool)
		got, marked = append(got, n), append(marked, is)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got the events %v, want %v", got, want)
	}
	return marked
}

// A user's subscription outlives the session, and the gateway: what happened
// meanwhile comes first, once, in order, marked; then what happens.
func TestPersistentSubscription(t *testing.T) {
	file := writeConfig(t, persistentConfig)
	persistent := wamp.Dict{"_persistent": true}
	func() {
		p := startProgram(t, file)
		defer p.stop()
		pub := join(t, p, "")
		pub.say(t, "a", 1) // before
		ada := join(t, p, ticketFor(t, "ada", "member"))
		events := ada.listen(t, "demo.message", persistent)
		pub.say(t, "a", 2)
		pub.say(t, "b", 3)
		wantEvents(t, events, 2, 3)
		ada.reaches(t, "demo.message", 3)
		_ = ada.Close()
		for n := range 20 {
			pub.say(t, "a", 4+n)
		}
		bob := join(t, p, ticketFor(t, "bob", "member"))
		if got := bob.owns(t); len(got) != 0 {
			t.Errorf("bob sees %v", got)
		}
		ada = join(t, p, ticketFor(t, "ada", "member"))
		events = ada.listen(t, "demo.message", persistent)
		wantOffsets(t, events, true, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)
		ada.reaches(t, "demo.message", 23)
		pub.say(t, "a", 24)
		wantEvents(t, events, 24)
		ada.reaches(t, "demo.message", 24)
		_ = ada.Close()
		pub.say(t, "a", 25)
	}()
	p := startProgram(t, file)
	ada := join(t, p, ticketFor(t, "ada", "member"))
	events := ada.listen(t, "demo.message", persistent)
	wantOffsets(t, events, true, 25)
	pub, n := join(t, p, ""), int64(25)
	for live, end := false, time.Now().Add(patience); !live; { // until the replay is over
		if time.Now().After(end) {
			t.Fatal("the replay is not over")
		}
		n++
		pub.say(t, "a", int(n))
		live = !wantEvents(t, events, n)[0]
	}
	pub.say(t, "a", int(n+1))
	pub.say(t, "a", int(n+2))
	wantOffsets(t, events, false, n+1, n+2)
}

// With explicit acknowledgement exactly what is not acknowledged comes again.
func TestPersistentExplicit(t *testing.T) {
	p := startProgram(t, writeConfig(t, persistentConfig))
	pub := join(t, p, "")
	ada := join(t, p, ticketFor(t, "ada", "member"))
	options := wamp.Dict{"_persistent": true, "_ack": "explicit", "_name": "mine", "_where": "n > 1", "_expires": 7200}
	events := ada.listen(t, "demo.message", options)
	id, _ := ada.SubscriptionID("demo.message")
	for n := range 8 {
		pub.say(t, "a", n) // the offset n+1; the first two are not wanted
	}
	wantEvents(t, events, 3, 4, 5, 6, 7, 8)
	ack := func(kwargs wamp.Dict) string {
		_, uri := ada.ask(t, "wireroom.ack", kwargs)
		return uri
	}
	for _, tt := range []struct {
		kwargs wamp.Dict
		want   string
	}{
		{wamp.Dict{"name": "mine", "_offset": 3}, ""},
		{wamp.Dict{"subscription": id, "offsets": wamp.List{6, 7}}, ""},
		{wamp.Dict{"acks": wamp.List{wamp.Dict{"name": "mine", "_offset": 2}, wamp.Dict{"subscription": id, "offsets": wamp.List{4}}}}, ""},
		{wamp.Dict{"name": "mine", "_offset": 9}, "wamp.error.invalid_argument"},
		{wamp.Dict{"name": "mine", "_offset": 4, "_epoch": "other"}, "wireroom.error.wrong_epoch"},
		{wamp.Dict{"name": "other", "_offset": 4}, "wamp.error.no_such_subscription"},
		{wamp.Dict{"subscription": id + 1000, "_offset": 4}, "wamp.error.no_such_subscription"},
		{wamp.Dict{"_offset": 4}, "wamp.error.invalid_argument"},
		{wamp.Dict{"name": "mine", "subscription": id, "_offset": 4}, "wamp.error.invalid_argument"},
		{wamp.Dict{"name": "mine"}, "wamp.error.invalid_argument"},
		{wamp.Dict{"name": "mine", "_offset": -1}, "wamp.error.invalid_argument"},
		{wamp.Dict{"name": "mine", "offsets": "all"}, "wamp.error.invalid_argument"},
		{wamp.Dict{"acks": wamp.List{5}}, "wamp.error.invalid_argument"},
	} {
		if got := ack(tt.kwargs); got != tt.want {
			t.Errorf("wireroom.ack with %v: %q, want %q", tt.kwargs, got, tt.want)
		}
	}
	if at, _ := ada.ask(t, "wireroom.ack", wamp.Dict{"name": "mine", "offsets": wamp.List{4}}); at["_epoch"] == "" || jsonText(at["_offset"]) != "4" {
		t.Errorf("the position is said to be %v, want 4", at)
	}
	ada.ask(t, "wireroom.ack", wamp.Dict{"name": "mine", "offsets": wamp.List{6, 7}})
	if one, _ := ada.ask(t, "wireroom.subscription.get", wamp.Dict{"name": "mine"}); jsonText(one["acked"]) != "[[6,7]]" {
		t.Errorf("behind the position there is %v, want 6 to 7", one["acked"])
	}
	got := ada.owns(t)["mine"]
	if got["acked"] != nil {
		t.Errorf("a list has the spans %v", got["acked"])
	}
	if at, _ := wamp.AsInt64(got["_offset"]); at != 4 || got["ack"] != "explicit" || got["topic"] != "demo.message" || got["where"] != "n > 1" {
		t.Errorf("it is listed as %v", got)
	}
	if after, _ := wamp.AsInt64(got["expires_after"]); after != 7200 {
		t.Errorf("it expires after %d s, want 7200", after)
	}
	_ = ada.Close()

	ada = join(t, p, ticketFor(t, "ada", "member"))
	events = ada.listen(t, "demo.message", options)
	wantOffsets(t, events, true, 5, 8)
	pub.say(t, "a", 100)
	wantEvents(t, events, 9)
	for _, procedure := range []string{"wireroom.subscription.get", "wireroom.subscription.remove"} {
		if _, uri := join(t, p, ticketFor(t, "bob", "member")).ask(t, procedure, wamp.Dict{"name": "mine"}); uri != "wamp.error.no_such_subscription" {
			t.Errorf("bob calls %s of ada's: %q", procedure, uri)
		}
		if _, uri := ada.ask(t, procedure, wamp.Dict{"name": "mine"}); uri != "" {
			t.Errorf("%s: %q", procedure, uri)
		}
	}
	if got := ada.owns(t); len(got) != 0 {
		t.Errorf("after it was removed there is %v", got)
	}
}

// What cannot be had, and why.
func TestPersistentRefused(t *testing.T) {
	p := startProgram(t, writeConfig(t, persistentConfig+"sessions: {subscriptions: 2}\n"))
	ada := join(t, p, ticketFor(t, "ada", "member"))
	ada.listen(t, "demo.message", wamp.Dict{"_persistent": true})
	tests := []struct {
		name    string
		topic   string
		options wamp.Dict
		want    string
	}{
		{"no class", "plain.topic", wamp.Dict{"_persistent": true}, "expected the topic of a retained event class"},
		{"pattern", "demo.", wamp.Dict{"_persistent": true, "match": "prefix"}, "expected the topic of a retained event class"},
		{"not retained", "chat.line", wamp.Dict{"_persistent": true}, "not retained"},
		{"no bool", "demo.message", wamp.Dict{"_persistent": "yes"}, "_persistent: expected true or false"},
		{"ack", "demo.message", wamp.Dict{"_persistent": true, "_ack": "later"}, `"auto" or "explicit"`},
		{"ack alone", "demo.message", wamp.Dict{"_ack": "auto"}, "_ack: expected beside _persistent"},
		{"name alone", "demo.message", wamp.Dict{"_name": "x"}, "_name: expected beside _persistent"},
		{"empty name", "demo.message", wamp.Dict{"_persistent": true, "_name": ""}, "_name: expected a text of 1 to 128"},
		{"long name", "demo.message", wamp.Dict{"_persistent": true, "_name": strings.Repeat("ü", 129)}, "_name: expected a text of 1 to 128"},
		{"line in the name", "demo.message", wamp.Dict{"_persistent": true, "_name": "a\nb"}, "_name: expected"},
		{"expires", "demo.message", wamp.Dict{"_persistent": true, "_expires": "soon"}, "_expires: expected a number of seconds"},
		{"expires late", "order.created", wamp.Dict{"_persistent": true, "_expires": "2h"}, "_expires: expected a time from 1m0s to 1h0m0s"},
		{"other class", "order.created", wamp.Dict{"_persistent": true, "_name": "demo.message"}, "already, as another one"},
		{"other name", "demo.message", wamp.Dict{"_persistent": true, "_name": "x"}, `already, by the name "demo.message"`},
	}
	for _, tt := range tests {
		if got := ada.subscribeRefusal(t, tt.topic, tt.options).Error(); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	two := join(t, p, ticketFor(t, "ada", "member"))
	if got := two.subscribeRefusal(t, "demo.message", wamp.Dict{"_persistent": true, "_ack": "explicit"}).Error(); !strings.Contains(got, `was made with \"auto\"`) && !strings.Contains(got, `was made with "auto"`) {
		t.Errorf("acknowledged in another way: %q", got)
	}
	two.listen(t, "order.created", wamp.Dict{"_persistent": true})
	if got := two.subscribeRefusal(t, "order.created", wamp.Dict{"_persistent": true, "_where": "total > 3"}).Error(); !strings.Contains(got, "wireroom.error.limit") {
		t.Errorf("one too many: %q", got)
	}
	anonymous := join(t, p, "")
	if got := anonymous.subscribeRefusal(t, "demo.message", wamp.Dict{"_persistent": true}).Error(); !strings.Contains(got, "wireroom.error.no_client") {
		t.Errorf("anonymous: %q", got)
	}
	if _, uri := anonymous.ask(t, "wireroom.subscription.list", nil); uri != "wireroom.error.no_client" {
		t.Errorf("anonymous list: %q", uri)
	}
}

// The client behind a token keeps its subscriptions, whoever it is said to be
// later; each client has its own.
func TestPersistentClient(t *testing.T) {
	p := startProgram(t, writeConfig(t, persistentConfig))
	rpc := must(newXMLRPCClient(p.base, testKey, patience))(t)
	defer rpc.http.CloseIdleConnections()
	var phone, desk string
	for _, token := range []*string{&phone, &desk} {
		if err := rpc.call(t.Context(), token, "session.token", "ada", []string{"member"}); err != nil {
			t.Fatal(err)
		}
	}
	persistent := wamp.Dict{"_persistent": true}
	one := join(t, p, phone)
	one.listen(t, "demo.message", persistent)
	if got := join(t, p, desk).owns(t); len(got) != 0 {
		t.Errorf("another client of the same user has %v", got)
	}
	if got := join(t, p, ticketFor(t, "ada", "member")).owns(t); len(got) != 0 {
		t.Errorf("the user without a token has %v", got)
	}
	_ = one.Close()
	join(t, p, "").say(t, "a", 1)
	wantOffsets(t, join(t, p, phone).listen(t, "demo.message", persistent), true, 1)
}

// Who comes back can ask what it has, and is told nothing of others.
func TestPersistentWelcome(t *testing.T) {
	p := startProgram(t, writeConfig(t, persistentConfig))
	ada := join(t, p, ticketFor(t, "ada", "member"))
	ada.listen(t, "demo.message.lobby", wamp.Dict{"_persistent": true, "_where": "n > 1", "_name": "lobby"})
	_ = ada.Close()
	welcome := func(user string, more wamp.Dict) any {
		t.Helper()
		cfg := client.Config{Realm: "realm1", ResponseTimeout: patience, HelloDetails: wamp.Dict{}, Logger: log.New(io.Discard, "", 0)}
		maps.Copy(cfg.HelloDetails, more)
		if user != "" {
			cfg.AuthHandlers = map[string]client.AuthFunc{
				"ticket": func(*wamp.Challenge) (string, wamp.Dict) { return ticketFor(t, user, "member"), wamp.Dict{} },
			}
		}
		c, err := client.ConnectNet(t.Context(), p.ws(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		return c.RealmDetails()["_subscriptions"]
	}
	for _, more := range []wamp.Dict{{"_subscriptions": true}, {"_subscriptions": true, "resumable": true}} {
		list, _ := wamp.AsList(welcome("ada", more))
		if len(list) != 1 {
			t.Fatalf("ada is told of %v, want one subscription", list)
		}
		one, _ := wamp.AsDict(list[0])
		if one["name"] != "lobby" || one["topic"] != "demo.message.lobby" || one["where"] != "n > 1" || one["ack"] != "auto" {
			t.Errorf("ada is told of %v", one)
		}
	}
	if list, ok := wamp.AsList(welcome("bob", wamp.Dict{"_subscriptions": true})); !ok || len(list) != 0 {
		t.Errorf("bob is told of %v, want an empty list", list)
	}
	if got := welcome("ada", nil); got != nil {
		t.Errorf("who does not ask is told of %v", got)
	}
	if got := welcome("", wamp.Dict{"_subscriptions": true}); got != nil {
		t.Errorf("an anonymous session is told of %v", got)
	}
}

// A name that is made is short enough for a store, whatever it is made of.
func TestPersistentNames(t *testing.T) {
	seen := make(map[string]bool)
	for _, topic := range []string{"demo.message", "demo.message." + strings.Repeat("a", 480), "demo.message." + strings.Repeat("a", 1000)} {
		for _, where := range []string{"", "n > 1", strings.Repeat("n > 1 && ", 100) + "n > 1"} {
			name := nameOf(topic, where)
			if name == "" || len(name) > 512 || seen[name] {
				t.Errorf("the name of %.20q… where %.20q… is %q", topic, where, name)
			}
			seen[name] = true
		}
	}
}

// A session that has missed something can repair it: it subscribes again and
// says from where. The position is not moved back.
func TestPersistentAgain(t *testing.T) {
	p := startProgram(t, writeConfig(t, persistentConfig))
	pub := join(t, p, "")
	ada := join(t, p, ticketFor(t, "ada", "member"))
	events := ada.listen(t, "demo.message", wamp.Dict{"_persistent": true})
	for n := range 4 {
		pub.say(t, "a", n)
	}
	wantEvents(t, events, 1, 2, 3, 4)
	ada.reaches(t, "demo.message", 4)
	ada.listen(t, "demo.message", wamp.Dict{"_persistent": true}) // which changes nothing
	again := ada.listen(t, "demo.message", wamp.Dict{"_persistent": true, "_since": 2})
	wantOffsets(t, again, true, 3, 4)
	pub.say(t, "a", 5)
	wantEvents(t, again, 5)
	ada.reaches(t, "demo.message", 5)
	again = ada.listen(t, "demo.message", wamp.Dict{"_since": 3}) // it is a persistent one, said or not
	wantOffsets(t, again, true, 4, 5)
	pub.say(t, "a", 6)
	wantEvents(t, again, 6)
	ada.reaches(t, "demo.message", 6)
}

// Who subscribes again to what was removed is told that it is no persistent
// subscription any more, until it has unsubscribed.
func TestPersistentRemoved(t *testing.T) {
	p := startProgram(t, writeConfig(t, persistentConfig))
	pub := join(t, p, "")
	options := wamp.Dict{"_persistent": true}
	ada := join(t, p, ticketFor(t, "ada", "member"))
	events := ada.listen(t, "demo.message", options)
	if _, uri := join(t, p, ticketFor(t, "ada", "member")).ask(t, "wireroom.subscription.remove", wamp.Dict{"name": "demo.message"}); uri != "" {
		t.Fatal(uri)
	}
	pub.say(t, "a", 1)
	wantEvents(t, events, 1) // as before
	if got := ada.subscribeRefusal(t, "demo.message", options); !strings.Contains(got.Text, "unsubscribe") {
		t.Errorf("the refusal says %+v", got)
	}
	if got := ada.owns(t); len(got) != 0 {
		t.Errorf("there is %v", got)
	}
	if err := ada.Unsubscribe("demo.message"); err != nil {
		t.Fatal(err)
	}
	events = ada.listen(t, "demo.message", options)
	pub.say(t, "a", 2)
	wantEvents(t, events, 2)
	ada.reaches(t, "demo.message", 2)
}
