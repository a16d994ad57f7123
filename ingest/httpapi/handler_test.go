package httpapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/ingest"
	"github.com/wireroom/wireroom/ingest/httpapi"
	"github.com/wireroom/wireroom/ingest/ingesttest"
)

var keys = ingesttest.Keys{"demo": "demo", "": "telegraphy"}

// checked is a sink that refuses what it should by the name of the class, and
// keeps a log.
func checked() *ingesttest.Sink {
	return &ingesttest.Sink{
		Epoch: "e1",
		Check: func(_ ingest.Key, e *ingest.Event) error {
			switch e.Class {
			case "unknown":
				return &ingest.Error{Kind: ingest.UnknownClass, Class: e.Class, Index: -1}
			case "strict":
				return &ingest.Error{
					Kind: ingest.InvalidEvent, Class: e.Class, Field: "total", Expected: "a number", Found: `"\x"` + "\xFF", Index: -1,
				}
			case "forbidden":
				return &ingest.Error{Kind: ingest.Forbidden, Class: e.Class, Index: -1}
			case "conflict":
				return &ingest.Error{Kind: ingest.Conflict, Class: e.Class, Index: -1}
			case "away":
				return &ingest.Error{Kind: ingest.Unavailable, Text: "the store is away", RetryAfter: 1500 * time.Millisecond, Index: -1}
			case "busy":
				return &ingest.Error{Kind: ingest.Unavailable, Index: -1}
			case "broken":
				return errors.New("open /secret/path: no such file")
			}
			return nil
		},
	}
}

func newHandler(sink ingest.Sink) *httpapi.Handler {
	return httpapi.New(sink, keys, slog.New(slog.DiscardHandler), httpapi.DefaultConfig())
}

// post sends a body to the handler with the key demo as application/json,
// unless the header says otherwise; an empty value removes a field.
func post(h *httpapi.Handler, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/events", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer demo")
	for i := 0; i < len(header); i += 2 {
		if r.Header.Del(header[i]); header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// posted returns the key, id, class and data of each event.
func posted(sink *ingesttest.Sink) string {
	var b strings.Builder
	for _, p := range sink.Events() {
		fmt.Fprintf(&b, "%s %s %s %s;", p.Key.Name, p.Event.ID, p.Event.Class, p.Event.Data)
	}
	return b.String()
}

func TestAccepts(t *testing.T) {
	tests := []struct {
		name, body, want, wantPosted string
	}{
		{
			"one", `{"class":"a.b","data":{"total":3}}`,
			`{"id":"drawn-1","epoch":"e1","offset":0}`, `demo drawn-1 a.b {"total":3};`,
		},
		{
			"one with an id", ` {"id":"x\u0075\"", "data": { "n" : [ 1.0e2, "\ud83d\ude00" ] }, "class":"a.b"} `,
			`{"id":"xu\"","epoch":"e1","offset":0}`, `demo xu" a.b { "n" : [ 1.0e2, "\ud83d\ude00" ] };`,
		},
		{"escaped names", `{"cl\u0061ss":"a","data":{}}`, `{"id":"drawn-1","epoch":"e1","offset":0}`, `demo drawn-1 a {};`},
		{
			"batch", `[{"class":"a","data":{}},{"class":"b","data":{},"id":"x"}]`,
			`[{"id":"drawn-1","epoch":"e1","offset":0},{"id":"x","epoch":"e1","offset":1}]`, `demo drawn-1 a {};demo x b {};`,
		},
		{"batch of one", `[{"class":"a","data":{}}]`, `[{"id":"drawn-1","epoch":"e1","offset":0}]`, `demo drawn-1 a {};`},
		{
			"duplicate", `[{"class":"a","data":{},"id":"x"},{"class":"a","data":{},"id":"x"}]`,
			`[{"id":"x","epoch":"e1","offset":0},{"id":"x","epoch":"e1","offset":0,"duplicate":true}]`, `demo x a {};`,
		},
		{"empty batch", ` [ ] `, `[]`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sink := checked()
			w := post(newHandler(sink), tt.body)
			got := fmt.Sprint(w.Code, w.Header().Get("Content-Type"), w.Header().Get("Content-Length"), w.Body)
			want := fmt.Sprint(200, "application/json", fmt.Sprint(len(tt.want)+1), tt.want+"\n")
			if got != want || posted(sink) != tt.wantPosted {
				t.Errorf("answer %s, posted %s; want %s, posted %s", got, posted(sink), want, tt.wantPosted)
			}
		})
	}
}

// A class that keeps no log gives no position.
func TestAcceptsWithoutLog(t *testing.T) {
	w := post(newHandler(&ingesttest.Sink{}), `{"class":"a","data":{}}`)
	if got := w.Body.String(); got != `{"id":"drawn-1"}`+"\n" {
		t.Errorf("answer %s, want only the id", got)
	}
}

func TestRefuses(t *testing.T) {
	const key, media = "Authorization", "Content-Type"
	deep := `{"class":"a","data":{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}}`
	tests := []struct {
		name, body string
		header     []string
		want       string // status, type and other members, without the title
	}{
		{"no key", `{}`, []string{key, ""}, `401 not-authorized "expected the header \"Authorization: Bearer <ingest key>\""`},
		{"other scheme", `{}`, []string{key, "Basic ZGVtbzpkZW1v"}, `401 not-authorized "expected the header \"Authorization: Bearer <ingest key>\""`},
		{"wrong key", `{}`, []string{key, "Bearer x"}, `401 not-authorized "the ingest key is missing or unknown"`},
		{
			"no type", `{}`,
			[]string{media, ""},
			`415 unsupported-media-type "expected uncompressed application/json in UTF-8, found no Content-Type" accept=["application/json"] found="no Content-Type"`,
		},
		{
			"form", `{}`,
			[]string{media, "text/plain"},
			`415 unsupported-media-type "expected uncompressed application/json in UTF-8, found the Content-Type \"text/plain\"" accept=["application/json"] found="the Content-Type \"text/plain\""`,
		},
		{
			"CloudEvents", `{}`,
			[]string{media, "application/cloudevents+json"},
			`415 unsupported-media-type "expected uncompressed application/json in UTF-8, found the Content-Type \"application/cloudevents+json\"" accept=["application/json"] found="the Content-Type \"application/cloudevents+json\""`,
		},
		{
			"other charset", `{}`,
			[]string{media, "application/json; charset=latin1"},
			`415 unsupported-media-type "expected uncompressed application/json in UTF-8, found the Content-Type \"application/json; charset=latin1\"" accept=["application/json"] found="the Content-Type \"application/json; charset=latin1\""`,
		},
		{
			"compressed", `{}`,
			[]string{"Content-Encoding", "gzip"},
			`415 unsupported-media-type "expected uncompressed application/json in UTF-8, found the Content-Encoding \"gzip\"" accept=["application/json"] found="the Content-Encoding \"gzip\""`,
		},
		{"large", `{"class":"a","data":{"a":"` + strings.Repeat("a", 1<<20) + `"}}`, nil, `413 too-large "the request's body may have at most 1048576 bytes"`},
		{"many", "[" + strings.Repeat(`{"class":"a","data":{}},`, 1000) + `{"class":"a","data":{}}]`, nil, `413 too-large "a batch may have at most 1000 events"`},

		{"empty", ``, nil, `400 malformed-json "line 1, column 1: expected an event or an array of events, found nothing" column=1 line=1 offset=0`},
		{"blank", "\n ", nil, `400 malformed-json "line 2, column 2: expected an event or an array of events, found nothing" column=2 line=2 offset=2`},
		{"cut", "{\n \"id\"", nil, `400 malformed-json "line 2, column 6: the JSON text ends too early" column=6 line=2 offset=7`},
		{"cut batch", `[`, nil, `400 malformed-json "line 1, column 2: the JSON text ends too early" column=2 line=1 offset=1`},
		{
			"not JSON", "{\"class\":\"ü\",\n \"data\":{\"a\":tru}}", nil,
			`400 malformed-json "line 2, column 17: invalid character '}' in literal true (expecting 'e')" column=17 line=2 offset=31 pointer="/data/a"`,
		},
		{"comma at the end", `[{"class":"a","data":{}},]`, nil, `400 malformed-json "line 1, column 25: invalid character ',' at start of value" column=25 line=1 offset=24`},
		{
			"duplicate name", `{"class":"a","data":{"a":{"b":1,"b":2}}}`, nil,
			`400 malformed-json "line 1, column 33: two members of an object have the same name" column=33 line=1 offset=32 pointer="/data/a/b"`,
		},
		{
			"duplicate class", `{"class":"a","cl\u0061ss":"b","data":{}}`, nil,
			`400 malformed-json "line 1, column 14: two members of an object have the same name" column=14 line=1 offset=13 pointer="/class"`,
		},
		{"more", `{"class":"a","data":{}} {}`, nil, `400 malformed-json "line 1, column 25: more after the end of the JSON text" column=25 line=1 offset=24`},
		{"more garbage", `{"class":"a","data":{}}x`, nil, `400 malformed-json "line 1, column 24: invalid character 'x' at start of value" column=24 line=1 offset=23`},
		{"invalid UTF-8", "{\"class\":\"\xFF\"}", nil, `400 malformed-json "line 1, column 11: invalid UTF-8" column=11 line=1 offset=10 pointer="/class"`},
		{"half a surrogate", `{"class":"\ud800"}`, nil, `400 malformed-json "line 1, column 11: invalid surrogate pair ` + "`\\\\ud800\\\"}` in string" + `" column=11 line=1 offset=10 pointer="/class"`},

		{"a string", `"a"`, nil, `400 bad-request "expected an event or an array of events, found a string" expected="an event or an array of events" found="a string"`},
		{"null", `null`, nil, `400 bad-request "expected an event or an array of events, found null" expected="an event or an array of events" found="null"`},
		{"no class", `{"data":{}}`, nil, `400 bad-request "class: expected a string, found nothing" expected="a string" field="class" found="nothing"`},
		{"no data", `{"class":"a"}`, nil, `400 bad-request "data: expected an object, found nothing" expected="an object" field="data" found="nothing"`},
		{"class of a wrong type", `{"class":1}`, nil, `400 bad-request "class: expected a string, found a number" expected="a string" field="class" found="a number"`},
		{"data of a wrong type", `{"data":[]}`, nil, `400 bad-request "data: expected an object, found an array" expected="an object" field="data" found="an array"`},
		{"id of a wrong type", `{"id":true}`, nil, `400 bad-request "id: expected a string, found a boolean" expected="a string" field="id" found="a boolean"`},
		{
			"empty id", `{"id":""}`, nil,
			`400 bad-request "id: expected 1 to 128 printable ASCII characters, found an empty string" expected="1 to 128 printable ASCII characters" field="id" found="an empty string"`,
		},
		{
			"unknown member", `{"klass":"a"}`, nil,
			`400 bad-request "expected the members class, data and id, found a member \"klass\"" expected="the members class, data and id" found="a member \"klass\""`,
		},
		{
			"deep", deep, nil,
			`400 bad-request "data: expected at most 64 levels of arrays and objects, found 65" expected="at most 64 levels of arrays and objects" field="data" found="65"`,
		},
		{
			"no object in a batch", `[{"class":"a","data":{}},1]`, nil,
			`400 bad-request "event 1: expected an event, which is an object, found a number" expected="an event, which is an object" found="a number" index=1`,
		},
		{
			"unknown member in a batch", `[{"time":1}]`, nil,
			`400 bad-request "event 0: expected the members class, data and id, found a member \"time\"" expected="the members class, data and id" found="a member \"time\"" index=0`,
		},

		{
			"invalid event", `{"class":"strict","data":{}}`, nil,
			`422 invalid-event "strict: total: expected a number, found \"\\x\"�" class="strict" expected="a number" field="total" found="\"\\x\"�"`,
		},
		{
			"invalid event in a batch", `[{"class":"a","data":{}},{"class":"strict","data":{}}]`, nil,
			`422 invalid-event "event 1: strict: total: expected a number, found \"\\x\"�" class="strict" expected="a number" field="total" found="\"\\x\"�" index=1`,
		},
		{"unknown class", `{"class":"unknown","data":{}}`, nil, `422 unknown-class "unknown: no such event class" class="unknown"`},
		{"forbidden", `{"class":"forbidden","data":{}}`, nil, `403 forbidden "forbidden: the ingest key may not do this" class="forbidden"`},
		{"conflict", `{"class":"conflict","data":{}}`, nil, `409 conflict "conflict: the id belongs to a different event" class="conflict"`},
		{"away", `{"class":"away","data":{}}`, nil, `503 unavailable "the store is away; try again in 1.5s" retryAfter=2`},
		{"busy", `{"class":"busy","data":{}}`, nil, `503 unavailable "not available at the moment, try again later" retryAfter=1`},
		{"broken", `{"class":"broken","data":{}}`, nil, `500 internal "internal error"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sink := checked()
			w := post(newHandler(sink), tt.body, tt.header...)
			if got := problem(t, w); got != tt.want || len(sink.Events()) != 0 {
				t.Errorf("answer %s, %d events posted; want %s and none", got, len(sink.Events()), tt.want)
			}
		})
	}
}

// problem returns a problem document on one line: status, type, detail and the
// other members in order.
func problem(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Fatalf("answer %d %s %q is no problem document: %v", w.Code, w.Header(), w.Body, err)
	}
	if string(doc["status"]) != fmt.Sprint(w.Code) || len(doc["title"]) < 3 {
		t.Errorf("the status is %d and the document %s", w.Code, w.Body)
	}
	kind := strings.TrimPrefix(strings.Trim(string(doc["type"]), `"`), httpapi.TypeBase)
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s", w.Code, kind, doc["detail"])
	for _, name := range []string{
		"accept", "allow", "class", "column", "expected", "field", "found", "index", "line", "offset", "pointer", "retryAfter",
	} {
		if value, ok := doc[name]; ok {
			fmt.Fprintf(&b, " %s=%s", name, value)
		}
	}
	return b.String()
}

// The worst that fits in a request is answered like anything else.
func TestBombs(t *testing.T) {
	const size = 1<<20 - 100
	event := func(data string) string { return `{"class":"a","data":{` + data + `}}` }
	var members strings.Builder
	for i := range size / 12 {
		fmt.Fprintf(&members, `"%d":0,`, i)
	}
	tests := []struct {
		name, body string
		want       int
	}{
		{"deep arrays", event(`"a":` + strings.Repeat("[", size)), 400},
		{"deep objects", event(strings.Repeat(`"":{`, size/4)), 400},
		{"deep and closed", event(`"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000)), 400},
		{"deep outside data", strings.Repeat("[", size), 400},
		{"many members", event(members.String() + `"a":0`), 200},
		{"many duplicates", event(strings.Repeat(`"a":0,`, size/6) + `"a":0`), 400},
		{"long number", event(`"a":` + strings.Repeat("1", size)), 200},
		{"long escapes", event(`"a":"` + strings.Repeat(`\u0000`, size/6) + `"`), 200},
		{"long backslashes", event(`"a":"` + strings.Repeat(`\\`, size/2) + `"`), 200},
		{"many events", "[" + strings.Repeat(`{},`, size/3), 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if w := post(newHandler(checked()), tt.body); w.Code != tt.want {
				t.Errorf("answer %d %.300s, want %d", w.Code, w.Body, tt.want)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	h := newHandler(checked())
	tests := []struct {
		name, body string
		header     []string
		field      string
		want       string
	}{
		{"no key", "{}", []string{"Authorization", ""}, "WWW-Authenticate", `Bearer realm="wireroom ingest"`},
		{"wrong key", "{}", []string{"Authorization", "Bearer x"}, "WWW-Authenticate", `Bearer realm="wireroom ingest", error="invalid_token"`},
		{"other type", "{}", []string{"Content-Type", "text/plain"}, "Accept-Post", "application/json"},
		{"away", `{"class":"away","data":{}}`, nil, "Retry-After", "2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := post(h, tt.body, tt.header...).Header().Get(tt.field); got != tt.want {
				t.Errorf("%s: %s, want %s", tt.field, got, tt.want)
			}
		})
	}
}

func TestMethodNotAllowed(t *testing.T) {
	for _, method := range []string{"GET", "PUT", "OPTIONS"} {
		w := httptest.NewRecorder()
		newHandler(checked()).ServeHTTP(w, httptest.NewRequest(method, "/events", nil))
		want := `405 method-not-allowed "events are posted: expected the method POST, found ` + method + `" allow=["POST"]`
		if got := problem(t, w); got != want || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: answer %s with Allow %q, want %s", method, got, w.Header().Get("Allow"), want)
		}
	}
}

func TestMediaTypeParameters(t *testing.T) {
	for _, media := range []string{"application/json; charset=utf-8", "Application/JSON;charset=UTF-8"} {
		if w := post(newHandler(checked()), `{"class":"a","data":{}}`, "Content-Type", media); w.Code != 200 {
			t.Errorf("%s: answer %d %s, want 200", media, w.Code, w.Body)
		}
	}
}

// What went wrong inside is logged and not told.
func TestInternalIsLogged(t *testing.T) {
	var log bytes.Buffer
	h := httpapi.New(checked(), keys, slog.New(slog.NewTextHandler(&log, nil)), httpapi.DefaultConfig())
	w := post(h, `{"class":"broken","data":{}}`)
	if !strings.Contains(log.String(), "/secret/path") || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("logged %q and answered %q, want the cause in the log alone", &log, w.Body)
	}
}

// Events are the sink's own: a later request changes nothing in them.
func TestEventsLast(t *testing.T) {
	sink := checked()
	h := newHandler(sink)
	post(h, `[{"class":"a","data":{"n":1}},{"class":"a","data":{"n":2}}]`)
	post(h, `[{"class":"b","data":{"m":3}},{"class":"b","data":{"m":4}}]`)
	want := `demo drawn-1 a {"n":1};demo drawn-2 a {"n":2};demo drawn-3 b {"m":3};demo drawn-4 b {"m":4};`
	if got := posted(sink); got != want {
		t.Errorf("posted %s, want %s", got, want)
	}
}

// Requests at the same time don't get into each other's way.
func TestConcurrentRequests(t *testing.T) {
	sink := checked()
	h := newHandler(sink)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				id := fmt.Sprintf("%d-%d", g, i)
				w := post(h, fmt.Sprintf(`{"class":"c%s","data":{"id":%q},"id":%q}`, id, id, id))
				if !strings.HasPrefix(w.Body.String(), `{"id":"`+id+`",`) {
					t.Errorf("event %s is answered by %s", id, w.Body)
				}
			}
		})
	}
	wg.Wait()
	events := sink.Events()
	for _, p := range events {
		if e := p.Event; e.Class != "c"+e.ID || string(e.Data) != `{"id":"`+e.ID+`"}` {
			t.Errorf("event %s arrived as %s with %s", e.ID, e.Class, e.Data)
		}
	}
	if len(events) != 400 {
		t.Errorf("%d events arrived, want 400", len(events))
	}
}

func TestStats(t *testing.T) {
	h := newHandler(checked())
	post(h, `{"class":"a","data":{}}`)
	post(h, `[{"class":"a","data":{}},{"class":"a","data":{}}]`)
	post(h, `{"class":"strict","data":{}}`)
	if got, want := h.Stats(), (httpapi.Stats{Requests: 3, Events: 3, Problems: 1}); got != want {
		t.Errorf("Stats() = %+v, want %+v", got, want)
	}
}

func TestConfigValidate(t *testing.T) {
	var got []string
	httpapi.Config{MaxBody: 1 << 30, MaxDepth: 1}.Validate(func(field string, err error) {
		got = append(got, field+": "+err.Error())
	})
	want := "max_body: must be in 1024 to 67108864, not 1073741824; max_events: must be in 1 to 100000, not 0; read_timeout: must be at least 10ms, not 0s"
	if s := strings.Join(got, "; "); s != want {
		t.Errorf("Validate reports %s, want %s", s, want)
	}
}
