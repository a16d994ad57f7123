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
	at, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return p.syntaxAt(int64(len(p.body)), "the JSON text ends too early")
	case err == io.EOF:
		return p.syntaxAt(int64(len(p.body)), "expected an event or an array of events, found nothing")
	case !ok:
		return p.syntaxAt(p.dec.InputOffset(), err.Error())
	}
	text := strings.TrimPrefix(at.Err.Error(), "jsontext: ")
	if errors.Is(err, jsontext.ErrDuplicateName) {
		text = "two members of an object have the same name"
	}
	e := p.syntaxAt(at.ByteOffset, text)
	e.pointer = ingest.Clip(string(at.JSONPointer))
	return e
}

// syntaxAt returns an error at the first byte from offset on that is not white
// space.
func (p *parser) syntaxAt(offset int64, text string) *syntaxError {
	offset = min(max(offset, 0), int64(len(p.body)))
	offset = int64(len(p.body) - len(bytes.TrimLeft(p.body[offset:], " \t\r\n")))
	before := p.body[:offset]
	return &syntaxError{
		text:   ingest.Clip(text),
		offset: offset,
		line:   bytes.Count(before, []byte{'\n'}) + 1,
		column: utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1,
	}
}
