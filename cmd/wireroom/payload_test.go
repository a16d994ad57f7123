package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

func TestEventData(t *testing.T) {
	object := func(v map[string]any) []any { return []any{v} }
	tests := []struct {
		name   string
		args   []any
		kwargs map[string]any
		want   string // data, or part of the error
		ok     bool
	}{
		{"nothing", nil, nil, `{}`, true},
		{"keyword arguments", nil, map[string]any{"a": 1}, `{"a":1}`, true},
		{"empty list and keyword arguments", []any{}, map[string]any{"a": 1}, `{"a":1}`, true},
		{"one dictionary", object(map[string]any{"a": 1}), nil, `{"a":1}`, true},
		{"one empty dictionary", object(map[string]any{}), nil, `{}`, true},
		{"one dictionary and empty keyword arguments", object(map[string]any{"a": 1}), map[string]any{}, `{"a":1}`, true},
		{"both", object(map[string]any{"a": 1}), map[string]any{"b": 1}, "found both", false},
		{"two", []any{map[string]any{}, map[string]any{}}, nil, "found 2 positional arguments", false},
		{"a string", []any{"{}"}, nil, "no dictionary", false},
		{"null", []any{nil}, nil, "no dictionary", false},
		{"a list", []any{[]any{map[string]any{}}}, nil, "no dictionary", false},
	}
	for _, tt := range tests {
		for _, s := range []wamp.Serializer{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
			t.Run(tt.name+"/"+s.String(), func(t *testing.T) {
				payload, err := wamp.NewPayload(s, tt.args, tt.kwargs)
				if err != nil {
					t.Fatal(err)
				}
				data, err := eventData("order.created", &router.Publication{Payload: payload})
				if tt.ok {
					if err != nil || string(data) != tt.want {
						t.Errorf("eventData = %s, %v; want %s", data, err, tt.want)
					}
					return
				}
				e, ok := errors.AsType[*wamp.Error](err)
				if !ok || e.URI != wamp.URIInvalidEvent || !strings.Contains(e.Text, tt.want) || e.Details["class"] != "order.created" {
					t.Errorf("eventData = %s, %v; want an error that says %q", data, err, tt.want)
				}
			})
		}
	}
}

func TestEventDataOfOpaquePayload(t *testing.T) {
	p := &router.Publication{Payload: wamp.Payload{Serializer: wamp.CBOR, Opaque: []byte{0x41, 0}}}
	if data, err := eventData("order.created", p); err == nil {
		t.Errorf("eventData of an opaque payload = %s, want an error", data)
	}
}

// The data belongs to the event: it does not change with the message's memory.
func TestEventDataIsACopy(t *testing.T) {
	kwargs := []byte(`{"a":1}`)
	p := &router.Publication{Payload: wamp.Payload{Serializer: wamp.JSON, Args: []byte(`[]`), KwArgs: kwargs}}
	data, err := eventData("order.created", p)
	if err != nil {
		t.Fatal(err)
	}
	clear(kwargs)
	if string(data) != `{"a":1}` {
		t.Errorf("data = %q after the message's memory changed", data)
	}
}

func TestParseJSON(t *testing.T) {
	tests := []struct{ text, want string }{
		{`{"n": 9007199254740993}`, `{"n":9007199254740993}`},
		{`[1, 1.5, 1e3, "x", null, true]`, `[1,1.5,1000,"x",null,true]`},
		{` "x" `, `"x"`},
		{`1e999`, `"1e999"`},
	}
	for _, tt := range tests {
		v, err := parseJSON(tt.text)
		if err != nil {
			t.Errorf("parseJSON(%s): %v", tt.text, err)
			continue
		}
		got, err := json.Marshal(v)
		if err != nil || string(got) != tt.want {
			t.Errorf("parseJSON(%s) = %s, %v; want %s", tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{"", "{", "{} {}", "nope", "1 2"} {
		if v, err := parseJSON(text); err == nil {
			t.Errorf("parseJSON(%q) = %v, want an error", text, v)
		}
	}
}
