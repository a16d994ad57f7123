package local

import (
	"errors"
	"fmt"

	"github.com/wireroom/wireroom/router/wamp"
)

// ErrEnded is that the client's session has ended. What wraps it also wraps the
// [*wamp.Error] that says why.
var ErrEnded = errors.New("the client's session has ended")

// An Error is the ERROR that answered a request.
type Error struct {
	URI     wamp.URI
	Payload wamp.Payload // in JSON; the receiver's own
}

// Error returns the URI, and the first argument if that is a string.
func (e *Error) Error() string {
	if text := e.text(); text != "" {
		return string(e.URI) + ": " + text
	}
	return string(e.URI)
}

// Unwrap returns what the error says to people, so that it can be compared with
// [wamp.ErrNotAuthorized] and the like.
func (e *Error) Unwrap() error { return &wamp.Error{URI: e.URI, Text: e.text()} }

func (e *Error) text() string {
	args, err := e.Payload.DecodeArgs()
	if err != nil || len(args) == 0 {
		return ""
	}
	text, _ := args[0].(string)
	return text
}

func ended(why *wamp.Error) error { return fmt.Errorf("%w: %w", ErrEnded, why) }
