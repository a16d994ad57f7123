package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/wireroom/wireroom/ingest"
)

// A syntaxError says where a body is no JSON, or is JSON that can be read in
// more than one way.
type syntaxError struct {
	text         string
	offset       int64 // in bytes, from 0
	line, column int   // from 1; the column in characters
	pointer      string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.line, e.column, e.text)
}

func (e *syntaxError) problem() *Problem {
	return &Problem{
		Type:    TypeBase + "malformed-json",
		Title:   "The request's body is not JSON",
		Status:  http.StatusBadRequest,
		Detail:  e.Error(),
		Offset:  new(e.offset),
		Line:    e.line,
		Column:  e.column,
		Pointer: e.pointer,
	}
}

// syntax returns an error of the decoder with its place in the body.
func (p *parser) syntax(err error) error {
	e := &syntaxError{text: err.Error(), offset: p.dec.InputOffset()}
	if at, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		e.offset, e.pointer = at.ByteOffset, ingest.Clip(string(at.JSONPointer))
		e.text = at.Err.Error()
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		e.text = "two members of an object have the same name"
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.text, e.offset = "the JSON text ends too early", int64(len(p.body))
	case err == io.EOF:
		e.text = "expected an event or an array of events, found nothing"
	}
	e.text = ingest.Clip(strings.TrimPrefix(e.text, "jsontext: "))
	e.offset = min(max(e.offset, 0), int64(len(p.body)))
	before := p.body[:e.offset]
	e.line = bytes.Count(before, []byte{'\n'}) + 1
	e.column = utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return e
}
