package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/events"
)

// An Error says why Redis did not do what it was asked.
type Error struct {
	Op    string // what was tried, such as "append events"
	Place string // the URL, without a password
	What  string // what Redis did, such as "refuses connections"
	Kind  error  // [events.ErrUnavailable] or [events.ErrFull]
	Err   error  // what happened
}

// Error names what was tried, where, and what happened.
func (e *Error) Error() string {
	return fmt.Sprintf("%v: cannot %s: Redis at %s %s: %v", e.Kind, e.Op, e.Place, e.What, e.Err)
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// Reason says what is wrong in words that anybody may know: it names no host.
func (e *Error) Reason() string { return "Redis " + e.What }

func (s *Store) fault(kind error, op, what string, err error) *Error {
	return &Error{Op: op, Place: s.place.String(), What: what, Kind: kind, Err: err}
}

var (
	errNoInfo  = errors.New("expected to be the only gateway, as the user may not use INFO, found another one")
	errAway    = errors.New("this gateway was away for too long")
	errFormat  = errors.New("expected keys of the format " + format)
	errDamaged = errors.New("what it has is damaged")
	errStale   = errors.New("the log changed meanwhile")

	errTaken     = errors.New("another import into it has begun since, or Redis has lost this one")
	errImporting = errors.New("an import into it was not finished; import again, or remove its keys")
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
		return fmt.Errorf("%w, found the format %s: use a newer wireroom", errFormat, w[1])
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
	what, kind := classify(err)
	return s.fault(kind, op, what, err)
}

// An answer is a kind of error that Redis answers with.
type answer struct {
	code    string // begins the answer, or stands in it if it begins with "…"
	what    string
	passing bool // it may be gone in a moment
	full    bool
}

// answers is what Redis says when it does not do what it is asked. They are in
// the order in which they are looked for.
var answers = []answer{
	{"…No space left on device", "has no room on its disk", false, true},
	{"OOM", "has used all the memory that it may use", false, true},
	{"READONLY", "is a replica that can only be read", true, false},
	{"LOADING", "is loading its data", true, false},
	{"MASTERDOWN", "is a replica that has lost its primary", true, false},
	{"CLUSTERDOWN", "is a Cluster of which a part is down", true, false},
	{"TRYAGAIN", "is moving the keys", true, false},
	{"MOVED", "is moving the keys", true, false},
	{"ASK", "is moving the keys", true, false},
	{"NOREPLICAS", "has too few replicas to write", true, false},
	{"BUSY", "is busy with a script", true, false},
	{"UNBLOCKED", "is changing its role", true, false},
	{"…max number of clients", "has too many clients", true, false},
	{"MISCONF", "cannot save its data", false, false},
	{"NOAUTH", "wants a password", false, false},
	{"WRONGPASS", "does not accept the user or the password", false, false},
	{"ERR AUTH", "does not accept the user or the password", false, false},
	{"ERR invalid password", "does not accept the user or the password", false, false},
	{"NOPERM", "does not give this user all permissions that it needs", false, false},
	{"ERR ACL failure in script", "does not give this user all permissions that it needs", false, false},
	{"…can't run this command", "does not give this user all permissions that it needs", false, false},
	{"WRONGTYPE", "has keys of another program under the prefix", false, false},
}

// classify says what an error means.
func classify(err error) (what string, kind error) {
	if a, ok := answerOf(err); ok {
		if a.full {
			return a.what, events.ErrFull
		}
		return a.what, events.ErrUnavailable
	}
	what = "does not answer as it should"
	switch {
	case errors.Is(err, errNoInfo):
		what = "does not tell which process it is"
	case errors.Is(err, errFormat):
		what = "has a store of another version"
	case errors.Is(err, errImporting):
		what = "has a part of a store"
	case errors.Is(err, errDamaged):
		what = "has a damaged store"
	case errors.Is(err, syscall.ECONNREFUSED):
		what = "refuses connections"
	case errors.Is(err, os.ErrNotExist):
		what = "has no such socket"
	case isTimeout(err):
		what = "does not answer in time"
	case isBroken(err):
		what = "has closed the connection"
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		what = "has a host that nobody knows"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		what = "has a certificate that is not trusted"
	}
	return what, events.ErrUnavailable
}

func answerOf(err error) (found answer, ok bool) {
	e, isAnswer := errors.AsType[goredis.Error](err)
	if !isAnswer {
		return found, false
	}
	text := inScript(e.Error())
	for _, a := range answers {
		inside, anywhere := strings.CutPrefix(a.code, "…")
		if anywhere && strings.Contains(text, inside) || !anywhere && strings.HasPrefix(text, a.code) {
			return a, true
		}
	}
	return found, false
}

// inScript returns what a command in a script was answered, if that is what the
// text tells, and otherwise the text. Redis 7 and Valkey begin with that answer,
// and Redis 6.2 has it after the places at which the script called the command:
// "ERR Error running script (call to f_…): @user_script:9: @user_script: 9: -OOM …".
func inScript(text string) string {
	rest, ok := strings.CutPrefix(text, "ERR Error running script ")
	if !ok {
		return text
	}
	_, rest, _ = strings.Cut(rest, "): ")
	for strings.HasPrefix(rest, "@user_script:") {
		line, answer, ok := strings.Cut(strings.TrimPrefix(rest, "@user_script:"), ": ")
		if !ok || strings.Trim(line, " 0123456789") != "" {
			return text
		}
		rest = answer
	}
	return strings.TrimPrefix(rest, "-")
}

// passing reports whether another attempt may succeed soon.
func passing(err error) bool {
	if a, ok := answerOf(err); ok {
		return a.passing
	}
	if _, ok := errors.AsType[goredis.Error](err); ok {
		return false
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return false
	}
	return isTimeout(err) || isBroken(err)
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, goredis.ErrPoolTimeout) || ok && e.Timeout()
}

// isBroken reports whether a connection could not be made, or broke.
func isBroken(err error) bool {
	_, ok := errors.AsType[*net.OpError](err)
	_, system := errors.AsType[syscall.Errno](err)
	return ok || system || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
