package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// A SyntaxError says where a body is no JSON, or is JSON that can be read in
// more than one way.
type SyntaxError struct {
	Text         string // clipped, without the place
	Offset       int64  // in bytes, from 0
	Line, Column int    // from 1; the column in characters
	Pointer      string // JSON pointer (RFC 6901), clipped; "" if it is not known
}

// Error returns the place and the text.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
}

// NewSyntaxError returns what an error of a jsontext.Decoder says of the body
// that it read, in words for people. expected is what a body without anything
// in it lacks, such as "a JSON object"; read is how far the decoder came.
func NewSyntaxError(body []byte, read int64, expected string, err error) *SyntaxError {
	at, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return SyntaxErrorAt(body, int64(len(body)), "the JSON text ends too early")
	case err == io.EOF:
		return SyntaxErrorAt(body, int64(len(body)), "expected "+expected+", found nothing")
	case !ok:
		return SyntaxErrorAt(body, read, err.Error())
	}
	text := strings.TrimPrefix(at.Err.Error(), "jsontext: ")
	if errors.Is(err, jsontext.ErrDuplicateName) {
		text = "two members of an object have the same name"
	}
	e := SyntaxErrorAt(body, at.ByteOffset, text)
	e.Pointer = Clip(string(at.JSONPointer))
	return e
}

// SyntaxErrorAt returns an error at the first byte from offset on that is not white
// space.
func SyntaxErrorAt(body []byte, offset int64, text string) *SyntaxError {
	offset = min(max(offset, 0), int64(len(body)))
	offset = int64(len(body) - len(bytes.TrimLeft(body[offset:], " \t\r\n")))
	before := body[:offset]
	return &SyntaxError{
		Text:   Clip(text),
		Offset: offset,
		Line:   bytes.Count(before, []byte{'\n'}) + 1,
		Column: utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1,
	}
}

// Shape returns the error for a body that is JSON but not what was expected.
func Shape(field, expected, found string) error {
	return &Error{Kind: BadRequest, Field: field, Expected: expected, Found: found, Index: -1}
}

// KindName returns what a JSON value is called in messages.
func KindName(kind jsontext.Kind) string {
	switch kind {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '[':
		return "an array"
	}
	return "an object"
}
