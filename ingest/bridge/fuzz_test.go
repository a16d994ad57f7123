package bridge_test

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzRequest: what is accepted is JSON with the values that another decoder
// finds, what is answered is JSON, and what is refused the realm never hears of.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		`{"procedure":"com.example.add","args":[1,2.50,"\u0000ü"],"kwargs":{"a":{"a":[]}},"options":{"timeout":1}}`,
		` {"\u0070rocedure":"a","args":null} `, `{"procedure":"a","args":[[]]}`, `{"procedure":"a","kwargs":{"a":1,"a":2}}`,
		`{"procedure":"a"}{}`, `{"procedure":"a","args":[`, "\xff", ``, `[]`, `{"procedure":"\ud800"}`,
	} {
		f.Add(s)
	}
	type body struct {
		Procedure string         `json:"procedure"`
		Args      []any          `json:"args"`
		KwArgs    map[string]any `json:"kwargs"`
		Options   map[string]any `json:"options"`
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, h, r := newBridge(config(visitor))
		w := send(h, "/call", text)
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%q is answered by %q, which is no JSON", text, w.Body)
		}
		if w.Code != 200 {
			if w.Code != 400 && w.Code != 413 && w.Code != 503 && w.Code != 500 || w.Code < 500 && r.asked() != "" {
				t.Fatalf("%q = %d, and the realm was asked %q", text, w.Code, r.asked())
			}
			return
		}
		var want, got body
		if err := json.Unmarshal([]byte(text), &want); err != nil || !utf8.ValidString(text) {
			t.Fatalf("%q was accepted: %v", text, err)
		}
		if want.Procedure == "nothing" || strings.HasPrefix(w.Body.String(), `{"error"`) {
			return
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if len(want.Args) == 0 && len(want.KwArgs) == 0 {
			want.Args = []any{nil}
		}
		if len(want.Args) == 0 {
			want.Args = nil
		}
		if len(want.KwArgs) == 0 {
			want.KwArgs = nil
		}
		if !reflect.DeepEqual(got.Args, want.Args) || !reflect.DeepEqual(got.KwArgs, want.KwArgs) {
			t.Fatalf("%q echoes %s", text, w.Body)
		}
	})
}

// FuzzSignature: only the query that the secret signed gets through.
func FuzzSignature(f *testing.F) {
	const text = `{"topic":"a"}`
	f.Add(sign("shop", secret, "2026-01-31T14:05:06.123Z", "1", "2", text).Encode())
	f.Add("key=shop&timestamp=2026-01-31T14:05:06Z&seq=1&nonce=1&signature=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("key=%zz")
	f.Add("signature=&key=;")
	f.Fuzz(func(t *testing.T, query string) {
		_, h, r := newBridge(config(nil))
		req := httptest.NewRequest("POST", "/publish", strings.NewReader(text))
		req.URL.RawQuery = query
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code < 400 || r.asked() != "" {
			t.Fatalf("?%q = %d, and the realm was asked %q", query, w.Code, r.asked())
		}
	})
}
