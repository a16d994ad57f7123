package bridge

import (
	"context"
	"fmt"
)

// A Principal is on whose behalf something is done. Principals can be compared.
type Principal struct {
	Key   string // name of the key; empty: anonymous
	Realm string
	Role  string
}

// A Publication is an event to publish.
type Publication struct {
	Topic   string
	Payload Payload
	Options []byte // PUBLISH.Options as a JSON object; nil: none
}

// A Call is a procedure to call.
type Call struct {
	Procedure string
	Payload   Payload
	Options   []byte // CALL.Options as a JSON object; nil: none
}

// A Payload is what an application says to another: valid JSON, in UTF-8,
// without duplicate member names, and no deeper than the handler's limit.
type Payload struct {
	Args   []byte // an array; nil: none
	KwArgs []byte // an object; nil: none
}

// A Publisher publishes in a realm. It is called by many goroutines at once,
// and may keep what it gets.
type Publisher interface {
	// Publish returns the publication's ID when the realm has taken the event.
	// Its error is a [*Failure] if the realm refused it, an
	// [*github.com/wireroom/wireroom/ingest.Error] if the realm cannot be
	// reached, or else a fault that is not told.
	Publish(ctx context.Context, who Principal, p *Publication) (id uint64, err error)
}

// A Caller calls procedures of a realm. It is called by many goroutines at
// once, and may keep what it gets.
type Caller interface {
	// Call returns the result. Errors are those of [Publisher]. When ctx is
	// done, because the client of the bridge has gone or the call took too
	// long, it cancels the call and returns the cause.
	Call(ctx context.Context, who Principal, c *Call) (Payload, error)
}

// A Failure is an ERROR of WAMP. It is told as it is.
type Failure struct {
	URI     string
	Payload Payload // valid JSON
}

// Error returns the URI with the arguments, for logs.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s %s %s", f.URI, f.Payload.Args, f.Payload.KwArgs)
}
