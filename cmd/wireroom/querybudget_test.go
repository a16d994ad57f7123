package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gammazero/nexus/v3/wamp"

	"github.com/wireroom/wireroom/events/query"
	routed "github.com/wireroom/wireroom/router/wamp"
)

// A client learns which budget is used up as numbers, too.
func TestBudgetError(t *testing.T) {
	for _, tt := range []struct {
		err  query.BudgetError
		text string
		want string
	}{
		{
			query.BudgetError{Of: "role", Limit: "cost", Most: 10_500, Have: 10_000, More: 1_020},
			"option _where: the queries of the role may cost 10.5, and cost 10: this one costs 1.02",
			"map[have:10 limit:cost more:1.02 most:10.5 of:role]",
		},
		{
			query.BudgetError{Of: "class", Limit: "waste", Most: 10, Have: 11, Class: "c"},
			"option _where: each event of c is compared in vain with 11 queries, and 10 are allowed: expected a query",
			"map[class:c have:11 limit:waste more:0 most:10 of:class]",
		},
		{query.BudgetError{Of: "session", Limit: "fields", Most: 3, Have: 3, More: 1}, "option _where: of fields, the queries of the session may be about 3, and are about 3: this one is about 1 more", "map[have:3 limit:fields more:1 most:3 of:session]"},
	} {
		err, ok := errors.AsType[*routed.Error](whereError(&tt.err, "option _where"))
		if !ok || err.URI != routed.URIQueryBudget || !strings.HasPrefix(err.Text, tt.text) || fmt.Sprint(err.Details) != tt.want {
			t.Errorf("%+v becomes %+v, want %s, %s", tt.err, err, tt.text, tt.want)
		}
	}
}

const budgetConfig = testConfig + `
queries: {comparisons: 3, session: {queries: 3, unanchored: 1}, role: {unanchored: 2}}
`

// asks returns a topic that stands for a query.
func (c *wampClient) asks(t *testing.T, where string) string {
	t.Helper()
	got, err := c.Call(t.Context(), "wireroom.query", nil, wamp.List{"demo.message", where}, nil, nil)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	topic, _ := wamp.AsString(got.Arguments[0])
	return topic
}

// What sessions and roles may have of queries is refused beyond that, with the
// numbers, and given back when they unsubscribe and when they leave.
func TestQueryBudgets(t *testing.T) {
	file := writeConfig(t, strings.Replace(budgetConfig, `staff: {subscribe: ["*"],`, `staff: {queries: {comparisons: 5, session: {unanchored: 3}, role: {unanchored: 9}}, subscribe: ["*"],`, 1))
	p := startProgram(t, file)
	ada, bob, eve := join(t, p, ticketFor(t, "ada", "member")), join(t, p, ticketFor(t, "bob", "member")), join(t, p, ticketFor(t, "eve", "member"))
	staff := join(t, p, ticketFor(t, "sam", "staff"))
	ada.listen(t, ada.asks(t, "n != 1"), nil)
	refused := func(c *wampClient, where, text string) {
		t.Helper()
		r := c.subscribeRefusal(t, "demo.message", wamp.Dict{"_where": where})
		if r.URI != "wireroom.error.query_budget" || !strings.Contains(r.Error(), text) {
			t.Errorf("%s: %v, want wireroom.error.query_budget with %q", where, r, text)
		}
	}
	refused(ada, "n != 2", "of queries with which every event of a class is compared, the session may have 1, and has 1")
	again := join(t, p, ticketFor(t, "ada", "member"))
	again.listen(t, "demo.message", wamp.Dict{"_where": "!(1 == n)"}) // the same, of another session
	bob.listen(t, bob.asks(t, "n != 2"), nil)
	refused(eve, "n != 3", "the role may have 2, and has 2")
	for _, where := range []string{"n == 1", "n == 2"} {
		ada.listen(t, ada.asks(t, where), nil)
	}
	refused(ada, "n == 3", "of queries, the session may have 3, and has 3")
	for i := range 3 { // others have room, and other rules
		staff.listen(t, staff.asks(t, fmt.Sprintf(`n != %d || text != "a" || text != "b" || text == "c"`, i)), nil)
	}
	if r := eve.subscribeRefusal(t, "demo.message", wamp.Dict{"_where": `n == 1 || text == "a" || text == "b" || text != "c"`}); r.URI != "wireroom.error.limit" {
		t.Errorf("a query with four comparisons: %v", r)
	}

	// What is unsubscribed, and what a session had that is gone, others may have.
	if err := bob.Unsubscribe(bob.asks(t, "n != 2")); err != nil {
		t.Fatal(err)
	}
	eve.listen(t, eve.asks(t, "n != 3"), nil)
	if err := eve.Close(); err != nil {
		t.Fatal(err)
	}
	topic := bob.asks(t, "n != 4")
	until(t, "there is room for a query", func() bool {
		return bob.Subscribe(topic, func(*wamp.Event) {}, nil) == nil
	})
	bob.gate.open()

	ada.say(t, "lobby", 1)
	got, err := staff.Call(t.Context(), "wireroom.query.stats", nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(got.ArgumentsKw)
	for _, want := range []string{"classes:[map[candidates:", "class:demo.message events:1 matches:", "queries:7", "role:member unanchored:2", "role:staff unanchored:3", "session:2"} {
		if !strings.Contains(text, want) {
			t.Errorf("the statistics %s have no %q", text, want)
		}
	}
	if _, err := join(t, p, "").Call(t.Context(), "wireroom.query.stats", nil, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "not_authorized") {
		t.Errorf("an anonymous client: %v", err)
	}
}
