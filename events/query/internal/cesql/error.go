package cesql

import "fmt"

// An ErrorKind is a kind of errors that expressions have.
type ErrorKind uint8

// The kinds of errors.
const (
	MathError ErrorKind = iota
	CastError
	MissingAttributeError
	MissingFunctionError
	FunctionEvaluationError
)

// An Error is why an expression failed for an event.
type Error struct {
	Kind ErrorKind
	Text string // what was expected and what was found
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

func failed(kind ErrorKind, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// A SyntaxError is why a text is no expression.
type SyntaxError struct {
	Offset int    // in bytes, from 0
	Text   string // what was expected and what was found
	Limit  bool   // the expression is too deep; otherwise it means nothing
}

// Error returns the text.
func (e *SyntaxError) Error() string { return e.Text }
