package local

import (
	"cmp"
	"context"
	"errors"

	"github.com/wireroom/wireroom/router/wamp"
)

// invoked runs an INVOCATION.
func (c *Client) invoked(m *wamp.Invocation) {
	inv := *m // m is the decoder's; what it refers to is ours
	c.mu.Lock()
	reg := c.registrations[inv.Registration]
	if reg == nil {
		c.mu.Unlock()
		c.handlers.Go(func() {
			c.fail(inv.Request, wamp.Errorf(wamp.URINoSuchProcedure, "the callee has just withdrawn the procedure"))
		})
		return
	}
	ctx, cancel := context.WithCancelCause(c.ctx)
	c.invocations[inv.Request] = cancel
	c.mu.Unlock()
	c.handlers.Go(func() {
		result, err := reg.run(ctx, &inv)
		c.mu.Lock()
		delete(c.invocations, inv.Request)
		c.mu.Unlock()
		cancel(nil)
		if err != nil {
			c.fail(inv.Request, err)
			return
		}
		c.yield(inv.Request, result)
	})
}

// interrupted ends the context of an invocation, which may be over.
func (c *Client) interrupted(m *wamp.Interrupt) {
	c.mu.Lock()
	cancel := c.invocations[m.Request]
	c.mu.Unlock()
	if cancel != nil {
		cancel(&wamp.Error{URI: cmp.Or(m.Reason, wamp.URICanceled), Text: "the call was interrupted"})
	}
}

// yield answers an invocation with its result. If the client has ended, the
// caller has been told.
func (c *Client) yield(request wamp.ID, result wamp.Payload) {
	result, err := sendable(result, new(wamp.Passthru))
	if err == nil {
		err = c.send(context.Background(), &wamp.Yield{Request: request, Payload: result})
	}
	if err != nil && !errors.Is(err, ErrEnded) {
		c.fail(request, err)
	}
}

// fail answers an invocation with ERROR.
func (c *Client) fail(request wamp.ID, err error) {
	m := &wamp.ErrorMessage{RequestType: wamp.TypeInvocation, Request: request}
	if e, ok := errors.AsType[*Error](err); ok {
		m.Error, m.Payload = e.URI, e.Payload
		if m.Payload, err = sendable(m.Payload, new(wamp.Passthru)); err == nil {
			err = c.send(context.Background(), m)
		}
		if err == nil || errors.Is(err, ErrEnded) {
			return
		}
	}
	e := wamp.AsError(err)
	m.Error = e.URI
	m.Payload, err = wamp.NewPayload(wamp.JSON, []any{e.Text}, e.Details)
	if err != nil {
		m.Payload = wamp.Payload{Serializer: wamp.JSON}
	}
	_ = c.send(context.Background(), m)
}
