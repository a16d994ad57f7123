package wamp_test

import (
	"bytes"
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

// Where an option, or a list before a dict, may be left out, null is the same:
// wampy sends undefined options with MessagePack and CBOR, and nexus's client
// null in place of the list when there is only a dict.
func TestNullIsAbsent(t *testing.T) {
	tests := []struct{ null, absent string }{
		{`[32,1,{"match":"prefix","get_retained":null},"t"]`, `[32,1,{"match":"prefix"},"t"]`},
		{`[32,1, { "match" : null , "_since" : null } ,"t"]`, `[32,1,{},"t"]`},
		{`[16,1,{"acknowledge":true,"disclose_me":null,"eligible":null},"t"]`, `[16,1,{"acknowledge":true},"t"]`},
		{`[16,1,{},"t",null,{"a":"b"}]`, `[16,1,{},"t",[],{"a":"b"}]`},
		{`[48,1,{"timeout":null,"receive_progress":true},"p",null,{"a":1}]`, `[48,1,{"receive_progress":true},"p",[],{"a":1}]`},
		{`[8,68,1,{},"e.x",null,{"a":1}]`, `[8,68,1,{},"e.x",[],{"a":1}]`},
		{`[70,1,{"progress":null},null,{"a":1}]`, `[70,1,{},[],{"a":1}]`},
	}
	for s := range wamp.Serializer(wamp.NumSerializers) {
		for _, tt := range tests {
			got := again(t, s, recode(t, s, wamp.JSON, []byte(tt.null)))
			want := again(t, s, recode(t, s, wamp.JSON, []byte(tt.absent)))
			if !bytes.Equal(got, want) {
				t.Errorf("%s: %s is taken as %q, want %q", s, tt.null, got, want)
			}
		}
	}

	// JavaScript's undefined is no other null.
	for s, data := range map[wamp.Serializer]string{
		wamp.MessagePack: "\x94\x20\x01\x81\xacget_retained\xd4\x00\x00\xa1t",
		wamp.CBOR:        "\x84\x18\x20\x01\xa1\x6cget_retained\xf7\x61t",
	} {
		got := again(t, s, []byte(data))
		if want := again(t, s, recode(t, s, wamp.JSON, []byte(`[32,1,{},"t"]`))); !bytes.Equal(got, want) {
			t.Errorf("%s: undefined is taken as %q, want %q", s, got, want)
		}
	}
}

// again decodes a message and appends it.
func again(t *testing.T, s wamp.Serializer, data []byte) []byte {
	t.Helper()
	var d wamp.Decoder
	m, err := d.Decode(s, data)
	if err != nil {
		t.Fatalf("%s: Decode(%q): %v", s, data, err)
	}
	return m.Append(nil, s)
}
