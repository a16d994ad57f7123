package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

func TestURIValid(t *testing.T) {
	tests := []struct {
		uri                     wamp.URI
		exact, prefix, wildcard bool
	}{
		{"com.example.topic", true, true, true},
		{"a", true, true, true},
		{"", false, true, false},
		{".", false, false, true},
		{"a.", false, true, true},
		{".a", false, false, true},
		{"a..b", false, false, true},
		{"a..", false, false, true},
		{"a b", false, false, false},
		{"a.b#", false, false, false},
		{"a\tb", false, false, false},
		{"a\u00a0b", false, false, false}, // white space too
		{"a.\u2003", false, false, false},
		{"größe.日本", true, true, true},
	}
	for _, tt := range tests {
		got := [...]bool{tt.uri.Valid(), tt.uri.ValidPattern(wamp.Exact), tt.uri.ValidPattern(wamp.Prefix), tt.uri.ValidPattern(wamp.Wildcard)}
		if want := [...]bool{tt.exact, tt.exact, tt.prefix, tt.wildcard}; got != want {
			t.Errorf("%q: valid, as exact, prefix, wildcard pattern: %v, want %v", tt.uri, got, want)
		}
	}
}

func TestURIReserved(t *testing.T) {
	for uri, want := range map[wamp.URI]bool{"wamp": true, "wamp.": true, "wamp.session.on_join": true, "wamper": false, "wam": false, "": false} {
		if got := uri.Reserved(); got != want {
			t.Errorf("%q.Reserved() = %v, want %v", uri, got, want)
		}
	}
}

func TestSerializerOf(t *testing.T) {
	for s := range wamp.Serializer(wamp.NumSerializers) {
		if got, ok := wamp.SerializerOf(s.Subprotocol()); got != s || !ok {
			t.Errorf("SerializerOf(%q) = %v, %v", s.Subprotocol(), got, ok)
		}
		if got, want := s.Binary(), s != wamp.JSON; got != want {
			t.Errorf("%v.Binary() = %v, want %v", s, got, want)
		}
	}
	if got, ok := wamp.SerializerOf("wamp.2.ubjson"); ok {
		t.Errorf("SerializerOf(wamp.2.ubjson) = %v, want none", got)
	}
}

func TestTypeString(t *testing.T) {
	for typ, want := range map[wamp.Type]string{wamp.TypePublish: "PUBLISH", wamp.TypeEventReceived: "EVENT_RECEIVED", 0: "0", 7: "7", 65535: "65535"} {
		if got := typ.String(); got != want {
			t.Errorf("Type(%d).String() = %q, want %q", typ, got, want)
		}
	}
}

func TestError(t *testing.T) {
	err := &wamp.Error{URI: wamp.URINotAuthorized, Text: "no", Err: io.EOF}
	if got, want := err.Error(), "wamp.error.not_authorized: no: EOF"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if !errors.Is(err, wamp.ErrNotAuthorized) || errors.Is(err, wamp.ErrInvalidURI) || !errors.Is(err, io.EOF) {
		t.Error("errors.Is does not match by URI and cause alone")
	}
	if wamp.ErrNotAuthorized.Is(err) {
		t.Error("Is matches a target with a text")
	}
}

func TestAsError(t *testing.T) {
	own := wamp.Errorf(wamp.URILimit, "at most %d", 3)
	tests := []struct {
		err  error
		want wamp.URI
	}{
		{own, wamp.URILimit},
		{fmt.Errorf("wrapped: %w", own), wamp.URILimit},
		{context.Canceled, wamp.URICanceled},
		{fmt.Errorf("wrapped: %w", context.DeadlineExceeded), wamp.URITimeout},
		{io.EOF, wamp.URIInternal},
	}
	for _, tt := range tests {
		if got := wamp.AsError(tt.err); got.URI != tt.want {
			t.Errorf("AsError(%v) = %v, want %s", tt.err, got, tt.want)
		}
	}
	if got := wamp.AsError(io.EOF); got.Text != "internal error" {
		t.Errorf("AsError(EOF) tells a peer %q", got.Text)
	}
}
