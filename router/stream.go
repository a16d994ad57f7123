package router

import (
	"errors"
	"slices"

	"github.com/wireroom/wireroom/router/wamp"
)

// errOver is that a CALL belongs to a call that is over.
var errOver = errors.New("the call is over")

// underWay returns the call that m is a further part of, or nil if m begins a
// call (WAMP "Progressive Call Invocations"). A part that comes when the call is
// over has crossed the answer: that is errOver.
func (s *Session) underWay(m *wamp.Call) (*call, error) {
	if m.Options.Progress && s.features&featureCallerStreams == 0 {
		return nil, wamp.Errorf(wamp.URIProtocolViolation, "CALL: progress, which the caller has not announced")
	}
	s.mu.Lock()
	c := s.calls[m.Request]
	over := c == nil && s.wasOver(m.Request, !m.Options.Progress)
	s.mu.Unlock()
	switch {
	case over:
		return nil, errOver
	case c == nil:
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.streaming {
		return nil, wamp.Errorf(wamp.URIProtocolViolation, "CALL: request %d is in flight already", m.Request)
	}
	return c, nil
}

// maxOver is of how many progressive invocations that were over before their
// last part came a session remembers that.
const maxOver = 256

// refuseStream has the further parts of a call that did not begin ignored.
func (s *Session) refuseStream(request wamp.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteOver(request)
}

// noteOver remembers that further parts of the call are to be ignored. The
// session's mu is held.
func (s *Session) noteOver(request wamp.ID) {
	if s.over == nil {
		s.over = new([]wamp.ID)
	}
	if len(*s.over) == maxOver {
		*s.over = slices.Delete(*s.over, 0, 1)
	}
	*s.over = append(*s.over, request)
}

// wasOver reports whether a part of the call is to be ignored; after the last
// part none comes. The session's mu is held.
func (s *Session) wasOver(request wamp.ID, last bool) bool {
	if s.over == nil {
		return false
	}
	i := slices.Index(*s.over, request)
	if i >= 0 && last {
		*s.over = slices.Delete(*s.over, i, i+1)
	}
	return i >= 0
}

// more passes a further part of the call on. Only whether it is the last, and
// how its payload is passed through, is taken from its options.
func (c *call) more(ws *workspace, m *wamp.Call) {
	c.mu.Lock()
	e, details := c.endpoint, c.details
	if c.done || details == nil {
		c.mu.Unlock()
		return
	}
	c.streaming = m.Options.Progress
	c.mu.Unlock()
	callee := e.session
	if m.Options.Passthru.Scheme != "" && callee.features&featureCalleePassthru == 0 {
		c.cut(ws, errPassthruUnread("the callee"), wamp.KillNoWait, wamp.URIFeatureNotSupported)
		return
	}
	payload, err := m.Payload.In(callee.peer.Serializer)
	if err != nil {
		c.cut(ws, wamp.Errorf(wamp.URIInvalidArgument, "the arguments cannot be expressed in the callee's serializer, %v: %v",
			callee.peer.Serializer, err), wamp.KillNoWait, wamp.URIInvalidArgument)
		return
	}
	inv := &ws.invocation
	*inv = *details
	inv.Progress, inv.Passthru, inv.Payload = m.Options.Progress, m.Options.Passthru, payload
	if !callee.takesInvocation(inv) {
		inv.Payload = wamp.Payload{}
		c.cut(ws, wamp.Errorf(wamp.URIPayloadSize, "the arguments are longer than the callee takes"), wamp.KillNoWait, wamp.URIPayloadSize)
		return
	}
	inv.Request = details.Request
	frame := callee.invocationFrame(inv)
	inv.Payload = wamp.Payload{}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.done {
		ws.send(callee, frame)
	}
}
