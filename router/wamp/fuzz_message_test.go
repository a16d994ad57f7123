package wamp_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

// A draw makes decisions of the fuzzer's bytes. When they are used up it
// decides for the first.
type draw struct{ b []byte }

func (d *draw) n(most int) int {
	if len(d.b) == 0 {
		return 0
	}
	v := int(d.b[0])
	if d.b = d.b[1:]; most > 256 && len(d.b) > 0 {
		v = v<<8 | int(d.b[0])
		d.b = d.b[1:]
	}
	return v % most
}

// optionNames are all options of all messages, sorted.
var optionNames = func() []string {
	names := map[string]bool{"_extra": true, "unknown": true}
	for _, tt := range optionTests {
		for name := range tt.options {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}()

// spoil changes something in v, a message or a part of one, and returns it.
func spoil(t *testing.T, d *draw, v any) any {
	switch v := v.(type) {
	case []any:
		if len(v) == 0 || d.n(8) == 7 {
			return sample(t, d)
		}
		i := d.n(len(v))
		switch d.n(6) {
		case 0:
			return slices.Delete(v, i, i+1)
		case 1:
			return slices.Insert(v, i, sample(t, d))
		case 2:
			v[i] = sample(t, d)
		default:
			v[i] = spoil(t, d, v[i])
		}
		return v
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		switch d.n(4) {
		case 0:
			v[optionNames[d.n(len(optionNames))]] = sample(t, d)
			return v
		case 1:
			if len(keys) > 0 {
				delete(v, keys[d.n(len(keys))])
			}
			return v
		case 2:
			if len(keys) > 0 {
				key := keys[d.n(len(keys))]
				v[key] = spoil(t, d, v[key])
			}
			return v
		}
	}
	return sample(t, d)
}

// sample returns a value, or none of use.
func sample(t *testing.T, d *draw) any {
	if d.n(10) == 9 {
		return nil
	}
	return parse(t, wamp.JSON, []byte(samples[d.n(len(samples))]))
}

// hasBinary reports whether there is binary in v.
func hasBinary(v any) bool {
	switch v := v.(type) {
	case []byte:
		return true
	case []any:
		return slices.ContainsFunc(v, hasBinary)
	case map[string]any:
		for k := range v {
			if hasBinary(v[k]) {
				return true
			}
		}
	}
	return false
}

// A message of each type, with some of it replaced, left out or put in twice:
// the three decoders agree whether it is one, what it says, and what is wrong
// with it.
func FuzzMessage(f *testing.F) {
	for i := range messages {
		f.Add(uint16(i), []byte{})
		for _, b := range []string{"\x00\x01\x02", "\x01\x02\x03\x00\x07", "\x01\x02\x05\x00\x10\x02", "\x02\x03\x02\x01\x03\x05\x02\x01\x01"} {
			f.Add(uint16(i), []byte(b))
		}
	}
	f.Fuzz(func(t *testing.T, which uint16, data []byte) {
		v := parse(t, wamp.JSON, []byte(messages[int(which)%len(messages)].json))
		d := &draw{data}
		for range d.n(4) {
			v = spoil(t, d, v)
		}
		if hasBinary(v) {
			return // which is a string in JSON
		}
		var (
			first     []byte
			firstFail string
			hello     bool
		)
		for s := range wamp.Serializer(wamp.NumSerializers) {
			encoded, err := wamp.AppendValue(nil, s, v)
			if err != nil {
				t.Fatalf("AppendValue(%s, %#v): %v", s, v, err)
			}
			var dec wamp.Decoder
			m, err := dec.Decode(s, encoded)
			var (
				got  []byte
				fail string
			)
			if err != nil {
				e, ok := errors.AsType[*wamp.Error](err)
				if !ok || e.URI != wamp.URIProtocolViolation {
					t.Fatalf("%s: Decode(%q): %v", s, encoded, err)
				}
				fail = e.Text
			} else {
				hello = m.Type() == wamp.TypeHello
				got = withPayload(m, func(p wamp.Payload) wamp.Payload { return inJSON(t, p) }).Append(nil, wamp.JSON)
			}
			switch {
			case s == 0:
				first, firstFail = got, fail
			case (fail == "") != (firstFail == ""):
				t.Fatalf("%#v: json says %q %q, %s says %q %q", v, first, firstFail, s, got, fail)
			case !bytes.Equal(got, first) || fail != firstFail && !hello:
				t.Fatalf("%#v: json says %q %q, %s says %q %q", v, first, firstFail, s, got, fail)
			}
		}
	})
}
