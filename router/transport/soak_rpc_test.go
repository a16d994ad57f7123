package transport_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A callKind is what a call asks of its callee.
type callKind int64

const (
	callEcho      callKind = iota // an answer
	callFail                      // an error
	callProgress                  // progressive results, and an answer
	callLater                     // an answer after a while
	callNever                     // nothing: the call has a timeout
	callTwice                     // two answers, the second of which is nobody's
	callElsewhere                 // that half of the callees are not available
	callStream                    // an answer after the last of several parts of the call
	numCallKinds
)

const (
	soakError = "soak.error.as_asked"
	soakEcho  = "wireroom.soak.echo" // a procedure of the gateway
)

// A procedure is something that callees register.
type procedure struct {
	pattern
	invoke string
}

// soakProcedures are registered; the exact ones are called, and those that
// nobody has registered are caught by the patterns.
var soakProcedures = []procedure{
	{pattern{wamp.Exact, "soak.proc.0"}, "single"},
	{pattern{wamp.Exact, "soak.proc.1"}, "single"},
	{pattern{wamp.Exact, "soak.proc.2"}, "roundrobin"},
	{pattern{wamp.Exact, "soak.proc.3"}, "random"},
	{pattern{wamp.Exact, "soak.proc.4"}, "load"},
	{pattern{wamp.Exact, "soak.proc.5"}, "first"},
	{pattern{wamp.Exact, "soak.proc.6.x"}, "last"},
	{pattern{wamp.Exact, "soak.proc.7.x"}, "single"},
	{pattern{wamp.Prefix, "soak.proc.7"}, "roundrobin"},
	{pattern{wamp.Wildcard, "soak.proc.."}, "load"},
}

const calledProcedures = 8

// A made is a call that is not answered yet.
type made struct {
	procedure string
	kind      callKind
	steps     int64 // progressive results
	seen      int64
	progress  bool
	echo      bool // of the gateway's procedure
	timeout   time.Duration
	canceled  string // the modes of each CANCEL
	at        time.Time
	pad       string
	parts     int64 // that were sent of a stream; 0: it is none
}

// An owed is an invocation that the session has to answer.
type owed struct {
	args        []any
	kind        callKind
	interrupted bool
}

// call calls a procedure.
func (p *soaker) call() {
	c := &made{
		kind: callKind(p.rnd.IntN(int(numCallKinds))), steps: int64(p.rnd.IntN(6)),
		progress: p.rnd.IntN(2) == 0, at: time.Now(), pad: anyPadding(p.rnd, len(padSizes)-1),
	}
	c.procedure = soakProcedures[p.rnd.IntN(calledProcedures)].uri
	if p.rnd.IntN(8) == 0 {
		c.procedure, c.kind, c.echo = soakEcho, callEcho, true
	}
	if c.kind == callNever || p.rnd.IntN(6) == 0 {
		c.timeout = time.Duration(1+p.rnd.IntN(600)) * time.Millisecond
	}
	id := p.nextRequest()
	p.calls[id] = c
	p.sk.trails.begin(p, id)
	if c.kind == callStream {
		p.callPart(id, c, p.rnd.IntN(4) == 0)
		return
	}
	p.sendCall(id, c, c.steps, false)
}

func (p *soaker) sendCall(id wamp.ID, c *made, steps int64, progress bool) {
	p.send(&wamp.Call{
		Request: id, Procedure: wamp.URI(c.procedure),
		Options: wamp.CallOptions{
			Timeout: uint64(c.timeout / time.Millisecond), ReceiveProgress: c.progress, DiscloseMe: p.rnd.IntN(2) == 0, Progress: progress,
		},
		Payload: p.payload([]any{p.number, id, int64(c.kind), steps, c.pad}),
	})
}

// callPart sends a part of a stream.
func (p *soaker) callPart(id wamp.ID, c *made, last bool) {
	c.parts++
	p.sendCall(id, c, c.parts, !last)
	if last {
		c.parts = 0
	}
}

// callMore sends the next part of a stream, or the last of all of them.
func (p *soaker) callMore(lastOfAll bool) {
	for id, c := range p.calls {
		if c.parts == 0 {
			continue
		}
		p.callPart(id, c, lastOfAll || p.rnd.IntN(4) == 0)
		if !lastOfAll {
			return
		}
	}
}

func (c *made) String() string {
	return fmt.Sprintf("to %s at %s: kind %d, timeout %v, canceled %q, %d of %d progressive results, %d parts",
		c.procedure, c.at.Format("04:05.000000"), c.kind, c.timeout, c.canceled, c.seen, c.steps, c.parts)
}

// openCalls tells of the calls that are not answered.
func (p *soaker) openCalls() string {
	var b strings.Builder
	for id, c := range p.calls {
		fmt.Fprintf(&b, "\n  request %d %s%s", id, c, p.sk.trails.of(p, id))
	}
	return b.String()
}

// cancel cancels one of the calls.
func (p *soaker) cancel() {
	for id, c := range p.calls {
		mode := wamp.CancelMode(p.rnd.IntN(3))
		if c.parts > 0 && mode == wamp.Skip {
			mode = wamp.KillNoWait // or its callee would wait for more
		}
		c.canceled += mode.String() + " "
		c.parts = 0
		p.send(&wamp.Cancel{Request: id, Mode: mode})
		return
	}
}

// result checks RESULT.
func (p *soaker) result(m *wamp.Result) {
	c := p.calls[m.Request]
	if c == nil {
		p.fail("RESULT for request %d, which is no call or was answered", m.Request)
		return
	}
	args, err := m.Payload.DecodeArgs()
	if err != nil || len(args) != 6 || args[0] != p.number || args[1] != int64(m.Request) || args[4] != c.pad {
		p.fail("RESULT of another call")
		return
	}
	step, _ := args[5].(int64)
	if m.Progress {
		if !c.progress || step != c.seen+1 {
			p.fail("progressive result %d came after %d of %d (asked for: %v)", step, c.seen, c.steps, c.progress)
		}
		c.seen++
		return
	}
	if step != c.seen+1 {
		p.fail("the last result is number %d, and %d came before", step, c.seen)
	}
	p.answered(m.Request)
}

// callError checks an ERROR for a call.
func (p *soaker) callError(m *wamp.ErrorMessage) {
	c := p.calls[m.Request]
	if c == nil {
		p.fail("ERROR for request %d, which is no call or was answered", m.Request)
		return
	}
	switch took := time.Since(c.at); m.Error {
	case wamp.URINoSuchProcedure:
		if c.echo || c.seen > 0 {
			p.fail("there should be such a procedure")
		}
	case wamp.URICanceled: // by this side, or because the callee left
		if c.echo {
			p.fail("the gateway canceled a call")
		}
	case wamp.URITimeout:
		if c.timeout == 0 || took < c.timeout {
			p.fail("a timeout after %v, and %v was asked for", took, c.timeout)
		}
	case wamp.URINoAvailableCallee:
		if c.echo || c.seen > 0 {
			p.fail("there should be a callee")
		}
	case wamp.URIUnavailable: // of a callee for which there is no other
		if c.kind != callElsewhere {
			p.fail("the callee was not asked to be unavailable")
		}
	case wamp.URIFeatureNotSupported: // of a callee without features
		if c.kind != callStream {
			p.fail("the call needs no feature")
		}
	case soakError:
		if c.kind != callFail && c.kind != callNever {
			p.fail("an error that the callee was not asked for")
		}
	default:
		p.fail("a call must not fail with %s", m.Error)
	}
	p.answered(m.Request)
}

func (p *soaker) answered(request wamp.ID) {
	p.tellLong(request)
	p.sk.trails.end(p, request)
	delete(p.calls, request)
	p.sk.tally.calls.Add(1)
}

// invocation takes on what another session calls.
func (p *soaker) invocation(m *wamp.Invocation) {
	if further := p.parts[m.Request]; further > 0 {
		p.invocationPart(m, further+1)
		return
	}
	if p.invoked++; m.Request != p.invoked {
		p.fail("INVOCATION %d came where %d was due", m.Request, p.invoked)
		p.invoked = m.Request
	}
	if _, ok := p.regs[m.Registration]; !ok {
		p.fail("INVOCATION for registration %d, which the session does not have", m.Registration)
	}
	if m.ReceiveProgress && p.plain {
		p.fail("INVOCATION asks for progressive results, which the callee did not announce")
	} else if m.ReceiveProgress {
		p.progressive[m.Request] = true
	}
	args, err := m.Payload.DecodeArgs()
	if err != nil || len(args) != 5 {
		p.fail("INVOCATION with a payload that nobody sent")
		return
	}
	kind, _ := args[2].(int64)
	if (callKind(kind) != callStream || p.plain) && m.Progress {
		p.fail("INVOCATION is only a part of a call, which was not asked for")
	}
	p.sk.trails.step(p, m.Request, args, "is asked")
	if callKind(kind) == callStream {
		p.invocationPart(m, 1)
		return
	}
	p.owed[m.Request] = &owed{args: args, kind: callKind(kind)}
	p.wakeUp()
}

// invocationPart checks a part of a stream; the last one is owed an answer.
func (p *soaker) invocationPart(m *wamp.Invocation, due int64) {
	args, err := m.Payload.DecodeArgs()
	if err != nil || len(args) != 5 || args[3] != due {
		p.fail("INVOCATION should be part %d of a call", due)
		return
	}
	if m.Progress {
		p.parts[m.Request] = due
		return
	}
	delete(p.parts, m.Request)
	p.sk.trails.step(p, m.Request, args, "has all parts")
	p.owed[m.Request] = &owed{args: args, kind: callStream}
	p.wakeUp()
}

// interrupt checks INTERRUPT. It may cross an answer, but comes at most once.
func (p *soaker) interrupt(m *wamp.Interrupt) {
	if p.plain {
		p.fail("INTERRUPT for a callee that did not announce that it understands it")
	}
	if m.Request > p.invoked || m.Request == 0 {
		p.fail("INTERRUPT for invocation %d, and the last one is %d", m.Request, p.invoked)
	}
	if p.parts[m.Request] > 0 { // there will be no more parts
		delete(p.parts, m.Request)
		p.owed[m.Request] = &owed{kind: callStream}
	}
	if o := p.owed[m.Request]; o != nil {
		if o.interrupted {
			p.fail("a second INTERRUPT for invocation %d", m.Request)
		}
		o.interrupted = true
		p.sk.trails.step(p, m.Request, o.args, "is interrupted")
		p.wakeUp()
	}
}

// answer answers what is owed and due; with all, whatever is owed.
func (p *soaker) answer(all bool) {
	for id, o := range p.owed {
		late := o.kind == callLater || o.kind == callNever
		switch {
		case o.interrupted:
			p.send(&wamp.ErrorMessage{RequestType: wamp.TypeInvocation, Request: id, Error: wamp.URICanceled})
		case o.kind == callNever && !all, late && !all && p.rnd.IntN(4) > 0:
			continue
		case o.kind == callElsewhere && p.even:
			p.send(&wamp.ErrorMessage{RequestType: wamp.TypeInvocation, Request: id, Error: wamp.URIUnavailable})
		case o.kind == callFail || o.kind == callNever:
			p.send(&wamp.ErrorMessage{RequestType: wamp.TypeInvocation, Request: id, Error: soakError})
		default:
			p.yield(id, o)
		}
		p.sk.trails.step(p, id, o.args, "answers")
		delete(p.owed, id)
		delete(p.progressive, id)
	}
}

func (p *soaker) yield(id wamp.ID, o *owed) {
	step := int64(1)
	if steps, _ := o.args[3].(int64); o.kind == callProgress && p.progressive[id] {
		for ; step <= steps; step++ {
			p.send(&wamp.Yield{Request: id, Progress: true, Payload: p.payload(append(o.args, step))})
		}
	}
	p.send(&wamp.Yield{Request: id, Payload: p.payload(append(o.args, step))})
	if o.kind == callTwice {
		p.send(&wamp.Yield{Request: id, Payload: p.payload(append(o.args, step))})
	}
}

// register offers a procedure.
func (p *soaker) register() {
	proc := soakProcedures[p.rnd.IntN(len(soakProcedures))]
	options := wamp.RegisterOptions{Match: proc.match, Invoke: proc.invoke, ForceRegister: p.rnd.IntN(10) == 0}
	if p.rnd.IntN(2) == 0 {
		options.Concurrency = uint64(1 + p.rnd.IntN(3))
	}
	p.sendRegister(proc, options)
}

func (p *soaker) sendRegister(proc procedure, options wamp.RegisterOptions) {
	id := p.nextRequest()
	p.requests[id] = &request{kind: wamp.TypeRegister, procedure: proc}
	p.send(&wamp.Register{Request: id, Options: options, Procedure: wamp.URI(proc.uri)})
}

// unregister withdraws one, sometimes twice.
func (p *soaker) unregister() {
	for reg, proc := range p.regs {
		for _, other := range p.requests {
			if other.kind == wamp.TypeRegister && other.procedure == proc {
				return // what it would be the end of is hard to say
			}
		}
		id := p.nextRequest()
		p.requests[id] = &request{kind: wamp.TypeUnregister, registration: reg, again: p.leaving[reg]}
		p.leaving[reg] = true
		p.send(&wamp.Unregister{Request: id, Registration: reg})
		return
	}
}

// unregistered ends a registration. Without a request it was revoked, because
// another session has taken the procedure over.
func (p *soaker) unregistered(m *wamp.Unregistered) {
	if m.Request != 0 {
		if req := p.take(m.Request, wamp.TypeUnregister); req != nil {
			delete(p.regs, req.registration)
			delete(p.leaving, req.registration)
		}
		return
	}
	if _, ok := p.regs[m.Registration]; !ok || p.plain {
		p.fail("UNREGISTERED for registration %d, which the session does not have, or without having announced that it understands it", m.Registration)
	}
	delete(p.regs, m.Registration)
	delete(p.leaving, m.Registration)
}
