package local

import (
	"context"

	"github.com/wireroom/wireroom/router/wamp"
)

// defaultConcurrency is how many invocations of a registration run at a time if
// its options don't say.
const defaultConcurrency = 64

// A Registration is a procedure, or a pattern of procedures, that a client
// answers.
type Registration struct {
	// Fixed at construction.
	client    *Client
	procedure wamp.URI
	run       func(ctx context.Context, inv *wamp.Invocation) (wamp.Payload, error)
	gone      chan struct{} // closed by whoever takes it out of the client's table

	id wamp.ID // set before it is in that table
}

// Register has run called for each invocation of the procedure, in a goroutine
// of its own; at most options.Concurrency of them at a time, 64 if that is 0.
// The invocation and its payload, in JSON, are run's own. Its context ends when
// the caller cancels the call, when that times out, and with the client. An
// error that run returns becomes the ERROR that the caller gets, as
// [wamp.AsError] or [Error] says.
//
// Errors are those of [Client.Call]; if ctx is done before the answer, the
// procedure may or may not be registered.
func (c *Client) Register(ctx context.Context, procedure wamp.URI, options wamp.RegisterOptions, run func(ctx context.Context, inv *wamp.Invocation) (wamp.Payload, error)) (*Registration, error) {
	if options.Concurrency == 0 {
		options.Concurrency = defaultConcurrency
	}
	if options.Invoke == "" {
		options.Invoke = "single"
	}
	reg := &Registration{client: c, procedure: procedure, run: run, gone: make(chan struct{})}
	id, r, err := c.ask(ctx, reg.granted, func(id wamp.ID) wamp.Message {
		return &wamp.Register{Request: id, Options: options, Procedure: procedure}
	})
	if err != nil {
		return nil, err
	}
	if _, err := c.await(ctx, id, r); err != nil {
		return nil, err
	}
	return reg, nil
}

// ID returns the registration's ID.
func (r *Registration) ID() wamp.ID { return r.id }

// Gone is closed when the registration was revoked, or given up by
// [Registration.Unregister]. That the client has ended is another matter.
func (r *Registration) Gone() <-chan struct{} { return r.gone }

// Unregister gives the registration up; what runs goes on. Errors are those of
// [Client.Call].
func (r *Registration) Unregister(ctx context.Context) error {
	c := r.client
	gone := func(wamp.ID) error {
		c.unregistered(r.id)
		return nil
	}
	id, req, err := c.ask(ctx, gone, func(id wamp.ID) wamp.Message {
		return &wamp.Unregister{Request: id, Registration: r.id}
	})
	if err != nil {
		return err
	}
	_, err = c.await(ctx, id, req)
	return err
}

// granted enters the registration under its ID.
func (r *Registration) granted(id wamp.ID) error {
	c := r.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.registrations[id] != nil {
		return errTwice("registered", r.procedure)
	}
	r.id = id
	c.registrations[id] = r
	return nil
}

// unregistered takes a registration out, if it is there.
func (c *Client) unregistered(id wamp.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if reg := c.registrations[id]; reg != nil {
		delete(c.registrations, id)
		close(reg.gone)
	}
}
