package main

import (
	"testing"

	"github.com/gammazero/nexus/v3/wamp"
)

// Roles that see different classes of a pattern share a subscription if they have
// the same query; each gets the events of all classes that it sees, whoever was
// first and whoever is left.
func TestWhereIsSharedByRoles(t *testing.T) {
	p := startProgram(t, writeConfig(t, `
listen: {http: 127.0.0.1:0}
auth:
  jwt: {secret: a-secret-that-is-only-for-these-tests}
roles:
  guest: {subscribe: ["*"]}
  staff: {subscribe: ["*"], publish: ["*"]}
classes:
  shop.item: {fields: {n: {type: int}}, access: public}
  shop.order: {fields: {n: {type: int}}, access: [staff]}
`))
	guest, staff, boss := join(t, p, ticketFor(t, "ada", "guest")), join(t, p, ticketFor(t, "bob", "staff")), join(t, p, ticketFor(t, "bob", "staff"))
	options := wamp.Dict{"match": "prefix", "_where": "n > 4"}
	few, all := guest.listen(t, "shop.", options), staff.listen(t, "shop.", options)
	a, _ := guest.SubscriptionID("shop.")
	b, _ := staff.SubscriptionID("shop.")
	if a != b {
		t.Fatalf("subscriptions %d and %d, want one", a, b)
	}
	publish := func(class string, n int) {
		t.Helper()
		if err := boss.publish(class, nil, map[string]any{"n": n}); err != nil {
			t.Fatal(err)
		}
	}
	publish("shop.order", 5)
	publish("shop.item", 6)
	for _, want := range []int64{5, 6} {
		if got := numbersOf(t, all, 1); got[0] != want {
			t.Errorf("staff gets %d, want %d", got[0], want)
		}
	}
	if got := numbersOf(t, few, 1); got[0] != 6 {
		t.Errorf("a guest gets %d, want 6", got[0])
	}
}
