package httpapi

import (
	"net/http"

	"github.com/wireroom/wireroom/ingest"
)

// syntaxProblem returns what a client is told of a body that is no JSON.
func syntaxProblem(e *ingest.SyntaxError) *Problem {
	return &Problem{
		Type:    TypeBase + "malformed-json",
		Title:   "The request's body is not JSON",
		Status:  http.StatusBadRequest,
		Detail:  e.Error(),
		Offset:  new(e.Offset),
		Line:    e.Line,
		Column:  e.Column,
		Pointer: e.Pointer,
	}
}

// syntax returns an error of the decoder with its place in the body.
func (p *parser) syntax(err error) error {
	return ingest.NewSyntaxError(p.body, p.dec.InputOffset(), "an event or an array of events", err)
}
