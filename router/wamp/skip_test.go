package wamp_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

// rich is a PUBLISH whose payload has a value of each kind and size.
func rich(t *testing.T, s wamp.Serializer) []byte {
	t.Helper()
	var args []any
	for _, v := range values {
		args = append(args, v.v)
	}
	args = append(args, strings.Repeat("x", 40), strings.Repeat("é", 150), []byte(strings.Repeat("x", 300)))
	kwargs := map[string]any{"": 1, strings.Repeat("k", 40): "v", "é": nil, "a\"b": []any{true, "\\"}, "list": args}
	p, err := wamp.NewPayload(s, args, kwargs)
	if err != nil {
		t.Fatal(err)
	}
	m := wamp.Publish{Request: 1, Topic: "com.example.topic", Payload: p}
	return m.Append(nil, s)
}

// The payload of a message is skipped value by value, and comes out as it went
// in.
func TestSkipsEveryKind(t *testing.T) {
	for s := range wamp.Serializer(wamp.NumSerializers) {
		data := rich(t, s)
		var d wamp.Decoder
		m, err := d.Decode(s, data)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if got := m.Append(nil, s); !bytes.Equal(got, data) {
			t.Errorf("%s: %q came out as %q", s, data, got)
		}
	}
}

// A message that is cut off anywhere is a violation, and nothing beyond its end
// is read.
func TestTruncated(t *testing.T) {
	for s := range wamp.Serializer(wamp.NumSerializers) {
		whole := [][]byte{rich(t, s)}
		for _, m := range messages {
			whole = append(whole, recode(t, s, wamp.JSON, []byte(m.json)))
		}
		var d wamp.Decoder
		for _, data := range whole {
			for n := range data {
				if m, err := d.Decode(s, bytes.Clone(data[:n])); !errors.Is(err, wamp.ErrProtocolViolation) {
					t.Errorf("%s: Decode(%q) = %v, %v; want a protocol violation", s, data[:n], m, err)
				}
			}
		}
	}
}

// Wherever one byte of a string is not UTF-8, long or short, key or value, the
// message is refused.
func TestRefusesBadUTF8Anywhere(t *testing.T) {
	const text = `[16,1,{"x":"#"},"t",["#","1234567#","12345678#","1234567890123456789012345678901234567890#"],{"#":{"k":"#"}}]`
	for s := range wamp.Serializer(wamp.NumSerializers) {
		data := recode(t, s, wamp.JSON, []byte(text))
		found := 0
		for i, b := range data {
			if b != '#' {
				continue
			}
			found++
			bad := bytes.Clone(data)
			bad[i] = 0xff
			var d wamp.Decoder
			if m, err := d.Decode(s, bad); !errors.Is(err, wamp.ErrProtocolViolation) || !strings.Contains(err.Error(), "not valid UTF-8") {
				t.Errorf("%s: Decode(%q) = %v, %v; want a protocol violation", s, bad, m, err)
			}
		}
		if found != 7 {
			t.Errorf("%s: changed %d bytes, want 7", s, found)
		}
	}
}
