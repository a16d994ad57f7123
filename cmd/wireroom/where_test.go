package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/wamp"
)

// whereConfig lets members ask about subscriptions and the past.
var whereConfig = strings.Replace(testConfig, `publish: ["*"], call: ["*"], register`, `publish: ["*"], call: ["*", "wamp.subscription.*"], register`, 1)

// say publishes a message to the demo class.
func (c *wampClient) say(t *testing.T, room string, n int) {
	t.Helper()
	if err := c.publish("demo.message", nil, map[string]any{"room": room, "text": "hello", "n": n}); err != nil {
		t.Fatal(err)
	}
}

// numbersOf returns the field n of so many events.
func numbersOf(t *testing.T, events <-chan *wamp.Event, count int) (list []int64) {
	t.Helper()
	for range count {
		n, _ := wamp.AsInt64(next(t, events).ArgumentsKw["n"])
		list = append(list, n)
	}
	return list
}

// A subscription with a query gets what satisfies it: live, replayed and from the
// history; by option, by tree, by channel and by a topic that stands for it.
func TestWhere(t *testing.T) {
	p := startProgram(t, writeConfig(t, whereConfig))
	ada := join(t, p, ticketFor(t, "ada", "member"))
	for n := range 6 {
		ada.say(t, []string{"lobby", "bar"}[n%2], n)
	}
	got, err := ada.Call(t.Context(), "wireroom.query", nil, wamp.List{"demo.message", "n  >= 4"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	topic, _ := wamp.AsString(got.Arguments[0])
	if len(got.Arguments) != 1 || len(got.ArgumentsKw) > 0 || !strings.HasPrefix(topic, "wireroom.query.demo.message.") {
		t.Fatalf("wireroom.query returned %v %v", got.Arguments, got.ArgumentsKw)
	}
	got, err = ada.Call(t.Context(), "wireroom.query", nil, wamp.List{"demo.message"}, wamp.Dict{"channel": "bar"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	bar, _ := wamp.AsString(got.Arguments[0])
	tree := wamp.Dict{"field": "n", "op": ">=", "value": 4}
	subscribers := []struct {
		name, topic string
		options     wamp.Dict
		past, live  []int64
		events      <-chan *wamp.Event
	}{
		{"text", "demo.message", wamp.Dict{"_where": "n >= 4", "_since": 0}, []int64{4, 5}, []int64{10, 11}, nil},
		{"tree", "demo.message", wamp.Dict{"_where": tree, "_last": 1}, []int64{5}, []int64{10, 11}, nil},
		{"topic", topic, wamp.Dict{"_last": 3}, []int64{4, 5}, []int64{10, 11}, nil},
		{"class", "demo.message", wamp.Dict{"_where": `n < 3 && class == "demo.message"`, "_last": 2}, []int64{1, 2}, []int64{0}, nil},
		{"channel's topic", "demo.message.bar", wamp.Dict{"_where": "n >= 4", "_since": 0}, []int64{5}, []int64{11}, nil},
		{"channel", "demo.message", wamp.Dict{"_channel": "bar", "_since": 0}, []int64{1, 3, 5}, []int64{11}, nil},
		{"channel by topic", bar, nil, nil, []int64{11}, nil},
		{"both", "demo.message", wamp.Dict{"_where": "n > 1", "_channel": "bar", "_since": 0}, []int64{3, 5}, []int64{11}, nil},
		{"prefix", "demo.", wamp.Dict{"_where": "n > 10", "match": "prefix"}, nil, []int64{11}, nil},
		{"wildcard", ".message", wamp.Dict{"_where": "n == 10", "match": "wildcard"}, nil, []int64{10}, nil},
	}
	for i := range subscribers {
		s := &subscribers[i]
		c := join(t, p, ticketFor(t, "bob", "member"))
		s.events = c.listen(t, s.topic, s.options)
		if got := numbersOf(t, s.events, len(s.past)); !slices.Equal(got, s.past) {
			t.Errorf("%s: %v is replayed, want %v", s.name, got, s.past)
		}
		id, _ := c.SubscriptionID(s.topic)
		var past []int64
		for _, e := range c.past(t, id, nil) {
			kwargs, _ := wamp.AsDict(e["kwargs"])
			n, _ := wamp.AsInt64(kwargs["n"])
			past = append(past, n)
		}
		if from := len(past) - len(s.past); from < 0 || len(s.past) > 0 && !slices.Equal(past[from:], s.past) {
			t.Errorf("%s: its history is %v, want it to end with %v", s.name, past, s.past)
		}
		if s.options["match"] != nil && len(past) > 0 {
			t.Errorf("%s: its history is %v, want nothing", s.name, past)
		}
	}
	for _, n := range []int{10, 0, 11} {
		ada.say(t, []string{"lobby", "bar"}[n%2], n)
	}
	for _, s := range subscribers {
		if got := numbersOf(t, s.events, len(s.live)); !slices.Equal(got, s.live) {
			t.Errorf("%s: %v comes, want %v", s.name, got, s.live)
		}
	}
}

// Equal queries share a subscription, whoever wrote them how; the meta API shows
// the query.
func TestWhereIsShared(t *testing.T) {
	p := startProgram(t, writeConfig(t, whereConfig))
	ids := map[wamp.ID]bool{}
	var c *wampClient
	for _, options := range []wamp.Dict{
		{"_where": "n > 4 && room == 'bar'"},
		{"_where": "!(n <= 4) && 'bar' == room"},
		{"_where": "n > 4", "_channel": "bar"},
		{"_where": wamp.Dict{"all": wamp.List{wamp.Dict{"field": "room", "op": "==", "value": "bar"}, wamp.Dict{"field": "n", "op": ">", "value": 4}}}},
	} {
		c = join(t, p, ticketFor(t, "ada", "member"))
		c.listen(t, "demo.message", options)
		id, _ := c.SubscriptionID("demo.message")
		ids[id] = true
	}
	if len(ids) != 1 {
		t.Fatalf("equal queries have the subscriptions %v, want one", ids)
	}
	for id := range ids {
		got, err := c.Call(t.Context(), "wamp.subscription.get", nil, wamp.List{id}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d, _ := wamp.AsDict(got.Arguments[0]); d["_where"] != `n > 4 && room == "bar"` || d["uri"] != "demo.message" {
			t.Errorf("the meta API shows %v", d)
		}
		if got, err := c.Call(t.Context(), "wamp.subscription.count_subscribers", nil, wamp.List{id}, nil, nil); err != nil || fmt.Sprint(got.Arguments) != "[4]" {
			t.Errorf("%v subscribers (%v), want 4", got, err)
		}
	}
}

// What is wrong with a query is told with its place, and nobody learns of classes
// that are not for him.
func TestWhereRefused(t *testing.T) {
	p := startProgram(t, writeConfig(t, strings.Replace(testConfig, "demo.message:", "demo.message:\n    unknown: reject", 1)))
	anyone := join(t, p, "")
	for _, tt := range []struct {
		topic   string
		options wamp.Dict
		uri     string
		text    string
	}{
		{"demo.message", wamp.Dict{"_where": "n = 4"}, "wireroom.error.invalid_query", "option _where: 1:3: expected a comparison"},
		{"demo.message", wamp.Dict{"_where": "num > 4"}, "wireroom.error.invalid_query", `option _where: 1:1: expected one of the fields of demo.message, n, room, text, found "num"`},
		{"demo.", wamp.Dict{"_where": "num > 4", "match": "prefix"}, "wireroom.error.invalid_query", `option _where: 1:1: expected one of the fields of demo.message`},
		{"demo.message", wamp.Dict{"_where": wamp.Dict{"all": wamp.List{wamp.Dict{"field": "n", "op": "=", "value": 4}}}}, "wireroom.error.invalid_query", "option _where: /all/0/op: expected one of"},
		{"demo.message", wamp.Dict{"_where": strings.Repeat("n > 4 || ", 300) + "n > 4"}, "wireroom.error.limit", "option _where: 1:2049"},
		{"demo.message", wamp.Dict{"_where": 4}, "wamp.error.invalid_argument", "option _where: expected a query"},
		{"demo.message", wamp.Dict{"_channel": 4}, "wamp.error.invalid_argument", "option _channel: expected a string"},
		{"chat.line", wamp.Dict{"_channel": "x"}, "wamp.error.invalid_argument", "option _channel: expected a class with channels"},
		{"demo.message.bar", wamp.Dict{"_channel": "x"}, "wamp.error.option_not_allowed", "option _channel: expected the topic of an event class"},
		{"plain.topic", wamp.Dict{"_where": "n > 4"}, "wamp.error.option_not_allowed", "expected the topic of an event class"},
		{"plain.", wamp.Dict{"_where": "n > 4", "match": "prefix"}, "wamp.error.option_not_allowed", "expected a pattern that fits topics of event classes"},
		{"staff.", wamp.Dict{"_where": "n > 4", "match": "prefix"}, "wamp.error.option_not_allowed", "fits none that is for the role"},
		{"staff.note", wamp.Dict{"_where": "nonsense"}, "wamp.error.not_authorized", "staff.note"},
		{"demo.", wamp.Dict{"_where": "n > 4", "match": "prefix", "get_retained": true}, "wamp.error.option_not_allowed", "get_retained"},
		{"wireroom.query.demo.message.zzz", nil, "wamp.error.invalid_uri", "wireroom.query"},
		{"wireroom.query.plain.topic." + queryEncoding.EncodeToString([]byte("n > 4")), nil, "wamp.error.option_not_allowed", "plain.topic"},
	} {
		if r := anyone.subscribeRefusal(t, tt.topic, tt.options); r.URI != tt.uri || !strings.Contains(r.Text, tt.text) {
			t.Errorf("%s with %v: %s: %s, want %s: %s", tt.topic, tt.options, r.URI, r.Text, tt.uri, tt.text)
		}
	}
	var long []string
	for _, c := range "abc" {
		long = append(long, fmt.Sprintf("text == %q", strings.Repeat(string(c), 250)))
	}
	for _, tt := range []struct {
		args wamp.List
		uri  string
	}{
		{wamp.List{"demo.message", "n = 4"}, "wireroom.error.invalid_query"},
		{wamp.List{"staff.note", "nonsense"}, "wamp.error.not_authorized"},
		{wamp.List{"plain.topic", "n > 4"}, "wamp.error.option_not_allowed"},
		{wamp.List{"demo.message"}, "wamp.error.invalid_argument"},
		{wamp.List{"demo.message", strings.Join(long, " || ")}, "wireroom.error.limit"},
	} {
		_, err := anyone.Call(t.Context(), "wireroom.query", nil, tt.args, nil, nil)
		rpc, ok := err.(client.RPCError)
		if !ok || string(rpc.Err.Error) != tt.uri {
			t.Errorf("wireroom.query with %v: %v, want %s", tt.args, err, tt.uri)
			continue
		}
		if tt.uri == "wireroom.error.invalid_query" && fmt.Sprint(rpc.Err.ArgumentsKw["offset"], rpc.Err.ArgumentsKw["line"], rpc.Err.ArgumentsKw["column"]) != "2 1 3" {
			t.Errorf("the place is told as %v", rpc.Err.ArgumentsKw)
		}
	}
	if err := anyone.publish("wireroom.query.demo.message.0", nil, map[string]any{"n": 1}); err == nil {
		t.Error("anyone may publish to the topic of a query")
	}
}
