package wamp_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

func TestPayloadIn(t *testing.T) {
	tests := []struct {
		name     string
		from, to wamp.Serializer
		in, want string // JSON as text, others in hexadecimal
	}{
		{"JSON without its white space", wamp.JSON, wamp.MessagePack, ` [ 1 , { "a" : null } ] `, "92 01 81a161c0"},
		{"float that is whole", wamp.JSON, wamp.MessagePack, `[1.0,1e2,-0.0]`, "93 cb3ff0000000000000 cb4059000000000000 cb8000000000000000"},
		{"integer beyond 64 bits", wamp.JSON, wamp.CBOR, `[18446744073709551616]`, "81 fb43f0000000000000"},
		{"integers of 64 bits", wamp.JSON, wamp.CBOR, `[18446744073709551615,-9223372036854775808]`, "82 1bffffffffffffffff 3b7fffffffffffffff"},
		{"binary", wamp.JSON, wamp.CBOR, `["\u0000AQI="]`, "81 420102"},
		{"binary with escapes", wamp.JSON, wamp.MessagePack, `["\u0000\/\u002f\/\/"]`, "91 c403ffffff"},
		{"NUL without base64", wamp.JSON, wamp.MessagePack, `["\u0000AQI"]`, "91 a400415149"},
		{"binary is no key", wamp.JSON, wamp.CBOR, `{"\u0000AQI=":1}`, "a1 65004151493d 01"},
		{"escapes", wamp.JSON, wamp.CBOR, `["\n\ud83d\ude00"]`, "81 65 0af09f9880"},

		{"float to JSON", wamp.MessagePack, wamp.JSON, "93 cb3ff0000000000000 ca3dcccccd 01", `[1.0,0.10000000149011612,1]`},
		{"32 bit float stays", wamp.MessagePack, wamp.CBOR, "91 ca3dcccccd", "81 fa3dcccccd"},
		{"timestamp", wamp.MessagePack, wamp.JSON, "91 d6ff514b67b0", `["2013-03-21T20:04:00Z"]`},
		{"timestamp to CBOR", wamp.MessagePack, wamp.CBOR, "91 d6ff00000000", "81 74 313937302d30312d30315430303a30303a30305a"},
		{"undefined", wamp.MessagePack, wamp.JSON, "91 d40000", `[null]`},
		{"binary to JSON", wamp.MessagePack, wamp.JSON, "92 c4020102 c400", `["\u0000AQI=","\u0000"]`},
		{"NaN stays", wamp.MessagePack, wamp.CBOR, "91 cb7ff8000000000001", "81 fb7ff8000000000001"},

		{"indefinite lengths", wamp.CBOR, wamp.MessagePack, "9f 01 bf 7f 6161 6162 ff 5f 4101 4102 ff ff ff", "92 01 81 a26162 c4020102"},
		{"tags", wamp.CBOR, wamp.JSON, "83 c1 01 d9d9f7 80 d840 4101", `[1,[],"\u0000AQ=="]`},
		{"bignum", wamp.CBOR, wamp.JSON, "82 c2 41ff c3 41ff", `[255,-256]`},
		{"half float", wamp.CBOR, wamp.MessagePack, "81 f93c00", "91 ca3f800000"},
		{"undefined of CBOR", wamp.CBOR, wamp.MessagePack, "81 f7", "91 c0"},
		{"negative beyond 64 bits", wamp.CBOR, wamp.JSON, "81 3b8000000000000000", `[-9.223372036854776e+18]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := wamp.Payload{Serializer: tt.from, Args: bytesOf(t, tt.from, tt.in)}
			got, err := p.In(tt.to)
			want := wamp.Payload{Serializer: tt.to, Args: bytesOf(t, tt.to, tt.want)}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("In = %q %x, %v; want %x", got.Args, got.Args, err, want.Args)
			}
			if same, err := p.In(tt.from); err != nil || !reflect.DeepEqual(same, p) {
				t.Errorf("In its own serializer = %v, %v", same, err)
			}
		})
	}
}

// Every part is translated, apart from the others, and none into one that was
// absent.
func TestPayloadInParts(t *testing.T) {
	for _, p := range []wamp.Payload{
		{},
		payload(`[1,"a"]`, ``, ``),
		payload(`[1,"a"]`, `{"b":2.0}`, ``),
		payload(``, ``, `"\u0000AQI="`),
	} {
		for _, s := range []wamp.Serializer{wamp.MessagePack, wamp.CBOR} {
			there, err := p.In(s)
			if err != nil {
				t.Fatal(err)
			}
			if (there.Args == nil) != (p.Args == nil) || (there.KwArgs == nil) != (p.KwArgs == nil) || (there.Opaque == nil) != (p.Opaque == nil) {
				t.Errorf("%+v in %s = %+v", p, s, there)
			}
			_ = append(there.Args, 0xff) // must not reach into KwArgs
			back, err := there.In(wamp.JSON)
			if err != nil || !reflect.DeepEqual(back, p) {
				t.Errorf("%+v by way of %s = %+v, %v", p, s, back, err)
			}
		}
	}
}

func TestPayloadInErrors(t *testing.T) {
	tests := []struct {
		name     string
		from, to wamp.Serializer
		in       string
		uri      wamp.URI
		text     string
	}{
		{"NaN", wamp.MessagePack, wamp.JSON, "91 cb7ff8000000000000", wamp.URIInvalidArgument, "NaN has no representation in json"},
		{"infinity", wamp.CBOR, wamp.JSON, "81 f97c00", wamp.URIInvalidArgument, "+Inf has no representation in json"},
		{"extension", wamp.MessagePack, wamp.CBOR, "91 d40500", wamp.URIInvalidArgument, "MessagePack extension of type 5, of which only timestamps are known"},
		{"bignum", wamp.CBOR, wamp.MessagePack, "81 c249010000000000000000", wamp.URIInvalidArgument, "expected a value that WAMP knows, found value of another type"},
		{"number", wamp.JSON, wamp.CBOR, "[1e999]", wamp.URIInvalidArgument, "number 1e999 is out of the range of a double"},
		{"end", wamp.JSON, wamp.CBOR, "[1", wamp.URIProtocolViolation, "malformed json at byte 2: unexpected end"},
		{"too deep", wamp.JSON, wamp.CBOR, strings.Repeat("[", 20000), wamp.URIProtocolViolation, "nested deeper than 10000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := wamp.Payload{Serializer: tt.from, Args: bytesOf(t, tt.from, tt.in)}.In(tt.to)
			e, ok := errors.AsType[*wamp.Error](err)
			if !ok || e.URI != tt.uri || e.Text != tt.text || !reflect.DeepEqual(got, wamp.Payload{}) {
				t.Errorf("In = %v, %v; want %s", got, err, tt.text)
			}
		})
	}
}

func TestNewPayload(t *testing.T) {
	for s := range wamp.Serializer(wamp.NumSerializers) {
		args, kwargs := []any{int64(1), "a"}, map[string]any{"k": 2.0}
		p, err := wamp.NewPayload(s, args, kwargs)
		if err != nil {
			t.Fatal(err)
		}
		gotArgs, err := p.DecodeArgs()
		if err != nil || !reflect.DeepEqual(gotArgs, args) {
			t.Errorf("%s: DecodeArgs = %#v, %v", s, gotArgs, err)
		}
		gotKwArgs, err := p.DecodeKwArgs()
		if err != nil || !reflect.DeepEqual(gotKwArgs, kwargs) {
			t.Errorf("%s: DecodeKwArgs = %#v, %v", s, gotKwArgs, err)
		}
	}
	none, err := wamp.NewPayload(wamp.JSON, nil, nil)
	if err != nil || none.Len() != 0 || none.Args != nil {
		t.Errorf("NewPayload of nothing = %+v, %v", none, err)
	}
	if args, err := none.DecodeArgs(); args != nil || err != nil {
		t.Errorf("DecodeArgs of nothing = %v, %v", args, err)
	}
	if kwargs, err := none.DecodeKwArgs(); kwargs != nil || err != nil {
		t.Errorf("DecodeKwArgs of nothing = %v, %v", kwargs, err)
	}
	only, err := wamp.NewPayload(wamp.JSON, nil, map[string]any{"a": 1})
	if err != nil || string(only.Args) != `[]` || string(only.KwArgs) != `{"a":1}` {
		t.Errorf("NewPayload of keyword arguments = %s %s, %v", only.Args, only.KwArgs, err)
	}
	opaque := wamp.Payload{Opaque: []byte(`"\u0000AQI="`)}
	if args, err := opaque.DecodeArgs(); err != nil || !reflect.DeepEqual(args, []any{[]byte{1, 2}}) {
		t.Errorf("DecodeArgs of an opaque payload = %#v, %v", args, err)
	}
}

func TestNewPayloadErrors(t *testing.T) {
	for _, tt := range []struct {
		args   []any
		kwargs map[string]any
		text   string
	}{
		{[]any{math.NaN()}, nil, "Arguments: NaN has no representation in json"},
		{nil, map[string]any{"a": make(chan int)}, "ArgumentsKw: cannot encode a chan int"},
	} {
		p, err := wamp.NewPayload(wamp.JSON, tt.args, tt.kwargs)
		e, ok := errors.AsType[*wamp.Error](err)
		if !ok || e.URI != wamp.URIInvalidArgument || e.Text != tt.text || p.Len() != 0 {
			t.Errorf("NewPayload = %+v, %v; want %s", p, err, tt.text)
		}
	}
}

func TestDecodePayloadErrors(t *testing.T) {
	p := payload(`{}`, `[]`, ``)
	if args, err := p.DecodeArgs(); !errors.Is(err, wamp.ErrProtocolViolation) {
		t.Errorf("DecodeArgs = %v, %v; want a protocol violation", args, err)
	}
	if kwargs, err := p.DecodeKwArgs(); !errors.Is(err, wamp.ErrProtocolViolation) {
		t.Errorf("DecodeKwArgs = %v, %v; want a protocol violation", kwargs, err)
	}
	p = payload(`[`, `{`, ``)
	if _, err := p.DecodeArgs(); !errors.Is(err, wamp.ErrProtocolViolation) {
		t.Errorf("DecodeArgs: %v; want a protocol violation", err)
	}
	if _, err := p.DecodeKwArgs(); !errors.Is(err, wamp.ErrProtocolViolation) {
		t.Errorf("DecodeKwArgs: %v; want a protocol violation", err)
	}
}

func TestPayloadClone(t *testing.T) {
	data := []byte(`[1]`)
	p := wamp.Payload{Args: data, KwArgs: []byte{}}
	c := p.Clone()
	data[1] = '2'
	if string(c.Args) != `[1]` || c.KwArgs == nil || c.Opaque != nil || c.Len() != 3 {
		t.Errorf("Clone = %+v", c)
	}
}
