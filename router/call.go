package router

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A call is a CALL that was passed on to a callee. It is in the caller's calls
// and the callee's invocations until it is done, and is answered exactly once.
type call struct {
	// Fixed at construction.
	caller, callee *Session
	request        wamp.ID // the caller's
	invocation     wamp.ID // the callee's
	progress       bool    // the caller takes progressive results

	mu    sync.Mutex // guards the following; held while an answer is queued, so that none follows the last
	done  bool
	timer *time.Timer
}

// call handles CALL. Only what ends the session is returned.
func (s *Session) call(m *wamp.Call) error {
	err := checkURI(m.Procedure, wamp.Exact)
	if err == nil && m.Options.Progress {
		err = wamp.Errorf(wamp.URIOptionNotAllowed, "progress: progressive call invocations are not offered here")
	}
	if err == nil {
		err = s.allowed(ActionCall, m.Procedure, wamp.Exact)
	}
	var reg *registration
	if err == nil {
		if reg = s.realm.dealer.find(m.Procedure); reg == nil {
			err = wamp.Errorf(wamp.URINoSuchProcedure, "no procedure %q is registered", m.Procedure)
		}
	}
	switch {
	case err != nil:
	case reg.handler != nil:
		err = s.callGateway(m, reg)
	default:
		var c *call
		if c, err = s.begin(m, reg.callee); err == nil {
			s.invoke(c, m, reg)
			return nil
		}
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, errEnded) || errors.Is(err, wamp.ErrProtocolViolation) {
		return err
	}
	s.router.stats.callErrors.Add(1)
	s.fault(wamp.TypeCall, m.Request, err)
	return nil
}

// callGateway runs one of the gateway's own procedures.
func (s *Session) callGateway(m *wamp.Call, reg *registration) error {
	s.ws.flush(&s.router.flushers) // others must not wait for the handler
	args, kwargs, err := reg.handler(context.Background(), &Request{Session: s, Procedure: m.Procedure, Payload: m.Payload})
	if err != nil {
		return err
	}
	payload, err := wamp.NewPayload(s.peer.Serializer, args, kwargs)
	if err != nil {
		return err
	}
	s.router.stats.calls.Add(1)
	s.ws.send(s, seal(s.peer.Framing, s.peer.Serializer, &wamp.Result{Request: m.Request, Payload: payload}, payload.Len()))
	return nil
}

// begin enters a new call with both sessions: with the callee first, so that
// whoever finds it with the caller finds it complete.
func (s *Session) begin(m *wamp.Call, callee *Session) (*call, error) {
	if err := s.mayCall(m.Request); err != nil {
		return nil, err
	}
	c := &call{caller: s, callee: callee, request: m.Request, progress: m.Options.ReceiveProgress}

	callee.mu.Lock()
	if callee.left {
		callee.mu.Unlock()
		return nil, wamp.Errorf(wamp.URINoSuchProcedure, "the callee of %q has just left", m.Procedure)
	}
	if callee.invocations == nil {
		callee.invocations = make(map[wamp.ID]*call)
	}
	callee.lastInvoked++ // session scope: from 1, in steps of 1 (WAMP "IDs")
	c.invocation = callee.lastInvoked
	callee.invocations[c.invocation] = c
	callee.mu.Unlock()

	s.mu.Lock()
	left := s.left
	if !left && !c.isDone() { // done: the callee has left since
		if s.calls == nil {
			s.calls = make(map[wamp.ID]*call)
		}
		s.calls[m.Request] = c
	}
	s.mu.Unlock()
	if left {
		c.forget() // the callee has not heard of it
		return nil, errEnded
	}
	return c, nil
}

// mayCall reports why the session may not make another call. Only its reader
// makes calls, so the answer holds until that does.
func (s *Session) mayCall(request wamp.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.calls[request] != nil:
		return wamp.Errorf(wamp.URIProtocolViolation, "CALL: request %d is in flight already", request)
	case len(s.calls) >= s.router.cfg.MaxCalls:
		return wamp.Errorf(wamp.URILimit, "the session has %d calls in flight, which is the limit", s.router.cfg.MaxCalls)
	}
	return nil
}

func (c *call) isDone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

// invoke passes the call on to its callee.
func (s *Session) invoke(c *call, m *wamp.Call, reg *registration) {
	callee := c.callee
	payload, err := m.Payload.In(callee.peer.Serializer)
	if err != nil {
		c.fault(s.ws, wamp.Errorf(wamp.URIInvalidArgument, "the arguments cannot be expressed in the callee's serializer, %v: %v",
			callee.peer.Serializer, err))
		return
	}
	inv := &s.ws.invocation
	*inv = wamp.Invocation{
		Request:         c.invocation,
		Registration:    reg.id,
		ReceiveProgress: c.progress && callee.features&featureProgress != 0,
		TransactionHash: m.Options.TransactionHash,
		Passthru:        m.Options.Passthru,
		Payload:         payload,
	}
	if m.Options.DiscloseMe {
		inv.Caller, inv.CallerAuthID, inv.CallerAuthRole = s.id, s.authid, s.authrole
	}
	if callee.features&featureCallTimeout != 0 {
		inv.Timeout = m.Options.Timeout
	}
	s.router.stats.calls.Add(1)
	s.ws.send(callee, seal(callee.peer.Framing, callee.peer.Serializer, inv, payload.Len()))
	inv.Payload = wamp.Payload{}
	if m.Options.Timeout > 0 {
		c.limit(time.Duration(min(m.Options.Timeout, math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond)
	}
}

// limit has the call time out.
func (c *call) limit(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return
	}
	c.timer = time.AfterFunc(d, func() {
		ws := getWorkspace()
		if c.fault(ws, wamp.Errorf(wamp.URITimeout, "the call took longer than %v", d)) {
			c.interrupt(ws, wamp.KillNoWait, wamp.URITimeout)
		}
		ws.handOver(&c.caller.router.flushers)
		putWorkspace(ws)
	})
}

// answer queues frame for the caller as the last answer, if there was none
// yet.
func (c *call) answer(ws *workspace, frame []byte) bool {
	c.mu.Lock()
	if c.done {
		c.mu.Unlock()
		return false
	}
	c.done = true
	stopTimer(c.timer)
	ws.send(c.caller, frame)
	c.mu.Unlock()
	c.forget()
	return true
}

// fault answers the call with ERROR.
func (c *call) fault(ws *workspace, err error) bool {
	if !c.answer(ws, c.caller.errorFrame(wamp.TypeCall, c.request, err)) {
		return false
	}
	c.caller.router.stats.callErrors.Add(1)
	return true
}

// abandon ends the call without an answer, because the caller has left.
func (c *call) abandon(ws *workspace) {
	c.mu.Lock()
	if c.done {
		c.mu.Unlock()
		return
	}
	c.done = true
	stopTimer(c.timer)
	c.mu.Unlock()
	c.forget()
	c.interrupt(ws, wamp.KillNoWait, wamp.URICanceled)
}

// interrupt asks the callee to stop, if it understands that.
func (c *call) interrupt(ws *workspace, mode wamp.CancelMode, reason wamp.URI) {
	if c.callee.features&featureCancel != 0 {
		ws.send(c.callee, c.callee.frame(&wamp.Interrupt{Request: c.invocation, Mode: mode, Reason: reason}))
	}
}

// forget takes the call out of both sessions.
func (c *call) forget() {
	c.caller.mu.Lock()
	delete(c.caller.calls, c.request)
	c.caller.mu.Unlock()
	c.callee.mu.Lock()
	delete(c.callee.invocations, c.invocation)
	c.callee.mu.Unlock()
}

// invoked returns the call that the session was asked to run under the ID, or
// nil if that is over.
func (s *Session) invoked(id wamp.ID) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.invocations[id]
}

// yield handles YIELD. An answer to an invocation that is over is normal: it
// has crossed an INTERRUPT. It is counted.
func (d *dealer) yield(ws *workspace, s *Session, m *wamp.Yield) {
	c := s.invoked(m.Request)
	if c == nil || m.Progress && !c.progress {
		d.router.stats.strayYields.Add(1)
		return
	}
	to := &c.caller.peer
	payload, err := m.Payload.In(to.Serializer)
	if err != nil {
		c.fault(ws, wamp.Errorf(wamp.URIInvalidArgument, "the result cannot be expressed in the caller's serializer, %v: %v", to.Serializer, err))
		return
	}
	res := &ws.result
	*res = wamp.Result{Request: c.request, Progress: m.Progress, TransactionHash: m.TransactionHash, Passthru: m.Passthru, Payload: payload}
	frame := seal(to.Framing, to.Serializer, res, payload.Len())
	res.Payload = wamp.Payload{}
	if !m.Progress {
		if !c.answer(ws, frame) {
			d.router.stats.strayYields.Add(1)
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		d.router.stats.strayYields.Add(1)
		return
	}
	ws.send(c.caller, frame)
}

// fail handles ERROR for an INVOCATION.
func (d *dealer) fail(ws *workspace, s *Session, m *wamp.ErrorMessage) {
	c := s.invoked(m.Request)
	if c == nil {
		d.router.stats.strayYields.Add(1)
		return
	}
	uri := m.Error
	if len(uri) > maxURI || !uri.Valid() {
		c.fault(ws, wamp.Errorf(wamp.URIInvalidURI, "the callee failed with %q, which is no valid URI", clip(string(uri))))
		return
	}
	to := &c.caller.peer
	payload, err := m.Payload.In(to.Serializer)
	if err != nil {
		c.fault(ws, wamp.Errorf(uri, "the callee's error cannot be expressed in the caller's serializer, %v: %v", to.Serializer, err))
		return
	}
	frame := seal(to.Framing, to.Serializer, &wamp.ErrorMessage{
		RequestType: wamp.TypeCall, Request: c.request, Error: uri, Payload: payload, Passthru: m.Passthru,
	}, payload.Len())
	if c.answer(ws, frame) {
		d.router.stats.callErrors.Add(1)
	} else {
		d.router.stats.strayYields.Add(1)
	}
}

// cancel handles CANCEL (WAMP "Call Canceling"). A call that is over is not
// there any more, which is no error: the answer has crossed the CANCEL.
func (d *dealer) cancel(ws *workspace, s *Session, m *wamp.Cancel) {
	s.mu.Lock()
	c := s.calls[m.Request]
	s.mu.Unlock()
	if c == nil {
		return
	}
	mode := m.Mode
	if c.callee.features&featureCancel == 0 {
		mode = wamp.Skip
	}
	if mode == wamp.Kill {
		c.interrupt(ws, mode, wamp.URICanceled)
		return
	}
	if c.fault(ws, wamp.Errorf(wamp.URICanceled, "the caller canceled the call")) && mode == wamp.KillNoWait {
		c.interrupt(ws, mode, wamp.URICanceled)
	}
}
