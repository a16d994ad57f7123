package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// routeNowhere is a router without subscribers.
type routeNowhere struct{}

func (routeNowhere) Route(*events.Event, *events.Class, string) {}

// What is asked for every message of every client allocates nothing.
func TestAdapterAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are counted without the race detector")
	}
	cat, err := events.NewCatalogue([]events.ClassConfig{{
		Name: "order.created", Fields: []events.FieldConfig{{Name: "customer", Type: events.String}}, Channel: "customer",
	}})
	if err != nil {
		t.Fatal(err)
	}
	hub, err := events.NewHub(t.Context(), cat, nil, routeNowhere{}, events.DefaultConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	g := &governor{hub: hub}
	policy, err := auth.NewPolicy(map[wamp.URI]auth.Roles{"realm1": {"member": {Publish: []auth.Pattern{"order.*"}}}})
	if err != nil {
		t.Fatal(err)
	}
	a := authorizer{policy: policy}
	event := &events.Event{ID: "x", Class: "order.created", Time: time.Now(), Data: []byte(`{}`), Epoch: "e", Offset: 1}
	tests := []struct {
		name string
		most float64
		do   func()
	}{
		{"Governs a class", 0, func() { g.Governs("order.created") }},
		{"Governs a channel", 0, func() { g.Governs("order.created.ada") }},
		{"Governs a plain topic", 0, func() { g.Governs("com.example.topic") }},
		{"Authorize", 0, func() { a.decide("realm1", "member", router.ActionPublish, "order.created", wamp.Exact) }},
		{"publicationOf", 2, func() { publicationOf(event) }}, // the fields and the time's text
	}
	for _, tt := range tests {
		if got := testing.AllocsPerRun(100, tt.do); got > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, tt.most)
		}
	}
}

// Finding out that somebody is nobody in particular: the authid, two grants, a
// function. What an application is told, no application is asked about.
func TestAuthenticateAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are counted without the race detector")
	}
	policy, err := auth.NewPolicy(map[wamp.URI]auth.Roles{"realm1": {"anonymous": {}}})
	if err != nil {
		t.Fatal(err)
	}
	origins, err := auth.NewOrigins(nil)
	if err != nil {
		t.Fatal(err)
	}
	sessions := auth.NewSessions(auth.DefaultSessionConfig(), nil, nil, origins, slog.New(slog.DiscardHandler))
	known := &realms{}
	known.put(&realm{name: "realm1", auth: auth.New(auth.RoleConfig{Anonymous: "anonymous"}, policy, sessions, nil)})
	a, find := authenticator{known, sessions}, identify(sessions)
	r := httptest.NewRequest(http.MethodGet, "/ws", nil)
	peer := &router.Peer{Transport: "websocket"}
	hello := &wamp.Hello{Realm: "realm1", Roles: []string{"subscriber"}}
	const most = 6
	got := testing.AllocsPerRun(100, func() {
		id, err := find(r)
		if err != nil {
			t.Fatal(err)
		}
		peer.Identity = id
		if g, _, err := a.Authenticate(t.Context(), router.Joining{Realm: "realm1", Hello: hello, Peer: peer, Session: 1}); err != nil || g.AuthRole != "anonymous" {
			t.Fatalf("Authenticate() = %+v, %v", g, err)
		}
	})
	if got > most {
		t.Errorf("to find out that a peer is anonymous takes %v allocations, want at most %v", got, most)
	}
}
