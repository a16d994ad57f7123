package router

import (
	"context"
	"slices"

	"github.com/wireroom/wireroom/router/wamp"
)

// sessionProcedures are those of WAMP "Session Meta API".
func (r *Realm) sessionProcedures() map[wamp.URI]metaProcedure {
	return map[wamp.URI]metaProcedure{
		"wamp.session.count":            r.countSessions,
		"wamp.session.list":             r.listSessions,
		"wamp.session.get":              r.getSession,
		"wamp.session.kill":             r.killSession,
		"wamp.session.kill_by_authid":   r.killByAuthID,
		"wamp.session.kill_by_authrole": r.killByAuthRole,
		"wamp.session.kill_all":         r.killAll,
	}
}

// Describe returns what the meta API tells of the session, as a new dictionary:
// session, authid, authrole, authmethod, authprovider, and of transport its
// type, protocol and whether it is secure.
func (s *Session) Describe() map[string]any { return s.describe() }

// describe returns what the meta API tells of a session. Of its transport it
// tells the kind, never where the peer is: everybody may learn it who may
// subscribe to wamp.session.on_join.
func (s *Session) describe() map[string]any {
	peer := &s.peer
	if l := s.lasting(); l != nil {
		peer = l.at()
	}
	return map[string]any{
		"session":      s.id,
		"authid":       s.authid,
		"authrole":     s.authrole,
		"authmethod":   s.authmethod,
		"authprovider": s.provider,
		"transport": map[string]any{
			"type":     peer.Transport,
			"protocol": peer.Serializer.Subprotocol(),
			"secure":   peer.Secure,
		},
	}
}

// sessionsWhere returns the realm's sessions for which keep is true, without
// those that are ending.
func (r *Realm) sessionsWhere(keep func(*Session) bool) []*Session {
	r.mu.Lock()
	all := make([]*Session, 0, len(r.sessions))
	for _, s := range r.sessions {
		all = append(all, s)
	}
	r.mu.Unlock()
	return slices.DeleteFunc(all, func(s *Session) bool { return s.ending.Load() || !keep(s) })
}

func sessionIDs(sessions []*Session) []wamp.ID {
	ids := make([]wamp.ID, len(sessions))
	for i, s := range sessions {
		ids[i] = s.id
	}
	return ids
}

// filtered returns the sessions that the call's filter of roles lets through.
func (r *Realm) filtered(a *metaArgs) ([]*Session, error) {
	roles, err := a.texts(0, "filter_authroles")
	if err != nil {
		return nil, err
	}
	return r.sessionsWhere(func(s *Session) bool {
		return roles == nil || slices.Contains(roles, s.authrole)
	}), nil
}

func (r *Realm) countSessions(a *metaArgs) ([]any, error) {
	if a.at(0) == nil {
		return []any{r.SessionCount()}, nil
	}
	sessions, err := r.filtered(a)
	return []any{len(sessions)}, err
}

func (r *Realm) listSessions(a *metaArgs) ([]any, error) {
	sessions, err := r.filtered(a)
	return []any{sessionIDs(sessions)}, err
}

func (r *Realm) getSession(a *metaArgs) ([]any, error) {
	id, err := a.id(0, "session")
	if err != nil {
		return nil, err
	}
	s := r.Session(id)
	if s == nil {
		return nil, errNoSuchSession(id)
	}
	return []any{s.describe()}, nil
}

func errNoSuchSession(id wamp.ID) error {
	return wamp.Errorf(wamp.URINoSuchSession, "there is no session %d to do that with", id)
}

// farewellOf returns what the call says that killed sessions are told.
func farewellOf(a *metaArgs) (*wamp.Error, error) {
	why := &wamp.Error{URI: wamp.URICloseKilled}
	if v := a.dict["reason"]; v != nil {
		s, _ := v.(string)
		if why.URI = wamp.URI(s); len(s) > maxURI || !why.URI.Valid() {
			return nil, wamp.Errorf(wamp.URIInvalidURI, "reason: expected a URI")
		}
	}
	message, given, err := a.option("message")
	if given {
		why.Details = map[string]any{"message": message}
	}
	return why, err
}

// kill ends the session and takes it off the list of the realm's at once.
func (s *Session) kill(why *wamp.Error) {
	s.killed.Store(true)
	s.End(why)
	s.realm.forget(s)
}

func (r *Realm) killSession(a *metaArgs) ([]any, error) {
	id, err := a.id(0, "session")
	if err != nil {
		return nil, err
	}
	ids, err := r.killAs(a, Kill{Session: id})
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, errNoSuchSession(id)
	}
	return nil, nil
}

// killAs kills sessions, but never the caller's, whom the call gives the reason.
func (r *Realm) killAs(a *metaArgs, k Kill) ([]wamp.ID, error) {
	why, err := farewellOf(a)
	if err != nil {
		return nil, err
	}
	k.Except, k.Why = a.caller.id, why
	return r.killEverywhere(context.Background(), k)
}

// EndSessions ends the realm's sessions for which doomed is true, as
// [Session.End] does, and returns how many. A session that joins meanwhile may
// or may not be asked about.
func (r *Realm) EndSessions(why *wamp.Error, doomed func(s *Session) bool) int {
	sessions := r.sessionsWhere(doomed)
	for _, s := range sessions {
		s.End(why)
	}
	return len(sessions)
}

func (r *Realm) killByAuthID(a *metaArgs) ([]any, error) {
	authid, err := a.text(0, "authid")
	if err != nil {
		return nil, err
	}
	ids, err := r.killAs(a, Kill{AuthID: &authid})
	return []any{ids}, err
}

func (r *Realm) killByAuthRole(a *metaArgs) ([]any, error) {
	authrole, err := a.text(0, "authrole")
	if err != nil {
		return nil, err
	}
	ids, err := r.killAs(a, Kill{AuthRole: &authrole})
	return []any{len(ids)}, err
}

// killAll kills in silence: neither meta events nor testaments tell of it.
func (r *Realm) killAll(a *metaArgs) ([]any, error) {
	ids, err := r.killAs(a, Kill{All: true})
	return []any{len(ids)}, err
}
