package router

import (
	"github.com/wireroom/wireroom/router/wamp"
)

// RevokeSubscriptions ends the subscriptions of the realm's sessions for which
// doomed is true, and returns how many. No event of such a subscription comes
// after that. A session that announces subscription_revocation gets
// UNSUBSCRIBED with the reason, which may be empty; others can learn it from
// wamp.subscription.on_unsubscribe only (WAMP "Subscription Revocation").
//
// doomed is called under no lock, and may be slow. A session that subscribes
// meanwhile may or may not be asked about: whoever revokes because a right is
// gone takes the right away first.
func (r *Realm) RevokeSubscriptions(reason string, doomed func(s *Session, topic wamp.URI, match wamp.Match) bool) (n int) {
	for _, s := range r.sessionsWhere(func(*Session) bool { return true }) {
		for _, m := range s.members() {
			if doomed(s, m.sub.topic, m.sub.match) && s.revokeMember(m, reason) {
				n++
			}
		}
	}
	return n
}

// members returns the session's parts in subscriptions.
func (s *Session) members() []*member {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*member, 0, len(s.subs))
	for _, m := range s.subs {
		all = append(all, m)
	}
	return all
}

// revokeMember ends a session's part in a subscription, and reports whether the
// session had it still.
func (s *Session) revokeMember(m *member, reason string) bool {
	announced := s.features&featureRevokeSubscription != 0
	var frame []byte
	if announced {
		frame = s.frame(&wamp.Unsubscribed{Subscription: m.sub.id, Reason: wamp.URI(reason)})
	}
	s.mu.Lock()
	if s.subs[m.sub.id] != m {
		s.mu.Unlock()
		return false
	}
	// All under the session's lock: if it subscribes again, which brings the
	// same ID, SUBSCRIBED comes after UNSUBSCRIBED.
	delete(s.subs, m.sub.id)
	result := m.end(frame)
	s.mu.Unlock()
	m.revoked = !announced
	m.leave()
	s.realm.broker.remove(m)
	ws := getWorkspace()
	ws.pushed(s, result)
	ws.handOver(&s.router.flushers)
	putWorkspace(ws)
	s.router.stats.revoked.Add(1)
	return true
}

// end lets no event follow frame, which is queued unless it is nil.
func (m *member) end(frame []byte) pushed {
	o := &m.session.out
	o.mu.Lock()
	defer o.mu.Unlock()
	m.endLocked()
	if frame == nil {
		return refused
	}
	return o.pushLocked(entry{frame: frame}, 0)
}

// RevokeRegistrations takes the procedures from the realm's sessions for which
// doomed is true, and returns how many. What they were asked to run goes on. A
// session that announces registration_revocation gets UNREGISTERED with the
// reason, which may be empty; others can learn it from
// wamp.registration.on_unregister only (WAMP "Registration Revocation").
//
// doomed is called under no lock, as that of [Realm.RevokeSubscriptions].
func (r *Realm) RevokeRegistrations(reason string, doomed func(s *Session, procedure wamp.URI, match wamp.Match) bool) (n int) {
	for _, s := range r.sessionsWhere(func(*Session) bool { return true }) {
		for _, e := range s.endpoints() {
			if doomed(s, e.reg.uri, e.reg.match) && r.dealer.revoke(e, reason) {
				n++
			}
		}
	}
	return n
}

// endpoints returns the session's parts in registrations.
func (s *Session) endpoints() []*endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*endpoint, 0, len(s.regs))
	for _, e := range s.regs {
		all = append(all, e)
	}
	return all
}

// revoke takes a procedure from one of its callees, and reports whether that
// had it still.
func (d *dealer) revoke(e *endpoint, reason string) bool {
	ws := getWorkspace()
	defer putWorkspace(ws)
	// First it is taken out, so that the callee can register again as soon
	// as it is told.
	removed := d.remove(ws, e, true)
	if removed {
		e.revoked(ws, wamp.URI(reason))
	}
	ws.handOver(&d.router.flushers)
	return removed
}

// revoked tells a callee that a procedure was taken from it, if it understands
// (WAMP "Registration Revocation"). What it was asked to run goes on.
func (e *endpoint) revoked(ws *workspace, reason wamp.URI) {
	s, id := e.session, e.reg.id
	result := refused
	s.mu.Lock()
	if s.regs[id] == e {
		delete(s.regs, id)
		s.router.stats.revoked.Add(1)
		if s.features&featureRevokeRegistration != 0 {
			result = s.out.push(s.frame(&wamp.Unregistered{Registration: id, Reason: reason}))
		}
	}
	s.mu.Unlock()
	ws.pushed(s, result)
}

// removeSubscriber is wamp.subscription.remove_subscriber(subscription_id,
// subscriber_id, reason), as crossbar has it.
func (r *Realm) removeSubscriber(a *metaArgs) ([]any, error) {
	id, s, reason, err := r.revocation(a, "subscription_id", "subscriber_id")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	m := s.subs[id]
	s.mu.Unlock()
	if m == nil || !s.revokeMember(m, reason) {
		return nil, wamp.Errorf(wamp.URINoSuchSubscription, "session %d has no subscription %d", s.id, id)
	}
	return nil, nil
}

// removeCallee is wamp.registration.remove_callee(registration_id, callee_id,
// reason), as crossbar has it.
func (r *Realm) removeCallee(a *metaArgs) ([]any, error) {
	id, s, reason, err := r.revocation(a, "registration_id", "callee_id")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	e := s.regs[id]
	s.mu.Unlock()
	if e == nil || !r.dealer.revoke(e, reason) {
		return nil, wamp.Errorf(wamp.URINoSuchRegistration, "session %d has no registration %d", s.id, id)
	}
	return nil, nil
}

// revocation returns the arguments of the two above, which may be positional or
// go by name.
func (r *Realm) revocation(a *metaArgs, of, from string) (id wamp.ID, s *Session, reason string, err error) {
	for i, name := range []string{of, from, "reason"} {
		if v, ok := a.dict[name]; ok && len(a.list) == i {
			a.list = append(a.list, v)
		}
	}
	if id, err = a.id(0, of); err != nil {
		return 0, nil, "", err
	}
	session, err := a.id(1, from)
	if err != nil {
		return 0, nil, "", err
	}
	if a.at(2) != nil {
		if reason, err = a.text(2, "reason"); err != nil {
			return 0, nil, "", err
		}
	}
	if len(reason) > maxURI {
		return 0, nil, "", wamp.Errorf(wamp.URIInvalidArgument, "argument 3, reason: expected at most %d bytes, found %d", maxURI, len(reason))
	}
	if s = r.Session(session); s == nil {
		return 0, nil, "", errNoSuchSession(session)
	}
	return id, s, reason, nil
}
