package router

import (
	"slices"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// An Invoke is how a callee is chosen where several have registered the same
// procedure (WAMP "Shared Registration").
type Invoke uint8

// The invocation policies.
const (
	InvokeSingle Invoke = iota // there is only one
	InvokeFirst
	InvokeLast
	InvokeRoundRobin
	InvokeRandom
	InvokeLoad // the one with the fewest invocations under way
)

var invokeNames = [...]string{"single", "first", "last", "roundrobin", "random", "load"}

// String returns the policy's name in REGISTER.Options.invoke.
func (i Invoke) String() string { return invokeNames[i] }

// parseInvoke returns the policy of that name; "" is single.
func parseInvoke(name string) (Invoke, bool) {
	if name == "" {
		return InvokeSingle, true
	}
	i := slices.Index(invokeNames[:], name)
	return Invoke(max(i, 0)), i >= 0
}

// A registration is a procedure, or a pattern of procedures, and who runs it:
// sessions or the gateway. Sessions that share it share its ID.
type registration struct {
	// Fixed at construction.
	id      wamp.ID
	uri     wamp.URI
	match   wamp.Match
	invoke  Invoke
	created time.Time
	handler Handler // runs it; nil: endpoints do
	desk    *desk

	callees callees // guarded by desk.mu
}

// A desk is where the calls of a procedure, or of a pattern, go to, whoever
// runs it. Where a registration takes it over from another one
// (force_reregister) it gets the desk, too: so calls know only that, and those
// that wait there, or are on their way, come to the new callees untouched.
type desk struct {
	uri wamp.URI // fixed: the procedure or pattern

	mu      sync.Mutex    // guards the following, and the endpoints of all registrations that had the desk
	reg     *registration // has it now, or had it last
	waiting waiting       // calls that found every endpoint busy
}

// newRegistration returns a registration without endpoints at the desk, or at a
// new one if that is nil. The desk's mu is held.
func newRegistration(id wamp.ID, uri wamp.URI, match wamp.Match, invoke Invoke, at *desk) *registration {
	if at == nil {
		at = &desk{uri: uri}
	}
	at.reg = &registration{id: id, uri: uri, match: match, invoke: invoke, created: time.Now(), desk: at, callees: callees{invoke: invoke}}
	return at.reg
}

// An endpoint is one session's part in a registration.
type endpoint struct {
	// Fixed at construction.
	session *Session
	reg     *registration
	limit   int  // invocations at a time; 0: any number
	forward bool // the session times calls out by itself

	disclose bool // the session learns who calls, unless that must not be known

	// Guarded by reg.desk.mu; all but running are of callees.
	running int    // invocations
	slot    int    // where it is
	place   int    // in the pool; -1: it is not there
	chosen  uint64 // when it was chosen last, or came
}

func (e *endpoint) busy() bool { return e.limit > 0 && e.running >= e.limit }

// A choice is the outcome of looking for an endpoint.
type choice uint8

const (
	chosen  choice = iota
	allBusy        // there are some, but none has room
	nobodyLeft
)

// release counts an invocation as over, and returns the call that may have its
// place, if one waits. That is then counted already.
func (e *endpoint) release() (next *call) {
	d := e.reg.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	e.reg.callees.end(e)
	return d.nextWaiting(e)
}

// nextWaiting takes the next waiting call out for e, if e has room and is not
// about to leave, or gone. mu is held.
func (d *desk) nextWaiting(e *endpoint) *call {
	for d.waiting.calls > 0 && !e.busy() && e.reg.callees.has(e) && !e.session.ending.Load() {
		c := d.waiting.next(e)
		if c == nil {
			break
		}
		if c.take(e) {
			e.reg.callees.begin(e)
			return c
		}
	}
	return nil
}

// wait has the call wait for an endpoint, unless too many do. A call that is
// done does not wait. mu is held.
func (d *desk) wait(c *call, cfg *Config) error {
	switch {
	case c.isDone():
		return errEnded
	case !d.waiting.add(c, cfg.MaxWaiting, cfg.MaxWaitingBytes):
		return wamp.Errorf(wamp.URINoAvailableCallee, "every callee of %q is busy, and as many calls wait as may", clip(string(c.held.procedure)))
	}
	return nil
}
