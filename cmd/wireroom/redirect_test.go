package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/wamp"
)

// The application of the shop may send clients to the school, with the roles and
// the limits of that, while it is open; the school's may send nobody to the shop.
func TestSentToAnotherRealm(t *testing.T) {
	config := realmsConfig
	for _, change := range [][2]string{
		{"  shop.example:\n", "  shop.example:\n    auth: {authenticators: {ticket: app.authenticate, anonymous: app.authenticate}, authenticator_realms: [school.example]}\n"},
		{"  school.example:\n", "  school.example:\n    auth: {authenticators: {ticket: app.authenticate}}\n"},
		{`      member: {subscribe: ["*"]}`, `      member: {subscribe: ["*"], register: ["app.*"]}` + "\n" + `      pupil: {subscribe: ["*"], limits: {subscriptions: 1}}`},
	} {
		config = strings.Replace(config, change[0], change[1], 1)
	}
	g, p := startGateway(t, config)
	answer := func(_ context.Context, inv *wamp.Invocation) client.InvokeResult {
		role, _ := wamp.AsString(inv.Arguments[1])
		details, _ := wamp.AsDict(inv.Arguments[2])
		if details["authmethod"] == "anonymous" {
			role = "pupil"
		}
		realm := "school.example"
		if inv.Arguments[0] == realm {
			realm = "shop.example"
		}
		return client.InvokeResult{Args: wamp.List{wamp.Dict{"role": role, "realm": realm}}}
	}
	for _, realm := range []string{"shop.example", "school.example"} {
		if err := joinRealm(t, p, realm, ticketFor(t, "app", "member")).Register("app.authenticate", answer, nil); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(realm, method, authid string) (*wire, string) {
		w := dialWire(t, p.ws(), nil)
		got := w.say(strings.Replace(hello(method, authid, ""), "realm1", realm, 1))
		if method == "ticket" {
			got = w.say(`[5,"a ticket",{}]`)
		}
		return w, fmt.Sprint(got)
	}
	for _, tt := range []struct {
		realm, method, authid string
		want                  []string
	}{
		{"shop.example", "ticket", "pupil", []string{"[2 ", "authrole:pupil", "realm:school.example"}},
		{"shop.example", "anonymous", "", []string{"[2 ", "authrole:pupil", "realm:school.example"}},
		{"shop.example", "ticket", "customer", []string{"ticket not valid"}}, // no role of the school
		{"school.example", "ticket", "member", []string{"ticket not valid"}}, // a role of both
	} {
		w, got := ask(tt.realm, tt.method, tt.authid)
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s to %s as %q: %s, want %s", tt.method, tt.realm, tt.authid, got, want)
			}
		}
		if !strings.HasPrefix(got, "[2 ") {
			continue
		}
		for i, want := range []string{"[33 1 ", "[8 32 2 "} { // as pupils may
			if got := fmt.Sprint(w.say(fmt.Sprintf(`[32,%d,{},"app.topic%d"]`, i+1, i))); !strings.HasPrefix(got, want) {
				t.Errorf("subscription %d is answered with %s, want %s…", i+1, got, want)
			}
		}
	}
	if err := g.closeRealm(t.Context(), "school.example"); err != nil {
		t.Fatal(err)
	}
	if _, got := ask("shop.example", "ticket", "pupil"); !strings.Contains(got, "ticket not valid") {
		t.Errorf("sent to a realm that is closed: %s", got)
	}
}
