package router

import (
	"math/rand/v2"
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

	// Guarded by desk.mu.
	endpoints []*endpoint // in the order in which they came; not changed, but replaced
	turn      int         // of roundrobin: how many were chosen
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
	at.reg = &registration{id: id, uri: uri, match: match, invoke: invoke, created: time.Now(), desk: at}
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

	running int // guarded by reg.desk.mu
}

func (e *endpoint) busy() bool { return e.limit > 0 && e.running >= e.limit }

// A choice is the outcome of looking for an endpoint.
type choice uint8

const (
	chosen  choice = iota
	allBusy        // there are some, but none has room
	nobodyLeft
)

// choose picks an endpoint by the registration's policy, leaving out those that
// were tried, and counts the invocation. desk.mu is held.
func (r *registration) choose(tried []*endpoint) (*endpoint, choice) {
	n := len(r.endpoints)
	result := nobodyLeft
	fits := func(e *endpoint) bool {
		if slices.Contains(tried, e) || e.session.ending.Load() {
			return false
		}
		if e.busy() {
			result = allBusy
			return false
		}
		return true
	}
	var best *endpoint
	switch r.invoke {
	case InvokeSingle, InvokeFirst:
		for _, e := range r.endpoints {
			if fits(e) {
				best = e
				break
			}
		}
	case InvokeLast:
		for _, e := range slices.Backward(r.endpoints) {
			if fits(e) {
				best = e
				break
			}
		}
	case InvokeRoundRobin, InvokeRandom:
		at := r.turn
		if r.invoke == InvokeRandom {
			at = rand.IntN(max(n, 1))
		}
		for i := range n {
			if e := r.endpoints[(at+i)%n]; fits(e) {
				best = e
				r.turn = (at + i + 1) % n
				break
			}
		}
	case InvokeLoad:
		// From a place that moves on, so that equals take turns.
		for i := range n {
			if e := r.endpoints[(r.turn+i)%n]; fits(e) && (best == nil || e.running < best.running) {
				best = e
			}
		}
		r.turn = (r.turn + 1) % max(n, 1)
	}
	if best == nil {
		return nil, result
	}
	best.running++
	return best, chosen
}

// release counts an invocation as over, and returns the call that may have its
// place, if one waits. That is then counted already.
func (e *endpoint) release() (next *call) {
	d := e.reg.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	e.running--
	return d.nextWaiting(e)
}

// nextWaiting takes the next waiting call out for e, if e has room and is still
// there. mu is held.
func (d *desk) nextWaiting(e *endpoint) *call {
	for d.waiting.calls > 0 && !e.busy() && slices.Contains(d.reg.endpoints, e) {
		c := d.waiting.next(e)
		if c == nil {
			break
		}
		if c.take(e) {
			e.running++
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
