package main

import (
	"context"
	"errors"
	"strings"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/ingest"
	"github.com/wireroom/wireroom/router/wamp"
)

// wampError turns an error of the hub into one that a WAMP client can act on:
// the facts are in the keyword arguments of ERROR.
func wampError(err error) error {
	if e, ok := errors.AsType[*events.InvalidError](err); ok {
		return &wamp.Error{
			URI: wamp.URIInvalidEvent, Text: e.Error(),
			Details: map[string]any{
				"class": e.Class, "field": e.Field, "expected": e.Expected, "found": e.Found, "code": string(e.Code),
			},
		}
	}
	if e, ok := errors.AsType[*events.UnknownClassError](err); ok {
		return &wamp.Error{URI: wamp.URIInvalidEvent, Text: e.Error(), Details: map[string]any{"class": e.Class}}
	}
	if e, ok := errors.AsType[*events.ConflictError](err); ok {
		return &wamp.Error{URI: wamp.URIInvalidEvent, Text: e.Error(), Details: map[string]any{"class": e.Class, "id": e.ID}}
	}
	if e, ok := errors.AsType[*events.OptionError](err); ok {
		return &wamp.Error{
			URI: wamp.URIInvalidArgument, Text: e.Error(),
			Details: map[string]any{"option": e.Option, "expected": e.Expected, "found": e.Found},
		}
	}
	if text, ok := unavailable(err); ok {
		return &wamp.Error{URI: wamp.URIUnavailableHere, Text: text, Err: err}
	}
	return err
}

// unavailable says what a poster may know of a failure of the store.
func unavailable(err error) (text string, ok bool) {
	switch {
	case errors.Is(err, events.ErrFull):
		return "the gateway has no room to keep the event", true
	case errors.Is(err, events.ErrUnavailable):
		return "the gateway cannot keep the event at the moment; try again with the same id", true
	case errors.Is(err, events.ErrClosed):
		return "the gateway is shutting down, or closing the realm", true
	}
	return "", false
}

// ingestError turns an error of the hub into one that every ingest format
// renders.
func ingestError(err error) error {
	if e, ok := errors.AsType[*events.InvalidError](err); ok {
		more := make([]string, len(e.More))
		for i := range e.More {
			more[i] = "also " + e.More[i].String()
		}
		kind := ingest.InvalidEvent
		if e.Code == events.CodeSize {
			kind = ingest.TooLarge
		}
		return &ingest.Error{
			Kind: kind, Class: e.Class, Field: e.Field, Expected: e.Expected, Found: e.Found,
			Text: strings.Join(more, "; "), Index: e.Index,
		}
	}
	if e, ok := errors.AsType[*events.UnknownClassError](err); ok {
		return &ingest.Error{Kind: ingest.UnknownClass, Class: e.Class, Text: e.Error(), Index: e.Index}
	}
	if e, ok := errors.AsType[*events.ConflictError](err); ok {
		return &ingest.Error{Kind: ingest.Conflict, Class: e.Class, Field: "id", Found: e.ID, Text: "the id belongs to an earlier event with other data", Index: e.Index}
	}
	if errors.Is(err, events.ErrBatchSize) {
		return &ingest.Error{Kind: ingest.TooLarge, Text: err.Error(), Index: -1}
	}
	if text, ok := unavailable(err); ok {
		return &ingest.Error{Kind: ingest.Unavailable, Text: text, Index: -1, Err: err}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &ingest.Error{Kind: ingest.Unavailable, Text: "the request ended before the event was safe", Index: -1, Err: err}
	}
	return err
}

// tokenError turns an error of [auth.Sessions.Issue] into one for the web
// application. A failure of the store comes wrapped; a complaint about the
// user, the roles or the ttl is plain, and may be told.
func tokenError(err error) error {
	if text, ok := unavailable(err); ok {
		return &ingest.Error{Kind: ingest.Unavailable, Text: text, Index: -1, Err: err}
	}
	if errors.Unwrap(err) != nil {
		return err
	}
	return ingest.Errorf(ingest.BadRequest, "%v", err)
}
