package router

import (
	"github.com/wireroom/wireroom/router/wamp"
)

// invoked returns the call that the session was asked to run under the ID, or
// nil if that is over. An ID that the session never got is an error.
func (s *Session) invoked(t wamp.Type, id wamp.ID) (*call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id > s.lastInvoked {
		return nil, wamp.Errorf(wamp.URIProtocolViolation, "%v: there was no invocation %d", t, id)
	}
	return s.invocations[id], nil
}

// yield handles YIELD. An answer to an invocation that is over is normal: it
// has crossed an INTERRUPT. It is counted.
func (d *dealer) yield(ws *workspace, s *Session, m *wamp.Yield) error {
	c, err := s.invoked(wamp.TypeYield, m.Request)
	if err != nil {
		return err
	}
	if c == nil || m.Progress && !c.progress {
		d.router.stats.strayYields.Add(1)
		return nil
	}
	if m.Passthru.Scheme != "" && c.caller.features&featureCallerPassthru == 0 {
		c.refuseResult(ws, s, m)
		return nil
	}
	to := &c.caller.peer
	payload, err := m.Payload.In(to.Serializer)
	if err != nil {
		c.fault(ws, wamp.Errorf(wamp.URIInvalidArgument, "the result cannot be expressed in the caller's serializer, %v: %v", to.Serializer, err), !m.Progress)
		return nil
	}
	res := &ws.result
	*res = wamp.Result{Request: c.request, Progress: m.Progress, TransactionHash: m.TransactionHash, Passthru: m.Passthru, Payload: payload}
	frame := seal(to.Framing, to.Serializer, res, payload.Len())
	res.Payload = wamp.Payload{}
	if !c.caller.takes(frame) {
		err := wamp.Errorf(wamp.URIPayloadSize, "the result is longer than the caller takes")
		if m.Progress {
			c.cut(ws, err, wamp.KillNoWait, wamp.URIPayloadSize)
		} else {
			c.fault(ws, err, true)
		}
		return nil
	}
	if !m.Progress {
		if !c.answer(ws, frame, true) {
			d.router.stats.strayYields.Add(1)
		}
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done || c.invocation != m.Request {
		d.router.stats.strayYields.Add(1)
		return nil
	}
	c.begun = true
	ws.send(c.caller, frame)
	return nil
}

// fail handles ERROR for an INVOCATION.
func (d *dealer) fail(ws *workspace, s *Session, m *wamp.ErrorMessage) error {
	c, err := s.invoked(wamp.TypeError, m.Request)
	if err != nil {
		return err
	}
	if c == nil {
		d.router.stats.strayYields.Add(1)
		return nil
	}
	uri := m.Error
	if len(uri) > maxURI || !uri.Valid() {
		c.fault(ws, wamp.Errorf(wamp.URIInvalidURI, "the callee failed with %q, which is no valid URI", clip(string(uri))), true)
		return nil
	}
	if uri == wamp.URIUnavailable && s.features&featureReroute != 0 {
		if !c.reroute(ws, s, m.Request) {
			c.fault(ws, wamp.Errorf(wamp.URINoAvailableCallee, "the callee is not available, and there is no other"), true)
		}
		return nil
	}
	if m.Passthru.Scheme != "" && c.caller.features&featureCallerPassthru == 0 {
		c.fault(ws, wamp.Errorf(uri, "the callee's error has a payload that is passed through, which the caller has not announced"), true)
		return nil
	}
	to := &c.caller.peer
	payload, err := m.Payload.In(to.Serializer)
	if err != nil {
		c.fault(ws, wamp.Errorf(uri, "the callee's error cannot be expressed in the caller's serializer, %v: %v", to.Serializer, err), true)
		return nil
	}
	frame := seal(to.Framing, to.Serializer, &wamp.ErrorMessage{
		RequestType: wamp.TypeCall, Request: c.request, Error: uri, Payload: payload, Passthru: m.Passthru,
	}, payload.Len())
	if !c.caller.takes(frame) {
		c.fault(ws, wamp.Errorf(uri, "the arguments of the callee's error are longer than the caller takes"), true)
		return nil
	}
	if c.answer(ws, frame, true) {
		d.router.stats.callErrors.Add(1)
	} else {
		d.router.stats.strayYields.Add(1)
	}
	return nil
}
