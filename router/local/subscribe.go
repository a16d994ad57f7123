package local

import (
	"context"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Subscription is a topic, or a pattern of topics, whose events a client
// gets.
type Subscription struct {
	// Fixed at construction.
	client *Client
	topic  wamp.URI
	handle func(ctx context.Context, e *wamp.Event)
	gone   chan struct{} // closed by whoever takes it out of the client's table

	id wamp.ID // set before it is in that table
}

// Subscribe has handle called for each event of the topic, in order, by the
// client's goroutine. The event is valid during the call only, its payload, in
// JSON, for ever. The context ends with the client.
//
// A client can subscribe to the same topic with the same match only once.
// Errors are those of [Client.Call]; if ctx is done before the answer, the
// client may or may not be subscribed.
func (c *Client) Subscribe(ctx context.Context, topic wamp.URI, options wamp.SubscribeOptions, handle func(ctx context.Context, e *wamp.Event)) (*Subscription, error) {
	sub := &Subscription{client: c, topic: topic, handle: handle, gone: make(chan struct{})}
	id, r, err := c.ask(ctx, sub.granted, func(id wamp.ID) wamp.Message {
		return &wamp.Subscribe{Request: id, Options: options, Topic: topic}
	})
	if err != nil {
		return nil, err
	}
	if _, err := c.await(ctx, id, r); err != nil {
		return nil, err
	}
	return sub, nil
}

// ID returns the subscription's ID.
func (s *Subscription) ID() wamp.ID { return s.id }

// Gone is closed when the subscription was revoked, or given up by
// [Subscription.Unsubscribe]. That the client has ended is another matter.
func (s *Subscription) Gone() <-chan struct{} { return s.gone }

// Unsubscribe gives the subscription up; its handler is not called again after
// it returns. It must not be called by a handler. Errors are those of
// [Client.Call].
func (s *Subscription) Unsubscribe(ctx context.Context) error {
	c := s.client
	gone := func(wamp.ID) error {
		c.unsubscribed(s.id)
		return nil
	}
	id, r, err := c.ask(ctx, gone, func(id wamp.ID) wamp.Message {
		return &wamp.Unsubscribe{Request: id, Subscription: s.id}
	})
	if err != nil {
		return err
	}
	_, err = c.await(ctx, id, r)
	return err
}

// granted enters the subscription under its ID.
func (s *Subscription) granted(id wamp.ID) error {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subscriptions[id] != nil {
		return errTwice("subscribed to", s.topic)
	}
	s.id = id
	c.subscriptions[id] = s
	return nil
}

// unsubscribed takes a subscription out, if it is there.
func (c *Client) unsubscribed(id wamp.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if sub := c.subscriptions[id]; sub != nil {
		delete(c.subscriptions, id)
		close(sub.gone)
	}
}

// event hands out an EVENT. After Unsubscribe it may be nobody's, and after the
// session broke off it is too late.
func (c *Client) event(m *wamp.Event) {
	c.mu.Lock()
	sub := c.subscriptions[m.Subscription]
	c.mu.Unlock()
	if sub != nil && c.ctx.Err() == nil {
		sub.handle(c.ctx, m)
	}
}
