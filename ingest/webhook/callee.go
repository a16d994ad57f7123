package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"unicode/utf8"

	"github.com/wireroom/wireroom/ingest"
)

// A Form is how a call becomes a request.
type Form uint8

// The forms.
const (
	// Call posts procedure, args, kwargs and details, and takes args and
	// kwargs, or error, for an answer: what the HTTP bridge takes and gives.
	Call Form = iota

	// Request makes the request that the caller describes by keyword
	// arguments (method, url, body, headers, params), and returns its answer
	// (code, content, headers), as Crossbar's HTTP callee does.
	Request
)

// Forms are the names of the forms in a configuration, in their order.
var Forms = []string{"call", "request"}

// A CalleeConfig says how an endpoint answers calls.
type CalleeConfig struct {
	Name string // for the log
	Endpoint
	Form Form

	// MaxAnswer is how many bytes of an answer are read: 1 KiB to 64 MiB.
	MaxAnswer int64
}

// An Invocation is a call to be answered. All JSON in it is valid.
type Invocation struct {
	ID        string // tells it from others, for the receiver's log
	Procedure string
	Args      []byte // a JSON array; nil: none
	KwArgs    []byte // a JSON object; nil: none
	Details   []byte // as a JSON object; nil: none
}

// A Result is what a call returns, in JSON.
type Result struct {
	Args   []byte // an array; nil: none
	KwArgs []byte // an object; nil: none
}

// A Failure is the error that a caller gets.
type Failure struct {
	URI    string
	Result // its arguments
}

// Error returns the URI with the arguments.
func (f *Failure) Error() string { return fmt.Sprintf("%s %s %s", f.URI, f.Args, f.KwArgs) }

// failed returns the failure of a call that the endpoint did not answer as it
// should.
func failed(status int, format string, args ...any) *Failure {
	text, _ := json.Marshal([]string{fmt.Sprintf(format, args...)}) // strings never fail
	f := &Failure{URI: "wireroom.error.unavailable", Result: Result{Args: text}}
	if status > 0 {
		f.KwArgs = fmt.Appendf(nil, `{"status":%d}`, status)
	}
	return f
}

// A Callee has an endpoint answer calls. It is safe for concurrent use; whoever
// calls bounds how many there are at a time.
type Callee struct {
	cfg    CalleeConfig
	log    *slog.Logger
	client *client
}

// NewCallee returns a callee. The configuration must be valid.
func NewCallee(cfg CalleeConfig, log *slog.Logger) *Callee {
	c := &Callee{cfg: cfg, log: log.With("webhook", cfg.Name), client: newClient(cfg.Endpoint)}
	if cfg.Form == Request { // where a redirect leads is the caller's affair
		c.client.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return c
}

// Close gives back what the callee keeps. No call may be under way.
func (c *Callee) Close() { c.client.close() }

// Call has the endpoint answer a call, once: whether it may be repeated only
// the caller knows. Its error is a [*Failure], or the cause of ctx's end.
func (c *Callee) Call(ctx context.Context, inv *Invocation) (Result, error) {
	request := c.client.callRequest
	if c.cfg.Form == Request {
		request = c.client.anyRequest
	}
	r, err := request(inv)
	if err != nil {
		return Result{}, err
	}
	a, err := c.client.do(ctx, r, c.cfg.MaxAnswer)
	switch {
	case ctx.Err() != nil:
		return Result{}, context.Cause(ctx)
	case err != nil:
		c.log.Warn("a call was not answered", "procedure", inv.Procedure, "err", err)
		if errors.Is(err, errSlow) {
			return Result{}, &Failure{URI: "wamp.error.timeout", Result: Result{Args: []byte(`["the endpoint took too long"]`)}}
		}
		return Result{}, failed(0, "the endpoint cannot be reached, or its answer cannot be read")
	case c.cfg.Form == Request:
		return resultOf(a), nil
	case !a.ok():
		c.log.Warn("a call was not answered", "procedure", inv.Procedure, "status", a.status)
		return Result{}, failed(a.status, "the endpoint answers with status %d", a.status)
	}
	return parseAnswer(a)
}

// callRequest returns the request of the form [Call].
func (c *client) callRequest(inv *Invocation) (*http.Request, error) {
	var o object
	o.text("procedure", inv.Procedure)
	o.raw("args", orElse(inv.Args, "[]"))
	o.raw("kwargs", orElse(inv.KwArgs, "{}"))
	o.raw("details", orElse(inv.Details, "{}"))
	return c.post(inv.ID, o.end(), "application/json")
}

// maxAnswerDepth is how deep an answer may be nested.
const maxAnswerDepth = 64

// parseAnswer reads the answer of the form [Call]. No body is no result.
func parseAnswer(a *answer) (Result, error) {
	if len(a.body) == 0 {
		return Result{}, nil
	}
	var got struct {
		Error  *string         `json:"error"`
		Args   json.RawMessage `json:"args"`
		KwArgs json.RawMessage `json:"kwargs"`
	}
	if err := json.Unmarshal(a.body, &got); err != nil || !utf8.Valid(a.body) || ingest.Depth(a.body) > maxAnswerDepth {
		return Result{}, failed(a.status, "expected a JSON object with args, kwargs or error as the endpoint's answer, found something else")
	}
	result := Result{Args: present(got.Args), KwArgs: present(got.KwArgs)}
	if result.Args != nil && result.Args[0] != '[' || result.KwArgs != nil && result.KwArgs[0] != '{' {
		return Result{}, failed(a.status, "expected an array for args and an object for kwargs in the endpoint's answer, found something else")
	}
	if result.KwArgs != nil && result.Args == nil {
		result.Args = []byte("[]")
	}
	if got.Error != nil {
		return Result{}, &Failure{URI: *got.Error, Result: result}
	}
	return result, nil
}

// present returns a member's value, or nil if it is null or not there.
func present(value json.RawMessage) []byte {
	if string(value) == "null" {
		return nil
	}
	return value
}
