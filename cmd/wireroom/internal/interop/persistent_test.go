package interop_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ordersConfig is what gateways have for pages of visitor.html, but where they
// listen and keep things. The origin of the pages is to be filled in.
const ordersConfig = `
origins: [%q]
auth: {jwt: {secret: a-secret-that-is-only-for-these-tests}}
roles:
  anonymous: {subscribe: ["order.*"], call: ["wireroom.*"]}
  member: {subscribe: ["order.*"], call: ["wireroom.*"]}
ingest:
  keys: [{name: tests, secret: ` + key + `, classes: ["*"]}]
classes:
  order.created:
    access: public
    fields: {n: {type: int, required: true}, lane: {type: string, required: true}}
    retain: {events: 100000}
    persistent: true
`

// servePersistent serves the pages of a visitor with autobahn-js. It returns the
// origin.
func servePersistent(t *testing.T, node nodeJS) string {
	t.Helper()
	return servePages(t, "/clients/autobahn.js", filepath.Join(node.modules, autobahnInBrowser))
}

const autobahnInBrowser = "autobahn-browser/autobahn.min.js"

// visitorOf returns the address of a visitor's page that talks to a gateway.
func visitorOf(pages, gateway string) string {
	return pages + "/visitor.html?" + url.Values{"gateway": {"http://" + gateway}}.Encode()
}

// drive runs a script, and does what it asks for, until it is done.
func drive(t *testing.T, node nodeJS, script string, args []string, asked map[string]func(step)) {
	t.Helper()
	done := false
	s := startClient(t, node.env, node.path, append([]string{"testdata/" + script}, args...)...)
	for name, rest := range s.steps(t) {
		switch do := asked[name]; {
		case do != nil:
			s.answer(t, func() { do(rest) })
		case name == "passed":
			t.Logf("%v", rest["name"])
		case name == "done":
			done = true
		default:
			t.Fatalf("%s asks for %q", script, name)
		}
	}
	if !done {
		t.Errorf("%s did not come to its end", script)
	}
}

// postOrders posts the orders from one to another, so many in a request. Every
// third one is in lane b.
func (g *gateway) postOrders(t *testing.T, rest step) {
	t.Helper()
	from, to, batch := int(rest["from"].(float64)), int(rest["to"].(float64)), int(rest["batch"].(float64))
	for ; from <= to; from += batch {
		var orders []any
		for n := from; n < from+batch && n <= to; n++ {
			lane := "a"
			if n%3 == 0 {
				lane = "b"
			}
			orders = append(orders, map[string]any{"class": "order.created", "data": map[string]any{"n": n, "lane": lane}})
		}
		g.request(t, http.MethodPost, "/events", http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}}, encode(t, orders))
	}
}

// request sends a request that must succeed.
func (g *gateway) request(t *testing.T, method, path string, header http.Header, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, g.url("http", path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if said, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s\n%s", method, path, resp.Status, said)
	}
}

// jwt makes a ticket for a member, with the program itself.
func (g *gateway) jwt(t *testing.T, user string, flags ...string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"token", "jwt", user, "--role", "member", "--config", g.config}, flags...)
	return output(t, exec.CommandContext(t.Context(), path, args...))
}

// A page is closed, then the whole browser, and both come back to persistent
// subscriptions: all that they missed, once, in order, marked, and then what
// happens.
func TestPersistentReturn(t *testing.T) {
	node := needBrowser(t, autobahnInBrowser)
	pages := servePersistent(t, node)
	g := startConfigured(t, fmt.Sprintf(ordersConfig, pages))
	drive(t, node, "returning.mjs", []string{visitorOf(pages, g.addr), t.ArtifactDir(), t.TempDir()}, map[string]func(step){
		"post": func(rest step) { g.postOrders(t, rest) },
	})
}

// Whoever comes back without the cookie, or with one that is worth nothing, is a
// new client, and so is another user; whoever logs in stays the same.
func TestPersistentStrangers(t *testing.T) {
	node := needBrowser(t, autobahnInBrowser)
	pages := servePersistent(t, node)
	g := startConfigured(t, fmt.Sprintf(ordersConfig, pages))
	drive(t, node, "strangers.mjs", []string{visitorOf(pages, g.addr), t.ArtifactDir(), g.jwt(t, "ada"), g.jwt(t, "bob")}, map[string]func(step){
		"post": func(rest step) { g.postOrders(t, rest) },
		"revoke": func(rest step) {
			g.request(t, http.MethodDelete, "/session", http.Header{"Cookie": {rest["cookie"].(string)}}, "")
		},
	})
}

// Two tabs go on while the secret of their cookie changes, and end together when
// one of them logs out.
func TestTabs(t *testing.T) {
	node := needBrowser(t, autobahnInBrowser)
	pages := servePersistent(t, node)
	g := startConfigured(t, fmt.Sprintf(ordersConfig, pages)+"sessions: {rotate: 1s, grace: 1s}\n")
	drive(t, node, "tabs.mjs", []string{visitorOf(pages, g.addr), t.ArtifactDir(), g.jwt(t, "ada")}, map[string]func(step){
		"post": func(rest step) { g.postOrders(t, rest) },
	})
}

// A page whose gateway is killed goes on at another one over the same Redis, and
// misses nothing.
func TestPersistentFailover(t *testing.T) {
	node := needBrowser(t, autobahnInBrowser)
	pages := servePersistent(t, node)
	store := startRedis(t)
	config := fmt.Sprintf(ordersConfig, pages)
	first, second := startWithStore(t, store, config), startWithStore(t, store, config)
	network := newCable(t, first.addr)
	drive(t, node, "failover.mjs", []string{visitorOf(pages, network.addr), t.ArtifactDir()}, map[string]func(step){
		"post": func(rest step) { second.postOrders(t, rest) },
		"kill": func(step) {
			first.kill(t)
			network.cut()
			network.to = second.addr
			network.mend(t)
		},
	})
}

// A worker with wampy acknowledges what it has dealt with, and gets the rest again
// when its connection broke.
func TestPersistentAck(t *testing.T) {
	node := needNode(t, "wampy", "ws")
	g := startConfigured(t, fmt.Sprintf(ordersConfig, "http://pages.invalid"))
	drive(t, node, "ack.mjs", []string{g.url("ws", "/ws"), "realm1", "ada", g.jwt(t, "ada")}, map[string]func(step){
		"post": func(rest step) { g.postOrders(t, rest) },
	})
}

// autobahn-js by HTTP requests has a persistent subscription that is acknowledged
// by these, if they say what has arrived.
func TestPersistentAckByRequests(t *testing.T) {
	node := needNode(t, "autobahn")
	g := startConfigured(t, fmt.Sprintf(ordersConfig, "http://pages.invalid"))
	drive(t, node, "ackpoll.mjs", []string{g.url("http", "/lp"), "realm1", "ada", g.jwt(t, "ada")}, map[string]func(step){
		"post": func(rest step) { g.postOrders(t, rest) },
	})
}

// startRedis starts a redis-server, and returns the URL of a store in it.
func startRedis(t *testing.T) string {
	t.Helper()
	program := need(t, cmp.Or(os.Getenv("REDIS_SERVER"), "redis-server"))
	dir, err := os.MkdirTemp("", "redis") // short: the path of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(program, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait() // which reports the signal
	})
	await(t, "redis-server listens", func(context.Context) bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	return "redis+unix://" + socket
}
