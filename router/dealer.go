package router

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/wireroom/wireroom/router/wamp"
)

// A dealer keeps the registrations of a realm and carries calls.
type dealer struct {
	router *Router
	meta   *chronicle
	lastID atomic.Uint64

	mu       sync.RWMutex // guards the following; taken before a desk's mu
	procs    map[wamp.URI]*registration
	ids      map[wamp.ID]*registration // all, patterns too
	patterns patterns[registration]
}

// A Request is a call of one of the gateway's own procedures.
type Request struct {
	Session   *Session // the caller
	Procedure wamp.URI
	Payload   wamp.Payload // valid during the call only
}

// A Handler runs one of the gateway's own procedures. It is called by the
// caller's reader, so it must be quick: it delays only its own caller, but it
// does that. An error that is no [wamp.Error] is logged and told to the caller
// only as an internal error.
type Handler func(ctx context.Context, r *Request) (args []any, kwargs map[string]any, err error)

func (d *dealer) init(r *Router, meta *chronicle) {
	d.router, d.meta = r, meta
	d.procs = make(map[wamp.URI]*registration)
	d.ids = make(map[wamp.ID]*registration)
}

// Provide offers a procedure of the gateway's own to the realm's clients. It
// panics if there is one of that name.
func (r *Realm) Provide(procedure wamp.URI, h Handler) {
	d := &r.dealer
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.procs[procedure] != nil {
		panic("router: procedure " + string(procedure) + " exists")
	}
	reg := newRegistration(d.newID(), procedure, wamp.Exact, InvokeSingle, nil)
	reg.handler = h
	d.putLocked(reg)
}

func (d *dealer) newID() wamp.ID { return wamp.ID(d.lastID.Add(1)) }

// find returns the registration that a call of the procedure goes to, or nil:
// the exact one, else the pattern that fits best. Patterns of clients do not
// catch calls of the router's own procedures.
func (d *dealer) find(procedure wamp.URI) *registration {
	d.mu.RLock()
	reg := d.procs[procedure]
	d.mu.RUnlock()
	if reg != nil || d.patterns.count.Load() == 0 || ownURI(procedure) {
		return reg
	}
	return d.patterns.best(procedure)
}

// Registration returns the ID of the registration that a call of the procedure
// goes to now, or 0. A procedure that was withdrawn and registered again has
// another one.
func (r *Realm) Registration(procedure wamp.URI) wamp.ID {
	if reg := r.dealer.find(procedure); reg != nil {
		return reg.id
	}
	return 0
}

// getLocked returns the registration of the very procedure or pattern, or nil.
func (d *dealer) getLocked(uri wamp.URI, match wamp.Match) *registration {
	if match == wamp.Exact {
		return d.procs[uri]
	}
	d.patterns.mu.RLock()
	defer d.patterns.mu.RUnlock()
	return d.patterns.get(uri, match)
}

func (d *dealer) putLocked(reg *registration) {
	d.ids[reg.id] = reg
	if reg.match == wamp.Exact {
		d.procs[reg.uri] = reg
		return
	}
	d.patterns.mu.Lock()
	defer d.patterns.mu.Unlock()
	d.patterns.put(reg.uri, reg.match, reg)
}

func (d *dealer) deleteLocked(reg *registration) {
	delete(d.ids, reg.id)
	if d.getLocked(reg.uri, reg.match) != reg {
		return // another has taken its place
	}
	if reg.match == wamp.Exact {
		delete(d.procs, reg.uri)
		return
	}
	d.patterns.mu.Lock()
	defer d.patterns.mu.Unlock()
	d.patterns.delete(reg.uri, reg.match)
}

// ownURI reports whether only the router may answer for the URI.
func ownURI(uri wamp.URI) bool {
	return uri.Reserved() || strings.HasPrefix(string(uri), "wireroom.")
}

// register handles REGISTER. Only what ends the session is returned.
func (s *Session) register(m *wamp.Register) error {
	err := checkOwnPattern(m.Procedure, m.Options.Match)
	invoke, ok := parseInvoke(m.Options.Invoke)
	switch {
	case err != nil:
	case !ok:
		err = wamp.Errorf(wamp.URIInvalidArgument, "invoke: expected one of %s, found %q", strings.Join(invokeNames[:], ", "), clip(m.Options.Invoke))
	default:
		var who Disclosure
		who, err = s.allowed(ActionRegister, m.Procedure, m.Options.Match, m)
		switch {
		case err != nil:
		case who == DiscloseAlways:
			m.Options.DiscloseCaller = true
		case who == DiscloseNever && m.Options.DiscloseCaller:
			err = wamp.Errorf(wamp.URIOptionNotAllowed, "disclose_caller: the role does not allow that")
		}
	}
	if err == errEnded {
		return err
	}
	var kicked []*endpoint
	var next []*call
	if err == nil {
		kicked, next, err = s.addRegistration(m, invoke)
	}
	if err != nil {
		s.fault(wamp.TypeRegister, m.Request, err)
		return nil
	}
	if len(kicked) > 0 {
		for _, e := range kicked {
			e.revoked(s.ws, "wireroom.revoked.reregistered")
		}
	}
	s.ws.start(next...)
	return nil
}

// addRegistration makes the session an endpoint of the registration. It returns
// the endpoints of a registration that had to make way, and calls that waited
// for an endpoint.
func (s *Session) addRegistration(m *wamp.Register, invoke Invoke) (kicked []*endpoint, next []*call, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return nil, nil, nil
	}
	if most := s.limits.MaxRegistrations; len(s.regs) >= most {
		return nil, nil, wamp.Errorf(wamp.URILimit, "the session has %d registrations already, which is the limit", most)
	}
	d := &s.realm.dealer
	d.mu.Lock()
	defer d.mu.Unlock()
	create := func(at *desk) *registration {
		reg := newRegistration(d.newID(), m.Procedure, m.Options.Match, invoke, at)
		d.putLocked(reg)
		d.meta.note(metaEvent{topic: registrationCreated, session: s, reg: reg})
		return reg
	}
	reg := d.getLocked(m.Procedure, m.Options.Match)
	if reg == nil {
		reg = create(nil)
	}
	at := reg.desk
	at.mu.Lock()
	if err := reg.admits(s, invoke); err != nil {
		if reg.handler != nil || err != errGivenUp && !m.Options.ForceRegister {
			at.mu.Unlock()
			return nil, nil, err
		}
		kicked = d.withdrawLocked(reg)
		reg = create(at) // no call finds the desk without callees
	}
	e := &endpoint{
		session: s, reg: reg, forward: m.Options.ForwardTimeout && s.features&featureCallTimeout != 0,
		limit: int(min(m.Options.Concurrency, math.MaxInt32)), disclose: m.Options.DiscloseCaller,
	}
	if s.regs == nil {
		s.regs = make(map[wamp.ID]*endpoint)
	}
	s.regs[reg.id] = e
	d.meta.note(metaEvent{topic: calleeCame, session: s, reg: reg})
	reg.callees.add(e)
	for c := at.nextWaiting(e); c != nil; c = at.nextWaiting(e) {
		next = append(next, c)
	}
	at.mu.Unlock()
	s.reply(&wamp.Registered{Request: m.Request, Registration: reg.id}) // before any INVOCATION: s.mu is held
	return kicked, next, nil
}

// errGivenUp says that a registration has only callees that are about to leave,
// and cannot be joined: it makes way.
var errGivenUp = errors.New("the registration is being given up by its callees")

// admits returns an error if the session can't join the registration. desk.mu
// is held, and the session's.
func (r *registration) admits(s *Session, invoke Invoke) error {
	if r.handler != nil {
		return wamp.Errorf(wamp.URIProcedureExists, "procedure %q is the router's own", clip(string(r.uri)))
	}
	// Even if the session is about to leave: it takes back one endpoint of a registration.
	if e := s.regs[r.id]; e != nil && r.callees.has(e) {
		return wamp.Errorf(wamp.URIProcedureExists, "the session has registered procedure %q already", clip(string(r.uri)))
	}
	if r.invoke == invoke && invoke != InvokeSingle {
		return nil // without a look at each
	}
	for e := range r.callees.all() {
		switch {
		case e.session.ending.Load():
			continue // it is about to leave
		case r.invoke == InvokeSingle:
			return wamp.Errorf(wamp.URIProcedureExists, "procedure %q is registered already", clip(string(r.uri)))
		default:
			return wamp.Errorf(wamp.URIProcedureExists, "procedure %q is registered with invoke %q, not %q", clip(string(r.uri)), r.invoke, invoke)
		}
	}
	if r.invoke != invoke {
		return errGivenUp
	}
	return nil
}

// unregister handles UNREGISTER.
func (s *Session) unregister(m *wamp.Unregister) {
	s.mu.Lock()
	e := s.regs[m.Registration]
	delete(s.regs, m.Registration)
	s.mu.Unlock()
	if e == nil {
		s.fault(wamp.TypeUnregister, m.Request,
			wamp.Errorf(wamp.URINoSuchRegistration, "the session has no registration %d", m.Registration))
		return
	}
	s.realm.dealer.remove(s.ws, e, false)
	s.reply(&wamp.Unregistered{Request: m.Request})
}

// remove takes an endpoint out of its registration, and forgets a registration
// that has none. Calls that wait for one are answered then. byOthers says that
// its session did not ask for that. remove reports whether the endpoint was
// there still.
func (d *dealer) remove(ws *workspace, e *endpoint, byOthers bool) bool {
	reg := e.reg
	d.mu.Lock()
	reg.desk.mu.Lock()
	was := reg.callees.remove(e) // or it was revoked meanwhile
	if was {
		last := reg.callees.n == 0
		d.noteGoneLocked(e, last, byOthers)
		if last {
			d.deleteLocked(reg)
		}
	}
	reg.desk.mu.Unlock()
	d.mu.Unlock()
	reg.desk.giveUp(ws)
	return was
}

// giveUp answers the calls that wait for endpoints that are no more.
func (d *desk) giveUp(ws *workspace) {
	d.mu.Lock()
	calls := d.waiting.hopeless(&d.reg.callees)
	d.mu.Unlock()
	for _, c := range calls {
		c.fault(ws, c.nobody(), false)
	}
}

// noteGoneLocked tells that the endpoint is in its registration no more, and
// with last that nobody is. A session from which others took it learns that so
// if it has not announced that it can be told otherwise.
func (d *dealer) noteGoneLocked(e *endpoint, last, byOthers bool) {
	untold := byOthers && e.session.features&featureRevokeRegistration == 0
	d.meta.note(metaEvent{topic: calleeWent, session: e.session, reg: e.reg, untold: untold})
	if last {
		d.meta.note(metaEvent{topic: registrationDeleted, session: e.session, reg: e.reg, untold: untold})
	}
}

// withdrawLocked takes the registration from all its callees, which revoked
// has to tell. desk.mu is held.
func (d *dealer) withdrawLocked(reg *registration) []*endpoint {
	d.deleteLocked(reg)
	endpoints := slices.Collect(reg.callees.all())
	reg.callees = callees{invoke: reg.invoke}
	for i, e := range endpoints {
		d.noteGoneLocked(e, i == len(endpoints)-1, true)
	}
	return endpoints
}

// leave takes back what a session that ended had registered, answers the calls
// that it was asked to run, and gives up those that it made.
func (d *dealer) leave(ws *workspace, s *Session, regs map[wamp.ID]*endpoint, calls, invocations map[wamp.ID]*call) {
	for _, e := range regs {
		d.remove(ws, e, false)
	}
	for _, c := range invocations {
		c.calleeLeft(ws, s)
	}
	for _, c := range calls {
		c.finish(ws)
	}
}
