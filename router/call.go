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
	progress       bool    // the caller takes progressive results

	mu          sync.Mutex // guards the following; held while an answer is queued, so that none follows the last
	done        bool
	interrupted bool
	invocation  wamp.ID // the callee's; 0: it has not heard of the call
	timer       *time.Timer
}

// call handles CALL. Only what ends the session is returned.
func (s *Session) call(m *wamp.Call) error {
	err := checkURI(m.Procedure, wamp.Exact)
	if err == nil {
		err = checkCallOptions(&m.Options)
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
		err = s.pass(m, reg)
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

// checkCallOptions refuses what the router does not announce, rather than doing
// something else than what was asked.
func checkCallOptions(o *wamp.CallOptions) error {
	switch {
	case o.Progress:
		return wamp.Errorf(wamp.URIOptionNotAllowed, "progress: progressive call invocations are not offered here")
	case o.RunMode != "":
		return wamp.Errorf(wamp.URIOptionNotAllowed, "runmode %q: calls of many callees at once are not offered here", clip(o.RunMode))
	}
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

// pass enters a call with both sessions and passes it on to the callee.
func (s *Session) pass(m *wamp.Call, reg *registration) error {
	callee := reg.callee
	payload, err := m.Payload.In(callee.peer.Serializer)
	if err != nil {
		return wamp.Errorf(wamp.URIInvalidArgument, "the arguments cannot be expressed in the callee's serializer, %v: %v",
			callee.peer.Serializer, err)
	}
	c := &call{caller: s, callee: callee, request: m.Request, progress: m.Options.ReceiveProgress}
	if err := s.enterCall(c); err != nil {
		return err
	}
	inv := &s.ws.invocation
	*inv = wamp.Invocation{
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
	result, err := c.invoke(reg, inv)
	inv.Payload = wamp.Payload{}
	if err != nil {
		c.forget()
		return err
	}
	s.ws.pushed(callee, result)
	s.router.stats.calls.Add(1)
	if m.Options.Timeout > 0 {
		c.limit(time.Duration(min(m.Options.Timeout, math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond)
	}
	return nil
}

// enterCall enters c with its caller, or says why there can't be another call.
func (s *Session) enterCall(c *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.left:
		return errEnded
	case s.calls[c.request] != nil:
		return wamp.Errorf(wamp.URIProtocolViolation, "CALL: request %d is in flight already", c.request)
	case len(s.calls) >= s.limits.MaxCalls:
		return wamp.Errorf(wamp.URILimit, "the session has %d calls in flight, which is the limit", s.limits.MaxCalls)
	}
	if s.calls == nil {
		s.calls = make(map[wamp.ID]*call)
	}
	s.calls[c.request] = c
	return nil
}

// bigPayload is from how many bytes on a payload is not copied while the lock
// of the callee is held, if that can be avoided.
const bigPayload = 16 << 10

// invoke enters the call with its callee and queues INVOCATION. Both happen
// under the callee's lock, so that invocations reach it in the order of their
// IDs, and none after UNREGISTERED. A big one is encoded before, with the ID
// that it will have unless another call comes between.
func (c *call) invoke(reg *registration, inv *wamp.Invocation) (pushed, error) {
	callee := c.callee
	var frame []byte
	for try := 0; ; try++ {
		if try < 3 && inv.Payload.Len() >= bigPayload {
			callee.mu.Lock()
			inv.Request = callee.lastInvoked + 1
			callee.mu.Unlock()
			frame = c.invocationFrame(inv)
		}
		callee.mu.Lock()
		if frame != nil && inv.Request != callee.lastInvoked+1 && try < 3 {
			callee.mu.Unlock()
			continue
		}
		result, err := c.enterCallee(reg, inv, frame)
		callee.mu.Unlock()
		return result, err
	}
}

func (c *call) invocationFrame(inv *wamp.Invocation) []byte {
	return seal(c.callee.peer.Framing, c.callee.peer.Serializer, inv, inv.Payload.Len())
}

// enterCallee does what invoke says. The callee's mu is held. frame is inv,
// encoded, if that has the next ID.
func (c *call) enterCallee(reg *registration, inv *wamp.Invocation, frame []byte) (pushed, error) {
	callee := c.callee
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return refused, errEnded // the caller was ended meanwhile
	}
	if callee.left || callee.regs[reg.id] != reg {
		c.done = true
		return refused, wamp.Errorf(wamp.URINoSuchProcedure, "the callee of %q has just withdrawn it", reg.procedure)
	}
	if callee.invocations == nil {
		callee.invocations = make(map[wamp.ID]*call)
	}
	callee.lastInvoked++ // session scope: from 1, in steps of 1 (WAMP "IDs")
	c.invocation = callee.lastInvoked
	if frame == nil || inv.Request != c.invocation {
		inv.Request = c.invocation
		frame = c.invocationFrame(inv)
	}
	callee.invocations[c.invocation] = c
	return callee.out.push(frame), nil
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

// interrupt asks the callee to stop, once, if it knows of the call and
// understands that.
func (c *call) interrupt(ws *workspace, mode wamp.CancelMode, reason wamp.URI) {
	c.mu.Lock()
	invocation, again := c.invocation, c.interrupted
	c.interrupted = true
	c.mu.Unlock()
	if c.callee.features&featureCancel != 0 && invocation != 0 && !again {
		ws.send(c.callee, c.callee.frame(&wamp.Interrupt{Request: invocation, Mode: mode, Reason: reason}))
	}
}

// forget takes the call out of both sessions.
func (c *call) forget() {
	c.mu.Lock()
	invocation := c.invocation
	c.mu.Unlock()
	c.caller.mu.Lock()
	if c.caller.calls[c.request] == c {
		delete(c.caller.calls, c.request)
	}
	c.caller.mu.Unlock()
	c.callee.mu.Lock()
	delete(c.callee.invocations, invocation) // 0 is nobody's
	c.callee.mu.Unlock()
}

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
	to := &c.caller.peer
	payload, err := m.Payload.In(to.Serializer)
	if err != nil {
		c.fault(ws, wamp.Errorf(wamp.URIInvalidArgument, "the result cannot be expressed in the caller's serializer, %v: %v", to.Serializer, err))
		return nil
	}
	res := &ws.result
	*res = wamp.Result{Request: c.request, Progress: m.Progress, TransactionHash: m.TransactionHash, Passthru: m.Passthru, Payload: payload}
	frame := seal(to.Framing, to.Serializer, res, payload.Len())
	res.Payload = wamp.Payload{}
	if !m.Progress {
		if !c.answer(ws, frame) {
			d.router.stats.strayYields.Add(1)
		}
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		d.router.stats.strayYields.Add(1)
		return nil
	}
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
		c.fault(ws, wamp.Errorf(wamp.URIInvalidURI, "the callee failed with %q, which is no valid URI", clip(string(uri))))
		return nil
	}
	to := &c.caller.peer
	payload, err := m.Payload.In(to.Serializer)
	if err != nil {
		c.fault(ws, wamp.Errorf(uri, "the callee's error cannot be expressed in the caller's serializer, %v: %v", to.Serializer, err))
		return nil
	}
	frame := seal(to.Framing, to.Serializer, &wamp.ErrorMessage{
		RequestType: wamp.TypeCall, Request: c.request, Error: uri, Payload: payload, Passthru: m.Passthru,
	}, payload.Len())
	if c.answer(ws, frame) {
		d.router.stats.callErrors.Add(1)
	} else {
		d.router.stats.strayYields.Add(1)
	}
	return nil
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
