package router

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/wireroom/wireroom/router/wamp"
)

// A dealer keeps the registrations of a realm and carries calls.
type dealer struct {
	router *Router
	lastID atomic.Uint64

	mu    sync.RWMutex // guards the following
	procs map[wamp.URI]*registration
}

// A registration is a procedure and who runs it: a session or the gateway.
type registration struct {
	id        wamp.ID
	procedure wamp.URI
	callee    *Session // nil: handler runs it
	handler   Handler
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

func (d *dealer) init(r *Router) {
	d.router = r
	d.procs = make(map[wamp.URI]*registration)
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
	d.procs[procedure] = &registration{id: wamp.ID(d.lastID.Add(1)), procedure: procedure, handler: h}
}

func (d *dealer) find(procedure wamp.URI) *registration {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.procs[procedure]
}

// register handles REGISTER.
func (s *Session) register(m *wamp.Register) {
	err := checkOwnURI(m.Procedure)
	if err == nil {
		err = checkRegisterOptions(&m.Options)
	}
	if err == nil {
		err = s.allowed(ActionRegister, m.Procedure, wamp.Exact)
	}
	if err == nil {
		err = s.addRegistration(m)
	}
	if err != nil {
		s.fault(wamp.TypeRegister, m.Request, err)
	}
}

// checkRegisterOptions refuses what the router does not announce, rather than
// doing something else than what was asked.
func checkRegisterOptions(o *wamp.RegisterOptions) error {
	switch {
	case o.Match != wamp.Exact:
		return wamp.Errorf(wamp.URIOptionNotAllowed, "match %q: procedures are registered by their exact URI here", o.Match)
	case o.Invoke != "" && o.Invoke != "single":
		return wamp.Errorf(wamp.URIOptionNotAllowed, "invoke %q: a procedure has a single callee here", clip(o.Invoke))
	case o.Concurrency != 0:
		return wamp.Errorf(wamp.URIOptionNotAllowed, "concurrency: limits on invocations are not offered here")
	case o.ForceRegister:
		return wamp.Errorf(wamp.URIOptionNotAllowed, "force_reregister is not offered here")
	case o.DiscloseCaller:
		return wamp.Errorf(wamp.URIOptionNotAllowed, "disclose_caller: callers disclose themselves here, by disclose_me")
	}
	return nil
}

func (s *Session) addRegistration(m *wamp.Register) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return nil
	}
	if most := s.limits.MaxRegistrations; len(s.regs) >= most {
		return wamp.Errorf(wamp.URILimit, "the session has %d registrations already, which is the limit", most)
	}
	d := &s.realm.dealer
	d.mu.Lock()
	defer d.mu.Unlock()
	if had := d.procs[m.Procedure]; had != nil && (had.callee == nil || !had.callee.ending.Load()) {
		return wamp.Errorf(wamp.URIProcedureExists, "procedure %q is registered already", m.Procedure)
	}
	reg := &registration{id: wamp.ID(d.lastID.Add(1)), procedure: m.Procedure, callee: s}
	d.procs[m.Procedure] = reg
	if s.regs == nil {
		s.regs = make(map[wamp.ID]*registration)
	}
	s.regs[reg.id] = reg
	s.reply(&wamp.Registered{Request: m.Request, Registration: reg.id}) // before any INVOCATION: d.mu is held
	return nil
}

// unregister handles UNREGISTER.
func (s *Session) unregister(m *wamp.Unregister) {
	s.mu.Lock()
	reg := s.regs[m.Registration]
	delete(s.regs, m.Registration)
	s.mu.Unlock()
	if reg == nil {
		s.fault(wamp.TypeUnregister, m.Request,
			wamp.Errorf(wamp.URINoSuchRegistration, "the session has no registration %d", m.Registration))
		return
	}
	s.realm.dealer.remove(reg)
	s.reply(&wamp.Unregistered{Request: m.Request})
}

// remove forgets reg, unless another session has taken the procedure over.
func (d *dealer) remove(reg *registration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.procs[reg.procedure] == reg {
		delete(d.procs, reg.procedure)
	}
}

// leave takes back what a session that ended had registered, answers the calls
// that it was asked to run, and gives up those that it made.
func (d *dealer) leave(ws *workspace, s *Session, regs map[wamp.ID]*registration, calls, invocations map[wamp.ID]*call) {
	for _, reg := range regs {
		d.remove(reg)
	}
	for _, c := range invocations {
		c.fault(ws, wamp.Errorf(wamp.URICanceled, "the callee left before it answered"))
	}
	for _, c := range calls {
		c.abandon(ws)
	}
}
