package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/wamp"
)

// What an authorizer answers is kept until the application has it forgotten,
// which anonymous clients can't.
func TestAnswersAreFlushed(t *testing.T) {
	config := strings.Replace(testConfig, "  staff: {", "  guest: {authorizer: app.authorize}\n  staff: {", 1)
	p := startProgram(t, writeConfig(t, config))
	app, guest, stranger := join(t, p, ticketFor(t, "app", "member")), join(t, p, ticketFor(t, "ada", "guest")), join(t, p, "")
	authorize := func(context.Context, *wamp.Invocation) client.InvokeResult {
		return client.InvokeResult{Args: wamp.List{wamp.Dict{"allow": true, "cache": true}}}
	}
	if err := app.Register("app.authorize", authorize, nil); err != nil {
		t.Fatal(err)
	}
	publish := func() {
		t.Helper()
		if err := guest.Publish("app.topic", wamp.Dict{"acknowledge": true}, nil, nil); err != nil {
			t.Error(err)
		}
	}
	want := func(hits, misses, kept int64) {
		t.Helper()
		got, err := app.Call(t.Context(), "wireroom.auth.stats", nil, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]int64{"hits": hits, "misses": misses, "kept": kept, "denied": 0, "failed": 0} {
			if n, ok := wamp.AsInt64(got.ArgumentsKw[key]); !ok || n != want {
				t.Errorf("%s: %v, want %d", key, got.ArgumentsKw[key], want)
			}
		}
	}
	publish()
	publish()
	want(1, 1, 1)
	for _, args := range []wamp.List{{"ada"}, {"ben"}, nil} {
		got, err := app.Call(t.Context(), "wireroom.auth.flush", nil, args, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := wamp.AsInt64(got.Arguments[0])
		if forgotten := len(args) == 1 && args[0] == "ada"; (n == 1) != forgotten {
			t.Errorf("flush %v: %d answers", args, n)
		}
	}
	publish()
	want(1, 2, 1)
	for _, procedure := range []string{"wireroom.auth.flush", "wireroom.auth.stats"} {
		if _, err := stranger.Call(t.Context(), procedure, nil, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "not_authorized") {
			t.Errorf("%s by an anonymous client: %v", procedure, err)
		}
	}
	if _, err := app.Call(t.Context(), "wireroom.auth.flush", nil, wamp.List{7}, nil, nil); err == nil || !strings.Contains(err.Error(), "invalid_argument") {
		t.Errorf("flush with a number: %v", err)
	}
}

// An authenticator that is absent or late lets nobody in, which is told as what
// it is; one that is wrong lets nobody in, and nobody is told why.
func TestAuthenticatorAway(t *testing.T) {
	config := strings.Replace(testConfig, "auth:\n", "auth:\n  authenticators: {ticket: app.authenticate}\n  dynamic: {timeout: 200ms}\n", 1)
	p := startProgram(t, writeConfig(t, config))
	ask := func() string {
		w := dialWire(t, p.ws(), nil)
		w.say(hello("ticket", "joe", ""))
		return fmt.Sprint(w.say(`[5,"a ticket",{}]`))
	}
	const refusal, away = "ticket not valid", "authentication is not available at the moment"
	if got := ask(); !strings.Contains(got, away) || !strings.Contains(got, "wamp.error.unavailable") {
		t.Errorf("without the procedure: %s", got)
	}
	app := join(t, p, ticketFor(t, "app", "member"))
	for what, answer := range map[string]client.InvocationHandler{
		"late": func(ctx context.Context, _ *wamp.Invocation) client.InvokeResult {
			<-ctx.Done() // it is told that nobody waits any more
			return client.InvocationCanceled
		},
		"wrong": func(context.Context, *wamp.Invocation) client.InvokeResult {
			return client.InvokeResult{Args: wamp.List{7}}
		},
		"empty": func(context.Context, *wamp.Invocation) client.InvokeResult { return client.InvokeResult{} },
		"of no role": func(context.Context, *wamp.Invocation) client.InvokeResult {
			return client.InvokeResult{Args: wamp.List{"emperor"}}
		},
		"an error": func(context.Context, *wamp.Invocation) client.InvokeResult {
			return client.InvokeResult{Err: "app.error.no_such_user"}
		},
	} {
		if err := app.Register("app.authenticate", answer, nil); err != nil {
			t.Fatal(err)
		}
		want := refusal
		if what == "late" {
			want = away
		}
		if got := ask(); !strings.Contains(got, want) || strings.Contains(got, "app.") || strings.Contains(got, "emperor") {
			t.Errorf("%s: %s", what, got)
		}
		if err := app.Unregister("app.authenticate"); err != nil {
			t.Fatal(err)
		}
	}
	right := func(_ context.Context, inv *wamp.Invocation) client.InvokeResult {
		details, _ := wamp.AsDict(inv.Arguments[2])
		transport, _ := wamp.AsDict(details["transport"])
		if inv.Arguments[0] != "realm1" || inv.Arguments[1] != "joe" || details["ticket"] != "a ticket" || transport["peer"] == nil {
			return client.InvokeResult{Err: "app.error.asked_wrongly"}
		}
		return client.InvokeResult{Args: wamp.List{wamp.Dict{"role": "staff", "authid": "joseph"}}}
	}
	if err := app.Register("app.authenticate", right, nil); err != nil {
		t.Fatal(err)
	}
	if got := ask(); !strings.HasPrefix(got, "[2 ") || !strings.Contains(got, "authid:joseph") || !strings.Contains(got, "authprovider:dynamic") {
		t.Errorf("a right answer: %s", got)
	}
}
