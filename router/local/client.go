package local

import (
	"context"
	"math"
	"sync"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A Client is a session of a part of the program. All methods are safe for
// concurrent use.
type Client struct {
	// Fixed at construction.
	session  *router.Session
	link     *link
	ctx      context.Context // of handlers
	cancel   context.CancelCauseFunc
	welcome  chan struct{} // closed when the session is established
	over     chan struct{} // closed when why is known
	done     chan struct{} // closed when nothing of the client runs any more
	handlers sync.WaitGroup

	turn chan struct{} // of capacity 1; who puts something in it may use the following
	last wamp.ID       // request
	buf  []byte
	own  wamp.Decoder // of what the client sends

	// Owned by run, until over is closed.
	id  wamp.ID
	why *wamp.Error

	mu            sync.Mutex // guards the following
	requests      map[wamp.ID]*request
	subscriptions map[wamp.ID]*Subscription
	registrations map[wamp.ID]*Registration
	invocations   map[wamp.ID]context.CancelCauseFunc
}

// hello announces what clients of this package do.
var hello = &wamp.Hello{Details: map[string]any{
	"agent": "wireroom",
	"roles": map[string]any{
		"publisher": map[string]any{},
		"caller":    map[string]any{},
		"subscriber": map[string]any{"features": map[string]any{
			"pattern_based_subscription": true,
			"subscription_revocation":    true,
		}},
		"callee": map[string]any{"features": map[string]any{
			"call_canceling":             true,
			"caller_identification":      true,
			"pattern_based_registration": true,
			"registration_revocation":    true,
			"shared_registration":        true,
		}},
	},
}}

// Join returns a client of the realm, whose session is as grant says: with
// [router.Grant.Trusted] it may do everything, without it what its role may.
// Errors are [*wamp.Error]s, such as one with [wamp.URINoSuchRealm].
func Join(rt *router.Router, realm wamp.URI, grant router.Grant) (*Client, error) {
	c := &Client{
		welcome:       make(chan struct{}),
		over:          make(chan struct{}),
		done:          make(chan struct{}),
		turn:          make(chan struct{}, 1),
		requests:      make(map[wamp.ID]*request),
		subscriptions: make(map[wamp.ID]*Subscription),
		registrations: make(map[wamp.ID]*Registration),
		invocations:   make(map[wamp.ID]context.CancelCauseFunc),
	}
	c.own.MaxDepth = rt.MaxDepth()
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.link = newLink(func() { c.cancel(ErrEnded) })
	c.session = rt.Attach(c.link, router.Peer{
		Serializer: wamp.JSON, Framing: plain, Transport: "local", RemoteAddr: "local", Secure: true, Identity: &grant,
	})
	c.turn <- struct{}{} // before run can take it for good
	go c.run()
	_ = c.transmit(&wamp.Hello{Realm: realm, Details: hello.Details}) // if it fails, run hears why
	<-c.turn
	select {
	case <-c.welcome:
		return c, nil
	case <-c.over:
		<-c.done
		return nil, c.why
	}
}

// ID returns the session's ID.
func (c *Client) ID() wamp.ID { return c.id }

// Done is closed when the client has ended and all its handlers have returned.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns nil as long as the session is there, and then why it has ended: an
// error that wraps [ErrEnded] and a [*wamp.Error].
func (c *Client) Err() error {
	select {
	case <-c.over:
		return ended(c.why)
	default:
		return nil
	}
}

// Close leaves the realm and waits until the client's handlers have returned;
// their context ends. It must not be called by one of them.
func (c *Client) Close() {
	_ = c.send(context.Background(), &wamp.Goodbye{Reason: wamp.URICloseNormal}) // it may have ended already
	<-c.done
}

// run takes what the router sends until the session has ended.
func (c *Client) run() {
	defer close(c.done)
	dec := &wamp.Decoder{MaxDepth: math.MaxInt32} // the router wrote it
	for more := true; more; {
		<-c.link.arrived
		var messages [][]byte
		messages, more = c.link.take()
		for _, msg := range messages {
			m, err := dec.Decode(wamp.JSON, msg)
			if err != nil { // a fault of ours, and no reason to go on
				c.why, more = wamp.AsError(err), false
				break
			}
			c.handle(m)
		}
	}
	if c.why == nil {
		c.why = c.session.Why() // there was no time to say it
	}
	if c.why == nil {
		c.why = wamp.Errorf(wamp.URINetworkFailure, "the session broke off")
	}
	close(c.over)
	c.cancel(ended(c.why))
	c.turn <- struct{}{} // for good: who has it may still be in Receive
	c.session.Detach(nil)
	c.handlers.Wait()
}

// handle carries out what the router says. What it does not know it has not
// announced.
func (c *Client) handle(m wamp.Message) {
	switch m := m.(type) {
	case *wamp.Welcome:
		c.id = m.Session
		close(c.welcome)
	case *wamp.Abort:
		c.why = farewell(m.Reason, m.Details)
	case *wamp.Goodbye:
		if c.why == nil {
			c.why = farewell(m.Reason, m.Details)
		}
	case *wamp.Event:
		c.event(m)
	case *wamp.Invocation:
		c.invoked(m)
	case *wamp.Interrupt:
		c.interrupted(m)
	case *wamp.Result:
		c.answered(m.Request, reply{payload: m.Payload})
	case *wamp.ErrorMessage:
		c.answered(m.Request, reply{err: &Error{URI: m.Error, Payload: m.Payload}})
	case *wamp.Published:
		c.answered(m.Request, reply{id: m.Publication})
	case *wamp.Subscribed:
		c.answered(m.Request, reply{id: m.Subscription})
	case *wamp.Registered:
		c.answered(m.Request, reply{id: m.Registration})
	case *wamp.Unsubscribed:
		if m.Request == 0 { // revoked
			c.unsubscribed(m.Subscription)
			break
		}
		c.answered(m.Request, reply{})
	case *wamp.Unregistered:
		if m.Request == 0 {
			c.unregistered(m.Registration)
			break
		}
		c.answered(m.Request, reply{})
	}
}

// farewell returns the reason that the router gave for the end of the session.
func farewell(reason wamp.URI, details map[string]any) *wamp.Error {
	text, _ := details["message"].(string)
	if reason == wamp.URIGoodbyeAndOut {
		reason, text = wamp.URICloseNormal, "the client was closed"
	}
	return &wamp.Error{URI: reason, Text: text}
}

// send gives the router a message that is no request.
func (c *Client) send(ctx context.Context, m wamp.Message) error {
	if err := c.takeTurn(ctx); err != nil {
		return err
	}
	err := c.transmit(m)
	<-c.turn
	return err
}

// takeTurn waits until the client may send.
func (c *Client) takeTurn(ctx context.Context) error {
	select {
	case <-c.over:
		return c.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	default:
	}
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-c.over:
		return c.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// transmit gives the router a message and has what follows from it written. The
// caller has its turn. After the session has ended it does nothing.
func (c *Client) transmit(m wamp.Message) error {
	const keep = 64 << 10
	c.buf = m.Append(c.buf[:0], wamp.JSON)
	if _, err := c.own.Decode(wamp.JSON, c.buf); err != nil {
		return wamp.Errorf(wamp.URIInvalidArgument, "%s", wamp.AsError(err).Text)
	}
	err := c.session.Receive(c.buf)
	c.session.Flush()
	if cap(c.buf) > keep {
		c.buf = nil
	}
	if err != nil {
		return ErrEnded
	}
	return nil
}
