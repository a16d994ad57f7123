package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
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
  anonymous: {call: ["wireroom.*"]}
  member: {subscribe: ["*"], publish: ["*"], call: ["*", "wamp.session.*"], presence: ["chat.*"]}
  guest: {subscribe: ["*"], call: ["wireroom.presence.*"], presence: ["chat.*"]}
ingest:
  keys: [{name: shop, secret: a-key-that-is-only-for-these-tests, classes: ["*"], tokens: ["*"]}]
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
	if strings.Contains(one.stderr.String(), "another configuration than this one has") {
		t.Error("gateways with the same configuration find each other different")
	}
	places := placesOf(t, ada)
	if bobs, adas := places["bob"], places["ada"]; len(bobs) != 1 || len(adas) != 1 || bobs[0] == adas[0] || bobs[0] == "" {
		t.Errorf("bob is said to be at %q, ada at %q: expected one gateway each", bobs, adas)
	}
	eve := join(t, one, ticketFor(t, "eve", "guest"))
	_, err = eve.Call(t.Context(), "wireroom.presence.list", nil, wamp.List{"chat.lobby"}, wamp.Dict{"gateways": true}, nil)
	if err == nil || !strings.Contains(err.Error(), `role "guest" may not know at which gateways members are`) {
		t.Errorf("who may not call wireroom.node.stats gets %v", err)
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
	until(t, "a word of another configuration", func() bool { return strings.Contains(one.stderr.String(), "another configuration than this one has") })
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

// What is revoked at one gateway ends at the other at once, and if that is cut off,
// as soon as it is back.
func TestNodesRevoke(t *testing.T) {
	url, _, _ := startRedis(t)
	way := newPassage(t, strings.TrimPrefix(url, "redis+unix://"))
	one := startProgram(t, writeConfig(t, fmt.Sprintf(nodesConfig, url)))
	two := startProgram(t, writeConfig(t, fmt.Sprintf(nodesConfig, way.url())))
	ada := join(t, one, ticketFor(t, "ada", "member"))
	nodes := func(of *wampClient) int64 {
		got, err := of.Call(t.Context(), "wireroom.node.stats", nil, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := wamp.AsInt64(got.ArgumentsKw["nodes"])
		return n
	}
	rpc := must(newXMLRPCClient(one.base, "a-key-that-is-only-for-these-tests", patience))(t)
	defer rpc.http.CloseIdleConnections()
	bob := join(t, two, ticketFor(t, "bob", "member"))
	until(t, "both to know of each other", func() bool { return nodes(ada) == 1 && nodes(bob) == 1 })

	logout := func(v *visitor) {
		v.p = one
		v.session(http.MethodDelete)
	}
	first, second, other := newVisitor(t, two), newVisitor(t, two), newVisitor(t, two)
	for _, v := range []*visitor{first, second, other} {
		v.session(http.MethodPost)
	}
	a, b, not := first.stay(), second.stay(), other.stay()
	logout(first)
	wantGoodbye(t, "while all is well", a, "wireroom.error.session_revoked")

	way.cut()
	until(t, "the other to be taken for gone", func() bool { return nodes(ada) == 0 })
	logout(second)
	var n int
	if err := rpc.call(t.Context(), &n, "session.revoke", "bob"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-b.Done():
		t.Error("the session of a gateway that was cut off has ended")
	case <-bob.Done():
		t.Error("the user of a gateway that was cut off was logged out")
	default:
	}
	way.mend()
	wantGoodbye(t, "the browser", b, "wireroom.error.session_revoked")
	wantGoodbye(t, "the user", bob.Client, "wireroom.error.session_revoked")
	if _, err := call(t, not, "wireroom.session.renew", nil); err != nil {
		t.Errorf("another browser: %v", err)
	}
}

// A passage leads to a socket, until it is cut.
type passage struct {
	listener net.Listener
	target   string
	owned    sync.WaitGroup

	mu     sync.Mutex // guards the following
	closed bool
	open   map[net.Conn]bool
}

func newPassage(t *testing.T, target string) *passage {
	t.Helper()
	listener, err := net.Listen("unix", filepath.Join(filepath.Dir(target), "p"))
	if err != nil {
		t.Fatal(err)
	}
	p := &passage{listener: listener, target: target, open: make(map[net.Conn]bool)}
	p.owned.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			p.owned.Go(func() { p.lead(c) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		p.owned.Wait()
	})
	return p
}

func (p *passage) url() string { return "redis+unix://" + p.listener.Addr().String() }

// lead passes a connection on, until either side or the passage ends it.
func (p *passage) lead(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("unix", p.target)
	if err != nil {
		return
	}
	defer far.Close()
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.open[near], p.open[far] = true, true
	}
	p.mu.Unlock()
	if closed {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(near, far)
		_ = near.Close()
	})
	_, _ = io.Copy(far, near)
	_ = far.Close()
	back.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, near)
	delete(p.open, far)
}

// cut ends all connections, and those that come.
func (p *passage) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for c := range p.open {
		_ = c.Close()
	}
}

func (p *passage) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = false
}

// A gateway with another configuration than the one that came last says so, and works
// on.
func TestNodesConfiguration(t *testing.T) {
	url, _, _ := startRedis(t)
	text := fmt.Sprintf(nodesConfig, url)
	old := startProgram(t, writeConfig(t, text+"redis: {node: old}\n"))
	ada := join(t, old, ticketFor(t, "ada", "member"))
	if status, body := readiness(t, old); status != http.StatusOK || body != "ready\n" {
		t.Errorf("/readyz of a gateway alone: %d %q", status, body)
	}
	file := writeConfig(t, strings.Replace(text, "retain: {events: 100}", "retain: {events: 200}", 1)+"redis: {node: new}\n")
	p := startProgram(t, file)
	const want = "ready\nwarning: another configuration came with the gateway new (epoch 2), and this gateway does not have it\n"
	until(t, "/readyz to warn", func() bool {
		status, body := readiness(t, old)
		return status == http.StatusOK && body == want
	})
	if status, body := readiness(t, p); status != http.StatusOK || body != "ready\n" {
		t.Errorf("/readyz of the newest: %d %q", status, body)
	}
	until(t, "both to be known", func() bool {
		got, err := ada.Call(t.Context(), "wireroom.node.stats", nil, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(got.ArgumentsKw["configuration_epoch"], got.ArgumentsKw["differ"]) == "2 1"
	})
	code, stdout, stderr := runCommand(t, "", "store", "info", "--config", file)
	if code != exitOK {
		t.Fatalf("store info: %d, %s", code, stderr)
	}
	for _, want := range []string{
		`(?m)^gateways +2 use it; epoch 2 of the configuration$`, `(?m)^new +[A-Z2-7]{16} +20\S+Z +2 +newest$`, `(?m)^old +[A-Z2-7]{16} +20\S+Z +1 +another$`,
	} {
		if !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("store info says\n%s\nand not %s", stdout, want)
		}
	}
}

// placesOf returns at which gateways the members of chat.lobby are.
func placesOf(t *testing.T, c *wampClient) map[string][]string {
	t.Helper()
	got, err := c.Call(t.Context(), "wireroom.presence.list", nil, wamp.List{"chat.lobby"}, wamp.Dict{"gateways": true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string][]string{}
	members, _ := wamp.AsList(got.ArgumentsKw["members"])
	for _, m := range members {
		member, _ := wamp.AsDict(m)
		authid, _ := wamp.AsString(member["authid"])
		gateways, _ := wamp.AsList(member["gateways"])
		for _, g := range gateways {
			gateway, _ := wamp.AsDict(g)
			name, _ := wamp.AsString(gateway["name"])
			places[authid] = append(places[authid], name)
		}
	}
	return places
}
