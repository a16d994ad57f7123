package dynamic

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router"
)

func TestParseAuthorization(t *testing.T) {
	tests := []struct {
		answer string // in JSON
		want   authorization
		err    string // what the error says; "": there is none
	}{
		{`true`, authorization{allow: true}, ""},
		{`false`, authorization{}, ""},
		{`{"allow":true}`, authorization{allow: true}, ""},
		{`{"allow":true,"cache":true,"disclose":false}`, authorization{allow: true, cache: true, disclose: new(false)}, ""},
		{`{"allow":false,"cache":true,"disclose":true,"validate":null}`, authorization{cache: true, disclose: new(true)}, ""},
		{`null`, authorization{}, "found a value of type null"},
		{`1`, authorization{}, "found a value of type number"},
		{`"true"`, authorization{}, "found a value of type string"},
		{`[true]`, authorization{}, "found a value of type list"},
		{`{}`, authorization{}, "expected allow, found none"},
		{`{"cache":true}`, authorization{}, "expected allow, found none"},
		{`{"allow":1}`, authorization{}, "allow: expected a bool, found a value of type number"},
		{`{"allow":"yes"}`, authorization{}, "allow: expected a bool, found a value of type string"},
		{`{"allow":null}`, authorization{}, "allow: expected a bool, found a value of type null"},
		{`{"allow":true,"cache":"no"}`, authorization{}, "cache: expected a bool"},
		{`{"allow":true,"disclose":[]}`, authorization{}, "disclose: expected a bool"},
		{`{"allow":true,"Allow":false}`, authorization{}, `found "Allow"`},
		{`{"allow":true,"validate":{"call":"com.example.Args"}}`, authorization{}, "payloads are not validated"},
	}
	for _, tt := range tests {
		var v any
		if err := json.Unmarshal([]byte(tt.answer), &v); err != nil {
			t.Fatal(err)
		}
		got, err := parseAuthorization(v)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) || got.allow {
				t.Errorf("%s: %+v, %v, want an error with %q", tt.answer, got, err, tt.err)
			}
			continue
		}
		sameDisclose := (got.disclose == nil) == (tt.want.disclose == nil) && (got.disclose == nil || *got.disclose == *tt.want.disclose)
		if err != nil || got.allow != tt.want.allow || got.cache != tt.want.cache || !sameDisclose {
			t.Errorf("%s: %+v, %v, want %+v", tt.answer, got, err, tt.want)
		}
	}
	for _, tt := range []struct {
		disclose *bool
		want     router.Disclosure
	}{{nil, router.DiscloseOnRequest}, {new(true), router.DiscloseAlways}, {new(false), router.DiscloseNever}} {
		a := authorization{disclose: tt.disclose}
		if got := a.disclosure(router.DiscloseOnRequest); got != tt.want {
			t.Errorf("disclosure %v, want %v", got, tt.want)
		}
	}
}

// An answer allows only if it is true, or says allow: true.
func FuzzParseAuthorization(f *testing.F) {
	for _, s := range []string{`true`, `{"allow":true,"cache":true}`, `{"allow":true,"allow":1}`, `[{"allow":true}]`, `{"validate":{}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			return
		}
		a, err := parseAuthorization(v)
		if !a.allow {
			return
		}
		dict, _ := v.(map[string]any)
		if err != nil || v != true && dict["allow"] != true {
			t.Fatalf("%s allows (%v)", text, err)
		}
	})
}
