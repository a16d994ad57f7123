package wamp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

// What a payload that is passed through may look like depends on who encoded
// it, and in no serializer on more than its outermost form.
func TestPassthruCheck(t *testing.T) {
	const bin, text = `"\u0000AQI="`, `"text"`
	tests := []struct {
		serializer   string
		args, kwargs string
		opaque       string
		found        string // "": all is well
	}{
		{"cbor", `[` + bin + `]`, ``, ``, ``},
		{"cbor", `[` + bin + `]`, `{}`, ``, ``},
		{"msgpack", `["\u0000"]`, ``, ``, ``},
		{"flatbuffers", `[` + bin + `]`, ``, ``, ``},
		{"ubjson", `[` + bin + `]`, ``, ``, ``},
		{"json", `[` + bin + `]`, ``, ``, ``},
		{"json", `[` + text + `]`, ``, ``, ``},
		{"x_custom", `[` + text + `]`, ``, ``, ``},
		{"native", `[` + text + `]`, ``, ``, ``},
		{"native", `[{"args":[[1],2],"kwargs":{"a":1}}]`, ``, ``, ``},
		{"", `[null]`, `{}`, ``, ``},
		{"", `[1.5]`, ``, ``, ``},

		{"", ``, ``, ``, "none"},
		{"", `[]`, ``, ``, "none"},
		{"native", `[{"a":[1]},2]`, ``, ``, "several"},
		{"cbor", `[` + bin + `,` + bin + `]`, ``, ``, "several"},
		{"cbor", `[` + bin + `]`, `{"a":1}`, ``, "keyword arguments"},
		{"cbor", `[]`, `{"a":1}`, ``, "keyword arguments"},
		{"cbor", ``, ``, bin, "no list"},
		{"cbor", `[` + text + `]`, ``, ``, "string"},
		{"cbor", `["\u0000no base64!"]`, ``, ``, "string"},
		{"msgpack", `[[1]]`, ``, ``, "list"},
		{"ubjson", `[true]`, ``, ``, "bool"},
		{"json", `[{"a":1}]`, ``, ``, "dict"},
		{"json", `[1]`, ``, ``, "integer"},
		{"x_custom", `[null]`, ``, ``, "null"},
	}
	for _, tt := range tests {
		for s := range wamp.Serializer(wamp.NumSerializers) {
			p, err := payload(tt.args, tt.kwargs, tt.opaque).In(s)
			if err != nil {
				t.Fatal(err)
			}
			pass := wamp.Passthru{Scheme: "x_mine", Serializer: tt.serializer}
			err = pass.Check(&p)
			if tt.found == "" {
				if err != nil {
					t.Errorf("%s: Check(%q, %s %s %s) = %v", s, tt.serializer, tt.args, tt.kwargs, tt.opaque, err)
				}
				continue
			}
			if !errors.Is(err, wamp.ErrProtocolViolation) || !strings.HasSuffix(err.Error(), ", found "+tt.found) {
				t.Errorf("%s: Check(%q, %s %s %s) = %v, want a violation that found %s", s, tt.serializer, tt.args, tt.kwargs, tt.opaque, err, tt.found)
			}
		}
	}
}
