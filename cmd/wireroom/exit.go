package main

import (
	"errors"
	"fmt"
)

// The exit codes. docs/cli.md has the same list.
const (
	exitOK          = 0   // done
	exitFailure     = 1   // something else went wrong
	exitUsage       = 2   // the command line is wrong
	exitConfig      = 3   // the configuration is wrong
	exitUnreachable = 4   // no connection to the gateway, or to Redis, or it was lost
	exitRefused     = 5   // the gateway answered, and said no; or Redis did, or is not as it must be
	exitInterrupted = 130 // stopped by a signal before it was done
)

// An exitError is an error with the exit code that it means and, for people,
// a hint at what to do.
type exitError struct {
	code int
	err  error
	hint string // may be empty
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// errInterrupted is what a command returns that a signal stopped before it was
// done.
var errInterrupted = &exitError{code: exitInterrupted, err: errors.New("interrupted")}

func usageErrorf(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// exitCode returns the exit code that err means.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return exitFailure
}
