package httpapi_test

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/ingest/ingesttest"
)

// What is accepted is JSON with the values that another decoder finds, and one
// receipt comes back for each event. What is not accepted, while the sink takes
// everything, is a problem of the request, and nothing of it is posted.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`{"class":"a.b","data":{"total":3.50,"ü":[null,true,"\u0000"]},"id":"x"}`,
		`[{"class":"a","data":{}},{"data":{"a":{"a":[{}]}},"class":""}]`,
		`[]`, `{"cl\u0061ss":"a","data":{"a":1,"a":2}}`, `{"class":"a","data":{}}{}`, `[{"class":"a"`, "\xFF", ` `,
	} {
		f.Add(s)
	}
	type event struct {
		Class string         `json:"class"`
		Data  map[string]any `json:"data"`
		ID    string         `json:"id"`
	}
	f.Fuzz(func(t *testing.T, body string) {
		sink := new(ingesttest.Sink)
		w := post(newHandler(sink), body)
		if w.Code != 200 {
			if got := problem(t, w); w.Code != 400 && w.Code != 413 || len(sink.Events()) != 0 {
				t.Fatalf("%q is answered by %s, and %d events were posted", body, got, len(sink.Events()))
			}
			return
		}
		var want []event
		array := strings.HasPrefix(strings.TrimLeft(body, " \t\r\n"), "[")
		if array {
			if err := unmarshal(body, &want); err != nil {
				t.Fatalf("%q was accepted: %v", body, err)
			}
		} else {
			want = make([]event, 1)
			if err := unmarshal(body, &want[0]); err != nil {
				t.Fatalf("%q was accepted: %v", body, err)
			}
		}
		if n := receipts(t, w, array); n != len(want) {
			t.Fatalf("%q has %d events and %d receipts", body, len(want), n)
		}
		taken := sink.Events()
		seen := map[string]bool{}
		for _, e := range want {
			if e.ID != "" && seen[e.ID] {
				continue // the first one counted
			}
			seen[e.ID] = true
			got := taken[0].Event
			taken = taken[1:]
			var data map[string]any
			if err := unmarshal(string(got.Data), &data); err != nil || got.Class != e.Class || !reflect.DeepEqual(data, e.Data) ||
				e.ID != "" && got.ID != e.ID {
				t.Fatalf("%q: posted %q with %s, %v, want %+v", body, got.Class, got.Data, err, e)
			}
		}
		if len(taken) > 0 {
			t.Fatalf("%q: %d events too many were posted", body, len(taken))
		}
	})
}

// unmarshal decodes one JSON text, and leaves numbers as they are written.
func unmarshal(text string, v any) error {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if !json.Valid([]byte(text)) {
		return errors.New("not one JSON text")
	}
	return nil
}

// receipts returns how many receipts an answer has.
func receipts(t *testing.T, w *httptest.ResponseRecorder, array bool) int {
	t.Helper()
	all := make([]map[string]any, 1)
	var err error
	if array {
		err = json.Unmarshal(w.Body.Bytes(), &all)
	} else {
		err = json.Unmarshal(w.Body.Bytes(), &all[0])
	}
	if err != nil {
		t.Fatalf("answer %q: %v", w.Body, err)
	}
	for _, r := range all {
		if id, ok := r["id"].(string); !ok || id == "" {
			t.Fatalf("answer %q without an id", w.Body)
		}
	}
	return len(all)
}
