package xmlrpc

import (
	"fmt"

	"github.com/wireroom/wireroom/ingest"
)

// Fault codes. They are stable. The negative ones are those of the
// "Specification for Fault Code Interoperability"; the positive ones are the
// HTTP status codes that say the same.
const (
	CodeNotWellFormed = -32700 // the request is not well-formed XML
	CodeEncoding      = -32701 // the request is in an encoding other than UTF-8, US-ASCII, ISO-8859-1
	CodeCharacter     = -32702 // a byte or character that the encoding or XML does not allow
	CodeNotXMLRPC     = -32600 // well-formed, but no XML-RPC call, or beyond a limit
	CodeUnknownMethod = -32601 // no such method
	CodeInvalidParams = -32602 // wrong number, type or range of parameters
	CodeInternal      = -32603 // a failure of the gateway
	CodeNotAuthorized = 401    // unknown key
	CodeForbidden     = 403    // the key may not do this
	CodeUnknownClass  = 404    // no such event class
	CodeTimeout       = 408    // the request did not arrive in time
	CodeConflict      = 409    // the id belongs to a different event
	CodeTooLarge      = 413    // the batch or the event is too large
	CodeInvalidEvent  = 422    // data does not match the class
	CodeUnavailable   = 503    // not possible now; try again later
)

// maxMethodNameBytes is how long the name of a method may be.
const maxMethodNameBytes = 255

// Code returns the fault code of a kind of failure.
func Code(kind ingest.Kind) int {
	switch kind {
	case ingest.BadRequest:
		return CodeInvalidParams
	case ingest.InvalidEvent:
		return CodeInvalidEvent
	case ingest.UnknownClass:
		return CodeUnknownClass
	case ingest.NotAuthorized:
		return CodeNotAuthorized
	case ingest.Forbidden:
		return CodeForbidden
	case ingest.Conflict:
		return CodeConflict
	case ingest.TooLarge:
		return CodeTooLarge
	case ingest.Timeout:
		return CodeTimeout
	case ingest.Unavailable:
		return CodeUnavailable
	}
	return CodeInternal
}

// A fault is a failure that has a code of its own: of the request as a whole,
// not of an event.
type fault struct {
	code int
	text string
}

func (f *fault) Error() string { return fmt.Sprintf("fault %d: %s", f.code, f.text) }

func faultf(code int, format string, args ...any) *fault {
	return &fault{code: code, text: fmt.Sprintf(format, args...)}
}
