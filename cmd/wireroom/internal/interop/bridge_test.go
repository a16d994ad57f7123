package interop_test

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/transport/serialize"
	"github.com/gammazero/nexus/v3/wamp"
)

// Programs without WAMP publish and call as Crossbar's documentation and its
// client library do it.
func TestHTTPBridge(t *testing.T) {
	t.Parallel()
	curl, py := need(t, "curl"), python(t)
	g := startGateway(t)
	c := connectNexus(t, g.url("ws", "/ws"), serialize.JSON)
	defer c.Close()
	events := make(chan *wamp.Event, 16)
	if err := c.SubscribeChan("com.example.", events, wamp.Dict{"match": "prefix"}); err != nil {
		t.Fatal(err)
	}
	err := c.Register("com.example.add2", func(_ context.Context, inv *wamp.Invocation) client.InvokeResult {
		a, _ := wamp.AsInt64(inv.Arguments[0])
		b, _ := wamp.AsInt64(inv.Arguments[1])
		return client.InvokeResult{Args: wamp.List{a + b}}
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	post := func(path, body string, more ...string) string {
		t.Helper()
		args := append([]string{
			"--silent", "--show-error", "--fail-with-body", "--noproxy", "*",
			"-H", "Content-Type: application/json", "-d", body, g.url("http", path),
		}, more...)
		return output(t, exec.CommandContext(t.Context(), curl, args...))
	}
	event := func(topic, args string) {
		t.Helper()
		select {
		case e := <-events:
			if e.Details["topic"] != topic || encode(t, e.Arguments) != args {
				t.Errorf("event of %v with %s, want %s with %s", e.Details["topic"], encode(t, e.Arguments), topic, args)
			}
		case <-time.After(clientTime):
			t.Fatal("no event")
		}
	}

	post("/publish", `{"topic": "com.example.topic1", "args": ["Hello, world"]}`)
	event("com.example.topic1", `["Hello, world"]`)
	post("/publish", `{"topic": "com.example.topic2"}`, "-H", "Authorization: Bearer "+key)
	event("com.example.topic2", `null`)
	if got := post("/call", `{"procedure": "com.example.add2", "args": [1, 2]}`); got != `{"args":[3]}` {
		t.Errorf("call = %s, want the sum", got)
	}
	if got := post("/call", `{"procedure": "com.example.none"}`); got != `{"error":"wamp.error.no_such_procedure","args":["no procedure \"com.example.none\" is registered"],"kwargs":{}}` {
		t.Errorf("call of what is not there = %s", got)
	}

	output(t, exec.CommandContext(t.Context(), py, "testdata/bridge.py", g.addr, "bridge", key))
	event("com.example.signed", `["Hello, world",23]`)
	event("com.example.signed", `[]`)
	event("com.example.unsigned", `["ü"]`)
}
