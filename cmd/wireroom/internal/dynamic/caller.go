package dynamic

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/local"
	"github.com/wireroom/wireroom/router/wamp"
)

// maxAsking is how many questions of a realm may be under way at a time. One
// more is answered with an error.
const maxAsking = 100_000

// A Caller calls procedures of one realm, as a session of the gateway itself. It
// joins when it is first needed, and again if its session was ended.
type Caller struct {
	// Fixed at construction.
	router  *router.Router
	realm   wamp.URI
	timeout time.Duration

	mu     sync.Mutex    // guards the following
	client *local.Client // nil: not joined yet
	closed bool
}

// NewCaller returns a caller for the realm, which need not be there yet. Each
// call may take as long as timeout says.
func NewCaller(rt *router.Router, realm wamp.URI, timeout time.Duration) *Caller {
	return &Caller{router: rt, realm: realm, timeout: timeout}
}

var (
	errClosed = errors.New("the realm is being closed")
	errApart  = errors.New("the gateway cannot join the realm")
	errLate   = errors.New("it did not answer")
)

// isAway reports whether call failed because nobody could be asked, rather than
// because of what was answered.
func isAway(err error) bool {
	for _, away := range []error{errApart, errLate, local.ErrEnded, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, away) {
			return true
		}
	}
	e, ok := errors.AsType[*local.Error](err)
	if !ok {
		return false
	}
	switch e.URI {
	case wamp.URINoSuchProcedure, wamp.URINoAvailableCallee, wamp.URICanceled, wamp.URITimeout, wamp.URIUnavailable:
		return true
	}
	return false
}

// join returns a client that is joined.
func (c *Caller) join() (*local.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, errClosed
	case c.client != nil && c.client.Err() == nil:
		return c.client, nil
	}
	limits := router.DefaultLimits()
	limits.MaxCalls, limits.QueueBytes = maxAsking, 64<<20
	client, err := local.Join(c.router, c.realm, router.Grant{
		AuthID: "wireroom", AuthRole: "wireroom", AuthMethod: "internal", Provider: "wireroom", Limits: &limits, Trusted: true,
	})
	if err != nil {
		return nil, err
	}
	c.client = client
	return client, nil
}

// call calls a procedure and returns the first of its results.
func (c *Caller) call(ctx context.Context, procedure wamp.URI, args ...any) (any, error) {
	client, err := c.join()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errApart, err)
	}
	payload, err := wamp.NewPayload(wamp.JSON, args, nil)
	if err != nil {
		return nil, fmt.Errorf("write the arguments: %w", err)
	}
	late := fmt.Errorf("%w within %v", errLate, c.timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, late)
	defer cancel()
	result, err := client.Call(ctx, procedure, wamp.CallOptions{}, payload)
	if err != nil {
		return nil, err
	}
	list, err := result.DecodeArgs()
	switch {
	case err != nil:
		return nil, fmt.Errorf("its answer cannot be read: %w", err)
	case len(list) == 0:
		return nil, errors.New("expected an answer as the first result, found none")
	}
	return list[0], nil
}

// Close leaves the realm. Calls under way fail, and so do later ones.
func (c *Caller) Close() {
	c.mu.Lock()
	client := c.client
	c.client, c.closed = nil, true
	c.mu.Unlock()
	if client != nil {
		client.Close()
	}
}
