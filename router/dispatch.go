package router

import (
	"errors"

	"github.com/wireroom/wireroom/router/wamp"
)

// errGone is why a call can't be passed to an endpoint that has just left.
var errGone = errors.New("the callee has just withdrawn the procedure")

// dispatch passes the call on to an endpoint that has room, or has it wait for
// one. m is the caller's message, or what was held of it. An error is for the
// caller; errEnded is that the call is done.
func (c *call) dispatch(ws *workspace, m *wamp.Call) error {
	d := c.desk
	for {
		d.mu.Lock()
		e, how := d.reg.callees.choose(c.tried)
		if how == allBusy && c.held != nil {
			err := d.wait(c, &c.caller.router.cfg)
			d.mu.Unlock()
			return err
		}
		shared := d.reg.callees.n > 1
		d.mu.Unlock()
		switch {
		case how == allBusy && m.Options.Progress:
			return wamp.Errorf(wamp.URINoAvailableCallee, "every callee of %q is busy, and a progressive invocation can't wait", clip(string(m.Procedure)))
		case how == allBusy:
			if !c.hold(m) { // without the lock: it may be long
				return wamp.Errorf(wamp.URINoAvailableCallee, "every callee of %q is busy, and as much of the session's calls is kept as may be", clip(string(m.Procedure)))
			}
			continue
		case how == nobodyLeft:
			return c.nobody()
		}
		if !c.take(e) {
			ws.start(e.release())
			return errEnded
		}
		if shared && c.held == nil && !m.Options.Progress && e.session.features&featureReroute != 0 {
			c.hold(m) // it may have to go to another; if it can't be kept, it stays
		}
		err := c.invoke(ws, e, m)
		if err == nil {
			return nil
		}
		if !c.untake() {
			return errEnded
		}
		ws.start(e.release())
		if err != errGone {
			return err
		}
		c.tried = append(c.tried, e)
	}
}

// nobody is why the call can't be run.
func (c *call) nobody() error {
	if c.rerouted {
		return wamp.Errorf(wamp.URINoAvailableCallee, "no callee of %q is available", clip(string(c.desk.uri)))
	}
	return wamp.Errorf(wamp.URINoSuchProcedure, "the callees of %q have withdrawn it", clip(string(c.desk.uri)))
}

// start passes on calls that have waited, each to the endpoint that has room
// now and counts the invocation already. What that makes room for is passed on
// by the outermost start.
func (ws *workspace) start(calls ...*call) {
	for _, c := range calls {
		if c != nil {
			ws.next = append(ws.next, c)
		}
	}
	if ws.starting {
		return
	}
	ws.starting = true
	for i := 0; i < len(ws.next); i++ {
		c := ws.next[i]
		ws.next[i] = nil
		c.start(ws)
	}
	ws.next, ws.starting = ws.next[:0], false
}

func (c *call) start(ws *workspace) {
	c.mu.Lock()
	e := c.endpoint
	c.mu.Unlock()
	err := c.invoke(ws, e, c.held.message(c.request))
	if err == nil || !c.untake() {
		return // passed on, or done meanwhile
	}
	ws.start(e.release())
	if err != errGone {
		c.fault(ws, err, false)
		return
	}
	c.tried = append(c.tried, e)
	c.again(ws)
}

// again looks for another endpoint for what is held of the call.
func (c *call) again(ws *workspace) {
	if err := c.dispatch(ws, c.held.message(c.request)); err != nil && err != errEnded {
		c.fault(ws, err, false)
	}
}

// hold keeps a copy of m, which is valid only as long as it is handled. It
// reports false if as much of the caller's calls is kept as fits its queue.
func (c *call) hold(m *wamp.Call) bool {
	s := c.caller
	held := &heldCall{options: m.Options, procedure: m.Procedure, payload: m.Payload}
	held.options.Extra = nil
	size := held.size()
	s.mu.Lock()
	ok := !s.left && (s.keptBytes == 0 || s.keptBytes+size <= s.limits.QueueBytes)
	if ok {
		s.keptBytes += size
		c.kept = size
	}
	s.mu.Unlock()
	if !ok {
		return false
	}
	held.payload = held.payload.Clone()
	c.held = held
	return true
}

func (c *call) isDone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

// take notes who is about to run the call, unless it is done. desk.mu may be
// held.
func (c *call) take(e *endpoint) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return false
	}
	c.endpoint = e
	return true
}

// untake takes the call from its endpoint, which the caller then gives back. It
// reports false if the call is done: then forget has.
func (c *call) untake() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return false
	}
	c.endpoint, c.invocation = nil, 0
	return true
}

// invoke queues INVOCATION for the endpoint.
func (c *call) invoke(ws *workspace, e *endpoint, m *wamp.Call) error {
	callee := e.session
	if m.Options.Progress && callee.features&featureStream == 0 {
		return wamp.Errorf(wamp.URIFeatureNotSupported, "the callee of %q takes no progressive invocations", clip(string(m.Procedure)))
	}
	if m.Options.Passthru.Scheme != "" && callee.features&featureCalleePassthru == 0 {
		return errPassthruUnread("the callee")
	}
	payload, err := m.Payload.In(callee.peer.Serializer)
	if err != nil {
		return wamp.Errorf(wamp.URIInvalidArgument, "the arguments cannot be expressed in the callee's serializer, %v: %v",
			callee.peer.Serializer, err)
	}
	inv := &ws.invocation
	*inv = wamp.Invocation{
		Registration:    e.reg.id,
		ReceiveProgress: c.progress && callee.features&featureProgress != 0,
		Progress:        m.Options.Progress,
		TransactionHash: m.Options.TransactionHash,
		Passthru:        m.Options.Passthru,
		Payload:         payload,
	}
	if e.reg.match != wamp.Exact {
		inv.Procedure = m.Procedure
	}
	if m.Options.DiscloseMe || e.disclose && !c.discreet {
		inv.Caller, inv.CallerAuthID, inv.CallerAuthRole = c.caller.id, c.caller.authid, c.caller.authrole
	}
	if e.forward {
		inv.Timeout = m.Options.Timeout
	}
	if !callee.takesInvocation(inv) {
		inv.Payload = wamp.Payload{}
		return wamp.Errorf(wamp.URIPayloadSize, "the arguments are longer than the callee of %q takes", clip(string(m.Procedure)))
	}
	result, err := c.enterCallee(e, inv)
	inv.Payload = wamp.Payload{}
	if err == nil {
		ws.pushed(callee, result)
	}
	return err
}

// bigPayload is from how many bytes on a payload is not copied while the lock
// of the callee is held, if that can be avoided.
const bigPayload = 16 << 10

// enterCallee enters the call with its callee and queues INVOCATION. Both
// happen under the callee's lock, so that invocations reach it in the order of
// their IDs, and none after UNREGISTERED. A big one is encoded before, with the
// ID that it will have unless another call comes between.
func (c *call) enterCallee(e *endpoint, inv *wamp.Invocation) (pushed, error) {
	callee := e.session
	var frame []byte
	for try := 0; ; try++ {
		if try < 3 && inv.Payload.Len() >= bigPayload {
			callee.mu.Lock()
			inv.Request = callee.lastInvoked + 1
			callee.mu.Unlock()
			frame = callee.invocationFrame(inv)
		}
		callee.mu.Lock()
		if frame != nil && inv.Request != callee.lastInvoked+1 && try < 3 {
			callee.mu.Unlock()
			continue
		}
		result, err := c.enterCalleeLocked(e, inv, frame)
		callee.mu.Unlock()
		return result, err
	}
}

func (s *Session) invocationFrame(inv *wamp.Invocation) []byte {
	return seal(s.peer.Framing, s.peer.Serializer, inv, inv.Payload.Len())
}

// surelyTaken is by how much an invocation is longer than its payload at most,
// as a rule.
const surelyTaken = 4 << 10

// takesInvocation reports whether inv is no longer than the peer takes,
// whatever ID it gets, which it may change.
func (s *Session) takesInvocation(inv *wamp.Invocation) bool {
	if most := s.peer.MaxFrame; most == 0 || inv.Payload.Len()+surelyTaken <= most {
		return true
	}
	inv.Request = wamp.MaxID
	return s.takes(s.invocationFrame(inv))
}

// enterCalleeLocked does what enterCallee says. frame is inv, encoded, if that
// has the next ID.
func (c *call) enterCalleeLocked(e *endpoint, inv *wamp.Invocation, frame []byte) (pushed, error) {
	callee := e.session
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.done:
		return refused, errEnded
	case callee.left || callee.regs[e.reg.id] != e:
		return refused, errGone
	}
	if callee.invocations == nil {
		callee.invocations = make(map[wamp.ID]*call)
	}
	callee.lastInvoked++ // session scope: from 1, in steps of 1 (WAMP "IDs")
	c.invocation = callee.lastInvoked
	if frame == nil || inv.Request != c.invocation {
		inv.Request = c.invocation
		frame = callee.invocationFrame(inv)
	}
	if inv.Progress {
		c.details = new(*inv)
		c.details.Payload = wamp.Payload{}
	}
	callee.invocations[c.invocation] = c
	return callee.out.push(frame), nil
}

// reroute passes the call to another endpoint, because its callee said that it
// is not available (WAMP "Call Re-Routing"). It reports false if the call has
// gone too far for that.
func (c *call) reroute(ws *workspace, callee *Session, invocation wamp.ID) bool {
	c.mu.Lock()
	e := c.endpoint
	if c.done || c.begun || c.interrupted || c.held == nil || c.invocation != invocation {
		c.mu.Unlock()
		return false
	}
	c.endpoint, c.invocation = nil, 0
	c.startTimer() // that callee may have timed the call by itself
	c.mu.Unlock()
	callee.mu.Lock()
	delete(callee.invocations, invocation)
	callee.mu.Unlock()
	c.tried, c.rerouted = append(c.tried, e), true
	callee.router.stats.rerouted.Add(1)
	ws.start(e.release())
	c.again(ws)
	return true
}
