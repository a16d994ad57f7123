package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/ingest"
	"github.com/wireroom/wireroom/router/wamp"
)

// Every error of the hub has a kind on each wire, and what the peer must not
// learn stays inside.
func TestErrorsOfTheHub(t *testing.T) {
	invalid := &events.InvalidError{
		Class: "a.b", Index: 3,
		Problem: events.Problem{Code: events.CodeRange, Field: "n", Expected: "an integer of at least 0", Found: "-1"},
		More:    []events.Problem{{Code: events.CodeMissing, Field: "m", Expected: "a string", Found: "nothing"}},
	}
	secret := errors.New("/secret/path")
	tests := []struct {
		name   string
		err    error
		uri    wamp.URI
		kind   ingest.Kind
		detail string
	}{
		{"invalid", invalid, wamp.URIInvalidEvent, ingest.InvalidEvent, "event 3: a.b: n: expected an integer of at least 0, found -1: also field m: expected a string, found nothing"},
		{"unknown class", &events.UnknownClassError{Class: "a.b", Index: 1}, wamp.URIInvalidEvent, ingest.UnknownClass, `event 1: a.b: no event class has the name "a.b"`},
		{"conflict", &events.ConflictError{Class: "a.b", ID: "x", Index: 0}, wamp.URIInvalidEvent, ingest.Conflict, "event 0: a.b: id: found x: the id belongs to an earlier event with other data"},
		{"batch", fmt.Errorf("%w: 9, and 8 are allowed", events.ErrBatchSize), wamp.URIInternal, ingest.TooLarge, "events: too many events in one batch: 9, and 8 are allowed"},
		{"full", fmt.Errorf("%w: %w", events.ErrFull, secret), wamp.URIUnavailableHere, ingest.Unavailable, "the gateway has no room to keep the event"},
		{"unavailable", fmt.Errorf("%w: %w", events.ErrUnavailable, secret), wamp.URIUnavailableHere, ingest.Unavailable, "the gateway cannot keep the event at the moment; try again with the same id"},
		{"closed", events.ErrClosed, wamp.URIUnavailableHere, ingest.Unavailable, "the gateway is shutting down, or closing the realm"},
		{"canceled", context.Canceled, wamp.URICanceled, ingest.Unavailable, "the request ended before the event was safe"},
		{"anything else", secret, wamp.URIInternal, ingest.Internal, "internal error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := wamp.AsError(wampError(tt.err)); got.URI != tt.uri {
				t.Errorf("wampError = %s (%s), want %s", got.URI, got.Text, tt.uri)
			}
			got := ingest.AsError(ingestError(tt.err))
			if got.Kind != tt.kind || got.Detail() != tt.detail {
				t.Errorf("ingestError = %v %q, want %v %q", got.Kind, got.Detail(), tt.kind, tt.detail)
			}
		})
	}
	facts := wamp.AsError(wampError(invalid)).Details
	for key, want := range map[string]any{"class": "a.b", "field": "n", "expected": "an integer of at least 0", "found": "-1", "code": "range"} {
		if facts[key] != want {
			t.Errorf("the facts of an invalid event have %s = %v, want %v", key, facts[key], want)
		}
	}
}

func TestErrorsOfTokens(t *testing.T) {
	secret := errors.New("/secret/path")
	for _, tt := range []struct {
		err    error
		kind   ingest.Kind
		detail string
	}{
		{errors.New("user is empty"), ingest.BadRequest, "user is empty"},
		{fmt.Errorf("store client token: %w", events.ErrFull), ingest.Unavailable, "the gateway has no room to keep the event"},
		{fmt.Errorf("store client token: %w", secret), ingest.Internal, "internal error"},
	} {
		if got := ingest.AsError(tokenError(tt.err)); got.Kind != tt.kind || got.Detail() != tt.detail {
			t.Errorf("tokenError(%v) = %v %q, want %v %q", tt.err, got.Kind, got.Detail(), tt.kind, tt.detail)
		}
	}
}
