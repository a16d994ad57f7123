package router

import (
	"errors"

	"github.com/wireroom/wireroom/router/wamp"
)

// errOver is that a CALL belongs to a call that is over.
var errOver = errors.New("the call is over")

// underWay returns the call that m is a further part of, or nil if m begins a
// call (WAMP "Progressive Call Invocations"). A part that comes when the call is
// over has crossed the answer: that is errOver.
func (s *Session) underWay(m *wamp.Call) (*call, error) {
	streams := s.features&featureCallerStreams != 0
	if m.Options.Progress && !streams {
		return nil, wamp.Errorf(wamp.URIProtocolViolation, "CALL: progress, which the caller has not announced")
	}
	s.mu.Lock()
	c := s.calls[m.Request]
	s.mu.Unlock()
	if c != nil {
		c.mu.Lock()
		streaming := c.streaming
		c.mu.Unlock()
		if !streaming {
			return nil, wamp.Errorf(wamp.URIProtocolViolation, "CALL: request %d is in flight already", m.Request)
		}
		return c, nil
	}
	if streams && m.Request <= s.lastStream {
		return nil, errOver
	}
	if m.Options.Progress {
		s.lastStream = m.Request
	}
	return nil, nil
}

// more passes a further part of the call on. Only whether it is the last is
// taken from its options.
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
	payload, err := m.Payload.In(callee.peer.Serializer)
	if err != nil {
		if c.fault(ws, wamp.Errorf(wamp.URIInvalidArgument, "the arguments cannot be expressed in the callee's serializer, %v: %v",
			callee.peer.Serializer, err)) {
			c.interrupt(ws, wamp.KillNoWait, wamp.URIInvalidArgument)
		}
		return
	}
	inv := &ws.invocation
	*inv = *details
	inv.Progress, inv.Payload = m.Options.Progress, payload
	if !callee.takesInvocation(inv) {
		inv.Payload = wamp.Payload{}
		if c.fault(ws, wamp.Errorf(wamp.URIPayloadSize, "the arguments are longer than the callee takes")) {
			c.interrupt(ws, wamp.KillNoWait, wamp.URIPayloadSize)
		}
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
