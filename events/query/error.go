package query

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// An Error says what is wrong with a query, and where.
type Error struct {
	Offset int    // in bytes, from 0
	Line   int    // from 1
	Column int    // in characters, from 1
	Text   string // what was expected and what was found, and perhaps what to write instead
	Limit  bool   // a limit is exceeded; otherwise the query means nothing

	// Pointer is where in a query that is JSON, as RFC 6901 writes it; empty
	// if that is the whole, or the query is a text.
	Pointer string
}

// Error returns the place and the text: "1:7: expected …, found …", and for
// JSON "1:7 (/all/0): expected …, found …".
func (e *Error) Error() string {
	if e.Pointer != "" {
		return fmt.Sprintf("%d:%d (%s): %s", e.Line, e.Column, e.Pointer, e.Text)
	}
	return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Text)
}

// errorAt returns an Error about the place of text that is offset bytes in.
func errorAt[P int | int32](text string, offset P, format string, args ...any) *Error {
	before := text[:min(int(offset), len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return &Error{
		Offset: int(offset),
		Line:   1 + strings.Count(before, "\n"),
		Column: 1 + utf8.RuneCountInString(before[start:]),
		Text:   fmt.Sprintf(format, args...),
	}
}

// limitAt is errorAt for a limit.
func limitAt[P int | int32](text string, offset P, format string, args ...any) *Error {
	e := errorAt(text, offset, format, args...)
	e.Limit = true
	return e
}
