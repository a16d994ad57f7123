package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/transport"
	"github.com/gammazero/nexus/v3/transport/serialize"
	"github.com/gammazero/nexus/v3/wamp"
)

// stay opens a WebSocket and joins, until the test ends.
func (v *visitor) stay() *client.Client {
	v.t.Helper()
	quiet := log.New(io.Discard, "", 0)
	peer, err := transport.ConnectWebsocketPeer(v.t.Context(), v.p.ws(), serialize.JSON, nil, quiet, &transport.WebsocketConfig{Jar: v.jar})
	if err != nil {
		v.t.Fatal(err)
	}
	c, err := client.NewClient(peer, client.Config{Realm: "realm1", ResponseTimeout: patience, Logger: quiet})
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = c.Close() })
	return c
}

// wantGoodbye waits for the session to end with the reason.
func wantGoodbye(t *testing.T, what string, c *client.Client, reason wamp.URI) {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Fatalf("%s: the session goes on", what)
	}
	if g := c.RouterGoodbye(); g == nil || g.Reason != reason {
		t.Errorf("%s: the session ended with %v, want %s", what, g, reason)
	}
}

// call calls a procedure of the gateway and returns its keyword results.
func call(t *testing.T, c *client.Client, procedure string, kwargs wamp.Dict) (wamp.Dict, error) {
	t.Helper()
	got, err := c.Call(t.Context(), procedure, nil, nil, kwargs, nil)
	if err != nil {
		return nil, err
	}
	return got.ArgumentsKw, nil
}

// A browser logs out: its sessions and event streams end at once, whatever else
// it has open, and nobody else's.
func TestTokenSessionsOfABrowser(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	v, other := newVisitor(t, p), newVisitor(t, p)
	v.session(http.MethodPost)
	other.session(http.MethodPost)
	a, b, not := v.stay(), v.stay(), other.stay()
	if _, ok := a.RealmDetails()["_expires"].(string); !ok {
		t.Errorf("WELCOME does not say when the session ends: %v", a.RealmDetails())
	}
	req := must(http.NewRequestWithContext(t.Context(), "GET", p.base+"/events?topic=demo.plain", nil))(t)
	stream := must((&http.Client{Jar: v.jar}).Do(req))(t)
	defer func() { _ = stream.Body.Close() }()
	if stream.StatusCode != http.StatusOK {
		t.Fatalf("GET /events: %s", stream.Status)
	}

	got, err := call(t, a, "wireroom.session.devices", nil)
	if devices, _ := wamp.AsList(got["devices"]); err != nil || len(devices) != 1 {
		t.Errorf("devices %v, %v; want one", got, err)
	} else if d, _ := wamp.AsDict(devices[0]); d["this"] != true || fmt.Sprint(d["sessions"]) != "3" || d["made"] == nil {
		t.Errorf("the device is %v", d)
	}
	if got, err := call(t, a, "wireroom.session.renew", nil); err != nil || got["expires"] == nil {
		t.Errorf("renew: %v, %v", got, err)
	}

	v.session(http.MethodDelete)
	wantGoodbye(t, "a", a, "wireroom.error.session_revoked")
	wantGoodbye(t, "b", b, "wireroom.error.session_revoked")
	told := false
	for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
		told = told || strings.Contains(lines.Text(), "wireroom.error.session_revoked")
	}
	if !told {
		t.Error("the event stream ended without a word")
	}
	if _, err := call(t, not, "wireroom.session.devices", nil); err != nil {
		t.Errorf("another browser's session: %v", err)
	}
}

// An application sees where its users are, and ends that.
func TestTokenSessionsOfAUser(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	rpc := must(newXMLRPCClient(p.base, testKey, patience))(t)
	defer rpc.http.CloseIdleConnections()
	tokens := make([]string, 2)
	sessions := make([]*wampClient, 2)
	for i := range tokens {
		if err := rpc.call(t.Context(), &tokens[i], "session.token", "ada", []string{"member"}); err != nil {
			t.Fatal(err)
		}
		sessions[i] = join(t, p, tokens[i])
	}
	jwt, other := join(t, p, ticketFor(t, "ada", "member")), join(t, p, ticketFor(t, "bob", "member"))

	var devices []map[string]any
	if err := rpc.call(t.Context(), &devices, "session.devices", "ada"); err != nil || len(devices) != 2 {
		t.Fatalf("session.devices = %v, %v; want 2", devices, err)
	}
	for _, s := range []*wampClient{sessions[0], jwt} {
		ticket := tokens[0]
		if s == jwt {
			ticket = ticketFor(t, "ada", "member")
		}
		got, err := s.Call(t.Context(), "wireroom.session.renew", nil, nil, wamp.Dict{"ticket": ticket}, nil)
		if err != nil || got.ArgumentsKw["expires"] == nil {
			t.Errorf("renew: %v, %v", got, err)
		}
	}
	for what, bad := range map[string]wamp.Dict{
		"not_authorized":        {"ticket": ticketFor(t, "bob", "member")},
		"session_changed":       {"ticket": ticketFor(t, "ada")},
		"authentication_failed": {"ticket": "garbage"},
		"invalid_argument":      {"ticket": 7},
	} {
		if _, err := jwt.Call(t.Context(), "wireroom.session.renew", nil, nil, bad, nil); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("renew by what is wrong: %v, want %s", err, what)
		}
	}

	client, _ := sessions[0].RealmDetails()["authextra"].(map[string]any)
	var n int
	if err := rpc.call(t.Context(), &n, "session.revoke", "ada", fmt.Sprint(client["client"])); err != nil || n != 1 {
		t.Fatalf("session.revoke of %v = %d, %v; want 1", client, n, err)
	}
	wantGoodbye(t, "the device", sessions[0].Client, "wireroom.error.session_revoked")
	if _, err := sessions[1].Call(t.Context(), "wireroom.session.devices", nil, nil, nil, nil); err != nil {
		t.Errorf("the other device: %v", err)
	}
	if err := rpc.call(t.Context(), &n, "session.revoke", "ada"); err != nil || n != 1 {
		t.Fatalf("session.revoke = %d, %v; want 1", n, err)
	}
	wantGoodbye(t, "the other device", sessions[1].Client, "wireroom.error.session_revoked")
	wantGoodbye(t, "the JWT", jwt.Client, "wireroom.error.session_revoked")
	stats, err := other.Call(t.Context(), "wireroom.session.stats", nil, nil, nil, nil)
	if err != nil || fmt.Sprint(stats.ArgumentsKw["leases"]) != "1" {
		t.Errorf("stats of who is left: %v, %v; want 1 lease", stats, err)
	}
}
