package xmlrpc_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"

	kolo "github.com/kolo/xmlrpc"
)

// Python's own client, which is what web applications use, in one session. It
// asserts what it gets back; what arrived is compared here.
func TestPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	sink := checked()
	server := httptest.NewServer(newHandler(sink))
	defer server.Close()
	out, err := exec.CommandContext(t.Context(), python, "testdata/client.py", server.URL).CombinedOutput()
	if err != nil {
		t.Fatalf("testdata/client.py: %v\n%s", err, out)
	}
	want := []string{
		`demo demo.message {"room":"lobby","text":"hello"}`,
		`demo types {"array":[1,"two",[]],"base64":"AAH/","big":9007199254740993,"bool":true,"date":"2026-01-31T14:05:06Z",` +
			`"double":2.5,"empty":"","nil":null,"struct":{"a b":{}},"text":"<&>\"'\\ ünï 😀\n\ttab","whole":3.0}`,
		`demo batch {"n":0}`,
		`demo batch {"n":1}`,
		`demo multi {"n":2}`,
		`telegraphy telegraphy_demo.MyModel {"data":{"title":"a","count":5},"meta":{"event_type":"create","timestamp":"2026-01-31T14:05:06.000000Z"},"name":"telegraphy_demo.MyModel"}`,
		`telegraphy telegraphy_demo.MyModel {"data":{"count":5},"name":"telegraphy_demo.MyModel"}`,
		`shop telegraphy_demo.MyModel {"name":"telegraphy_demo.MyModel"}`,
	}
	var got []string
	for _, p := range sink.Events() {
		if p.Event.Class == "large" {
			var data map[string][]map[string]any
			if err := json.Unmarshal(p.Event.Data, &data); err != nil || len(data["rows"]) != 2000 || data["rows"][1999]["n"] != 1999.0 {
				t.Errorf("the large event arrived as %.200s, %v", p.Event.Data, err)
			}
			continue
		}
		got = append(got, p.Key.Name+" "+p.Event.Class+" "+sorted(t, p.Event.Data))
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("posted\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// sorted returns a JSON object with its members in order.
func sorted(t *testing.T, object []byte) string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(object, &m); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text))
}

// The Go client that the wireroom command uses.
func TestKolo(t *testing.T) {
	sink := checked()
	server := httptest.NewServer(newHandler(sink))
	defer server.Close()
	client, err := kolo.NewClient(server.URL+"/RPC2", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	var id string
	args := []any{"demo", "a.b", map[string]any{"text": "<ü>", "n": 1, "list": []any{1.5, true}, "raw": kolo.Base64("YWI=")}, "id-1"}
	if err := client.Call("event.publish", args, &id); err != nil || id != "id-1" {
		t.Errorf("event.publish: %q, %v", id, err)
	}
	if got, want := sorted(t, sink.Events()[0].Event.Data), `{"list":[1.5,true],"n":1,"raw":"YWI=","text":"<ü>"}`; got != want {
		t.Errorf("posted %s, want %s", got, want)
	}

	var ids []string
	events := []any{map[string]any{"class": "a", "data": map[string]any{}, "id": "x"}, map[string]any{"class": "a", "data": map[string]any{}}}
	if err := client.Call("event.publish_many", []any{"demo", events}, &ids); err != nil || !reflect.DeepEqual(ids, []string{"x", "drawn-1"}) {
		t.Errorf("event.publish_many: %q, %v", ids, err)
	}

	err = client.Call("event.publish", []any{"demo", "strict", map[string]any{}}, &id)
	if want := `Fault(422): strict: total: expected a number, found "<x>"`; err == nil || err.Error() != want {
		t.Errorf("an invalid event: %v, want %s", err, want)
	}

	var classes []struct {
		Name   string `xmlrpc:"name"`
		About  string `xmlrpc:"about"`
		Fields []struct {
			Name string  `xmlrpc:"name"`
			Min  float64 `xmlrpc:"min"`
			Enum []any   `xmlrpc:"enum"`
		} `xmlrpc:"fields"`
	}
	if err := client.Call("class.list", "demo", &classes); err != nil || len(classes) != 1 || classes[0].About != "An order <1>" ||
		len(classes[0].Fields) != 2 || classes[0].Fields[0].Min != 0.5 || !reflect.DeepEqual(classes[0].Fields[0].Enum, []any{int64(1), 2.5, "three"}) {
		t.Errorf("class.list: %+v, %v", classes, err)
	}
}

// One connection serves many calls.
func TestKeepAlive(t *testing.T) {
	server := httptest.NewServer(newHandler(checked()))
	defer server.Close()
	reused := false
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }}
	for i := range 3 {
		ctx := httptrace.WithClientTrace(t.Context(), trace)
		r, err := http.NewRequestWithContext(ctx, "POST", server.URL, strings.NewReader(request("event.publish", "demo", "a", data)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "text/xml")
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.ContentLength != int64(len(body)) || reused != (i > 0) {
			t.Errorf("call %d: Content-Length %d of %d bytes, %v, connection reused: %v", i, resp.ContentLength, len(body), err, reused)
		}
	}
}

// Calls at the same time don't get into each other's way.
func TestConcurrentCalls(t *testing.T) {
	sink := checked()
	h := newHandler(sink)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				id := fmt.Sprintf("%d-%d", g, i)
				w := post(h, request("event.publish", "demo", "c"+id, "<struct><member><name>id</name><value>"+id+"</value></member></struct>", id))
				if got := result(w); got != "<string>"+id+"</string>" {
					t.Errorf("event %s is answered by %s", id, got)
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
