package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Kind says what went wrong, and so what to do about it. Every wire format
// has a stable code for every kind.
type Kind uint8

// The kinds of failure.
const (
	Internal      Kind = iota // a fault of ours; the text is not told
	BadRequest                // the request is not what the method or resource takes
	InvalidEvent              // data does not match the class
	UnknownClass              // no event class has this name
	NotAuthorized             // no key, or an unknown one
	Forbidden                 // a known key that may not do this
	Conflict                  // the id belongs to a different event
	TooLarge                  // the request, the batch or the event
	Timeout                   // the request did not arrive in time
	Unavailable               // cannot be done now; the same request may succeed later
)

// Kinds has every [Kind], in order.
var Kinds = []Kind{
	Internal, BadRequest, InvalidEvent, UnknownClass, NotAuthorized,
	Forbidden, Conflict, TooLarge, Timeout, Unavailable,
}

// String returns the kind's name in words joined by dashes, as "invalid-event".
func (k Kind) String() string {
	switch k {
	case Internal:
		return "internal"
	case BadRequest:
		return "bad-request"
	case InvalidEvent:
		return "invalid-event"
	case UnknownClass:
		return "unknown-class"
	case NotAuthorized:
		return "not-authorized"
	case Forbidden:
		return "forbidden"
	case Conflict:
		return "conflict"
	case TooLarge:
		return "too-large"
	case Timeout:
		return "timeout"
	case Unavailable:
		return "unavailable"
	}
	return "kind-" + strconv.Itoa(int(k))
}

// text is what a failure of the kind says when nothing more is known.
func (k Kind) text() string {
	switch k {
	case BadRequest:
		return "bad request"
	case InvalidEvent:
		return "the event does not match its class"
	case UnknownClass:
		return "no such event class"
	case NotAuthorized:
		return "the ingest key is missing or unknown"
	case Forbidden:
		return "the ingest key may not do this"
	case Conflict:
		return "the id belongs to a different event"
	case TooLarge:
		return "too large"
	case Timeout:
		return "the request did not arrive in time"
	case Unavailable:
		return "not available at the moment, try again later"
	}
	return "internal error"
}

// An Error is a failure that is told to whoever posts. Every field but Err is
// sent. Err is kept for the log, and may name files, hosts or secrets.
type Error struct {
	Kind Kind

	// Text says in words what the fields below do not say; it may be empty. It
	// need not repeat them, as every format renders them too.
	Text string

	Class    string // the class that the event named; may be empty
	Field    string // path of the field at fault, as "address.city"; may be empty
	Expected string // what the field should be; may be empty
	Found    string // what it is; may be empty, and is cut when long

	// Index is the position, from 0, of the event at fault in a batch, and -1
	// when it is not about one event of a batch.
	Index int

	// RetryAfter is when to try again, with [Unavailable]. 0: not known.
	RetryAfter time.Duration

	Err error // the cause; may be nil
}

// Errorf returns an [*Error] of the kind with the formatted text, and with an
// Index of -1.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...), Index: -1}
}

// maxFact is how many bytes of a found or expected value an answer repeats.
const maxFact = 200

// Detail returns everything that may be told, on one line: where, what was
// expected, what came, and the text, as in
// "event 2: order.created: total: expected a number, found a string".
func (e *Error) Detail() string {
	var b strings.Builder
	if e.Index >= 0 {
		b.WriteString("event " + strconv.Itoa(e.Index))
	}
	part := func(sep, s string) {
		if s == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteString(sep)
		}
		b.WriteString(s)
	}
	part(": ", Clip(e.Class))
	part(": ", Clip(e.Field))
	text := e.Text
	if e.Expected == "" && e.Found == "" && text == "" {
		text = e.Kind.text()
	}
	if e.Expected != "" {
		part(": ", "expected "+Clip(e.Expected))
		part(", ", prefixed("found ", Clip(e.Found)))
	} else {
		part(": ", prefixed("found ", Clip(e.Found)))
	}
	part(": ", text)
	if e.RetryAfter > 0 {
		part("; ", "try again in "+e.RetryAfter.String())
	}
	return b.String()
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// Clip returns s as an answer may repeat it: valid UTF-8, and cut after about
// 200 bytes with "…" in place of the rest.
func Clip(s string) string {
	if len(s) > maxFact {
		cut := maxFact
		for cut > maxFact-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// Error returns the kind, the detail and the cause, for logs.
func (e *Error) Error() string {
	s := e.Kind.String() + ": " + e.Detail()
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an [*Error] that says only a kind, and e is of
// that kind: errors.Is(err, &Error{Kind: Forbidden}).
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	if !ok {
		return false
	}
	bare := *t
	bare.Kind, bare.Index = Internal, 0
	return e.Kind == t.Kind && bare == Error{}
}

// Single returns err for an answer about one event alone, where no position in
// a batch can be meant. nil stays nil.
func Single(err error) error {
	if err == nil {
		return nil
	}
	e := AsError(err)
	if e.Index < 0 {
		return e
	}
	alone := *e
	alone.Index = -1
	return &alone
}

// AsError returns err as an [*Error]: the one that err is or wraps;
// [context.DeadlineExceeded] and [context.Canceled] as [Unavailable]; anything
// else as [Internal], which hides it. err must not be nil.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Kind: Unavailable, Text: "timed out", Index: -1, Err: err}
	case errors.Is(err, context.Canceled):
		return &Error{Kind: Unavailable, Text: "canceled", Index: -1, Err: err}
	}
	return &Error{Kind: Internal, Index: -1, Err: err}
}
