package wamp_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/wireroom/wireroom/router/wamp"
)

// seedMessages adds every message of the tables and vectors, good and bad, in
// every serializer.
func seedMessages(f *testing.F) {
	add := func(s wamp.Serializer, data []byte) { f.Add(uint8(s), data) }
	addAll := func(text string) {
		for s := range wamp.Serializer(wamp.NumSerializers) {
			add(s, recode(f, s, wamp.JSON, []byte(text)))
		}
	}
	for _, m := range messages {
		addAll(m.json)
	}
	for _, r := range reject {
		addAll(r.json)
	}
	for _, r := range rejectRaw {
		data := []byte(r.data)
		if r.s != wamp.JSON {
			data, _ = hex.DecodeString(r.data)
		}
		add(r.s, data)
	}
	for _, v := range readVectors(f) {
		switch v.what {
		case "json", "msgpack", "cbor":
			s, data := v.wire(f)
			add(s, data)
		default:
			addAll(v.data)
		}
	}
}

// maxGrowth bounds what n bytes can become in another serializer: an empty
// binary, of one byte, is "\u0000" and a comma in JSON.
func maxGrowth(n int) int { return 9*n + 64 }

// What is no message yields a protocol violation and nothing else. What is one
// can be written and read again, as the same, and its payload means the same in
// every serializer.
func FuzzDecode(f *testing.F) {
	seedMessages(f)
	f.Fuzz(func(t *testing.T, serializer uint8, data []byte) {
		s := wamp.Serializer(serializer % wamp.NumSerializers)
		var d wamp.Decoder
		m, err := d.Decode(s, data)
		if err != nil {
			e, ok := err.(*wamp.Error)
			if !ok || e.URI != wamp.URIProtocolViolation || e.Text == "" || len(e.Text) > 1000 || !utf8.ValidString(e.Text) {
				t.Fatalf("%s: Decode(%q) fails with %#v", s, data, err)
			}
			return
		}
		once := m.Append(nil, s)
		if len(once) > maxGrowth(len(data)) {
			t.Fatalf("%s: %d bytes became %d", s, len(data), len(once))
		}
		var d2 wamp.Decoder
		again, err := d2.Decode(s, once)
		if err != nil {
			t.Fatalf("%s: Decode of our own %q: %v", s, once, err)
		}
		if twice := again.Append(nil, s); !bytes.Equal(once, twice) {
			t.Fatalf("%s: not stable: %q then %q", s, once, twice)
		}
		if p := reflect.ValueOf(m).Elem().FieldByName("Payload"); p.IsValid() {
			checkPayload(t, p.Interface().(wamp.Payload))
		}
	})
}

// checkPayload checks that a payload from the wire means the same in every
// serializer, or that the reason why it cannot is told.
func checkPayload(t *testing.T, p wamp.Payload) {
	t.Helper()
	args, argsErr := p.DecodeArgs()
	kwargs, kwargsErr := p.DecodeKwArgs()
	for s := range wamp.Serializer(wamp.NumSerializers) {
		out, err := p.In(s)
		if err != nil {
			if e, ok := err.(*wamp.Error); !ok || e.URI != wamp.URIInvalidArgument {
				t.Fatalf("%s: %q in %s: %v", p.Serializer, p.Args, s, err)
			}
			continue
		}
		if out.Len() > maxGrowth(p.Len()) {
			t.Fatalf("%s to %s: %d bytes became %d", p.Serializer, s, p.Len(), out.Len())
		}
		gotArgs, err := out.DecodeArgs()
		if (err == nil) != (argsErr == nil) || !same(gotArgs, args) {
			t.Fatalf("%s to %s: arguments %#v, %v; want %#v, %v", p.Serializer, s, gotArgs, err, args, argsErr)
		}
		gotKwArgs, err := out.DecodeKwArgs()
		if (err == nil) != (kwargsErr == nil) || !same(gotKwArgs, kwargs) {
			t.Fatalf("%s to %s: keyword arguments %#v, %v; want %#v, %v", p.Serializer, s, gotKwArgs, err, kwargs, kwargsErr)
		}
	}
}

// same compares two values as reflect.DeepEqual does, but NaN equals itself,
// and a string of NUL and base64 equals the binary that JSON would take it for.
func same(a, b any) bool { return reflect.DeepEqual(plain(a), plain(b)) }

func plain(v any) any {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) {
			return "NaN"
		}
	case string:
		if data, err := wamp.AppendValue(nil, wamp.JSON, v); err == nil {
			if v, err := wamp.ParseValue(wamp.JSON, data); err == nil {
				return v
			}
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	}
	return v
}

// What ParseValue reads, AppendValue writes so that it is read as the same.
func FuzzValue(f *testing.F) {
	for _, v := range values {
		f.Add(uint8(wamp.JSON), []byte(v.json))
		for s, text := range map[wamp.Serializer]string{wamp.MessagePack: v.msgpack, wamp.CBOR: v.hex} {
			data, _ := hex.DecodeString(text)
			f.Add(uint8(s), data)
		}
	}
	f.Fuzz(func(t *testing.T, serializer uint8, data []byte) {
		s := wamp.Serializer(serializer % wamp.NumSerializers)
		v, err := wamp.ParseValue(s, data)
		if err != nil {
			e, ok := errors.AsType[*wamp.Error](err)
			if !ok || e.URI != wamp.URIProtocolViolation && e.URI != wamp.URIInvalidArgument {
				t.Fatalf("%s: ParseValue(%q) fails with %v", s, data, err)
			}
			return
		}
		for to := range wamp.Serializer(wamp.NumSerializers) {
			out, err := wamp.AppendValue(nil, to, v)
			if err != nil {
				continue // a NaN
			}
			got, err := wamp.ParseValue(to, out)
			if err != nil || !same(got, v) {
				t.Fatalf("%s to %s: %#v became %#v, %v", s, to, v, got, err)
			}
		}
	})
}
