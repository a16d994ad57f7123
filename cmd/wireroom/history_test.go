package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/wamp"
)

// historyConfig is a gateway with the past of some topics, for whoever may
// subscribe to them.
var historyConfig = strings.NewReplacer(`call: ["wireroom.*"]`, `call: ["wamp.subscription.get_events", "wamp.subscription.lookup"]`, `call: ["*"]`, `call: ["*", "wamp.subscription.get_events", "wamp.subscription.lookup"]`).Replace(testConfig) + `
history:
  - {topic: plain., match: prefix, events: 5, bytes: 64KiB, for: 1h}
  - {topic: app.said, events: 3}
`

// past asks for the past of a subscription and returns the events.
func (c *wampClient) past(t *testing.T, sub any, filters wamp.Dict) []wamp.Dict {
	t.Helper()
	got, err := c.Call(t.Context(), "wamp.subscription.get_events", nil, wamp.List{sub}, filters, nil)
	if err != nil {
		t.Fatalf("get_events with %v: %v", filters, err)
	}
	list := make([]wamp.Dict, len(got.Arguments))
	for i, e := range got.Arguments {
		list[i], _ = wamp.AsDict(e)
	}
	if _, ok := got.ArgumentsKw["more"].(bool); !ok {
		t.Errorf("get_events with %v does not say whether there is more: %v", filters, got.ArgumentsKw)
	}
	return list
}

// pastRefusal returns the URI of the error that asking for the past gives.
func (c *wampClient) pastRefusal(t *testing.T, sub any, filters wamp.Dict) string {
	t.Helper()
	_, err := c.Call(t.Context(), "wamp.subscription.get_events", nil, wamp.List{sub}, filters, nil)
	if rpc, ok := err.(client.RPCError); ok {
		return string(rpc.Err.Error)
	}
	t.Fatalf("get_events with %v: %v, want an error of the gateway", filters, err)
	return ""
}

// subscription subscribes and returns the ID.
func (c *wampClient) subscription(t *testing.T, topic, match string) wamp.ID {
	t.Helper()
	c.listen(t, topic, wamp.Dict{"match": match})
	id, ok := c.SubscriptionID(topic)
	if !ok {
		t.Fatalf("there is no subscription to %s", topic)
	}
	return id
}

// textsOf returns the field text of events.
func textsOf(list []wamp.Dict) (texts []string) {
	for _, e := range list {
		kwargs, _ := wamp.AsDict(e["kwargs"])
		texts = append(texts, fmt.Sprint(kwargs["text"]))
	}
	return texts
}

// The past of a class is its log: it is there after a restart, its events have
// the publication IDs that live subscribers and publishers got, and these lead
// on from page to page. Channels and patterns have the part that is theirs.
func TestHistoryOfClasses(t *testing.T) {
	file := writeConfig(t, historyConfig)
	p := startProgram(t, file)
	member := join(t, p, ticketFor(t, "ada", "member"))
	live := join(t, p, "").listen(t, "demo.message", nil)
	var published []wamp.ID
	var times []string
	publish := func(room, text string) {
		t.Helper()
		pub := must(newHTTPPublisher(p.base, testKey, patience))(t)
		defer pub.close()
		if len(published)%2 == 0 {
			pub := &wampPublisher{member}
			if _, err := pub.publish(t.Context(), publication{topic: "demo.message", value: map[string]any{"room": room, "text": text}}); err != nil {
				t.Fatal(err)
			}
		} else if _, err := pub.publish(t.Context(), publication{topic: "demo.message", value: map[string]any{"room": room, "text": text}}); err != nil {
			t.Fatal(err)
		}
		e := next(t, live)
		at, _ := wamp.AsString(e.Details["_time"])
		published, times = append(published, e.Publication), append(times, at)
	}
	for i := range 6 {
		publish([]string{"lobby", "bar"}[i%2], fmt.Sprint(i))
	}
	p.stop()
	p = startProgram(t, file)
	live = join(t, p, "").listen(t, "demo.message", nil)
	member = join(t, p, ticketFor(t, "ada", "member"))
	publish("lobby", "6")

	class := member.subscription(t, "demo.message", "exact")
	list := member.past(t, class, nil)
	if got := textsOf(list); !slices.Equal(got, []string{"0", "1", "2", "3", "4", "5", "6"}) {
		t.Fatalf("the past is %q", got)
	}
	for i, e := range list {
		id, _ := wamp.AsID(e["publication"])
		at, _ := wamp.AsString(e["timestamp"])
		details, _ := wamp.AsDict(e["details"])
		when, err := time.Parse(time.RFC3339, at)
		if want, _ := time.Parse(time.RFC3339, times[i]); id != published[i] || err != nil || !when.Equal(want) {
			t.Errorf("event %d is publication %d of %q; live it was %d of %q", i, id, at, published[i], times[i])
		}
		if n, _ := wamp.AsInt64(details["_offset"]); n != int64(i+1) || details["topic"] != "demo.message" || details["_class"] != "demo.message" {
			t.Errorf("event %d has the details %v", i, details)
		}
		if sub, _ := wamp.AsID(e["subscription"]); sub != class {
			t.Errorf("event %d is of subscription %d, want %d", i, sub, class)
		}
	}
	channel := member.subscription(t, "demo.message.bar", "exact")
	pattern := member.subscription(t, "demo.", "prefix")
	some := member.subscription(t, "demo.message.l", "prefix")
	for _, tt := range []struct {
		sub     wamp.ID
		filters wamp.Dict
		want    []string
	}{
		{class, wamp.Dict{"after_publication": published[4]}, []string{"5", "6"}},
		{class, wamp.Dict{"from_publication": published[5], "limit": 1}, []string{"5"}},
		{class, wamp.Dict{"before_publication": published[6], "reverse": true, "limit": 2}, []string{"5", "4"}},
		{class, wamp.Dict{"until_publication": published[0]}, []string{"0"}},
		{class, wamp.Dict{"from_time": times[6]}, []string{"6"}},
		{class, wamp.Dict{"before_time": "2020-01-01T00:00:00Z"}, nil},
		{channel, nil, []string{"1", "3", "5"}},
		{channel, wamp.Dict{"reverse": true, "limit": 2}, []string{"5", "3"}},
		{channel, wamp.Dict{"after_publication": published[1]}, []string{"3", "5"}},
		{pattern, wamp.Dict{"topic": "demo.message.bar", "after_publication": published[2]}, []string{"3", "5"}},
		{pattern, wamp.Dict{"topic": "demo.message", "reverse": true, "limit": 1}, []string{"6"}},
		{some, nil, []string{"0", "2", "4", "6"}},
		{some, wamp.Dict{"reverse": true, "limit": 3}, []string{"6", "4", "2"}},
	} {
		if got := textsOf(member.past(t, tt.sub, tt.filters)); !slices.Equal(got, tt.want) {
			t.Errorf("of subscription %d, %v: %q, want %q", tt.sub, tt.filters, got, tt.want)
		}
	}
	// An event that is of another channel is none of this one.
	if got := member.pastRefusal(t, channel, wamp.Dict{"after_publication": published[2]}); got != "wireroom.error.no_such_publication" {
		t.Errorf("after an event of another channel: %s", got)
	}
	if got := member.pastRefusal(t, member.subscription(t, "chat.line", "exact"), nil); got != "wamp.error.history_unavailable" {
		t.Errorf("the past of a class that is not retained: %s", got)
	}
}

// A replay, and the acknowledgement of a publication, name the same publication
// IDs.
func TestOnePublicationID(t *testing.T) {
	p := startProgram(t, writeConfig(t, historyConfig))
	member := join(t, p, ticketFor(t, "ada", "member"))
	live := join(t, p, "").listen(t, "demo.message", nil)
	for i := range 3 {
		if err := member.publish("demo.message", nil, map[string]any{"room": "r", "text": fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	replayed := join(t, p, "").listen(t, "demo.message", wamp.Dict{"_last": 3})
	for i := range 3 {
		if a, b := next(t, live), next(t, replayed); a.Publication != b.Publication || a.ArgumentsKw["text"] != b.ArgumentsKw["text"] {
			t.Errorf("event %d is publication %d live, and %d replayed", i, a.Publication, b.Publication)
		}
	}
}

// Who may not see a class does not see its past, nor finds it by a pattern.
func TestHistoryAccess(t *testing.T) {
	p := startProgram(t, writeConfig(t, historyConfig))
	member, anonymous := join(t, p, ticketFor(t, "ada", "member")), join(t, p, "")
	if err := member.publish("order.created", nil, map[string]any{"id": 7}); err != nil {
		t.Fatal(err)
	}
	if err := member.publish("demo.message", nil, map[string]any{"room": "r", "text": "for all"}); err != nil {
		t.Fatal(err)
	}
	orders := member.subscription(t, "order.created", "exact")
	all := anonymous.subscription(t, "", "prefix")
	if got := anonymous.pastRefusal(t, orders, nil); got != "wamp.error.not_authorized" {
		t.Errorf("the orders for an anonymous session: %s", got)
	}
	if got := textsOf(anonymous.past(t, all, nil)); !slices.Equal(got, []string{"for all"}) {
		t.Errorf("all that is kept, for an anonymous session: %q", got)
	}
	if got := member.past(t, all, nil); len(got) != 2 {
		t.Errorf("all that is kept, for a member: %v", got)
	}
	if got := member.past(t, orders, nil); len(got) != 1 {
		t.Errorf("the orders for a member: %v", got)
	}
}

// Plain topics have the histories that the configuration gives them, found by
// the ID of a subscription that is there without subscribers.
func TestHistoryOfTopics(t *testing.T) {
	file := writeConfig(t, historyConfig)
	p := startProgram(t, file)
	member := join(t, p, ticketFor(t, "ada", "member"))
	for i := range 7 {
		if err := member.publish("plain.room", nil, map[string]any{"text": fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		if err := member.publish("app.said", nil, map[string]any{"text": fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for topic, tt := range map[string]struct {
		options wamp.Dict
		want    []string
	}{
		"plain.":   {wamp.Dict{"match": "prefix"}, []string{"2", "3", "4", "5", "6"}},
		"app.said": {nil, []string{"4", "5", "6"}},
	} {
		found, err := member.Call(t.Context(), "wamp.subscription.lookup", nil, wamp.List{topic, tt.options}, nil, nil)
		if err != nil || len(found.Arguments) != 1 {
			t.Fatalf("look up %s: %v, %v", topic, found, err)
		}
		if got := textsOf(member.past(t, found.Arguments[0], nil)); !slices.Equal(got, tt.want) {
			t.Errorf("the past of %s is %q, want %q", topic, got, tt.want)
		}
	}
	if sub := member.subscription(t, "plain.room", "exact"); len(member.past(t, sub, wamp.Dict{"limit": 2})) != 2 {
		t.Error("a subscription to a topic of the pattern has not its past")
	}
	if got := member.pastRefusal(t, member.subscription(t, "other.topic", "exact"), nil); got != "wamp.error.history_unavailable" {
		t.Errorf("the past of a topic without a history: %s", got)
	}
	p.stop()
	p = startProgram(t, file)
	member = join(t, p, ticketFor(t, "ada", "member"))
	if got := member.past(t, member.subscription(t, "app.said", "exact"), nil); len(got) != 0 {
		t.Errorf("after a restart the past of a plain topic is %v", got)
	}
}
