package main

import (
	"context"
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
