package main

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/wamp"
)

// sayings say "n is 4 or more, and the room is bar" in each dialect, as a text.
var sayings = []struct{ dialect, text string }{
	{"eql", `n >= 4 && room == "bar"`},
	{"json", `{"all": [{"field": "n", "op": ">=", "value": 4}, {"field": "room", "op": "==", "value": "bar"}]}`},
	{"cloudevents", `[{"sql": "n >= 4"}, {"exact": {"room": "bar"}}]`},
	{"sql", `n >= 4 AND room = 'bar'`},
	{"lookups", `{"n__gte": 4, "room": "bar"}`},
	{"eventbridge", `{"detail": {"n": [{"numeric": [">=", 4]}], "room": ["bar"]}}`},
}

// Subscribers may write queries in every dialect, with the option or by
// wireroom.query; equal ones share a subscription.
func TestDialects(t *testing.T) {
	if len(sayings) != len(dialects) {
		t.Fatalf("%d dialects are tested, want %d", len(sayings), len(dialects))
	}
	p := startProgram(t, writeConfig(t, whereConfig))
	ada := join(t, p, ticketFor(t, "ada", "member"))
	var lists []<-chan *wamp.Event
	ids := map[wamp.ID]bool{}
	listen := func(topic string, options wamp.Dict) {
		t.Helper()
		c := join(t, p, ticketFor(t, "bob", "member"))
		lists = append(lists, c.listen(t, topic, options))
		id, _ := c.SubscriptionID(topic)
		ids[id] = true
	}
	for _, s := range sayings {
		listen("demo.message", wamp.Dict{"_where": s.text, "_dialect": s.dialect})
		if d, _ := findDialect(s.dialect); d.json {
			value, err := parseJSON(s.text)
			if err != nil {
				t.Fatal(err)
			}
			listen("demo.message", wamp.Dict{"_where": value, "_dialect": s.dialect})
		}
		got, err := ada.Call(t.Context(), "wireroom.query", nil, wamp.List{"demo.message", s.text}, wamp.Dict{"dialect": s.dialect}, nil)
		if err != nil {
			t.Fatal(err)
		}
		topic, _ := wamp.AsString(got.Arguments[0])
		text, err := queryEncoding.DecodeString(topic[strings.LastIndexByte(topic, '.')+1:])
		if err != nil || string(text) != `n >= 4 && room == "bar"` {
			t.Errorf("in %s it is %q (%v)", s.dialect, text, err)
		}
		listen(topic, nil)
	}
	if len(ids) != 1 {
		t.Errorf("equal queries have the subscriptions %v, want one", ids)
	}
	for n := range 8 {
		ada.say(t, []string{"lobby", "bar"}[n%2], n)
	}
	for _, events := range lists {
		if got := numbersOf(t, events, 2); !slices.Equal(got, []int64{5, 7}) {
			t.Errorf("%v comes, want 5 and 7", got)
		}
	}
}

// What is wrong with a query of another dialect is told with its place: in a text
// by line and column, in a value by its path.
func TestDialectsRefused(t *testing.T) {
	p := startProgram(t, writeConfig(t, strings.Replace(testConfig, "demo.message:", "demo.message:\n    unknown: reject", 1)))
	anyone := join(t, p, "")
	const invalid = "wireroom.error.invalid_query"
	for _, tt := range []struct {
		options wamp.Dict
		uri     string
		text    string
	}{
		{wamp.Dict{"_where": "n > 4", "_dialect": "jmespath"}, "wamp.error.invalid_argument", `option _dialect: expected one of eql, json, cloudevents, sql, lookups, eventbridge, found "jmespath"`},
		{wamp.Dict{"_where": "n > 4", "_dialect": 1}, "wamp.error.invalid_argument", "option _dialect: expected a string"},
		{wamp.Dict{"_dialect": "eql"}, "wamp.error.option_not_allowed", "option _dialect: expected beside _where only"},
		{wamp.Dict{"_channel": "a", "_dialect": "eql"}, "wamp.error.option_not_allowed", "option _dialect: expected beside _where only"},
		{wamp.Dict{"_where": wamp.Dict{"n": 4}, "_dialect": "sql"}, "wamp.error.invalid_argument", "expected a query in the dialect sql: a string"},
		{wamp.Dict{"_where": 4, "_dialect": "lookups"}, "wamp.error.invalid_argument", "expected a query in the dialect lookups: JSON, as a value or as a string"},
		{wamp.Dict{"_where": wamp.List{}}, "wamp.error.invalid_argument", "expected a query in the dialect eql: a string"},
		{wamp.Dict{"_where": "n >", "_dialect": "sql"}, invalid, "option _where: 1:4: expected"},
		{wamp.Dict{"_where": `{"m__gt": 4}`, "_dialect": "lookups"}, invalid, "option _where: 1:"},
		{wamp.Dict{"_where": wamp.Dict{"m__gt": 4}, "_dialect": "lookups"}, invalid, "option _where: "},
		{wamp.Dict{"_where": wamp.Dict{"n__foo": 4}, "_dialect": "lookups"}, invalid, "option _where: /n__foo: expected one of the lookups"},
		{wamp.Dict{"_where": `{"n__foo": 4}`, "_dialect": "lookups"}, invalid, "option _where: 1:12 (/n__foo): expected one of the lookups"},
		{wamp.Dict{"_where": wamp.List{wamp.Dict{"exakt": wamp.Dict{}}}, "_dialect": "cloudevents"}, invalid, "option _where: /0"},
		{wamp.Dict{"_where": `{"source": ["x"]}`, "_dialect": "eventbridge"}, invalid, "option _where: 1:"},
		{wamp.Dict{"_where": "{", "_dialect": "json"}, invalid, "option _where: 1:"},
	} {
		if r := anyone.subscribeRefusal(t, "demo.message", tt.options); r.URI != tt.uri || !strings.Contains(r.Text, tt.text) {
			t.Errorf("%v: %s: %s, want %s: %s", tt.options, r.URI, r.Text, tt.uri, tt.text)
		}
	}
	_, err := anyone.Call(t.Context(), "wireroom.query", nil, wamp.List{"demo.message", `{"n__foo": 4}`}, wamp.Dict{"dialect": "lookups"}, nil)
	rpc, ok := err.(client.RPCError)
	if !ok || fmt.Sprint(rpc.Err.ArgumentsKw["line"], rpc.Err.ArgumentsKw["column"], rpc.Err.ArgumentsKw["pointer"]) != "1 12/n__foo" {
		t.Errorf("wireroom.query answers %v", err)
	}
	topic := "wireroom.query.demo.message." + queryEncoding.EncodeToString([]byte("n > 4"))
	if r := anyone.subscribeRefusal(t, topic, wamp.Dict{"_dialect": "eql"}); r.URI != "wamp.error.option_not_allowed" {
		t.Errorf("the topic of a query with _dialect: %v", r)
	}
}

// Event streams have queries, too, and keep them when the browser comes back.
func TestEventSourceWhere(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	v := newVisitor(t, p)
	ada := join(t, p, ticketFor(t, "ada", "member"))
	for n := range 6 {
		ada.say(t, "lobby", n)
	}
	n := func(i int) string { return `"n":` + strconv.Itoa(i) }
	s := v.listen("topic=demo.message&last=1&where=" + url.QueryEscape("n % 2 == 0"))
	if s.resp.StatusCode != 400 {
		t.Errorf("a query that means nothing is answered with %d", s.resp.StatusCode)
	}
	for _, saying := range []string{"where=" + url.QueryEscape("n in [1, 3, 7, 9]"), "dialect=sql&where=" + url.QueryEscape("n IN (1, 3, 7, 9)"), "dialect=lookups&where=" + url.QueryEscape(`{"n__in": [1, 3, 7, 9]}`)} {
		s := v.listen("topic=demo.message&last=2&" + saying)
		s.want("demo.message", n(1))
		id := s.want("demo.message", n(3))["id"]
		s.stop()
		s = v.listen("topic=demo.message&last=2&"+saying, "Last-Event-ID", id)
		s.next() // the id to come back with
		for i := 6; i < 8; i++ {
			ada.say(t, "lobby", i)
		}
		s.want("demo.message", n(7))
		s.stop()
		// The next dialect is to find the same past.
		ada.say(t, "lobby", 1)
		ada.say(t, "lobby", 3)
	}
}

// The command subscribes by a query, and shows where one is wrong.
func TestSubscribeWhere(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	ada := join(t, p, ticketFor(t, "ada", "member"))
	for n := range 6 {
		ada.say(t, "bar", n)
	}
	for _, tt := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"--where", "n in [1, 3]", "--since", "0", "-n", "2"}, exitOK, `"n":3`, ""},
		{[]string{"--where", `{"n__in": [1, 3]}`, "--dialect", "lookups", "--since", "0", "-n", "2"}, exitOK, `"n":3`, ""},
		{[]string{"--where", `n = 1`, "--dialect", "sql", "--since", "0", "-n", "1"}, exitOK, `"n":1`, ""},
		{[]string{"--where", `n = 1`}, exitRefused, "", "equality is == (wireroom.error.invalid_query)\n    n = 1\n      ^\n"},
		{[]string{"--where", ``}, exitRefused, "", "wireroom.error.invalid_query"},
		{[]string{"--dialect", "sql"}, exitUsage, "", "--dialect: only with --where"},
		{[]string{"--where", "n = 1", "--dialect", "sparql"}, exitUsage, "", `expected one of eql, json, cloudevents, sql, lookups, eventbridge, found "sparql"`},
	} {
		args := append([]string{"subscribe", "demo.message", "--url", p.ws()}, tt.args...)
		code, stdout, stderr := runCommand(t, "", args...)
		if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
			t.Errorf("%q: code %d, want %d\nstdout %s\nstderr %s", tt.args, code, tt.code, stdout, stderr)
		}
	}
}

// query test and query explain take every dialect.
func TestQueryCommandDialects(t *testing.T) {
	for _, s := range sayings {
		code, stdout, stderr := runCommand(t, `{"n": 5, "room": "bar"}`, "query", "test", s.text, "-", "--dialect", s.dialect)
		if code != exitOK || !strings.HasPrefix(stdout, "line 1: true: ") {
			t.Errorf("query test in %s: code %d\n%s%s", s.dialect, code, stdout, stderr)
		}
		code, stdout, stderr = runCommand(t, "", "query", "explain", s.text, "--dialect", s.dialect)
		if code != exitOK || !strings.Contains(stdout, "normal  ") {
			t.Errorf("query explain in %s: code %d\n%s%s", s.dialect, code, stdout, stderr)
		}
	}
	code, _, stderr := runCommand(t, "", "query", "explain", `{"n__foo": 4}`, "--dialect", "lookups")
	if want := "found \"foo\" in \"n__foo\"\n    {\"n__foo\": 4}\n               ^\n"; code != exitUsage || !strings.Contains(stderr, want) {
		t.Errorf("code %d\n%s\nwant %s", code, stderr, want)
	}
	code, stdout, _ := runCommand(t, "", "query", "explain", `{"n__foo": 4}`, "--dialect", "lookups", "-o", "json")
	if code != exitUsage || !strings.Contains(stdout, `"pointer":"/n__foo"`) {
		t.Errorf("code %d\n%s", code, stdout)
	}
}
