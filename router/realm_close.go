package router

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wireroom/wireroom/router/wamp"
)

// ErrNoRealm says that a router has no realm of that name.
var ErrNoRealm = errors.New("router: no such realm")

// RemoveRealm takes a realm from the router, which goes on with its others.
// From its beginning on nobody joins the realm, and another one can be added
// under the name.
//
// Calls under way are answered with wamp.error.canceled, and then each session
// ends: GOODBYE with wamp.close.close_realm, testaments, and all else as when
// the router ends it. Goodbyes to many are spread as those of [Router.Shutdown],
// and who has not been told yet is served. Peers that are about to join get ABORT. RemoveRealm waits
// until all of them have left, and whatever ran for them has ended: replays,
// testaments, meta events. It does not wait for peers, whose connections close
// in their time. If ctx is done before, it returns ctx's error, and the rest
// comes about by itself.
//
// Whoever still holds the [Realm] may publish, to nobody.
func (r *Router) RemoveRealm(ctx context.Context, name wamp.URI) error {
	realm := r.takeRealm(name)
	if realm == nil {
		return fmt.Errorf("%w: %s", ErrNoRealm, name)
	}
	realm.close(ctx)
	select {
	case <-realm.over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// takeRealm makes the realm unknown, and returns it, or nil.
func (r *Router) takeRealm(name wamp.URI) *Realm {
	r.mu.Lock()
	defer r.mu.Unlock()
	realms := maps.Clone(*r.realms.Load())
	realm := realms[name]
	delete(realms, name)
	r.realms.Store(&realms)
	return realm
}

// joiners returns the sessions that are about to join the realm.
func (r *Router) joiners(realm *Realm) (joiners []*Session) {
	r.mu.Lock()
	all := slices.Collect(maps.Keys(r.sessions))
	r.mu.Unlock()
	for _, s := range all {
		s.mu.Lock()
		if s.realm == realm && !s.joined.Load() && s.seat() == nil {
			joiners = append(joiners, s)
		}
		s.mu.Unlock()
	}
	return joiners
}

// close ends the sessions of a realm that nobody finds any more, in steps until
// ctx is done. It is called once.
func (r *Realm) close(ctx context.Context) {
	r.mu.Lock()
	r.closed = true
	members := slices.Collect(maps.Values(r.sessions))
	r.mu.Unlock()
	for _, s := range r.router.joiners(r) { // any later one is refused by admit
		s.End(r.errClosed())
	}
	ws := getWorkspace()
	for _, s := range members { // before any callee goes
		s.cancelCalls(ws, wamp.Errorf(wamp.URICanceled, "the realm %s is being closed", r.name))
		ws.handOver(&r.router.flushers)
	}
	putWorkspace(ws)
	why := wamp.Errorf(wamp.URICloseRealm, "the realm %s is being closed", r.name)
	sayGoodbye(ctx, members, func(int) *wamp.Error { return why })
	r.retention.clear()
	r.forgetHistory()
	r.done()
}

// errClosed is why nobody can join the realm any more.
func (r *Realm) errClosed() *wamp.Error {
	return wamp.Errorf(wamp.URINoSuchRealm, "the realm %q is being closed", clip(string(r.name)))
}

// cancelCalls answers the calls that the session has made with err. Its
// callees, which end as well, are not asked to stop.
func (s *Session) cancelCalls(ws *workspace, err error) {
	s.mu.Lock()
	calls := slices.Collect(maps.Values(s.calls))
	s.mu.Unlock()
	for _, c := range calls {
		c.cut(ws, err, wamp.Skip, wamp.URICloseRealm)
	}
}

// run starts a goroutine of the realm.
func (r *Realm) run(f func()) {
	r.busy.Add(1)
	r.router.wg.Go(func() {
		defer r.done()
		f()
	})
}

// done notes that something has ended that was counted in busy. What begins
// after the realm is over is not waited for.
func (r *Realm) done() {
	if r.busy.Add(-1) == 0 {
		r.once.Do(func() { close(r.over) })
	}
}

// clear forgets all events.
func (rt *retention) clear() {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	clear(rt.topics)
	rt.count, rt.bytes = 0, 0
}
