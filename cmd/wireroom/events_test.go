package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/wamp"
)

// ways are the ways in. Each returns the publisher of an event of the given
// gateway.
var ways = []struct {
	name string
	open func(t *testing.T, p *program) publisher
}{
	{"XML-RPC", func(t *testing.T, p *program) publisher {
		return must(newXMLRPCPublisher(p.base, testKey, patience))(t)
	}},
	{"XML-RPC at the root", func(t *testing.T, p *program) publisher {
		c := must(newXMLRPCClient(p.base, testKey, patience))(t)
		c.url = p.base + "/"
		return &xmlrpcPublisher{c}
	}},
	{"HTTP", func(t *testing.T, p *program) publisher { return must(newHTTPPublisher(p.base, testKey, patience))(t) }},
	{"WAMP", func(t *testing.T, p *program) publisher {
		return &wampPublisher{join(t, p, ticketFor(t, "ada", "member"))}
	}},
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// An event arrives with its data and details, whichever way it came.
func TestEveryWayIn(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	class := join(t, p, "").listen(t, "demo.message", nil)
	channel := join(t, p, "").listen(t, "demo.message.lobby", nil)
	prefix := join(t, p, "").listen(t, "demo.", wamp.Dict{"match": "prefix"})
	for i, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			pub := way.open(t, p)
			defer pub.close()
			before := time.Now().Add(-time.Second)
			data := map[string]any{"room": "lobby", "text": "a <b> & ü", "n": int64(i), "extra": []any{true, "x", 1.5}}
			id, err := pub.publish(t.Context(), publication{topic: "demo.message", value: data})
			if err != nil {
				t.Fatal(err)
			}
			for name, events := range map[string]<-chan *wamp.Event{"class": class, "channel": channel, "prefix": prefix} {
				e := next(t, events)
				if got, want := jsonText(e.ArgumentsKw), jsonText(data); got != want {
					t.Errorf("%s: kwargs = %s, want %s", name, got, want)
				}
				d := e.Details
				if d["topic"] != "demo.message" || d["_class"] != "demo.message" {
					t.Errorf("%s: details = %v, want the topic and class demo.message", name, d)
				}
				if got, _ := wamp.AsInt64(d["_offset"]); got != int64(i+1) || d["_epoch"] == "" {
					t.Errorf("%s: position = %v of epoch %v, want %d", name, d["_offset"], d["_epoch"], i+1)
				}
				if got, _ := wamp.AsString(d["_event_id"]); got == "" || id != "" && got != id {
					t.Errorf("%s: _event_id = %q, want %q", name, got, id)
				}
				text, _ := wamp.AsString(d["_time"])
				if at, err := time.Parse(time.RFC3339Nano, text); err != nil || at.Before(before) || at.After(time.Now()) {
					t.Errorf("%s: _time = %q, want the time when it was published", name, text)
				}
			}
		})
	}
}

// A rejected event gets the same facts over every way in.
func TestRejectedEvent(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	tests := []struct {
		name  string
		class string
		data  map[string]any
		facts []string
	}{
		{"wrong type", "order.created", map[string]any{"id": "seven"}, []string{"order.created", "id", "expected an integer", `found the string "seven"`}},
		{"out of range", "order.created", map[string]any{"id": int64(1), "total": -3.5}, []string{"order.created", "total", "expected a number of at least 0", "found -3.5"}},
		{"missing", "demo.message", map[string]any{"text": "x"}, []string{"demo.message", "room", "expected a string", "found nothing"}},
		{"too long", "demo.message", map[string]any{"room": strings.Repeat("r", 65), "text": "x"}, []string{"demo.message", "room", "at most 64 characters", "found"}},
	}
	for _, way := range ways {
		pub := way.open(t, p)
		defer pub.close()
		for _, tt := range tests {
			t.Run(way.name+"/"+tt.name, func(t *testing.T) {
				_, err := pub.publish(t.Context(), publication{topic: tt.class, value: tt.data})
				e, ok := errors.AsType[*exitError](err)
				if !ok || e.code != exitRefused {
					t.Fatalf("publish = %v, want a refusal", err)
				}
				for _, fact := range tt.facts {
					if !strings.Contains(err.Error(), fact) {
						t.Errorf("publish = %q, want it to say %q", err, fact)
					}
				}
			})
		}
	}
}

// What a client may not do with a class is refused, and says why.
func TestClientRefusals(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	anonymous, member := join(t, p, ""), join(t, p, ticketFor(t, "ada", "member"))
	lobby := map[string]any{"room": "lobby", "text": "x"}
	publishing := []struct {
		name   string
		as     *wampClient
		topic  string
		args   []any
		kwargs map[string]any
		want   string
	}{
		{"role", anonymous, "order.created", nil, map[string]any{"id": 1}, "wamp.error.not_authorized"},
		{"channel", member, "demo.message.lobby", nil, lobby, "is a channel of the class demo.message"},
		{"two arguments", member, "demo.message", []any{lobby, lobby}, nil, "found 2 positional arguments"},
		{"no dictionary", member, "demo.message", []any{"x"}, nil, "found one argument that is no dictionary"},
		{"reserved", member, "wamp.x", nil, lobby, "wamp.error"},
	}
	for _, tt := range publishing {
		t.Run("publish/"+tt.name, func(t *testing.T) {
			err := tt.as.publish(tt.topic, tt.args, tt.kwargs)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("publish to %s = %v, want %q", tt.topic, err, tt.want)
			}
		})
	}
	subscribing := []struct {
		name    string
		as      *wampClient
		topic   string
		options wamp.Dict
		want    string
	}{
		{"authenticated only", anonymous, "order.created", nil, "wamp.error.not_authorized"},
		{"roles only", member, "staff.note", nil, "wamp.error.not_authorized"},
		{"replay of a class without a past", member, "chat.line", wamp.Dict{"_last": 1}, "chat.line is not retained"},
		{"replay of a plain topic", member, "plain.topic", wamp.Dict{"_last": 1}, "expected the topic of a retained event class"},
		{"replay of a pattern", member, "demo.", wamp.Dict{"_last": 1, "match": "prefix"}, "prefix topic"},
		{"last and since", member, "demo.message", wamp.Dict{"_last": 1, "_since": 1}, "_last"},
		{"bad since", member, "demo.message", wamp.Dict{"_since": "yesterday"}, `found the string "yesterday"`},
		{"query", member, "demo.message", wamp.Dict{"_where": "n >"}, "option _where: 1:4: expected a field or a value"},
		{"persistent", member, "demo.message", wamp.Dict{"_persistent": true}, "the class has no persistent subscriptions"},
	}
	for _, tt := range subscribing {
		t.Run("subscribe/"+tt.name, func(t *testing.T) {
			if got := tt.as.subscribeRefusal(t, tt.topic, tt.options).Error(); !strings.Contains(got, tt.want) {
				t.Errorf("subscribe to %s = %q, want %q", tt.topic, got, tt.want)
			}
		})
	}
}

// A replay would show a retained event to everybody, so its publisher cannot
// choose who gets it; elsewhere it can.
func TestChosenReceivers(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	c := join(t, p, "")
	tests := []struct {
		topic  string
		kwargs wamp.Dict
		option string
		want   string // "" is success
	}{
		{"demo.message", wamp.Dict{"room": "r", "text": "x"}, "eligible", "is retained"},
		{"demo.message", wamp.Dict{"room": "r", "text": "x"}, "exclude", "is retained"},
		{"chat.line", wamp.Dict{"n": 1}, "eligible", ""},
	}
	for _, tt := range tests {
		err := c.Publish(tt.topic, wamp.Dict{"acknowledge": true, tt.option: []any{1}}, wamp.List{}, tt.kwargs)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("publish to %s with %s = %v, want %q", tt.topic, tt.option, err, tt.want)
		}
	}
}

// A class must read the data of its events, so they can't be passed through;
// elsewhere they can.
func TestPassthruAndClasses(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	c := join(t, p, "")
	options := wamp.Dict{"acknowledge": true, "ppt_scheme": "x_mine", "ppt_serializer": "cbor"}
	for topic, want := range map[string]string{
		"demo.message": "wamp.error.option_not_allowed",
		"plain.topic":  "",
	} {
		// Not with keyword arguments: nexus's client then sends them in clear
		// beside the packed ones, which is a violation.
		err := c.Publish(topic, options, wamp.List{map[string]any{"room": "r", "text": "x"}}, nil)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("publish to %s = %v, want %q", topic, err, want)
		}
	}
}

// A pattern does not let a session see classes that are not for it.
func TestAccessBehindAPattern(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	anonymous, member, staff := join(t, p, ""), join(t, p, ticketFor(t, "ada", "member")), join(t, p, ticketFor(t, "bob", "staff"))
	readers := make(map[string]<-chan *wamp.Event)
	for name, c := range map[string]*wampClient{"anonymous": anonymous, "member": member, "staff": staff} {
		readers[name] = c.listen(t, "", wamp.Dict{"match": "prefix"})
	}
	pub := must(newHTTPPublisher(p.base, testKey, patience))(t)
	defer pub.close()
	for _, class := range []string{"staff.note", "order.created", "chat.line"} {
		if _, err := pub.publish(t.Context(), publication{topic: class, value: map[string]any{"id": 1}}); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string][]string{
		"anonymous": {"chat.line"},
		"member":    {"order.created", "chat.line"},
		"staff":     {"staff.note", "order.created", "chat.line"},
	}
	for name, events := range readers {
		for _, class := range want[name] { // chat.line is the last for everyone
			e := next(t, events)
			for topic, _ := wamp.AsString(e.Details["topic"]); strings.HasPrefix(topic, "wamp."); topic, _ = wamp.AsString(e.Details["topic"]) {
				e = next(t, events) // the pattern fits what the router tells of the other readers, too
			}
			if got := e.Details["_class"]; got != class {
				t.Errorf("%s gets %v, want %s", name, got, class)
			}
		}
	}
}

// Past events come first, marked, and live ones follow without a gap.
func TestReplayThenLive(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	pub := must(newHTTPPublisher(p.base, testKey, patience))(t)
	defer pub.close()
	const past, total = 50, 200
	send := func(from, to int) {
		for n := from; n < to; n++ {
			data := map[string]any{"room": fmt.Sprint("r", n%2), "text": "x", "n": n}
			if _, err := pub.publish(t.Context(), publication{topic: "demo.message", value: data}); err != nil {
				t.Error(err)
				return
			}
		}
	}
	send(0, past)
	go send(past, total) // awaited by the readers below, which get all of it
	tests := []struct {
		topic   string
		options wamp.Dict
		first   int // n of the first event
		step    int
	}{
		{"demo.message", wamp.Dict{"_since": 0}, 0, 1},
		{"demo.message", wamp.Dict{"_since": 10}, 10, 1},
		{"demo.message.r1", wamp.Dict{"_since": 0}, 1, 2},
	}
	for _, tt := range tests {
		events := join(t, p, "").listen(t, tt.topic, tt.options)
		live := false
		for n := tt.first; n < total; n += tt.step {
			e := next(t, events)
			if got, _ := wamp.AsInt64(e.ArgumentsKw["n"]); got != int64(n) {
				t.Fatalf("%s %v: event %d comes, want %d", tt.topic, tt.options, got, n)
			}
			replayed, _ := e.Details["_replayed"].(bool)
			if live && replayed {
				t.Fatalf("%s %v: event %d is marked as replayed, after a live one", tt.topic, tt.options, n)
			}
			live = !replayed
		}
	}
}

// The last events, and what is told when the log has no more of them.
func TestReplayOfATrimmedLog(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	pub := must(newHTTPPublisher(p.base, testShopKey, patience))(t)
	defer pub.close()
	for n := range 25 { // of which 10 are kept
		if _, err := pub.publish(t.Context(), publication{topic: "order.created", value: map[string]any{"id": n}}); err != nil {
			t.Fatal(err)
		}
	}
	c := join(t, p, ticketFor(t, "ada", "member"))
	events := c.listen(t, "order.created", wamp.Dict{"_last": 3})
	for n := 22; n < 25; n++ {
		if got, _ := wamp.AsInt64(next(t, events).ArgumentsKw["id"]); got != int64(n) {
			t.Fatalf("_last: 3 brings order %d, want %d", got, n)
		}
	}
	e := next(t, join(t, p, ticketFor(t, "ada", "member")).listen(t, "order.created", wamp.Dict{"_since": 2}))
	from, _ := wamp.AsInt64(e.Details["_lost_from"])
	through, _ := wamp.AsInt64(e.Details["_lost_through"])
	offset, _ := wamp.AsInt64(e.Details["_offset"])
	if e.Details["_recovered"] != false || from != 3 || through != offset-1 {
		t.Errorf("after offset 2: details = %v, want _recovered: false and the lost offsets 3 to %d", e.Details, offset-1)
	}
	// A position of another epoch: the log has it no more, and has more events.
	e = next(t, join(t, p, ticketFor(t, "ada", "member")).listen(t, "order.created", wamp.Dict{"_since": "OTHER:7"}))
	if e.Details["_recovered"] != false {
		t.Errorf("after another epoch: details = %v, want _recovered: false", e.Details)
	}
}

// A gap is told even if there is no past event to tell it with.
func TestGapWithoutEvents(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	e := next(t, join(t, p, "").listen(t, "demo.message", wamp.Dict{"_since": "OTHER:7"}))
	if e.Details["_recovered"] != false || len(e.ArgumentsKw) != 0 {
		t.Errorf("event = %v %v, want _recovered: false and no data", e.Details, e.ArgumentsKw)
	}
}

// A client's publications keep their order, also between classes that are
// kept, classes that are not, and plain topics.
func TestOrderAcrossClasses(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	pub := join(t, p, ticketFor(t, "ada", "member")) // first: the empty prefix fits wamp.session.on_join, too
	events := join(t, p, "").listen(t, "", wamp.Dict{"match": "prefix"})
	const total = 300
	for n := range total {
		topic, kwargs := "demo.message", wamp.Dict{"room": "r", "text": "x", "n": n}
		if n%3 != 0 {
			topic, kwargs = "chat.line", wamp.Dict{"n": n}
		}
		if err := pub.Publish(topic, nil, wamp.List{}, kwargs); err != nil {
			t.Fatal(err)
		}
	}
	for n := range total {
		if got, _ := wamp.AsInt64(next(t, events).ArgumentsKw["n"]); got != int64(n) {
			t.Fatalf("event %d comes, want %d", got, n)
		}
	}
}

// An event with an id that was seen before is acknowledged, and not delivered
// again; with other data it is a conflict.
func TestIdempotency(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	for _, class := range []string{"demo.message", "chat.line"} {
		t.Run(class, func(t *testing.T) {
			events := join(t, p, "").listen(t, class, nil)
			pub := must(newHTTPPublisher(p.base, testKey, patience))(t)
			defer pub.close()
			post := func(id string, n int) error {
				data := map[string]any{"room": "r", "text": "x", "n": n}
				got, err := pub.publish(t.Context(), publication{topic: class, value: data, id: id})
				if err == nil && got != id {
					return fmt.Errorf("id %q is acknowledged as %q", id, got)
				}
				return err
			}
			for _, err := range []error{post("a", 1), post("a", 1), post("b", 2)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := post("a", 3); err == nil || !strings.Contains(err.Error(), "409") {
				t.Errorf("the same id with other data: %v, want a conflict", err)
			}
			for _, want := range []string{"a", "b"} {
				if got := next(t, events).Details["_event_id"]; got != want {
					t.Errorf("event %v comes, want %s", got, want)
				}
			}
		})
	}
}

// Ingest keys post only their classes.
func TestKeys(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	tests := []struct{ name, key, class, want string }{
		{"wrong key", "not-a-key-at-all", "order.created", "401"},
		{"foreign class", testShopKey, "demo.message", "403"},
		{"unknown class", testKey, "nobody.knows", "no event class has the name"},
		{"unknown class, hidden", testShopKey, "nobody.knows", "403"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pub := must(newHTTPPublisher(p.base, tt.key, patience))(t)
			defer pub.close()
			_, err := pub.publish(t.Context(), publication{topic: tt.class, value: map[string]any{}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("publish = %v, want status %s", err, tt.want)
			}
		})
	}
}

// wireroom.class.list has what the session may see, and no more.
func TestClassList(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	want := map[string][]string{
		"anonymous": {"demo.message", "chat.line"},
		"member":    {"demo.message", "chat.line", "order.created"},
		"staff":     {"demo.message", "chat.line", "order.created", "staff.note"},
	}
	for role, names := range want {
		ticket := ""
		if role != "anonymous" {
			ticket = ticketFor(t, "ada", role)
		}
		r, err := join(t, p, ticket).Call(t.Context(), "wireroom.class.list", nil, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		classes, _ := wamp.AsList(r.ArgumentsKw["classes"])
		var got []string
		for _, c := range classes {
			d, _ := wamp.AsDict(c)
			name, _ := wamp.AsString(d["name"])
			got = append(got, name)
		}
		if fmt.Sprint(got) != fmt.Sprint(names) {
			t.Errorf("%s sees %v, want %v", role, got, names)
		}
	}
	first, _ := wamp.AsDict(firstClass(t, join(t, p, "")))
	if got := jsonText(first); !strings.Contains(got, `{"expected":"a string of at most 64 characters","max_length":64,"name":"room","required":true,"type":"string"}`) {
		t.Errorf("the first class is %s, want its fields described", got)
	}
}

func firstClass(t *testing.T, c *wampClient) any {
	t.Helper()
	r, err := c.Call(t.Context(), "wireroom.class.list", nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	classes, ok := wamp.AsList(r.ArgumentsKw["classes"])
	if !ok || len(classes) == 0 {
		t.Fatalf("wireroom.class.list = %v, want classes", r.ArgumentsKw)
	}
	return classes[0]
}

// Pages of other sites may not open a WebSocket with a visitor's cookie.
func TestForeignOrigin(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	upgrade := func(origin string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.base+"/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
			"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "wamp.2.json", "Origin": origin,
		} {
			req.Header.Set(k, v)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if got := upgrade("https://evil.example"); got != http.StatusForbidden {
		t.Errorf("upgrade from a foreign page: status %d, want 403", got)
	}
	if got := upgrade(p.base); got != http.StatusSwitchingProtocols {
		t.Errorf("upgrade from our own page: status %d, want 101", got)
	}
}
