package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/wamp"
)

// nodesConfig is a gateway that shares a store; the place of the store is to be
// filled in.
const nodesConfig = `
listen: {http: 127.0.0.1:0}
store: %s
auth:
  jwt: {secret: a-secret-that-is-only-for-these-tests}
roles:
  member: {subscribe: ["*"], publish: ["*"], call: ["*", "wamp.session.*"], presence: ["chat.*"]}
timeouts: {shutdown: 5s, goodbye: 1s}
classes:
  price.changed:
    access: public
    fields: {n: {type: int, required: true}, name: {type: string}}
    channel: name
  order.created:
    access: public
    fields: {n: {type: int}}
    retain: {events: 100}
`

// What is published to topics without a log reaches the clients of both gateways, in
// order, for whom it was meant; it is known who is on a topic of both; sessions are
// ended from either.
func TestNodesTogether(t *testing.T) {
	url, _, _ := startRedis(t)
	file := writeConfig(t, fmt.Sprintf(nodesConfig, url))
	one, two := startProgram(t, file), startProgram(t, file)
	ada, bob := join(t, one, ticketFor(t, "ada", "member")), join(t, two, ticketFor(t, "bob", "member"))
	chats := []<-chan *wamp.Event{ada.listen(t, "chat.lobby", nil), bob.listen(t, "chat.lobby", nil)}
	high := bob.listen(t, "price.changed", wamp.Dict{"_where": "n > 4"})
	channel := bob.listen(t, "price.changed.gold", nil)
	until(t, "both to know of each other", func() bool {
		for _, c := range []*wampClient{ada, bob} {
			if got, err := c.members(t, "chat.lobby"); err != nil || !slices.Equal(got, []string{"ada", "bob"}) {
				return false
			}
		}
		return true
	})
	for n := range 20 {
		if err := ada.publish("chat.lobby", []any{n}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 20 {
		if got, _ := wamp.AsInt64(next(t, chats[1]).Arguments[0]); got != int64(n) {
			t.Fatalf("%d comes, want %d", got, n)
		}
	}
	if err := bob.publish("chat.lobby", []any{"back"}, nil); err != nil {
		t.Fatal(err)
	}
	if got := next(t, chats[0]); got.Arguments[0] != "back" {
		t.Errorf("%v comes back", got.Arguments)
	}
	for _, n := range []int{4, 5} {
		if err := ada.publish("price.changed", nil, map[string]any{"n": n, "name": "gold"}); err != nil {
			t.Fatal(err)
		}
	}
	first, last := next(t, channel), next(t, channel)
	got := next(t, high)
	if n, _ := wamp.AsInt64(got.ArgumentsKw["n"]); n != 5 || got.Details["_event_id"] != last.Details["_event_id"] || first.Details["_class"] != "price.changed" {
		t.Errorf("of events by a query comes %v, by the channel %v and %v", got, first, last)
	}
	carl := join(t, two, ticketFor(t, "carl", "member"))
	if _, err := ada.Call(t.Context(), "wamp.session.kill", nil, wamp.List{carl.ID()}, nil, nil); err != nil {
		t.Errorf("kill: %v", err)
	}
	<-carl.Done()
	stats, err := ada.Call(t.Context(), "wireroom.node.stats", nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := wamp.AsInt64(stats.ArgumentsKw["nodes"]); n != 1 {
		t.Errorf("a gateway of two counts %v", stats.ArgumentsKw)
	}
	if strings.Contains(one.stderr.String(), "other realms or event classes") {
		t.Error("gateways with the same configuration find each other different")
	}
}

// When a gateway is killed, its members leave, and when it is back there is nothing
// left of the one that was killed. A gateway with other classes is found out.
func TestNodeIsKilled(t *testing.T) {
	url, _, _ := startRedis(t)
	one := startProgram(t, writeConfig(t, fmt.Sprintf(nodesConfig, url)))
	ada := join(t, one, ticketFor(t, "ada", "member"))
	told := ada.listen(t, "wireroom.presence.chat.lobby", nil)
	other := strings.Replace(fmt.Sprintf(nodesConfig, url), "retain: {events: 100}", "retain: {events: 101}", 1)
	process, base := startProcess(t, writeConfig(t, other))
	bob := join(t, &program{base: base}, ticketFor(t, "bob", "member"))
	bob.listen(t, "chat.lobby", nil)
	if change, who := changeOf(next(t, told)); change != "join" || who != "bob" {
		t.Fatalf("%s of %q is told, want join of bob", change, who)
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	if change, who := changeOf(next(t, told)); change != "leave" || who != "bob" {
		t.Fatalf("%s of %q is told, want leave of bob", change, who)
	}
	t.Logf("its members left %v after it was killed", time.Since(killed))
	until(t, "a word of other classes", func() bool { return strings.Contains(one.stderr.String(), "other realms or event classes") })
	if err := ada.publish("chat.lobby", []any{"alone"}, nil); err != nil {
		t.Errorf("publish when the other gateway is gone: %v", err)
	}
}

// Without Redis each gateway goes on by itself with what needs no store, and says
// that it does not know who is at others; afterwards each is told what it missed.
func TestNodesWithoutRedis(t *testing.T) {
	url, kill, start := startRedis(t)
	file := writeConfig(t, fmt.Sprintf(nodesConfig, url))
	one, two := startProgram(t, file), startProgram(t, file)
	ada, bob := join(t, one, ticketFor(t, "ada", "member")), join(t, two, ticketFor(t, "bob", "member"))
	here, there := ada.listen(t, "chat.lobby", nil), bob.listen(t, "chat.lobby", nil)
	complete := func(c *wampClient) bool {
		got, err := c.Call(t.Context(), "wireroom.presence.count", nil, wamp.List{"chat.lobby"}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		all, _ := wamp.AsBool(got.ArgumentsKw["complete"])
		n, _ := wamp.AsInt64(got.ArgumentsKw["members"])
		return all && n == 2
	}
	until(t, "both to know of each other", func() bool { return complete(ada) && complete(bob) })
	kill()
	until(t, "both to know that they do not hear", func() bool { return !complete(ada) && !complete(bob) })
	carl := join(t, one, ticketFor(t, "carl", "member"))
	if err := carl.publish("chat.lobby", []any{"lost"}, nil); err != nil {
		t.Fatal(err)
	}
	if got := next(t, here); got.Arguments[0] != "lost" {
		t.Errorf("without Redis comes %v", got)
	}
	start()
	until(t, "both to know of each other again", func() bool { return complete(ada) && complete(bob) })
	if err := carl.publish("chat.lobby", []any{"found"}, nil); err != nil {
		t.Fatal(err)
	}
	got := next(t, there)
	if n, _ := wamp.AsInt64(got.Details["_missed"]); n != 1 || got.Arguments[0] != "found" {
		t.Errorf("when Redis is back comes %v %v, want one that is missing", got.Arguments, got.Details)
	}
}
