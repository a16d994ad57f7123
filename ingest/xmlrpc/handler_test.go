package xmlrpc_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/ingest"
	"github.com/wireroom/wireroom/ingest/ingesttest"
	"github.com/wireroom/wireroom/ingest/xmlrpc"
)

// keys are the ingest keys of all tests. The last is for requests without one.
var keys = ingesttest.Keys{"demo": "demo", "s3cret": "shop", "": "telegraphy"}

// checked is a sink that refuses what it should by the name of the class.
func checked() *ingesttest.TokenSink {
	return &ingesttest.TokenSink{Sink: ingesttest.Sink{
		Check: func(_ ingest.Key, e *ingest.Event) error {
			switch e.Class {
			case "unknown":
				return &ingest.Error{Kind: ingest.UnknownClass, Class: e.Class, Index: -1}
			case "strict":
				return &ingest.Error{
					Kind: ingest.InvalidEvent, Class: e.Class, Field: "total", Expected: "a number", Found: `"<x>"`,
				}
			case "forbidden":
				return &ingest.Error{Kind: ingest.Forbidden, Class: e.Class, Index: -1}
			case "away":
				return &ingest.Error{Kind: ingest.Unavailable, Text: "the store is away", RetryAfter: 1500 * time.Millisecond, Index: -1}
			case "broken":
				return errors.New("open /secret/path: no such file")
			}
			return nil
		},
		ClassList: []ingest.ClassInfo{{
			Name: "order.created", About: "An order <1>", Access: ingest.AccessRoles, Roles: []string{"staff"}, Retained: true,
			Fields: []ingest.FieldInfo{
				{Name: "total", Type: "number", Required: true, Min: new(0.5), Enum: []any{1, 2.5, "three"}},
				{Name: "note", Type: "string", MaxLength: new(10)},
			},
		}},
	}}
}

func newHandler(sink ingest.Sink) *xmlrpc.Handler {
	return xmlrpc.New(sink, keys, slog.New(slog.DiscardHandler), xmlrpc.DefaultConfig())
}

// post sends a body to the handler as text/xml.
func post(h http.Handler, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/RPC2", strings.NewReader(body))
	r.Header.Set("Content-Type", "text/xml")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// request returns a call of a method with the contents of the parameters'
// <value> elements.
func request(method string, values ...string) string {
	var b strings.Builder
	b.WriteString("<?xml version='1.0'?><methodCall><methodName>" + method + "</methodName><params>")
	for _, v := range values {
		b.WriteString("<param><value>" + v + "</value></param>")
	}
	b.WriteString("</params></methodCall>")
	return b.String()
}

const data = "<struct><member><name>total</name><value><int>3</int></value></member></struct>"

// eventStruct returns an event of event.publish_many.
func eventStruct(class string) string {
	return "<struct><member><name>class</name><value>" + class + "</value></member><member><name>data</name><value>" + data + "</value></member></struct>"
}

func array(values ...string) string {
	return "<array><data><value>" + strings.Join(values, "</value><value>") + "</value></data></array>"
}

// result returns what is in the answer's <param> or <fault>, with the structure
// of a fault shortened to its code and text.
func result(w *httptest.ResponseRecorder) string {
	s := strings.TrimSpace(w.Body.String())
	for _, around := range [][2]string{
		{`<?xml version="1.0" encoding="UTF-8"?>` + "\n<methodResponse>", "</methodResponse>"},
		{"<params><param><value>", "</value></param></params>"},
		{"<fault><value>", "</value></fault>"},
		{"<struct><member><name>faultCode</name><value><int>", "</string></value></member></struct>"},
	} {
		if after, ok := strings.CutPrefix(s, around[0]); ok {
			if s, ok = strings.CutSuffix(after, around[1]); !ok {
				return "unbalanced: " + w.Body.String()
			}
		}
	}
	return strings.Replace(s, "</int></value></member><member><name>faultString</name><value><string>", " ", 1)
}

// posted returns the key, class and data of each event.
func posted(sink *ingesttest.TokenSink) string {
	var b strings.Builder
	for _, p := range sink.Events() {
		fmt.Fprintf(&b, "%s %s %s;", p.Key.Name, p.Event.Class, p.Event.Data)
	}
	return b.String()
}

func TestMethods(t *testing.T) {
	const ids = "<array><data><value><string>drawn-1</string></value><value><string>drawn-2</string></value></data></array>"
	tests := []struct {
		name, request string
		want          string
		wantPosted    string // key, class and data of each event
	}{
		{
			"publish", request("event.publish", "s3cret", "a.b", data),
			"<string>drawn-1</string>", `shop a.b {"total":3};`,
		},
		{
			"publish with an id", request("event.publish", "demo", "a.b", data, "order-17"),
			"<string>order-17</string>", `demo a.b {"total":3};`,
		},
		{
			"publish with nil for the id", request("event.publish", "demo", "a.b", data, "<nil/>"),
			"<string>drawn-1</string>", `demo a.b {"total":3};`,
		},
		{"wrong key", request("event.publish", "wrong", "a.b", data), "401 the ingest key is missing or unknown", ""},
		{"empty key", request("event.publish", "", "a.b", data), "401 the ingest key is missing or unknown", ""},
		{
			"key of a wrong type", request("event.publish", "<int>1</int>", "a.b", data),
			"-32602 event.publish: parameter 1 (key): expected string, found int", "",
		},
		{
			"data of a wrong type", request("event.publish", "demo", "a.b", array("")),
			"-32602 event.publish: parameter 3 (data): expected struct, found array", "",
		},
		{
			"id of a wrong type", request("event.publish", "demo", "a.b", data, "<int>7</int>"),
			"-32602 event.publish: parameter 4 (id): expected string, found int", "",
		},
		{
			"empty id", request("event.publish", "demo", "a.b", data, ""),
			"-32602 id: expected 1 to 128 printable ASCII characters, found an empty string", "",
		},
		{
			"too few parameters", request("event.publish", "demo"),
			"-32602 expected event.publish with 3 to 4 (key, class, data, id), found 1 parameters", "",
		},
		{
			"too many parameters", request("event.publish", "demo", "a", data, "", ""),
			"-32602 expected event.publish with 3 to 4 (key, class, data, id), found 5 parameters", "",
		},
		{"invalid event", request("event.publish", "demo", "strict", data), "422 strict: total: expected a number, found \"&lt;x&gt;\"", ""},
		{"unknown class", request("event.publish", "demo", "unknown", data), "404 unknown: no such event class", ""},
		{"forbidden", request("event.publish", "demo", "forbidden", data), "403 forbidden: the ingest key may not do this", ""},
		{"unavailable", request("event.publish", "demo", "away", data), "503 the store is away; try again in 1.5s", ""},
		{"broken", request("event.publish", "demo", "broken", data), "-32603 internal error", ""},
		{"unknown method", request("event.publsh"), `-32601 there is no method "event.publsh"; system.listMethods has all`, ""},
		{"not XML", "hello", "-32600 line 1, column 1: expected &lt;methodCall&gt;, found text", ""},

		{
			"many", request("event.publish_many", "demo", array(eventStruct("a"), eventStruct("b"))),
			ids, `demo a {"total":3};demo b {"total":3};`,
		},
		{"many, none", request("event.publish_many", "demo", "<array><data/></array>"), "<array><data></data></array>", ""},
		{
			"many, one refused", request("event.publish_many", "demo", array(eventStruct("a"), eventStruct("strict"))),
			"422 event 1: strict: total: expected a number, found \"&lt;x&gt;\"", "",
		},
		{
			"many, no struct", request("event.publish_many", "demo", array(eventStruct("a"), "b")),
			"-32602 event 1: expected a struct, found string", "",
		},
		{
			"many, unknown member", request("event.publish_many", "demo", array("<struct><member><name>klass</name><value/></member></struct>")),
			`-32602 event 0: expected the members class, data and id, found a member "klass"`, "",
		},
		{
			"many, no class", request("event.publish_many", "demo", array("<struct><member><name>data</name><value><struct/></value></member></struct>")),
			"-32602 event 0: class: expected string, found nothing", "",
		},
		{
			"many, no data", request("event.publish_many", "demo", array("<struct><member><name>class</name><value/></member></struct>")),
			"-32602 event 0: data: expected struct, found nothing", "",
		},
		{
			"many, data of a wrong type", request("event.publish_many", "demo", array("<struct><member><name>data</name><value/></member></struct>")),
			"-32602 event 0: data: expected struct, found string", "",
		},
		{
			"many, id of a wrong type", request("event.publish_many", "demo", array("<struct><member><name>id</name><value><int>1</int></value></member></struct>")),
			"-32602 event 0: id: expected string, found int", "",
		},
		{
			"many, too many", request("event.publish_many", "demo", array(make([]string, 1001)...)),
			"413 a batch may have at most 1000 events, this one has 1001", "",
		},

		{"token", request("session.token", "demo", "joe", array("a", "b"), "<int>60</int>"), "<string>joe a,b 1m0s</string>", ""},
		{"token, short", request("session.token", "demo", "joe"), "<string>joe  0s</string>", ""},
		{"token, nils", request("session.token", "demo", "joe", "<nil/>", "<nil/>"), "<string>joe  0s</string>", ""},
		{
			"token, no user", request("session.token", "demo", ""),
			"-32602 session.token: parameter 2 (user): expected a name, found an empty string", "",
		},
		{
			"token, roles of a wrong type", request("session.token", "demo", "joe", array("<int>1</int>")),
			"-32602 session.token: parameter 3 (roles): expected strings in the array, found int", "",
		},
		{
			"token, ttl too long", request("session.token", "demo", "joe", "<nil/>", "<i8>9223372036854775807</i8>"),
			"-32602 session.token: parameter 4 (ttl): expected 1 to 315360000 seconds, found 9223372036854775807", "",
		},
		{
			"token, ttl of zero", request("session.token", "demo", "joe", "<nil/>", "<int>0</int>"),
			"-32602 session.token: parameter 4 (ttl): expected 1 to 315360000 seconds, found 0", "",
		},
		{"devices", request("session.devices", "demo", "joe"), "<array><data><value><struct><member><name>client</name><value><string>joe</string></value></member><member><name>agent</name><value><string></string></value></member><member><name>made</name><value><string>2026-01-31T12:00:00Z</string></value></member><member><name>seen</name><value><string></string></value></member><member><name>expires</name><value><string></string></value></member><member><name>sessions</name><value><int>2</int></value></member></struct></value></data></array>", ""},
		{"devices, no user", request("session.devices", "demo", ""), "-32602 session.devices: parameter 2 (user): expected a name, found an empty string", ""},
		{"revoke all", request("session.revoke", "demo", "joe"), "<int>3</int>", ""},
		{"revoke one", request("session.revoke", "demo", "joe", "abcde"), "<int>8</int>", ""},
		{
			"revoke, no client", request("session.revoke", "demo", "joe", ""),
			"-32602 session.revoke: parameter 3 (client): expected a client, found an empty string; leave it out to log the user out everywhere", "",
		},
		{"revoke, wrong key", request("session.revoke", "wrong", "joe"), "401 the ingest key is missing or unknown", ""},
		{"token, wrong key", request("session.token", "wrong", "joe"), "401 the ingest key is missing or unknown", ""},

		{"help for nothing", request("system.methodHelp", "x"), `-32601 there is no method "x"; system.listMethods has all`, ""},
		{
			"help for Telegraphy", request("system.methodHelp", "send_event"),
			"<string>send_event(event) -&gt; nil\nsend_event(name, json) -&gt; boolean\n\n" +
				"Telegraphy's way in. event is a struct with the member name and, as a rule, meta\n" +
				"and data; it becomes an event of the class name, with the whole struct as its\n" +
				"data. The older form takes the data as the text of a JSON object, and returns\n" +
				"whether the event was taken. The key comes in the HTTP header Authorization, as\n" +
				"a Bearer token or as the password of Basic.</string>", "",
		},
		{
			"signature", request("system.methodSignature", "class.list"),
			"<array><data><value><array><data><value><string>array</string></value><value><string>string</string></value></data></array></value></data></array>", "",
		},

		{
			"Telegraphy", request("send_event", "<struct><member><name>name</name><value>a.B</value></member><member><name>meta</name><value><nil/></value></member></struct>"),
			"<nil/>", `telegraphy a.B {"name":"a.B","meta":null};`,
		},
		{
			"Telegraphy without a name", request("send_event", data),
			"-32602 send_event: parameter 1 (event): member name: expected a string, found nothing", "",
		},
		{
			"Telegraphy with a number for a name", request("send_event", "<struct><member><name>name</name><value><int>1</int></value></member></struct>"),
			"-32602 send_event: parameter 1 (event): member name: expected a string, found int", "",
		},
		{
			"Telegraphy with an empty name", request("send_event", "<struct><member><name>name</name><value/></member></struct>"),
			"-32602 send_event: parameter 1 (event): member name: expected a string, found an empty string", "",
		},
		{"Telegraphy with JSON", request("send_event", "a.B", ` {"a": [1]} `), "<boolean>1</boolean>", `telegraphy a.B {"a": [1]};`},
		{"Telegraphy, unknown event", request("send_event", "unknown", `{}`), "<boolean>0</boolean>", ""},
		{"Telegraphy, invalid event", request("send_event", "strict", `{}`), "<boolean>0</boolean>", ""},
		{"Telegraphy, store away", request("send_event", "away", `{}`), "503 the store is away; try again in 1.5s", ""},
		{"Telegraphy with an array", request("send_event", "a.B", `[1]`), "-32602 send_event: parameter 2 (json): expected a JSON object", ""},
		{"Telegraphy with nothing", request("send_event", "a.B", ``), "-32602 send_event: parameter 2 (json): expected a JSON object, found nothing", ""},
		{"Telegraphy with more", request("send_event", "a.B", `{} {}`), "-32602 send_event: parameter 2 (json): expected one JSON object, found more", ""},
		{
			"Telegraphy with deep JSON", request("send_event", "a.B", `{"a":`+strings.Repeat("[", 64)+strings.Repeat("]", 64)+`}`),
			"-32602 send_event: parameter 2 (json): the JSON object is nested more than 64 deep", "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sink := checked()
			w := post(newHandler(sink), tt.request)
			if got := result(w); w.Code != http.StatusOK || got != tt.want || posted(sink) != tt.wantPosted {
				t.Errorf("answer %d %s, posted %q; want 200 %s, posted %q", w.Code, got, posted(sink), tt.want, tt.wantPosted)
			}
		})
	}
}

// Duplicate names in Telegraphy's JSON could be read in two ways.
func TestTelegraphyDuplicateNames(t *testing.T) {
	w := post(newHandler(checked()), request("send_event", "a.B", `{"a":1,"a":2}`))
	if got := result(w); !strings.HasPrefix(got, "-32602 send_event: parameter 2 (json): ") {
		t.Errorf("answer %s, want a fault -32602", got)
	}
}

func TestTelegraphyKey(t *testing.T) {
	tests := []struct {
		name, header string
		want         string
	}{
		{"bearer", "Bearer s3cret", "shop"},
		{"basic", "Basic YW55OnMzY3JldA==", "shop"}, // any:s3cret
		{"none", "", "telegraphy"},
		{"wrong", "Bearer wrong", ""},
		{"empty password", "Basic YW55Og==", ""},
		{"other scheme", "Digest a", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sink := checked()
			w := post(newHandler(sink), request("send_event", "a.B", "{}"), "Authorization", tt.header)
			got := ""
			if events := sink.Events(); len(events) == 1 {
				got = events[0].Key.Name
			} else if !strings.HasPrefix(result(w), "401 ") {
				t.Errorf("answer %s, want a fault 401", result(w))
			}
			if got != tt.want {
				t.Errorf("posted with the key %q, want %q", got, tt.want)
			}
		})
	}
}

// The handler has session.token only if its sink can mint tokens.
func TestTokenNeedsMinter(t *testing.T) {
	h := newHandler(&ingesttest.Sink{})
	if got := result(post(h, request("session.token", "demo", "joe"))); !strings.HasPrefix(got, "-32601 ") {
		t.Errorf("session.token answers %s, want a fault -32601", got)
	}
	if got := result(post(h, request("system.listMethods"))); strings.Contains(got, "session.token") {
		t.Errorf("system.listMethods has session.token: %s", got)
	}
}

// What is no call is refused by HTTP's own means.
func TestHTTP(t *testing.T) {
	tests := []struct {
		name   string
		change func(r *http.Request)
		status int
		want   string // part of the body
	}{
		{"GET", func(r *http.Request) { r.Method = "GET" }, 405, "xmlrpc.client"},
		{"OPTIONS", func(r *http.Request) { r.Method = "OPTIONS" }, 405, ""},
		{"no type", func(r *http.Request) { r.Header.Del("Content-Type") }, 415, "text/xml"},
		{"form", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415, `not "text/plain"`},
		{"bad type", func(r *http.Request) { r.Header.Set("Content-Type", "text/xml; x") }, 415, ""},
		{"gzip", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, 415, `"gzip"`},
		{"identity", func(r *http.Request) { r.Header.Set("Content-Encoding", "identity") }, 200, "<methodResponse>"},
		{"application/xml", func(r *http.Request) { r.Header.Set("Content-Type", "application/xml; charset=utf-8") }, 200, "<methodResponse>"},
		{"a gigabyte declared", func(r *http.Request) { r.ContentLength = 1 << 30 }, 413, "1048576"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/RPC2", strings.NewReader(request("system.listMethods")))
			r.Header.Set("Content-Type", "text/xml")
			tt.change(r)
			w := httptest.NewRecorder()
			newHandler(checked()).ServeHTTP(w, r)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("answer %d %q, want %d with %q", w.Code, w.Body, tt.status, tt.want)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	w := post(newHandler(checked()), request("event.publish", "demo", "away", data))
	got := fmt.Sprint(w.Header().Get("Content-Type"), " ", w.Header().Get("Content-Length"), " ", w.Header().Get("Retry-After"))
	if want := fmt.Sprintf("text/xml; charset=utf-8 %d 2", w.Body.Len()); got != want {
		t.Errorf("headers %q, want %q", got, want)
	}
	if r := post(newHandler(checked()), "", "Content-Type", "text/xml; charset=koi8-r"); !strings.HasPrefix(result(r), "-32701 ") {
		t.Errorf("a request in KOI8-R is answered by %s, want a fault -32701", result(r))
	}
}

// What went wrong inside is logged and not told.
func TestInternalIsLogged(t *testing.T) {
	var log bytes.Buffer
	h := xmlrpc.New(checked(), keys, slog.New(slog.NewTextHandler(&log, nil)), xmlrpc.DefaultConfig())
	w := post(h, request("event.publish", "demo", "broken", data))
	if !strings.Contains(log.String(), "/secret/path") || !strings.Contains(log.String(), "event.publish") || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("logged %q and answered %q, want the cause in the log alone", &log, w.Body)
	}
}

func TestStats(t *testing.T) {
	h := newHandler(checked())
	post(h, request("event.publish", "demo", "a", data))
	post(h, request("event.publish_many", "demo", array(eventStruct("a"), eventStruct("a"))))
	post(h, request("event.publish", "demo", "strict", data))
	post(h, "", "Content-Type", "text/plain")
	if got, want := h.Stats(), (xmlrpc.Stats{Requests: 4, Events: 3, Faults: 1}); got != want {
		t.Errorf("Stats() = %+v, want %+v", got, want)
	}
}

// Every kind of failure has a code of its own, and no other package's.
func TestCodes(t *testing.T) {
	seen := map[int]ingest.Kind{}
	for _, kind := range ingest.Kinds {
		code := xmlrpc.Code(kind)
		if other, ok := seen[code]; ok || code == xmlrpc.CodeInternal && kind != ingest.Internal {
			t.Errorf("the kinds %v and %v have the code %d", kind, other, code)
		}
		seen[code] = kind
	}
}

func TestConfigValidate(t *testing.T) {
	var got []string
	xmlrpc.Config{MaxBody: 1, MaxDepth: 257, MaxEvents: 1}.Validate(func(field string, err error) {
		got = append(got, field+": "+err.Error())
	})
	want := "max_body: must be in 1024 to 67108864, not 1; max_depth: must be in 4 to 256, not 257; " +
		"max_calls: must be in 1 to 100000, not 0; read_timeout: must be at least 10ms, not 0s"
	if s := strings.Join(got, "; "); s != want {
		t.Errorf("Validate reports %s, want %s", s, want)
	}
}
