package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/wamp"
)

// rowsConfig is a gateway whose members see their own orders, those of the
// customers that their JWT lists, and those that are for everybody.
const rowsConfig = `
listen: {http: 127.0.0.1:0}
store: file:wireroom.db
auth:
  jwt: {secret: a-secret-that-is-only-for-these-tests}
roles:
  anonymous:
    subscribe: ["*"]
    call: ["wamp.subscription.get_events"]
    where: {"order.*": everybody}
  member:
    subscribe: ["*"]
    publish: ["*"]
    call: ["*", "wamp.subscription.get_events"]
    where: {"order.*": 'customer == session.authid || customer in session.claims.customers || everybody'}
  asked:
    subscribe: ["shop.*"]
    where: {"order.*": customer == session.authid}
    authorizer: app.authorize
  lost: {subscribe: ["*"], call: ["wamp.subscription.get_events"], where: tenant == session.claims.tenant}
  twice: {subscribe: ["*"], where: {"order.*": customer == session.authid, order.created: n > 3}}
  staff: {subscribe: ["*"], publish: ["*"], call: ["*", "wamp.*"], register: ["app.*"]}
ingest:
  keys: [{name: all, secret: key-for-everything, classes: ["*"]}]
history: [{topic: order.plain., match: prefix, events: 10}]
classes:
  order.created:
    fields: {customer: {type: string, required: true}, n: {type: int}, everybody: {type: bool}}
    access: public
    channel: customer
    retain: {events: 1000}
  order.paid:
    fields: {customer: {type: string}, n: {type: int}, everybody: {type: bool}}
    access: public
  shop.item:
    fields: {n: {type: int}}
    access: public
    retain: {events: 100}
timeouts: {shutdown: 5s, goodbye: 1s}
`

// claimsTicket returns a JWT with more claims than the usual.
func claimsTicket(user, role, more string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"sub":%q,"role":%q,"exp":%d%s}`, user, role, time.Now().Add(time.Hour).Unix(), more))
	mac := hmac.New(sha256.New, []byte("a-secret-that-is-only-for-these-tests"))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// orders posts orders.
type orders struct {
	t   *testing.T
	pub publisher
}

func newOrders(t *testing.T, p *program) orders {
	t.Helper()
	pub := must(newHTTPPublisher(p.base, testKey, patience))(t)
	t.Cleanup(func() { pub.close() })
	return orders{t, pub}
}

func (o orders) post(class string, data map[string]any) {
	o.t.Helper()
	if _, err := o.pub.publish(o.t.Context(), publication{topic: class, value: data}); err != nil {
		o.t.Fatal(err)
	}
}

// buyers are who the orders of a round are of.
var buyers = []string{"ada", "bob", "c-1", "c-2", "dora"}

// round posts an order of each buyer, with the numbers from n+1 on.
func (o orders) round(n int) {
	o.t.Helper()
	for i, name := range buyers {
		o.post("order.created", map[string]any{"customer": name, "n": n + i + 1})
	}
}

// end posts what everybody sees last.
func (o orders) end() {
	o.t.Helper()
	for _, name := range buyers {
		o.post("order.created", map[string]any{"customer": name, "everybody": true, "n": 900})
	}
	o.post("order.created", map[string]any{"customer": "all", "everybody": true, "n": 901})
	o.post("shop.item", map[string]any{"n": 902})
}

// seen returns what is in n of events until all of last have come, sorted and
// without those of end.
func seen(t *testing.T, events <-chan *wamp.Event, last ...int64) []int64 {
	t.Helper()
	var got []int64
	for len(last) > 0 {
		e := next(t, events)
		if e.ArgumentsKw == nil { // tells of a gap
			continue
		}
		n, _ := wamp.AsInt64(e.ArgumentsKw["n"])
		if i := slices.Index(last, n); i >= 0 {
			last = slices.Delete(slices.Clone(last), i, i+1)
		}
		if n < 900 {
			got = append(got, n)
		}
	}
	slices.Sort(got)
	return got
}

// Everybody sees their own orders and no others, by whatever subscription.
func TestRowsLive(t *testing.T) {
	p := startProgram(t, writeConfig(t, rowsConfig))
	o := newOrders(t, p)
	tickets := map[string]string{
		"ada":  claimsTicket("ada", "member", `,"customers":[]`),
		"bob":  claimsTicket("bob", "member", ``),
		"eve":  claimsTicket("eve", "member", `,"customers":["c-1","c-2",7]`),
		"none": "",
		"boss": claimsTicket("boss", "staff", ``),
		"two":  claimsTicket("bob", "twice", ``),
	}
	sees := map[string][]int64{"ada": {1}, "bob": {2}, "eve": {3, 4}, "none": nil, "boss": {1, 2, 3, 4, 5}, "two": nil}
	type stream struct {
		who, what string
		events    <-chan *wamp.Event
		want      []int64
		last      []int64
	}
	var streams []stream
	for _, who := range slices.Sorted(maps.Keys(tickets)) {
		if who == "two" {
			continue // sees no end
		}
		item := []int64{901, 902}
		for _, s := range []struct {
			topic   string
			options wamp.Dict
			want    []int64
			last    []int64
		}{
			{"order.created", nil, sees[who], []int64{901}},
			{"order.", wamp.Dict{"match": "prefix"}, sees[who], []int64{901}},
			{"order.cre", wamp.Dict{"match": "prefix"}, sees[who], []int64{901}},
			{".created", wamp.Dict{"match": "wildcard"}, sees[who], []int64{901}},
			{"order..", wamp.Dict{"match": "wildcard"}, sees[who], []int64{901}},
			{"order.created.bob", nil, intersect(sees[who], 2), []int64{900}},
			{"order.created.b", wamp.Dict{"match": "prefix"}, intersect(sees[who], 2), []int64{900}},
			{"", wamp.Dict{"match": "prefix"}, sees[who], item},

			// However a client turns it.
			{"order.created", wamp.Dict{"_where": `true || customer == "bob"`}, sees[who], []int64{901}},
			{"order.created", wamp.Dict{"_where": `customer == "bob" || everybody`}, intersect(sees[who], 2), []int64{901}},
			{"order.created", wamp.Dict{"_where": `!(customer == "ada")`}, without(sees[who], 1), []int64{901}},
			{"order.", wamp.Dict{"match": "prefix", "_where": `class != "x" || true`}, sees[who], []int64{901}},
		} {
			c := join(t, p, tickets[who]) // one each, as one that subscribes twice may share an ID
			streams = append(streams, stream{who, fmt.Sprint(s.topic, s.options), c.listen(t, s.topic, s.options), s.want, s.last})
		}
	}
	two := join(t, p, tickets["two"]).listen(t, "order.created", nil)
	o.round(0)
	o.end()
	for _, s := range streams {
		if got := seen(t, s.events, s.last...); !slices.Equal(got, s.want) {
			t.Errorf("%s sees by %s %v, want %v", s.who, s.what, got, s.want)
		}
	}
	if got, _ := wamp.AsInt64(next(t, two).ArgumentsKw["n"]); got != 900 {
		t.Errorf("who has two queries for a class first sees %d, want 900, the first of which both are true", got)
	}
}

func intersect(list []int64, only int64) []int64 {
	if slices.Contains(list, only) {
		return []int64{only}
	}
	return nil
}

func without(list []int64, but int64) (rest []int64) {
	for _, n := range list {
		if n != but {
			rest = append(rest, n)
		}
	}
	return rest
}

// The past is no way round: neither a replay nor the history, of one's own
// subscription or of somebody else's.
func TestRowsPast(t *testing.T) {
	file := writeConfig(t, rowsConfig)
	p := startProgram(t, file)
	o := newOrders(t, p)
	o.round(0)
	o.end()
	p.stop()
	p = startProgram(t, file)

	ada := join(t, p, claimsTicket("ada", "member", ``))
	bob := join(t, p, claimsTicket("bob", "member", ``))
	eve := join(t, p, claimsTicket("eve", "member", `,"customers":["c-1","c-2"]`))
	boss := join(t, p, claimsTicket("boss", "staff", ``))
	none := join(t, p, "")
	for _, s := range []struct {
		c       *wampClient
		options wamp.Dict
		want    []int64
	}{
		{ada, wamp.Dict{"_last": 1000}, []int64{1}},
		{eve, wamp.Dict{"_since": "2020-01-01T00:00:00Z"}, []int64{3, 4}},
		{none, wamp.Dict{"_last": 1000}, nil},
		{bob, wamp.Dict{"_last": 1000, "_where": "true"}, []int64{2}},
	} {
		events := s.c.listen(t, "order.created", s.options)
		if got := seen(t, events, 901); !slices.Equal(got, s.want) {
			t.Errorf("a replay with %v has %v, want %v", s.options, got, s.want)
		}
	}

	whole := boss.subscription(t, "order.created", "exact")
	all := boss.past(t, whole, nil)
	ids := map[int64]any{}
	for _, e := range all {
		kwargs, _ := wamp.AsDict(e["kwargs"])
		n, _ := wamp.AsInt64(kwargs["n"])
		ids[n] = e["publication"]
	}
	if len(all) != 11 {
		t.Fatalf("the past has %d events, want 11", len(all))
	}
	own, _ := ada.SubscriptionID("order.created")
	pattern := ada.subscription(t, "order.", "prefix")
	everything := boss.subscription(t, "order.", "prefix")
	of, _ := bob.SubscriptionID("order.created")
	channel := boss.subscription(t, "order.created.bob", "exact")
	for _, tt := range []struct {
		what    string
		sub     wamp.ID
		filters wamp.Dict
		want    []int64
	}{
		{"her own subscription", own, nil, []int64{1}},
		{"her own pattern", pattern, nil, []int64{1}},
		{"all of the class", whole, nil, []int64{1}},
		{"all of a pattern", everything, nil, []int64{1}},
		{"somebody else's", of, nil, nil},
		{"somebody else's channel", channel, nil, nil},
		{"a topic", whole, wamp.Dict{"topic": "order.created.bob"}, nil},
		{"an event of hers", whole, wamp.Dict{"until_publication": ids[1]}, []int64{1}},
	} {
		var got []int64
		for _, e := range ada.past(t, tt.sub, tt.filters) {
			kwargs, _ := wamp.AsDict(e["kwargs"])
			if n, _ := wamp.AsInt64(kwargs["n"]); n < 900 {
				got = append(got, n)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("the history by %s has %v, want %v", tt.what, got, tt.want)
		}
	}
	if got := ada.pastRefusal(t, whole, wamp.Dict{"from_publication": ids[2]}); got != "wamp.error.no_such_event" && !strings.Contains(got, "no_such") {
		t.Errorf("an event of somebody else's as the bound: %s", got)
	}

	// Nothing is known of who has no such claim.
	lost := join(t, p, claimsTicket("joe", "lost", ``))
	if r := lost.subscribeRefusal(t, "order.created", nil); r.URI != "wamp.error.not_authorized" {
		t.Errorf("without the claim: %v", r)
	}
	if got := lost.pastRefusal(t, whole, nil); got != "wamp.error.not_authorized" {
		t.Errorf("the history without the claim: %s", got)
	}
}

// What is of no class and yet under a query is nobody's.
func TestRowsPlainTopics(t *testing.T) {
	p := startProgram(t, writeConfig(t, rowsConfig))
	ada, boss := join(t, p, claimsTicket("ada", "member", ``)), join(t, p, claimsTicket("boss", "staff", ``))
	for topic, options := range map[string]wamp.Dict{
		"order.plain.x": nil, "order.other": {"get_retained": true}, "order.plain.": {"match": "prefix"}, "order.x.": {"match": "wildcard"},
	} {
		if r := ada.subscribeRefusal(t, topic, options); r.URI != "wamp.error.not_authorized" {
			t.Errorf("subscribe to %s with %v: %v", topic, options, r)
		}
	}
	free, all := ada.listen(t, "chat.x", nil), ada.listen(t, "", wamp.Dict{"match": "prefix"})
	if err := boss.publish("order.plain.x", []any{"secret"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := boss.publish("chat.x", []any{"hello"}, nil); err != nil {
		t.Fatal(err)
	}
	if e := next(t, free); e.Arguments[0] != "hello" {
		t.Errorf("got %v", e)
	}
	newOrders(t, p).post("order.created", map[string]any{"customer": "ada", "n": 1})
	if e := next(t, all); e.ArgumentsKw["customer"] != "ada" {
		t.Errorf("a pattern over orders and others brings %v first, want the order", e)
	}
	plain := boss.subscription(t, "order.plain.", "prefix")
	if got := ada.pastRefusal(t, plain, nil); got != "wamp.error.not_authorized" {
		t.Errorf("the history of plain topics: %s", got)
	}
	every := boss.subscription(t, "order.", "prefix")
	for _, e := range ada.past(t, every, nil) {
		if args, _ := wamp.AsList(e["args"]); len(args) > 0 {
			t.Errorf("the history has the plain event %v", e)
		}
	}
}

// A JWT that was traded for a cookie goes on saying what it said, over an event
// stream, and so does one in its address.
func TestRowsEventSource(t *testing.T) {
	p := startProgram(t, writeConfig(t, rowsConfig))
	o := newOrders(t, p)
	v := newVisitor(t, p)
	r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, p.base+"/session", nil))(t)
	r.Header.Set("Authorization", "Bearer "+claimsTicket("eve", "member", `,"customers":["c-1"]`))
	resp := must(v.http.Do(r))(t)
	_ = resp.Body.Close()

	o.round(0)
	byCookie := v.listen("topic=order.created&last=100")
	byToken := newVisitor(t, p).listen("topic=order.created.bob&last=100&access_token=" + claimsTicket("bob", "member", ``))
	byPattern := newVisitor(t, p).listen("topic=order.&match=prefix&access_token=" + claimsTicket("ada", "member", ``))
	byNobody := newVisitor(t, p).listen("topic=order.created&last=100")
	o.round(10)
	o.end()
	wantOrders(byCookie, 3, 13, 900)
	wantOrders(byToken, 2, 12, 900)
	wantOrders(byPattern, 11, 900)
	wantOrders(byNobody, 900, 900, 900, 900, 900)
	id := wantOrders(byCookie, 900, 900, 900, 900, 901)
	byCookie.stop()
	o.round(20)
	wantOrders(v.listen("topic=order.created", "Last-Event-ID", id), 23)
}

// wantOrders checks the next orders of a stream, and returns the last one's id.
func wantOrders(l *listening, numbers ...int) (id string) {
	l.t.Helper()
	for len(numbers) > 0 {
		e := l.next()
		if e["event"] != "order.created" || e["data"] == "" {
			continue // tells where the stream begins, or that it goes on
		}
		if !strings.Contains(e["data"], fmt.Sprintf(`"n":%d`, numbers[0])) {
			l.t.Fatalf("the stream has %v, want the order %d", e, numbers[0])
		}
		id, numbers = e["id"], numbers[1:]
	}
	return id
}

// Whoever allows a subscription, the query holds.
func TestRowsOfTheAsked(t *testing.T) {
	p := startProgram(t, writeConfig(t, rowsConfig))
	boss := join(t, p, claimsTicket("boss", "staff", ``))
	yes := func(context.Context, *wamp.Invocation) client.InvokeResult {
		return client.InvokeResult{Args: wamp.List{map[string]any{"allow": true, "cache": true}}}
	}
	if err := boss.Register("app.authorize", yes, nil); err != nil {
		t.Fatal(err)
	}
	o := newOrders(t, p)
	ticket := claimsTicket("bob", "asked", ``)
	for range 2 { // the second time the answer may be known
		c := join(t, p, ticket)
		for _, events := range []<-chan *wamp.Event{
			c.listen(t, "order.created", nil), join(t, p, ticket).listen(t, "order.", wamp.Dict{"match": "prefix"}),
		} {
			o.round(0)
			if n, _ := wamp.AsInt64(next(t, events).ArgumentsKw["n"]); n != 2 {
				t.Errorf("who is asked about sees order %d first, want 2", n)
			}
		}
		if r := c.subscribeRefusal(t, "order.plain.x", nil); r.URI != "wamp.error.not_authorized" {
			t.Errorf("a plain topic under the query: %v", r)
		}
		if err := c.Unsubscribe("order.created"); err != nil {
			t.Fatal(err)
		}
		c.listen(t, "order.created", nil)
	}
}

// Webhooks and keys of the bridge see what their role sees; a webhook without a
// role is the gateway's own.
func TestRowsOfWebhooks(t *testing.T) {
	s := newHookServer(t)
	text := strings.Replace(rowsConfig, "history:", fmt.Sprintf(`bridge:
  call: /api/call
  keys: [{name: bob, secret: bridge-key-of-the-shop, role: member}]
webhooks:
  - {name: ada, role: member, topic: order., match: prefix, timeout: 60s, allow: [127.0.0.1, "::1"], url: %q}
history:`, s.URL), 1)
	p := startProgram(t, writeConfig(t, text))
	o := newOrders(t, p)
	// The hook subscribes when the gateway starts; until it has, nothing comes.
	first := ""
	for end := time.Now().Add(patience); first == "" && time.Now().Before(end); {
		o.round(0)
		select {
		case first = <-s.requests:
		case <-time.After(50 * time.Millisecond):
		}
	}
	if !strings.Contains(first, `"customer":"ada"`) {
		t.Errorf("the endpoint got %s", first)
	}
	o.post("order.paid", map[string]any{"customer": "bob", "n": 50})
	o.post("order.paid", map[string]any{"customer": "ada", "n": 51})
	for got := ""; !strings.Contains(got, `"n":51`); {
		if got = s.next(t); !strings.Contains(got, `"customer":"ada"`) {
			t.Fatalf("the endpoint got %s", got)
		}
	}
	whole := join(t, p, claimsTicket("boss", "staff", ``)).subscription(t, "order.created", "exact")
	status, answer := postJSON(t, p, "/api/call", "bridge-key-of-the-shop", fmt.Sprintf(`{"procedure":"wamp.subscription.get_events","args":[%d]}`, whole))
	if status != http.StatusOK || !strings.Contains(answer, `"bob"`) || strings.Contains(answer, `"ada"`) {
		t.Errorf("over the bridge the history is %d %s", status, answer)
	}
}

// Clients without options, and channels by name, are no way round either.
func TestRowsByOtherNames(t *testing.T) {
	p := startProgram(t, writeConfig(t, rowsConfig))
	o := newOrders(t, p)
	boss := join(t, p, claimsTicket("boss", "staff", ``))
	got, err := boss.Call(t.Context(), "wireroom.query", nil, wamp.List{"order.created", `customer == "bob" || everybody`}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	topic, _ := wamp.AsString(got.Arguments[0])
	byQuery := join(t, p, claimsTicket("ada", "member", ``)).listen(t, topic, nil)
	byChannel := join(t, p, claimsTicket("ada", "member", ``)).listen(t, "order.created", wamp.Dict{"_channel": "bob"})
	o.round(0)
	o.end()
	if got := seen(t, byQuery, 901); len(got) != 0 {
		t.Errorf("by a topic that somebody else's query has: %v", got)
	}
	if got := seen(t, byChannel, 900); len(got) != 0 {
		t.Errorf("by somebody else's channel: %v", got)
	}
	ada := join(t, p, claimsTicket("ada", "member", ``))
	if r := ada.subscribeRefusal(t, "order.created", wamp.Dict{"_where": `customer == session.authid`}); !strings.Contains(fmt.Sprint(r), "session") {
		t.Errorf("a client that asks for the session: %v", r)
	}
}

// Equal queries are one subscription: of sessions that see the same, and not of
// those that do not.
func TestRowsShareSubscriptions(t *testing.T) {
	p := startProgram(t, writeConfig(t, rowsConfig))
	id := func(ticket string) wamp.ID {
		return join(t, p, ticket).subscription(t, "order.created", "exact")
	}
	a := id(claimsTicket("eve", "member", `,"customers":["c-1","c-2"]`))
	b := id(claimsTicket("eve", "member", `,"customers":["c-2","c-1","c-1"]`))
	c := id(claimsTicket("eve", "member", `,"customers":["c-1"]`))
	if a != b || a == c {
		t.Errorf("equal rows have the subscriptions %d and %d, others %d", a, b, c)
	}
}

// check says who sees what.
func TestCheckRows(t *testing.T) {
	file := writeConfig(t, rowsConfig)
	code, out, _ := runCommand(t, "", "check", file)
	want := "role anonymous sees of order.created, order.paid: everybody\n"
	if code != exitOK || !strings.Contains(out, want) || !strings.Contains(out, `role member sees of order.created, order.paid: customer == session.authid || customer in session.claims.customers || everybody`) {
		t.Errorf("check answers %d %s", code, out)
	}
	code, out, _ = runCommand(t, "", "check", file, "-o", "json")
	var said struct {
		Rows []struct{ Realm, Role, Pattern, Where string }
	}
	if err := json.Unmarshal([]byte(out), &said); code != exitOK || err != nil || len(said.Rows) != 6 || said.Rows[0].Role != "anonymous" || said.Rows[0].Pattern != "order.*" {
		t.Errorf("check answers %d %s %v", code, out, err)
	}
}
