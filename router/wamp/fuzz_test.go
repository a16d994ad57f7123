package wamp_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/wireroom/wireroom/router/wamp"
)

// A seed is a message, good or bad, in a serializer.
type seed struct {
	s    wamp.Serializer
	data []byte
}

// seeds returns every message of the tables and vectors in every serializer
// that can express it.
func seeds(t testing.TB) (all []seed) {
	add := func(s wamp.Serializer, data []byte) { all = append(all, seed{s, data}) }
	addAll := func(text string) {
		for s := range wamp.Serializer(wamp.NumSerializers) {
			add(s, recode(t, s, wamp.JSON, []byte(text)))
		}
	}
	for _, m := range messages {
		addAll(m.json)
	}
	for _, r := range reject {
		addAll(r.json)
	}
	for _, tt := range optionTests {
		for name, good := range tt.options {
			addAll(withOption(tt.message, name, good[len(good)-1]))
		}
	}
	for _, r := range rejectRaw {
		data := []byte(r.data)
		if r.s != wamp.JSON {
			data, _ = hex.DecodeString(r.data)
		}
		add(r.s, data)
	}
	for _, v := range readVectors(t) {
		switch v.what {
		case "json", "msgpack", "cbor":
			s, data := v.wire(t)
			add(s, data)
		default:
			addAll(v.data)
		}
	}
	return all
}

// types are those of all messages.
var types = []wamp.Type{
	wamp.TypeHello, wamp.TypeWelcome, wamp.TypeAbort, wamp.TypeChallenge, wamp.TypeAuthenticate, wamp.TypeGoodbye,
	wamp.TypeError, wamp.TypePublish, wamp.TypePublished, wamp.TypeSubscribe, wamp.TypeSubscribed, wamp.TypeUnsubscribe,
	wamp.TypeUnsubscribed, wamp.TypeEvent, wamp.TypeEventReceived, wamp.TypeCall, wamp.TypeCancel, wamp.TypeResult,
	wamp.TypeRegister, wamp.TypeRegistered, wamp.TypeUnregister, wamp.TypeUnregistered, wamp.TypeInvocation,
	wamp.TypeInterrupt, wamp.TypeYield,
}

// Fuzzing begins with good and bad messages of every type in every serializer.
func TestSeedsCover(t *testing.T) {
	type kind struct {
		of wamp.Type
		s  wamp.Serializer
	}
	good, bad := map[kind]int{}, map[kind]int{}
	for _, seed := range seeds(t) {
		var d wamp.Decoder
		if m, err := d.Decode(seed.s, seed.data); err == nil {
			good[kind{m.Type(), seed.s}]++
			continue
		}
		// A bad one says its type all the same.
		if list, err := wamp.ParseValue(seed.s, seed.data); err == nil {
			if list, ok := list.([]any); ok && len(list) > 0 {
				if code, ok := list[0].(int64); ok && code > 0 && code < 1024 {
					bad[kind{wamp.Type(code), seed.s}]++
				}
			}
		}
	}
	for _, of := range types {
		for s := range wamp.Serializer(wamp.NumSerializers) {
			if k := (kind{of, s}); good[k] == 0 || bad[k] == 0 {
				t.Errorf("%v in %s: %d good seeds and %d bad ones, want some of both", of, s, good[k], bad[k])
			}
		}
	}
}

// maxGrowth bounds what n bytes can become in another serializer: an empty
// binary, of one byte, is "\u0000" and a comma in JSON.
func maxGrowth(n int) int { return 9*n + 64 }

func FuzzDecodeJSON(f *testing.F)        { fuzzDecode(f, wamp.JSON) }
func FuzzDecodeMessagePack(f *testing.F) { fuzzDecode(f, wamp.MessagePack) }
func FuzzDecodeCBOR(f *testing.F)        { fuzzDecode(f, wamp.CBOR) }

// What is no message yields a protocol violation and nothing else. What is one
// can be written and read again, as the same, in every serializer, and its
// payload means the same in all of them.
func fuzzDecode(f *testing.F, s wamp.Serializer) {
	for _, seed := range seeds(f) {
		if seed.s == s {
			f.Add(seed.data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
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
		for to := range wamp.Serializer(wamp.NumSerializers) {
			checkInOther(t, m, s, to)
		}
		if p := reflect.ValueOf(m).Elem().FieldByName("Payload"); p.IsValid() {
			checkPayload(t, p.Interface().(wamp.Payload))
		}
	})
}

// checkInOther checks that m, which came in s, is read as the same if it is
// written in another serializer. Its payload is looked at elsewhere.
func checkInOther(t *testing.T, m wamp.Message, s, to wamp.Serializer) {
	t.Helper()
	bare := func(m wamp.Message) wamp.Message {
		return withPayload(m, func(wamp.Payload) wamp.Payload { return wamp.Payload{} })
	}
	want := parse(t, s, bare(m).Append(nil, s))
	if to == wamp.JSON && notForJSON(want) {
		return
	}
	there := bare(m).Append(nil, to)
	if n := len(bare(m).Append(nil, s)); len(there) > maxGrowth(n) {
		t.Fatalf("%s to %s: %d bytes became %d", s, to, n, len(there))
	}
	var d wamp.Decoder
	got, err := d.Decode(to, there)
	if err != nil {
		t.Fatalf("%s in %s: Decode of our own %q: %v", m.Type(), to, there, err)
	}
	if back := parse(t, s, bare(got).Append(nil, s)); !same(back, want) {
		t.Fatalf("%s from %s to %s: %#v became %#v", m.Type(), s, to, want, back)
	}
}

// notForJSON reports whether v has numbers that JSON does not have, or strings
// that it takes for binary.
func notForJSON(v any) bool {
	switch v := v.(type) {
	case float64:
		return math.IsNaN(v) || math.IsInf(v, 0)
	case string:
		return len(v) > 0 && v[0] == 0
	case []any:
		return slices.ContainsFunc(v, notForJSON)
	case map[string]any:
		for k := range v {
			if notForJSON(v[k]) {
				return true
			}
		}
	}
	return false
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
