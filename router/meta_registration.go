package router

import (
	"github.com/wireroom/wireroom/router/wamp"
)

// describe returns what the meta API tells of a registration.
func (r *registration) describe() map[string]any {
	return map[string]any{
		"id":      r.id,
		"created": isoTime(r.created),
		"uri":     r.uri,
		"match":   r.match.String(),
		"invoke":  r.invoke.String(),
	}
}

// registrationProcedures are those of WAMP "Registration Meta API".
func (r *Realm) registrationProcedures() map[wamp.URI]metaProcedure {
	d := &r.dealer
	return map[wamp.URI]metaProcedure{
		"wamp.registration.list":          d.listRegistrations,
		"wamp.registration.lookup":        d.lookUpRegistration,
		"wamp.registration.match":         d.matchRegistration,
		"wamp.registration.get":           d.getRegistration,
		"wamp.registration.list_callees":  d.listCallees,
		"wamp.registration.count_callees": d.countCallees,
		"wamp.registration.remove_callee": r.removeCallee,
	}
}

// listRegistrations leaves out the router's own procedures, which are always
// the same and nobody's.
func (d *dealer) listRegistrations(*metaArgs) ([]any, error) {
	var lists idLists
	d.mu.RLock()
	for id, reg := range d.ids {
		if reg.handler == nil {
			lists[reg.match] = append(lists[reg.match], id)
		}
	}
	d.mu.RUnlock()
	return lists.result(), nil
}

func (d *dealer) lookUpRegistration(a *metaArgs) ([]any, error) {
	procedure, match, err := a.uri(0, "procedure", true)
	if err != nil {
		return nil, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	return idOrNull(d.getLocked(procedure, match)), nil
}

func (d *dealer) matchRegistration(a *metaArgs) ([]any, error) {
	procedure, _, err := a.uri(0, "procedure", false)
	if err != nil {
		return nil, err
	}
	return idOrNull(d.find(procedure)), nil
}

func idOrNull(reg *registration) []any {
	if reg == nil {
		return []any{nil}
	}
	return []any{reg.id}
}

// registration returns the registration whose ID is the first argument.
func (d *dealer) registration(a *metaArgs) (*registration, error) {
	id, err := a.id(0, "registration")
	if err != nil {
		return nil, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	reg := d.ids[id]
	if reg == nil {
		return nil, wamp.Errorf(wamp.URINoSuchRegistration, "there is no registration %d", id)
	}
	return reg, nil
}

func (d *dealer) getRegistration(a *metaArgs) ([]any, error) {
	reg, err := d.registration(a)
	if err != nil {
		return nil, err
	}
	return []any{reg.describe()}, nil
}

// calleeIDs returns the sessions that run the procedure.
func (r *registration) calleeIDs() []wamp.ID {
	r.desk.mu.Lock()
	defer r.desk.mu.Unlock()
	ids := make([]wamp.ID, 0, r.callees.n)
	for e := range r.callees.all() {
		ids = append(ids, e.session.id)
	}
	return ids
}

func (d *dealer) listCallees(a *metaArgs) ([]any, error) {
	reg, err := d.registration(a)
	if err != nil {
		return nil, err
	}
	return []any{reg.calleeIDs()}, nil
}

func (d *dealer) countCallees(a *metaArgs) ([]any, error) {
	reg, err := d.registration(a)
	if err != nil {
		return nil, err
	}
	return []any{len(reg.calleeIDs())}, nil
}
