package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/wamp"

	"github.com/wireroom/wireroom/auth"
)

// join joins the realm as the command line does: anonymously, or with a ticket
// if it is not empty.
func join(t *testing.T, p *program, ticket string) *wampClient {
	t.Helper()
	return joinRealm(t, p, "realm1", ticket)
}

// joinRealm is join for a realm that is not the default one.
func joinRealm(t *testing.T, p *program, realm, ticket string) *wampClient {
	t.Helper()
	f := wampFlags{url: p.ws(), realm: realm, serializer: "cbor", ticket: ticket, timeout: patience}
	c, err := f.connect(t.Context())
	if err != nil {
		t.Fatalf("join %s: %v", p.ws(), err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ticketFor returns a JWT that testConfig accepts.
func ticketFor(t *testing.T, user string, roles ...string) string {
	t.Helper()
	token, err := auth.MintJWT("HS256", "a-secret-that-is-only-for-these-tests", auth.Claims{
		Subject: user, Roles: roles, Expires: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

// listen subscribes and returns the events as they come.
func (c *wampClient) listen(t *testing.T, topic string, options wamp.Dict) <-chan *wamp.Event {
	t.Helper()
	events := make(chan *wamp.Event, 100_000)
	if err := c.SubscribeChan(topic, events, options); err != nil {
		t.Fatalf("subscribe to %s: %v", topic, err)
	}
	c.gate.open()
	return events
}

// next returns the next event.
func next(t *testing.T, events <-chan *wamp.Event) *wamp.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(patience):
		t.Fatal("no event came")
		return nil
	}
}

// subscribeRefusal subscribes and returns why that is refused.
func (c *wampClient) subscribeRefusal(t *testing.T, topic string, options wamp.Dict) *refusal {
	t.Helper()
	err := c.Subscribe(topic, func(*wamp.Event) {}, options)
	if err == nil {
		c.gate.open()
		t.Fatalf("subscribe to %s with %v succeeds, want a refusal", topic, options)
	}
	r, ok := errors.AsType[*refusal](c.gate.explain(err))
	if !ok {
		t.Fatalf("subscribe to %s: %v, want an ERROR", topic, err)
	}
	return r
}

// publish publishes with an acknowledgement.
func (c *wampClient) publish(topic string, args []any, kwargs map[string]any) error {
	p := &wampPublisher{c}
	var v any = kwargs
	if kwargs == nil {
		v = args
	}
	_, err := p.publish(context.Background(), publication{topic: topic, value: v})
	return err
}
