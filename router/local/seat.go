package local

import (
	"errors"
	"sync"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A Seat is a place in a realm for whoever only calls and publishes: its client
// joins when somebody needs it, and again after its session has ended. All
// methods are safe for concurrent use.
type Seat struct {
	// Fixed at construction.
	router *router.Router
	realm  wamp.URI
	grant  router.Grant

	mu     sync.Mutex // guards the following
	client *Client    // nil: nobody has needed it yet
	closed bool
}

// NewSeat returns a seat, which nobody has taken.
func NewSeat(rt *router.Router, realm wamp.URI, grant router.Grant) *Seat {
	return &Seat{router: rt, realm: realm, grant: grant}
}

// errClosed is that a seat is gone.
var errClosed = errors.New("the seat was closed")

// Client returns the client that has the seat. Its session may end at any time;
// then the next call returns another one. Errors are those of [Join].
func (s *Seat) Client() (*Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, &wamp.Error{URI: wamp.URICloseNormal, Err: errClosed}
	}
	if s.client != nil && s.client.Err() == nil {
		return s.client, nil
	}
	c, err := Join(s.router, s.realm, s.grant)
	if err != nil {
		return nil, err
	}
	s.client = c
	return c, nil
}

// Close ends the seat, and the client that has it.
func (s *Seat) Close() {
	s.mu.Lock()
	c := s.client
	s.client, s.closed = nil, true
	s.mu.Unlock()
	if c != nil {
		c.Close()
	}
}
