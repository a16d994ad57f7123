package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/gammazero/nexus/v3/wamp"
)

const presenceConfig = `
listen: {http: 127.0.0.1:0}
store: file:wireroom.db
auth:
  jwt: {secret: a-secret-that-is-only-for-these-tests}
roles:
  anonymous: {subscribe: ["*"], call: ["wireroom.*"]}
  member:
    subscribe: ["*"]
    call: ["wireroom.*"]
    presence: ["chat.*"]
    where: {"order.hidden": "session.authid == 'nobody'"}
  secret: {subscribe: ["*"], publish: ["*"], disclose: {publisher: {"chat.*": false}}}
  few: {subscribe: ["chat.lobby"], call: ["wireroom.*"], presence: ["*"]}
presence: {linger: 0s, members: 1000}
classes:
  order.created:
    access: public
    fields: {customer: {type: string, required: true}, n: {type: int}}
    channel: customer
    presence: true
  order.hidden:
    access: public
    fields: {n: {type: int}}
    presence: true
  staff.note:
    access: [secret]
    presence: true
  plain.class:
    access: public
`

// members asks who is on a topic.
func (c *wampClient) members(t *testing.T, topic string) (authids []string, err error) {
	t.Helper()
	got, err := c.Call(t.Context(), "wireroom.presence.list", nil, wamp.List{topic}, nil, nil)
	if err != nil {
		return nil, err
	}
	list, _ := wamp.AsList(got.ArgumentsKw["members"])
	for _, m := range list {
		dict, _ := wamp.AsDict(m)
		authid, _ := wamp.AsString(dict["authid"])
		authids = append(authids, authid)
	}
	slices.Sort(authids)
	return authids, nil
}

// changeOf returns what an event tells: join or leave, and of whom.
func changeOf(e *wamp.Event) (change, authid string) {
	change, _ = wamp.AsString(e.ArgumentsKw["change"])
	member, _ := wamp.AsDict(e.ArgumentsKw["member"])
	authid, _ = wamp.AsString(member["authid"])
	return change, authid
}

// Who is on a topic is told to those to whom a class or a role gives that, with and
// without queries, and by name unless the member's role never names it.
func TestPresence(t *testing.T) {
	p := startProgram(t, writeConfig(t, presenceConfig))
	ada, bob := join(t, p, ticketFor(t, "ada", "member")), join(t, p, ticketFor(t, "bob", "member"))
	joins := ada.listen(t, "wireroom.presence.order.created", nil)
	bob.listen(t, "order.created", wamp.Dict{"_where": "n > 4"})
	bob.listen(t, "order.created", nil)
	if err := bob.Unsubscribe("order.created"); err != nil { // the latter; he stays by the former
		t.Fatal(err)
	}
	bob.listen(t, "order.created.ada", nil)
	join(t, p, ticketFor(t, "carl", "secret")).listen(t, "order.created", nil)
	for _, want := range []string{"bob", "carl"} {
		if change, who := changeOf(next(t, joins)); change != "join" || who != want {
			t.Errorf("%s of %q is told, want join of %q", change, who, want)
		}
	}
	ghost := join(t, p, ticketFor(t, "dan", "secret"))
	ghost.listen(t, "chat.lobby", nil)
	bob.listen(t, "chat.lobby", nil)
	for _, tt := range []struct {
		topic string
		want  []string
	}{
		{"order.created", []string{"bob", "carl"}},
		{"order.created.ada", []string{"bob"}},
		{"chat.lobby", []string{"", "bob"}},
		{"chat.other", nil},
	} {
		if got, err := ada.members(t, tt.topic); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("on %s are %q, %v; want %q", tt.topic, got, err, tt.want)
		}
	}
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	if change, who := changeOf(next(t, joins)); change != "leave" || who != "bob" {
		t.Errorf("%s of %q is told, want leave of bob", change, who)
	}
	got, err := ada.Call(t.Context(), "wireroom.presence.stats", nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := wamp.AsInt64(got.ArgumentsKw["watched"]); n != 1 {
		t.Errorf("stats are %v, want one topic that is watched", got.ArgumentsKw)
	}
}

// Nobody learns who is on a topic without both the right to subscribe to it and
// that to know who is there.
func TestPresenceRefused(t *testing.T) {
	p := startProgram(t, writeConfig(t, presenceConfig))
	guest, ada, few := join(t, p, ""), join(t, p, ticketFor(t, "ada", "member")), join(t, p, ticketFor(t, "eve", "few"))
	if _, err := guest.members(t, "order.created"); err != nil {
		t.Errorf("a class that is public tells a guest: %v", err)
	}
	if _, err := few.members(t, "chat.lobby"); err != nil {
		t.Errorf("who may subscribe to chat.lobby is told: %v", err)
	}
	for _, tt := range []struct {
		name, topic string
		c           *wampClient
	}{
		{"no role of it", "chat.lobby", guest},
		{"another topic", "news.today", ada},
		{"a class for others", "staff.note", ada},
		{"a class of which the role sees nothing", "order.hidden", ada},
		{"presence without subscribe", "chat.other", few},
		{"a class without subscribe", "order.created", few},
		{"the router's own", "wamp.session.on_join", few},
	} {
		if _, err := tt.c.members(t, tt.topic); err == nil {
			t.Errorf("%s: %s is listed", tt.name, tt.topic)
		}
		if r := tt.c.subscribeRefusal(t, "wireroom.presence."+tt.topic, nil); r.URI != "wamp.error.not_authorized" {
			t.Errorf("%s: listening to %s: %v", tt.name, tt.topic, r)
		}
	}
	if _, err := guest.Call(t.Context(), "wireroom.presence.stats", nil, nil, nil, nil); err == nil {
		t.Error("a guest gets statistics")
	}
	_, err := ada.Call(t.Context(), "wireroom.presence.list", nil, wamp.List{"chat.lobby"}, wamp.Dict{"gateways": true}, nil)
	if err == nil || !strings.Contains(err.Error(), "expected only where several gateways share a store") {
		t.Errorf("a gateway without others is asked for gateways: %v", err)
	}
}

// Without a class or role that has presence there is none of it.
func TestPresenceIsAbsent(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	ada := join(t, p, ticketFor(t, "ada", "member"))
	if _, err := ada.members(t, "chat.line"); err == nil {
		t.Error("the procedure is there")
	}
}
