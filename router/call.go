package router

import (
	"container/list"
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A call is a CALL on its way through a registration. It is in the caller's
// calls, and in the invocations of the callee that runs it, until it is done,
// and is answered exactly once.
type call struct {
	// Fixed at construction.
	caller   *Session
	desk     *desk
	request  wamp.ID // the caller's
	progress bool    // the caller takes progressive results
	discreet bool    // no callee learns who the caller is

	place *list.Element // among the calls that wait for an endpoint; guarded by desk.mu

	// Owned by whoever looks for an endpoint: one goroutine at a time.
	held     *heldCall   // what to send to another endpoint; nil: nothing is kept
	tried    []*endpoint // that said that they were not available, or had just gone
	rerouted bool        // one of them said so

	kept int // bytes of held; guarded by caller.mu

	mu          sync.Mutex // guards the following; held while an answer is queued, so that none follows the last
	done        bool
	interrupted bool
	begun       bool             // progressive results have gone to the caller
	streaming   bool             // more of the call will come
	endpoint    *endpoint        // who runs it, or is about to; nil: nobody yet
	released    bool             // the endpoint does not run it any more
	invocation  wamp.ID          // the callee's; 0: it has not heard of the call
	details     *wamp.Invocation // of each part of a progressive invocation; nil for other calls
	timer       *time.Timer
	timeout     time.Duration // 0: none
	deadline    time.Time     // the end of timeout
}

// call handles CALL. Only what ends the session is returned.
func (s *Session) call(m *wamp.Call) error {
	if c, err := s.underWay(m); c != nil || err != nil {
		if err == errOver {
			s.router.stats.strayCalls.Add(1)
			return nil
		}
		if err == nil {
			c.more(s.ws, m)
		}
		return err
	}
	err := checkURI(m.Procedure, wamp.Exact)
	if err == nil {
		err = checkCallOptions(&m.Options)
	}
	var who Disclosure
	if err == nil {
		if who, err = s.allowed(ActionCall, m.Procedure, wamp.Exact, m); err == nil {
			err = who.settle(&m.Options.DiscloseMe)
		}
	}
	var reg *registration
	if err == nil {
		if reg = s.realm.dealer.find(m.Procedure); reg == nil {
			err = wamp.Errorf(wamp.URINoSuchProcedure, "no procedure %q is registered", m.Procedure)
		}
	}
	if err == nil && reg.handler == nil {
		err = s.pass(m, reg, who)
	} else {
		if err == nil {
			err = s.callGateway(m, reg)
		}
		if m.Options.Progress {
			s.refuseStream(m.Request)
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

// checkCallOptions refuses what the router does not announce, rather than doing
// something else than what was asked.
func checkCallOptions(o *wamp.CallOptions) error {
	if o.RunMode != "" {
		return wamp.Errorf(wamp.URIOptionNotAllowed, "runmode %q: calls of many callees at once are not offered here", clip(o.RunMode))
	}
	return nil
}

// callGateway runs one of the gateway's own procedures.
func (s *Session) callGateway(m *wamp.Call, reg *registration) error {
	if m.Options.Progress {
		return wamp.Errorf(wamp.URIFeatureNotSupported, "%q takes no progressive invocations", m.Procedure)
	}
	if m.Options.Passthru.Scheme != "" {
		return wamp.Errorf(wamp.URIFeatureNotSupported, "%q is the router's own, and reads its arguments: they cannot be passed through", m.Procedure)
	}
	s.ws.flush(&s.router.flushers) // others must not wait for the handler
	args, kwargs, err := reg.handler(context.Background(), &Request{Session: s, Procedure: m.Procedure, Payload: m.Payload})
	if err != nil {
		return err
	}
	payload, err := wamp.NewPayload(s.peer.Serializer, args, kwargs)
	if err != nil {
		return err
	}
	frame := seal(s.peer.Framing, s.peer.Serializer, &wamp.Result{Request: m.Request, Payload: payload}, payload.Len())
	if !s.takes(frame) {
		return wamp.Errorf(wamp.URIPayloadSize, "the result of %q is longer than this session takes", clip(string(m.Procedure)))
	}
	s.router.stats.calls.Add(1)
	s.ws.send(s, frame)
	return nil
}

// pass enters a call and passes it on to a callee.
func (s *Session) pass(m *wamp.Call, reg *registration, who Disclosure) error {
	c := &call{
		caller: s, desk: reg.desk, request: m.Request, progress: m.Options.ReceiveProgress, streaming: m.Options.Progress,
		discreet: who == DiscloseNever,
	}
	if err := s.enterCall(c); err != nil {
		return err
	}
	if err := c.dispatch(s.ws, m); err != nil {
		if c.finish(s.ws) {
			return err
		}
		return errEnded
	}
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
	case len(s.calls) >= s.limits.MaxCalls:
		return wamp.Errorf(wamp.URILimit, "the session has %d calls in flight, which is the limit", s.limits.MaxCalls)
	}
	if s.calls == nil {
		s.calls = make(map[wamp.ID]*call)
	}
	s.calls[c.request] = c
	return nil
}

// limit has the call time out, unless its callee does that.
func (c *call) limit(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timeout, c.deadline = d, time.Now().Add(d)
	if c.done || c.endpoint != nil && c.endpoint.forward {
		return
	}
	c.startTimer()
}

// startTimer starts the timer for the deadline, if there is one. mu is held.
func (c *call) startTimer() {
	if c.timeout == 0 || c.timer != nil {
		return
	}
	c.timer = time.AfterFunc(time.Until(c.deadline), func() {
		ws := getWorkspace()
		c.cut(ws, wamp.Errorf(wamp.URITimeout, "the call took longer than %v", c.timeout), wamp.KillNoWait, wamp.URITimeout)
		ws.handOver(&c.caller.router.flushers)
		putWorkspace(ws)
	})
}

// answer queues frame for the caller as the last answer, if there was none
// yet. byCallee says that the callee is through with the call.
func (c *call) answer(ws *workspace, frame []byte, byCallee bool) bool {
	c.mu.Lock()
	first := !c.done
	if first {
		c.done = true
		stopTimer(c.timer)
		ws.send(c.caller, frame)
	}
	c.mu.Unlock()
	if first {
		c.forget()
	}
	c.letGo(ws, byCallee)
	return first
}

// fault answers the call with ERROR.
func (c *call) fault(ws *workspace, err error, byCallee bool) bool {
	if !c.answer(ws, c.caller.errorFrame(wamp.TypeCall, c.request, err), byCallee) {
		return false
	}
	c.caller.router.stats.callErrors.Add(1)
	return true
}

// cut answers the call with ERROR, whatever the callee does, and has that
// interrupted, unless mode is skip.
func (c *call) cut(ws *workspace, err error, mode wamp.CancelMode, reason wamp.URI) {
	frame := c.caller.errorFrame(wamp.TypeCall, c.request, err)
	c.mu.Lock()
	if c.done {
		c.mu.Unlock()
		return
	}
	c.done = true
	stopTimer(c.timer)
	ws.send(c.caller, frame)
	if mode != wamp.Skip {
		c.interrupt(ws, mode, reason)
	}
	c.mu.Unlock()
	c.caller.router.stats.callErrors.Add(1)
	c.forget()
	c.letGo(ws, false)
}

// finish ends the call without an answer, and reports whether it was not ended
// before. The caller of finish answers.
func (c *call) finish(ws *workspace) bool {
	c.mu.Lock()
	if c.done {
		c.mu.Unlock()
		return false
	}
	c.done = true
	stopTimer(c.timer)
	c.interrupt(ws, wamp.KillNoWait, wamp.URICanceled)
	c.mu.Unlock()
	c.forget()
	c.letGo(ws, false)
	return true
}

// calleeLeft answers the call because s, which was to run it, has left.
func (c *call) calleeLeft(ws *workspace, s *Session) {
	c.mu.Lock()
	its := c.endpoint != nil && c.endpoint.session == s
	c.mu.Unlock()
	if its {
		c.fault(ws, wamp.Errorf(wamp.URICanceled, "the callee left before it answered"), true)
	}
}

// interrupt asks the callee to stop, once, if it knows of the call and
// understands that. mu is held.
func (c *call) interrupt(ws *workspace, mode wamp.CancelMode, reason wamp.URI) {
	if c.invocation == 0 || c.interrupted || c.endpoint.session.features&featureCancel == 0 {
		return
	}
	c.interrupted = true
	callee := c.endpoint.session
	ws.send(callee, callee.frame(&wamp.Interrupt{Request: c.invocation, Mode: mode, Reason: reason}))
}

// forget takes a call that is done out of its caller and of those that wait.
func (c *call) forget() {
	c.desk.mu.Lock()
	if c.place != nil {
		c.desk.waiting.remove(c)
	}
	c.desk.mu.Unlock()
	s := c.caller
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls[c.request] == c {
		delete(s.calls, c.request)
	}
	s.keptBytes -= c.kept
	c.kept = 0
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streaming {
		s.noteOver(c.request)
	}
}

// letGo takes a call that is done from its callee, and starts one that waited
// for its place. A callee that takes only so many invocations at a time has one
// until it has answered it or was told to stop, whether or not the caller still
// waits for that.
func (c *call) letGo(ws *workspace, byCallee bool) {
	c.mu.Lock()
	e, invocation := c.endpoint, c.invocation
	if e == nil || c.released || !byCallee && !c.interrupted && e.limit > 0 && invocation != 0 {
		c.mu.Unlock()
		return
	}
	c.released = true
	c.mu.Unlock()
	if invocation != 0 {
		e.session.mu.Lock()
		delete(e.session.invocations, invocation)
		e.session.mu.Unlock()
	}
	ws.start(e.release())
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
	c.mu.Lock()
	mode := m.Mode
	if c.invocation == 0 || c.endpoint.session.features&featureCancel == 0 {
		mode = wamp.Skip
	}
	if mode == wamp.Kill && !c.done {
		c.interrupt(ws, mode, wamp.URICanceled)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.cut(ws, wamp.Errorf(wamp.URICanceled, "the caller canceled the call"), mode, wamp.URICanceled)
}
