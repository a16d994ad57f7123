package wamp_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

// values are written as given and read as want, or as they were if want is
// nil.
var values = []struct {
	v, want            any
	json, msgpack, hex string // the encodings; hex is CBOR
}{
	{v: nil, json: `null`, msgpack: "c0", hex: "f6"},
	{v: false, json: `false`, msgpack: "c2", hex: "f4"},
	{v: true, json: `true`, msgpack: "c3", hex: "f5"},
	{v: int64(0), json: `0`, msgpack: "00", hex: "00"},
	{v: int64(23), json: `23`, msgpack: "17", hex: "17"},
	{v: int64(24), json: `24`, msgpack: "18", hex: "1818"},
	{v: int8(127), want: int64(127), json: `127`, msgpack: "7f", hex: "187f"},
	{v: uint8(128), want: int64(128), json: `128`, msgpack: "cc80", hex: "1880"},
	{v: uint16(256), want: int64(256), json: `256`, msgpack: "cd0100", hex: "190100"},
	{v: uint32(65536), want: int64(65536), json: `65536`, msgpack: "ce00010000", hex: "1a00010000"},
	{v: uint(1 << 32), want: int64(1 << 32), json: `4294967296`, msgpack: "cf0000000100000000", hex: "1b0000000100000000"},
	{v: wamp.MaxID, want: int64(1 << 53), json: `9007199254740992`, msgpack: "cf0020000000000000", hex: "1b0020000000000000"},
	{v: int64(math.MaxInt64), json: `9223372036854775807`, msgpack: "cf7fffffffffffffff", hex: "1b7fffffffffffffff"},
	{v: uint64(1 << 63), json: `9223372036854775808`, msgpack: "cf8000000000000000", hex: "1b8000000000000000"},
	{v: uint64(math.MaxUint64), json: `18446744073709551615`, msgpack: "cfffffffffffffffff", hex: "1bffffffffffffffff"},
	{v: -1, want: int64(-1), json: `-1`, msgpack: "ff", hex: "20"},
	{v: int64(-32), json: `-32`, msgpack: "e0", hex: "381f"},
	{v: int64(-33), json: `-33`, msgpack: "d0df", hex: "3820"},
	{v: int64(-129), json: `-129`, msgpack: "d1ff7f", hex: "3880"},
	{v: int16(-32768), want: int64(-32768), json: `-32768`, msgpack: "d18000", hex: "397fff"},
	{v: int32(-32769), want: int64(-32769), json: `-32769`, msgpack: "d2ffff7fff", hex: "398000"},
	{v: int64(math.MinInt64), json: `-9223372036854775808`, msgpack: "d38000000000000000", hex: "3b7fffffffffffffff"},
	{v: 1.0, json: `1.0`, msgpack: "cb3ff0000000000000", hex: "fb3ff0000000000000"},
	{v: -0.5, json: `-0.5`, msgpack: "cbbfe0000000000000", hex: "fbbfe0000000000000"},
	{v: math.Copysign(0, -1), json: `-0.0`, msgpack: "cb8000000000000000", hex: "fb8000000000000000"},
	{v: float32(1.5), want: 1.5, json: `1.5`, msgpack: "ca3fc00000", hex: "fa3fc00000"},
	{v: 1e15, json: `1000000000000000.0`, msgpack: "cb430c6bf526340000", hex: "fb430c6bf526340000"},
	{v: 1e16, json: `1e+16`, msgpack: "cb4341c37937e08000", hex: "fb4341c37937e08000"},
	{v: 5e-324, json: `5e-324`, msgpack: "cb0000000000000001", hex: "fb0000000000000001"},
	{v: math.MaxFloat64, json: `1.7976931348623157e+308`, msgpack: "cb7fefffffffffffff", hex: "fb7fefffffffffffff"},
	{v: "", json: `""`, msgpack: "a0", hex: "60"},
	{v: "wörld \U0001F600", json: "\"wörld \U0001F600\"", msgpack: "ab77c3b6726c6420f09f9880", hex: "6b77c3b6726c6420f09f9880"},
	{v: "\"\\/\b\f\n\r\t\x00\x1f\x7f", json: `"\"\\/\u0008\u000c\n\r\t\u0000\u001f` + "\x7f\"", msgpack: "ab225c2f080c0a0d09001f7f", hex: "6b225c2f080c0a0d09001f7f"},
	{v: "a\xffb", want: "a\uFFFDb", json: `"a` + "\uFFFD" + `b"`, msgpack: "a561efbfbd62", hex: "6561efbfbd62"},
	{v: wamp.URI("a.b"), want: "a.b", json: `"a.b"`, msgpack: "a3612e62", hex: "63612e62"},
	{v: []byte{}, json: `"\u0000"`, msgpack: "c400", hex: "40"},
	{v: []byte{1, 2, 255}, json: `"\u0000AQL/"`, msgpack: "c4030102ff", hex: "430102ff"},
	{v: []any{}, json: `[]`, msgpack: "90", hex: "80"},
	{v: []any(nil), want: []any{}, json: `[]`, msgpack: "90", hex: "80"},
	{v: []string{"a", "b"}, want: []any{"a", "b"}, json: `["a","b"]`, msgpack: "92a161a162", hex: "8261616162"},
	{v: []wamp.ID{1, 2}, want: []any{int64(1), int64(2)}, json: `[1,2]`, msgpack: "920102", hex: "820102"},
	{v: map[string]any{}, json: `{}`, msgpack: "80", hex: "a0"},
	{
		v:    map[string]any{"b": []any{int64(1), nil}, "a": map[string]any{"": true}},
		json: `{"a":{"":true},"b":[1,null]}`, msgpack: "82a16181a0c3a1629201c0", hex: "a26161a160f561628201f6",
	},
}

func TestValues(t *testing.T) {
	for _, tt := range values {
		want := tt.want
		if want == nil {
			want = tt.v
		}
		for s, encoded := range [...]string{hex.EncodeToString([]byte(tt.json)), tt.msgpack, tt.hex} {
			s := wamp.Serializer(s)
			got, err := wamp.AppendValue([]byte("x"), s, tt.v)
			if err != nil || hex.EncodeToString(got) != "78"+encoded {
				t.Errorf("AppendValue(%s, %#v) = %x, %v; want x and %s", s, tt.v, got, err, encoded)
				continue
			}
			if v, err := wamp.ParseValue(s, got[1:]); err != nil || !reflect.DeepEqual(v, want) {
				t.Errorf("ParseValue(%s, %x) = %#v, %v; want %#v", s, got[1:], v, err, want)
			}
		}
	}
}

// Lengths around each size of head, for lists and dicts whose head is written
// last, and strings and binary.
func TestValueLengths(t *testing.T) {
	for _, n := range []int{15, 16, 23, 24, 31, 32, 255, 256, 65535, 65536} {
		list, dict := []any{}, map[string]any{}
		for i := range n {
			list = append(list, int64(i))
			dict[string([]byte{'a' + byte(i>>12), 'a' + byte(i>>8&15), 'a' + byte(i>>4&15), 'a' + byte(i&15)})] = nil
		}
		text := strings.Repeat("x", n)
		v := []any{text, []byte(text), list, dict, "end"}
		var encoded [wamp.NumSerializers][]byte
		for s := range wamp.Serializer(wamp.NumSerializers) {
			data, err := wamp.AppendValue(nil, s, v)
			if err != nil {
				t.Fatal(err)
			}
			if got := parse(t, s, data); !reflect.DeepEqual(got, any(v)) {
				t.Errorf("%s: values of length %d differ", s, n)
			}
			encoded[s] = data
		}
		for s := range wamp.Serializer(wamp.NumSerializers) {
			for to := range wamp.Serializer(wamp.NumSerializers) {
				if got := recode(t, to, s, encoded[s]); !bytes.Equal(got, encoded[to]) {
					t.Errorf("%s to %s: values of length %d differ", s, to, n)
				}
			}
		}
	}
}

func nest(levels int) any {
	v := any(nil)
	for range levels {
		v = []any{v}
	}
	return v
}

func TestAppendValueErrors(t *testing.T) {
	tests := []struct {
		name string
		s    wamp.Serializer
		v    any
		text string
	}{
		{"NaN", wamp.JSON, math.NaN(), "NaN has no representation in json"},
		{"infinity", wamp.JSON, []any{math.Inf(-1)}, "-Inf has no representation in json"},
		{"type", wamp.CBOR, map[string]any{"a": struct{}{}}, "cannot encode a struct {}"},
		{"list too deep", wamp.CBOR, nest(65), "nested deeper than 64"},
		{"dict too deep", wamp.CBOR, map[string]any{"a": nest(64)}, "nested deeper than 64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := wamp.AppendValue([]byte("x"), tt.s, tt.v)
			e, ok := errors.AsType[*wamp.Error](err)
			if !ok || e.URI != wamp.URIInvalidArgument || e.Text != tt.text || string(got) != "x" {
				t.Errorf("AppendValue = %q, %v; want x and %s", got, err, tt.text)
			}
		})
	}
	if _, err := wamp.AppendValue(nil, wamp.JSON, nest(64)); err != nil {
		t.Errorf("64 levels: %v", err)
	}
}

func TestParseValue(t *testing.T) {
	tests := []struct {
		s    wamp.Serializer
		data string
		want any
	}{
		{wamp.JSON, ` { "a" : [ 1 , -0 , 1E2 , 18446744073709551616 , -9223372036854775809 ] } `, map[string]any{"a": []any{int64(1), int64(0), 100.0, 18446744073709551616.0, -9223372036854775809.0}}},
		{wamp.JSON, `"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"`, "é\U0001F600\"\\/\b\f\n\r\t"},
		{wamp.JSON, `"\u0000AQI="`, []byte{1, 2}},
		{wamp.JSON, `"\u0000AQ\u0049\u003d"`, []byte{1, 2}},
		{wamp.JSON, `"\u0000AQI"`, "\x00AQI"},       // no padding
		{wamp.JSON, `"\u0000AQJ="`, "\x00AQJ="},     // unused bits
		{wamp.JSON, `"\u0000A\nQI="`, "\x00A\nQI="}, // not base64
		{wamp.JSON, `"AQI="`, "AQI="},

		{wamp.MessagePack, "ca3dcccccd", float64(float32(0.1))},
		{wamp.MessagePack, "d6ff00000001", "1970-01-01T00:00:01Z"},
		{wamp.MessagePack, "d7ff00000004 00000001", "1970-01-01T00:00:01.000000001Z"},
		{wamp.MessagePack, "c70cff 3b9ac9ff ffffffffffffffff", "1969-12-31T23:59:59.999999999Z"},
		{wamp.MessagePack, "d40000", nil}, // JavaScript's undefined
		{wamp.MessagePack, "d90161", "a"},
		{wamp.MessagePack, "de0001a16101", map[string]any{"a": int64(1)}},

		{wamp.CBOR, "f7", nil},
		{wamp.CBOR, "f90000", 0.0},
		{wamp.CBOR, "f98000", math.Copysign(0, -1)},
		{wamp.CBOR, "f93c00", 1.0},
		{wamp.CBOR, "f9c400", -4.0},
		{wamp.CBOR, "f97bff", 65504.0},
		{wamp.CBOR, "f90001", 5.960464477539063e-8},
		{wamp.CBOR, "f90400", 0.00006103515625},
		{wamp.CBOR, "f97c00", math.Inf(1)},
		{wamp.CBOR, "f9fc00", math.Inf(-1)},
		{wamp.CBOR, "fa47c35000", 100000.0},
		{wamp.CBOR, "3bffffffffffffffff", -18446744073709551616.0},
		{wamp.CBOR, "3bbd30303030302400", -13632449055575516161.0},
		{wamp.CBOR, "3b7fffffffffffffff", int64(math.MinInt64)},
		{wamp.CBOR, "c0 74 323031332d30332d32315432303a30343a30305a", "2013-03-21T20:04:00Z"},
		{wamp.CBOR, "c1 1a514b67b0", int64(1363896240)},
		{wamp.CBOR, "d9d9f7 c1 01", int64(1)},
		{wamp.CBOR, "d840 43010203", []byte{1, 2, 3}}, // a Uint8Array
		{wamp.CBOR, "c2 42 0100", int64(256)},
		{wamp.CBOR, "c2 4a 0000ffffffffffffffff", uint64(math.MaxUint64)},
		{wamp.CBOR, "c3 40", int64(-1)},
		{wamp.CBOR, "c3 48 ffffffffffffffff", -18446744073709551616.0},
		{wamp.CBOR, "9f 01 9f ff bf 6161 02 ff ff", []any{int64(1), []any{}, map[string]any{"a": int64(2)}}},
		{wamp.CBOR, "7f ff", ""},
		{wamp.CBOR, "7f 6161 60 62 c3a9 ff", "aé"},
		{wamp.CBOR, "5f 4101 420203 ff", []byte{1, 2, 3}},
		{wamp.CBOR, "bf 7f 6161 6162 ff 01 ff", map[string]any{"ab": int64(1)}},
	}
	for _, tt := range tests {
		got, err := wamp.ParseValue(tt.s, bytesOf(t, tt.s, tt.data))
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("ParseValue(%s, %s) = %#v, %v; want %#v", tt.s, tt.data, got, err, tt.want)
		}
	}
	if v, err := wamp.ParseValue(wamp.CBOR, []byte{0xf9, 0x7e, 0x00}); err != nil || !math.IsNaN(v.(float64)) {
		t.Errorf("ParseValue of NaN = %v, %v", v, err)
	}
}

// bytesOf returns JSON as it is, and others from hexadecimal with blanks.
func bytesOf(t *testing.T, s wamp.Serializer, data string) []byte {
	t.Helper()
	if s == wamp.JSON {
		return []byte(data)
	}
	b, err := hex.DecodeString(strings.ReplaceAll(data, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseValueErrors(t *testing.T) {
	tests := []struct {
		s    wamp.Serializer
		data string
		uri  wamp.URI
		text string
	}{
		{wamp.JSON, `1 2`, wamp.URIProtocolViolation, "1 bytes left over after the end"},
		{wamp.JSON, `{"a":1,"\u0061":2}`, wamp.URIInvalidArgument, `key "a" stands twice in a dict`},
		{wamp.JSON, strings.Repeat("[", 65), wamp.URIProtocolViolation, "nested deeper than 64"},
		{wamp.JSON, `1e999`, wamp.URIInvalidArgument, "number 1e999 is out of the range of a double"},
		{wamp.MessagePack, "d40500", wamp.URIInvalidArgument, "MessagePack extension of type 5, of which only timestamps are known"},
		{wamp.MessagePack, "d400", wamp.URIProtocolViolation, "malformed msgpack at byte 2: unexpected end"},
		{wamp.MessagePack, "d40001", wamp.URIInvalidArgument, "MessagePack extension of type 0, of which only timestamps are known"},
		{wamp.MessagePack, "d5ff0000", wamp.URIInvalidArgument, "MessagePack timestamp of 2 bytes"},
		{wamp.MessagePack, "c70cff 3b9aca00 0000000000000000", wamp.URIInvalidArgument, "MessagePack timestamp is out of range"},
		{wamp.MessagePack, "c70cff 00000000 7fffffffffffffff", wamp.URIInvalidArgument, "MessagePack timestamp is out of range"},
		{wamp.CBOR, "e0", wamp.URIInvalidArgument, "expected a value that WAMP knows, found value of another type"},
		{wamp.CBOR, "c249010000000000000000", wamp.URIInvalidArgument, "expected a value that WAMP knows, found value of another type"},
		{wamp.CBOR, "c25f4101ff", wamp.URIInvalidArgument, "expected a value that WAMP knows, found value of another type"},
	}
	for _, tt := range tests {
		v, err := wamp.ParseValue(tt.s, bytesOf(t, tt.s, tt.data))
		e, ok := errors.AsType[*wamp.Error](err)
		if !ok || e.URI != tt.uri || e.Text != tt.text {
			t.Errorf("ParseValue(%s, %s) = %v, %v; want %s: %s", tt.s, tt.data, v, err, tt.uri, tt.text)
		}
	}
}

// Details that are encoded already are written as they are.
func TestWelcomeReady(t *testing.T) {
	details := map[string]any{"authid": "joe", "roles": map[string]any{"broker": map[string]any{}}}
	for s := range wamp.Serializer(wamp.NumSerializers) {
		ready, err := wamp.AppendValue(nil, s, details)
		if err != nil {
			t.Fatal(err)
		}
		want := (&wamp.Welcome{Session: 7, Details: details}).Append(nil, s)
		if got := (&wamp.Welcome{Session: 7, Ready: ready}).Append(nil, s); !bytes.Equal(got, want) {
			t.Errorf("%v: got %q, want %q", s, got, want)
		}
	}
}

// A value that is encoded already becomes part of another as if it were not.
func TestAppendEncoded(t *testing.T) {
	inner := map[string]any{"broker": map[string]any{"features": map[string]any{"a": true}}, "list": []any{1, "two"}}
	for s := range wamp.Serializer(wamp.NumSerializers) {
		encoded, err := wamp.AppendValue(nil, s, inner)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrap := range []func(v any) any{
			func(v any) any { return v },
			func(v any) any { return []any{1, v, v, "x"} },
			func(v any) any { return map[string]any{"a": 1, "roles": v, "z": []any{}} },
		} {
			want, err := wamp.AppendValue([]byte("x"), s, wrap(inner))
			if err != nil {
				t.Fatal(err)
			}
			got, err := wamp.AppendValue([]byte("x"), s, wrap(wamp.Encoded(encoded)))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v: got %q, %v; want %q", s, got, err, want)
			}
		}
	}
}
