package local

import (
	"context"
	"fmt"

	"github.com/wireroom/wireroom/router/wamp"
)

// A request waits for the router's answer.
type request struct {
	answer chan reply // of capacity 1: there is only one

	// granted, if not nil, is called by the client's goroutine with the ID
	// of the answer, before anything that follows from it is handled. Its
	// error becomes that of the request.
	granted func(id wamp.ID) error
}

// A reply is what a request comes to.
type reply struct {
	id      wamp.ID      // of a publication, a subscription, a registration
	payload wamp.Payload // of a RESULT
	err     error        // an [*Error], or one that wraps [ErrEnded]
}

// Call calls a procedure and returns its result. Payload may be in any
// serializer; the result is in JSON and the caller's own.
//
// When ctx is done, the call is canceled (killnowait), and the error is the
// cause of that. The other errors are an [*Error] if the router or the callee
// answered with ERROR, a [*wamp.Error] if the call cannot be sent, and one that
// wraps [ErrEnded]. Progressive calls and results are not offered.
func (c *Client) Call(ctx context.Context, procedure wamp.URI, options wamp.CallOptions, payload wamp.Payload) (wamp.Payload, error) {
	if options.Progress || options.ReceiveProgress {
		return wamp.Payload{}, wamp.Errorf(wamp.URIOptionNotAllowed, "progress, receive_progress: not offered to parts of the program")
	}
	payload, err := sendable(payload, &options.Passthru)
	if err != nil {
		return wamp.Payload{}, err
	}
	id, r, err := c.ask(ctx, nil, func(id wamp.ID) wamp.Message {
		return &wamp.Call{Request: id, Options: options, Procedure: procedure, Payload: payload}
	})
	if err != nil {
		return wamp.Payload{}, err
	}
	got, err := c.await(ctx, id, r)
	if err != nil && ctx.Err() != nil && err == context.Cause(ctx) {
		_ = c.send(context.WithoutCancel(ctx), &wamp.Cancel{Request: id}) // if the client has ended, so has the call
	}
	return got.payload, err
}

// Publish publishes an event and returns its ID when the router has taken it:
// for event classes, when it is safe. Errors are those of [Client.Call]; if ctx
// is done before the answer, the event may or may not have been published.
func (c *Client) Publish(ctx context.Context, topic wamp.URI, options wamp.PublishOptions, payload wamp.Payload) (wamp.ID, error) {
	payload, err := sendable(payload, &options.Passthru)
	if err != nil {
		return 0, err
	}
	options.Acknowledge = true
	id, r, err := c.ask(ctx, nil, func(id wamp.ID) wamp.Message {
		return &wamp.Publish{Request: id, Options: options, Topic: topic, Payload: payload}
	})
	if err != nil {
		return 0, err
	}
	got, err := c.await(ctx, id, r)
	return got.id, err
}

// sendable returns the payload in JSON.
func sendable(p wamp.Payload, pass *wamp.Passthru) (wamp.Payload, error) {
	if p.Opaque != nil || *pass != (wamp.Passthru{}) {
		return p, wamp.Errorf(wamp.URIOptionNotAllowed, "payload passthru (ppt_scheme, enc_algo) is not offered to parts of the program")
	}
	return p.In(wamp.JSON)
}

// ask sends a request.
func (c *Client) ask(ctx context.Context, granted func(wamp.ID) error, build func(id wamp.ID) wamp.Message) (wamp.ID, *request, error) {
	if err := c.takeTurn(ctx); err != nil {
		return 0, nil, err
	}
	c.last++
	id := c.last
	r := &request{answer: make(chan reply, 1), granted: granted}
	c.mu.Lock()
	c.requests[id] = r
	c.mu.Unlock()
	err := c.transmit(build(id))
	<-c.turn
	if err != nil && err != ErrEnded { // of which await learns more
		c.forget(id)
		return 0, nil, err
	}
	return id, r, nil
}

// await returns the answer to a request.
func (c *Client) await(ctx context.Context, id wamp.ID, r *request) (reply, error) {
	select {
	case got := <-r.answer:
		return got, got.err
	case <-ctx.Done():
		c.forget(id)
		return reply{}, context.Cause(ctx)
	case <-c.over:
		select {
		case got := <-r.answer: // it came before the end
			return got, got.err
		default:
			return reply{}, c.Err()
		}
	}
}

func (c *Client) forget(id wamp.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.requests, id)
}

// answered hands out an answer. Nobody may wait for it any more.
func (c *Client) answered(id wamp.ID, got reply) {
	c.mu.Lock()
	r := c.requests[id]
	delete(c.requests, id)
	c.mu.Unlock()
	if r == nil {
		return
	}
	if got.err == nil && r.granted != nil {
		got.err = r.granted(got.id)
	}
	r.answer <- got
}

// errTwice is why a client cannot have the same thing twice.
func errTwice(what string, uri wamp.URI) error {
	return fmt.Errorf("the client has %s %q already", what, uri)
}
