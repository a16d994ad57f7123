package httpapi

import (
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/wireroom/wireroom/ingest"
)

// TypeBase is what the type of every problem begins with; the rest is the name
// of the problem, and of its section in the documentation.
const TypeBase = "https://github.com/wireroom/wireroom/blob/main/docs/ingest.md#"

// A Problem is a problem document (RFC 9457), as a handler answers with.
type Problem struct {
	Type   string `json:"type"`   // TypeBase and a name; stable
	Title  string `json:"title"`  // the same for all problems of a type
	Status int    `json:"status"` // the HTTP status code
	Detail string `json:"detail"` // what happened here, for a person to read

	// What the type has to say more; the rest is absent.
	Class      string   `json:"class,omitempty"`     // the event class
	Field      string   `json:"field,omitempty"`     // path of the field at fault
	Expected   string   `json:"expected,omitempty"`  // what it should be
	Found      string   `json:"found,omitempty"`     // what it is
	Index      *int     `json:"index,omitempty"`     // position in the batch, from 0
	Offset     *int64   `json:"offset,omitempty"`    // of a syntax error, in bytes from 0
	Line       int      `json:"line,omitzero"`       // of a syntax error, from 1
	Column     int      `json:"column,omitzero"`     // of a syntax error, in characters from 1
	Pointer    string   `json:"pointer,omitempty"`   // of a syntax error, a JSON Pointer (RFC 6901)
	RetryAfter int64    `json:"retryAfter,omitzero"` // seconds, as the Retry-After header
	Accept     []string `json:"accept,omitempty"`    // media types that are accepted
	Allow      []string `json:"allow,omitempty"`     // methods that are allowed
}

// The kinds as HTTP sees them.
func statusOf(kind ingest.Kind) (status int, title string) {
	switch kind {
	case ingest.BadRequest:
		return http.StatusBadRequest, "The request is not an event or an array of events"
	case ingest.InvalidEvent:
		return http.StatusUnprocessableEntity, "The event does not match its class"
	case ingest.UnknownClass:
		return http.StatusUnprocessableEntity, "There is no such event class"
	case ingest.NotAuthorized:
		return http.StatusUnauthorized, "The ingest key is missing or unknown"
	case ingest.Forbidden:
		return http.StatusForbidden, "The ingest key may not do this"
	case ingest.Conflict:
		return http.StatusConflict, "The id belongs to a different event"
	case ingest.TooLarge:
		return http.StatusRequestEntityTooLarge, "The request is too large"
	case ingest.Timeout:
		return http.StatusRequestTimeout, "The request did not arrive in time"
	case ingest.Unavailable:
		return http.StatusServiceUnavailable, "Not available at the moment"
	}
	return http.StatusInternalServerError, "Internal error"
}

// problemOf returns the problem document of a failure.
func problemOf(e *ingest.Error) *Problem {
	status, title := statusOf(e.Kind)
	p := &Problem{
		Type:     TypeBase + e.Kind.String(),
		Title:    title,
		Status:   status,
		Detail:   e.Detail(),
		Class:    ingest.Clip(e.Class),
		Field:    ingest.Clip(e.Field),
		Expected: ingest.Clip(e.Expected),
		Found:    ingest.Clip(e.Found),
	}
	if e.Index >= 0 {
		p.Index = new(e.Index)
	}
	return p
}

// write sends the problem. What belongs in headers of its own is there too.
func (p *Problem) write(w http.ResponseWriter) {
	body, err := json.Marshal(p)
	if err != nil {
		// Every member was made valid; only a fault of ours leads here.
		http.Error(w, p.Title, p.Status)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(p.Status)
	// A peer that is gone can't be told so.
	_, _ = w.Write(append(body, '\n'))
}
