package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/wamp"
)

// reattachConfig is one where staff has a class of its own that it can subscribe
// to for good.
var reattachConfig = strings.Replace(persistentConfig, "access: [staff]", "access: [staff]\n    retain: {events: 10}\n    persistent: true", 1)

// comeBack joins as the user with these Details of HELLO and returns WELCOME's
// list of subscriptions, by name. What comes next is left to be read.
func comeBack(t *testing.T, p *program, user, role, details string) (*wire, map[string]map[string]any) {
	t.Helper()
	w := dialWire(t, p.ws(), nil)
	if err := w.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	w.say(`[1,"realm1",{"roles":{"subscriber":{},"caller":{}},"authmethods":["ticket"],` + details + `}]`)
	welcome := w.say(fmt.Sprintf(`[5,%q,{}]`, ticketFor(t, user, role)))
	if welcome[0] != 2.0 {
		t.Fatalf("%s gets %v, want WELCOME", user, welcome)
	}
	list, ok := welcome[2].(map[string]any)["_subscriptions"].([]any)
	if !ok {
		return w, nil
	}
	all := make(map[string]map[string]any)
	for _, one := range list {
		sub := one.(map[string]any)
		all[sub["name"].(string)] = sub
	}
	return w, all
}

// wantEvents reads messages, which must be EVENTs, until each of the
// subscriptions has had these offsets, in order. The last one of a replay may be
// one that was published meanwhile: without replayed, either will do.
func (w *wire) wantEvents(replayed bool, want map[float64]string) {
	w.t.Helper()
	n := 0
	for _, offsets := range want {
		n += len(strings.Fields(offsets))
	}
	got := make(map[float64]string)
	for range n {
		var m []any
		if err := w.conn.ReadJSON(&m); err != nil {
			w.t.Fatal(err)
		}
		if m[0] != 36.0 {
			w.t.Fatalf("got %v, want an EVENT", m)
		}
		details := m[3].(map[string]any)
		if mark, _ := details["_replayed"].(bool); replayed && !mark {
			w.t.Errorf("the event %v is not marked", details["_offset"])
		}
		id := m[1].(float64)
		got[id] = strings.TrimSpace(fmt.Sprint(got[id], " ", details["_offset"]))
	}
	for id, offsets := range want {
		if got[id] != offsets {
			w.t.Errorf("subscription %.0f got %q, want %q", id, got[id], offsets)
		}
	}
}

// Who says so in HELLO has its subscriptions back, as they were, with all that it
// has missed, and is told what it may not have any more.
func TestPersistentReattach(t *testing.T) {
	for name, more := range map[string]string{"plain": "", "resumable": `,"resumable":true`} {
		t.Run(name, func(t *testing.T) { testReattach(t, more) })
	}
}

func testReattach(t *testing.T, more string) {
	p := startProgram(t, writeConfig(t, reattachConfig))
	pub := join(t, p, "")
	ada := join(t, p, ticketFor(t, "ada", "staff"))
	ada.listen(t, "demo.message", wamp.Dict{"_persistent": true, "_where": "n > 10"})
	ada.listen(t, "demo.message.lobby", wamp.Dict{"_persistent": true, "_ack": "explicit", "_name": "lobby"})
	ada.listen(t, "staff.note", wamp.Dict{"_persistent": true})
	_ = ada.Close()
	for n := range 4 {
		pub.say(t, []string{"lobby", "other"}[n%2], 9+n) // the offsets 1 to 4
	}

	w, got := comeBack(t, p, "ada", "member", `"_reattach":true`+more)
	if len(got) != 3 {
		t.Fatalf("ada is told of %v, want three subscriptions", got)
	}
	if s := got["staff.note"]; s["error"] != "wamp.error.not_authorized" || s["message"] == "" || s["subscription"] != nil {
		t.Errorf("of what she may not have any more, ada is told %v", s)
	}
	const byQuery = "demo.message where n > 10"
	query, _ := got[byQuery]["subscription"].(float64)
	lobby, _ := got["lobby"]["subscription"].(float64)
	if query == 0 || lobby == 0 || got["lobby"]["ack"] != "explicit" || got[byQuery]["where"] != "n > 10" {
		t.Fatalf("ada is told of %v, want the IDs of two subscriptions", got)
	}
	w.wantEvents(true, map[float64]string{query: "3 4", lobby: "1 3"})
	pub.say(t, "lobby", 100)
	w.wantEvents(false, map[float64]string{query: "5", lobby: "5"})
	if m := w.say(fmt.Sprintf(`[48,1,{},"wireroom.ack",[],{"subscription":%.0f,"_offset":3}]`, lobby)); m[0] != 50.0 {
		t.Errorf("wireroom.ack: %v", m)
	}
	go func() { // which answers pings
		_ = w.conn.SetReadDeadline(time.Time{})
		for err := error(nil); err == nil; _, _, err = w.conn.ReadMessage() {
			continue
		}
	}()
	other := join(t, p, ticketFor(t, "ada", "member"))
	other.reaches(t, byQuery, 5)
	other.reaches(t, "lobby", 3)
	_ = w.conn.Close()

	w, got = comeBack(t, p, "ada", "member", `"_reattach":["lobby","gone"]`+more)
	if len(got) != 2 || got["gone"]["error"] != "wamp.error.no_such_subscription" {
		t.Errorf("ada is told of %v, want lobby and that there is no other", got)
	}
	lobby, _ = got["lobby"]["subscription"].(float64)
	w.wantEvents(true, map[float64]string{lobby: "5"})

	if _, got := comeBack(t, p, "bob", "member", `"_reattach":true`+more); got == nil || len(got) != 0 {
		t.Errorf("bob is told of %v, want an empty list", got)
	}
	if _, got := comeBack(t, p, "ada", "member", `"_subscriptions":true`+more); len(got) != 3 || got["lobby"]["subscription"] != nil {
		t.Errorf("who only asks for the list gets %v", got)
	}
	other.ask(t, "wireroom.subscription.remove", wamp.Dict{"name": "lobby"})
	if _, got := comeBack(t, p, "ada", "member", `"_reattach":["lobby"]`+more); got["lobby"]["error"] != "wamp.error.no_such_subscription" {
		t.Errorf("of what she has removed, ada is told %v", got)
	}
}
