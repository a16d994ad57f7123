package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/wamp"
)

const bridgeKey = "bridge-key-of-the-shop"

const bridgeConfig = testConfig + `
bridge:
  publish: /publish
  call: /api/call
  anonymous: {role: anonymous}
  call_timeout: 1s
  keys:
    - {name: shop, secret: bridge-key-of-the-shop, role: member}
`

// postJSON posts body to the path and returns what comes back. key may be
// empty.
func postJSON(t *testing.T, p *program, path, key, body string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// What comes over the bridge is judged as the publication of a client with the
// key's role, and reaches who is subscribed.
func TestBridgePublish(t *testing.T) {
	p := startProgram(t, writeConfig(t, bridgeConfig))
	plain := join(t, p, "").listen(t, "app.news", nil)
	class := join(t, p, "").listen(t, "demo.message", nil)

	status, answer := postJSON(t, p, "/publish", bridgeKey, `{"topic":"app.news","args":["hello",7],"kwargs":{"a":[true]},"options":{"disclose_me":true}}`)
	var got struct{ ID int64 }
	if err := json.Unmarshal([]byte(answer), &got); err != nil || status != http.StatusOK || got.ID == 0 {
		t.Fatalf("publish = %d %s", status, answer)
	}
	e := next(t, plain)
	if jsonText(e.Arguments) != `["hello",7]` || jsonText(e.ArgumentsKw) != `{"a":[true]}` || int64(e.Publication) != got.ID ||
		e.Details["publisher_authid"] != "shop" || e.Details["publisher_authrole"] != "member" {
		t.Errorf("the subscriber got %+v, want publication %d with all of it, by the key", e, got.ID)
	}

	status, answer = postJSON(t, p, "/publish", "", `{"topic":"demo.message","kwargs":{"room":"lobby","text":"hi"}}`)
	if status != http.StatusOK || !strings.HasPrefix(answer, `{"id":`) {
		t.Errorf("publish to a class = %d %s", status, answer)
	}
	if e := next(t, class); jsonText(e.ArgumentsKw) != `{"room":"lobby","text":"hi"}` || e.Details["_class"] != "demo.message" {
		t.Errorf("the class's subscriber got %+v", e)
	}

	tests := []struct {
		name, key, body string
		status          int
		facts           []string
	}{
		{"bad data", bridgeKey, `{"topic":"order.created","kwargs":{"id":"seven"}}`, 200, []string{`"error":"wireroom.error.invalid_event"`, "expected an integer", `"field":"id"`}},
		{"a topic that the role may not", "", `{"topic":"order.created","kwargs":{"id":7}}`, 200, []string{`"error":"wamp.error.not_authorized"`, "anonymous"}},
		{"a bad option", bridgeKey, `{"topic":"app.news","options":{"exclude":"me"}}`, 200, []string{`"error":"wamp.error.invalid_argument"`, "exclude"}},
		{"a bad URI", bridgeKey, `{"topic":"app. news"}`, 200, []string{`"error":"wamp.error.invalid_uri"`}},
		{"an opaque payload", bridgeKey, `{"topic":"app.news","args":["x"],"options":{"ppt_scheme":"wamp"}}`, 200, []string{`"error":"wamp.error.option_not_allowed"`}},
		{"the router's own topic", bridgeKey, `{"topic":"wamp.session.on_join","args":[1]}`, 200, []string{`"error":"wamp.error.invalid_uri"`}},
		{"a wrong key", "bridge-key-of-nobody", `{"topic":"app.news"}`, 401, []string{"the key is unknown"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, answer := postJSON(t, p, "/publish", tt.key, tt.body)
			if status != tt.status {
				t.Errorf("publish %s = %d %s, want %d", tt.body, status, answer, tt.status)
			}
			for _, fact := range tt.facts {
				if !strings.Contains(answer, fact) {
					t.Errorf("publish %s = %s, want it to say %s", tt.body, answer, fact)
				}
			}
		})
	}
	// None of that has cost the key its session.
	if status, answer := postJSON(t, p, "/publish", bridgeKey, `{"topic":"app.news"}`); status != http.StatusOK {
		t.Errorf("publish after all that = %d %s", status, answer)
	}
	next(t, plain)
}

// A call over the bridge is answered by whoever has registered the procedure.
func TestBridgeCall(t *testing.T) {
	p := startProgram(t, writeConfig(t, bridgeConfig))
	callee := join(t, p, ticketFor(t, "ann", "member"))
	register := func(procedure string, run client.InvocationHandler) {
		t.Helper()
		if err := callee.Register(procedure, run, nil); err != nil {
			t.Fatal(err)
		}
	}
	canceled := make(chan struct{}, 1)
	register("app.echo", func(_ context.Context, inv *wamp.Invocation) client.InvokeResult {
		return client.InvokeResult{Args: inv.Arguments, Kwargs: inv.ArgumentsKw}
	})
	register("app.fails", func(context.Context, *wamp.Invocation) client.InvokeResult {
		return client.InvokeResult{Err: "app.error.no", Args: wamp.List{"no", 7}, Kwargs: wamp.Dict{"left": 0}}
	})
	register("app.slow", func(ctx context.Context, _ *wamp.Invocation) client.InvokeResult {
		<-ctx.Done()
		canceled <- struct{}{}
		return client.InvokeResult{Err: wamp.ErrCanceled}
	})
	tests := []struct{ name, key, body, want string }{
		{"echo", bridgeKey, `{"procedure":"app.echo","args":[1,"ü",null,2.5],"kwargs":{"a":{"b":[]}}}`, `{"args":[1,"ü",null,2.5],"kwargs":{"a":{"b":[]}}}`},
		{"nothing", bridgeKey, `{"procedure":"app.echo"}`, `{"args":[null]}`},
		{"an error", bridgeKey, `{"procedure":"app.fails"}`, `{"error":"app.error.no","args":["no",7],"kwargs":{"left":0}}`},
		{"nobody", bridgeKey, `{"procedure":"app.none"}`, `{"error":"wamp.error.no_such_procedure","args":["no procedure \"app.none\" is registered"],"kwargs":{}}`},
		{"not allowed", "", `{"procedure":"app.echo"}`, `{"error":"wamp.error.not_authorized","args":["role \"anonymous\" may not call \"app.echo\""],"kwargs":{}}`},
		{"the gateway's own", "", `{"procedure":"wireroom.class.list"}`, `{"kwargs":{"classes":[`},
		{"a timeout of the call", bridgeKey, `{"procedure":"app.slow","options":{"timeout":20}}`, `{"error":"wamp.error.timeout","args":["the call took longer than 20ms"],"kwargs":{}}`},
		{"a timeout of the bridge", bridgeKey, `{"procedure":"app.slow"}`, `{"error":"wamp.error.timeout","args":["the call took too long"],"kwargs":{}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, answer := postJSON(t, p, "/api/call", tt.key, tt.body)
			if status != http.StatusOK || !strings.HasPrefix(answer, tt.want) {
				t.Errorf("call %s = %d %s, want %s", tt.body, status, answer, tt.want)
			}
		})
	}
	<-canceled
	<-canceled
}

// A key whose session was killed gets another one.
func TestBridgeJoinsAgain(t *testing.T) {
	p := startProgram(t, writeConfig(t, strings.Replace(bridgeConfig, `call: ["*"], register`, `call: ["*", "wamp.session.*"], register`, 1)))
	if status, answer := postJSON(t, p, "/publish", bridgeKey, `{"topic":"app.news"}`); status != http.StatusOK {
		t.Fatalf("publish = %d %s", status, answer)
	}
	killer := join(t, p, ticketFor(t, "ann", "member"))
	result, err := killer.Call(t.Context(), "wamp.session.kill_by_authid", nil, wamp.List{"shop"}, nil, nil)
	if err != nil || len(result.Arguments) != 1 || len(result.Arguments[0].([]any)) != 1 {
		t.Fatalf("kill = %v, %v; want one session killed", result, err)
	}
	for {
		// In the moment of its end a session can still be asked.
		status, answer := postJSON(t, p, "/publish", bridgeKey, `{"topic":"app.news"}`)
		if status == http.StatusOK {
			break
		}
		if status != http.StatusServiceUnavailable {
			t.Fatalf("publish after the session was killed = %d %s", status, answer)
		}
	}
}
