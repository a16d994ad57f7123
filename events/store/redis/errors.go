package redis

import (
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/events"
)

// An Error says why Redis did not do what it was asked. Its text says each thing
// once: what was tried, where, what is wrong there and, where that is not all,
// what was expected and found.
type Error struct {
	Op     string        // what was tried, such as "append events"
	Who    string        // "Redis", or "Sentinel" if that did not say where Redis is
	Place  string        // the URL, without a password
	What   string        // what is wrong, such as "refuses connections"
	Detail string        // more about it, for who may know hosts; may be empty
	Advice string        // a question or a request that leads to what helps; may be empty
	Tried  time.Duration // how long it was tried again and again; 0: once

	// Answered says that what is at the place was reached and did answer: it is
	// not as it must be, or said no.
	Answered bool

	Kind error // [events.ErrUnavailable] or [events.ErrFull]
	Err  error // what happened, in the words of who noticed
}

// Error names what was tried, where, and what is wrong.
func (e *Error) Error() string {
	text := fmt.Sprintf("cannot %s: %s at %s %s", e.Op, e.Who, e.Place, e.Fault())
	if e.Tried > 0 {
		text += fmt.Sprintf("; tried for %v", e.Tried)
	}
	return text
}

// Fault says what is wrong, to who knows of whom it is said.
func (e *Error) Fault() string {
	if e.Detail != "" {
		return e.What + ": " + e.Detail
	}
	return e.What
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// Reason says what is wrong in words that anybody may know: it names no host.
func (e *Error) Reason() string { return e.Who + " " + e.What }

var (
	errNoInfo  = errors.New("expected to be the only gateway, as the user may not use INFO, found another one")
	errAway    = errors.New("this gateway was away for too long")
	errFormat  = errors.New("expected keys of the format " + format)
	errDamaged = errors.New("what it has is damaged")
	errStale   = errors.New("the log changed meanwhile")
	errTooOld  = errors.New("it is too old")
	errEvicts  = errors.New("it would remove events")

	errTaken     = errors.New("another import into it has begun since, or Redis has lost this one")
	errImporting = errors.New("an import into it was not finished")
)

// refused returns the error that a script gives as its reply.
func (s *Store) refused(reply any) error {
	w, ok := words(reply)
	if !ok || len(w) == 0 {
		return fmt.Errorf("%w: a script answers with %T", errDamaged, reply)
	}
	switch {
	case w[0] == "info":
		return errNoInfo
	case w[0] == "gone":
		return errAway
	case w[0] == "taken":
		return errTaken
	case w[0] == "format" && len(w) > 1 && w[1] == importing:
		return errImporting
	case w[0] == "format" && len(w) > 1:
		return fmt.Errorf("%w, found the format %s", errFormat, w[1])
	case w[0] == "missing" && len(w) > 1:
		return fmt.Errorf("%w: the record with the offset %s is not there", errDamaged, w[1])
	case w[0] == "stale":
		return errStale
	}
	return nil
}

// explain turns an error into one that callers can tell apart.
func (s *Store) explain(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if errors.Is(err, goredis.ErrClosed) {
		return fmt.Errorf("%w: Redis at %s", events.ErrClosed, s.place)
	}
	return s.fault(op, s.place.find(err), err)
}

// fault returns an error that says what was found.
func (s *Store) fault(op string, f finding, err error) *Error {
	e := &Error{
		Op: op, Who: "Redis", Place: s.place.String(), What: f.what, Detail: f.detail, Advice: f.advice,
		Answered: f.answered, Kind: events.ErrUnavailable, Err: err,
	}
	if f.sentinel {
		e.Who = "Sentinel"
	}
	if f.full {
		e.Kind = events.ErrFull
	}
	return e
}

// given says for how long an error was tried, when that time is over.
func (s *Store) given(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Tried == 0 {
		e.Tried = s.config.Timeout
	}
	return err
}
