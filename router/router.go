package router

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Router routes WAMP messages among the sessions of its realms. All methods
// are safe for concurrent use.
type Router struct {
	// Fixed at construction.
	cfg      Config
	auth     Authenticator
	log      *slog.Logger
	flushers flushers
	lanes    lanes
	admit    admission
	wg       sync.WaitGroup // every goroutine that the router starts

	realms atomic.Pointer[map[wamp.URI]*Realm] // copied on change, under mu
	stats  counters

	mu       sync.Mutex            // guards the following
	sessions map[*Session]struct{} // of connections
	lasting  map[*Session]struct{} // that can be resumed; nil: there was none yet
	away     crowd                 // of these without a connection
	closing  bool
	empty    chan struct{} // closed when closing and no session is left; nil before
}

// New returns a router without realms. Its goroutines run until
// [Router.Shutdown].
func New(cfg Config, auth Authenticator, log *slog.Logger) *Router {
	if cfg.Flushers == 0 {
		cfg.Flushers = runtime.GOMAXPROCS(0)
	}
	r := &Router{cfg: cfg, auth: auth, log: log, sessions: make(map[*Session]struct{})}
	r.realms.Store(&map[wamp.URI]*Realm{})
	r.admit.init(cfg.Admission)
	r.flushers.start(cfg.Flushers, &r.wg)
	r.lanes.init(&r.flushers)
	return r
}

// AddRealm adds a realm. It panics if the name is taken: realms are the
// program's own decision.
func (r *Router) AddRealm(name wamp.URI, rules Authorizer, gov Governor) *Realm {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := *r.realms.Load()
	if _, ok := old[name]; ok {
		panic("router: realm " + string(name) + " exists")
	}
	realm := newRealm(r, name, rules, gov)
	realms := make(map[wamp.URI]*Realm, len(old)+1)
	maps.Copy(realms, old)
	realms[name] = realm
	r.realms.Store(&realms)
	return realm
}

// Realm returns the realm of that name, or nil.
func (r *Router) Realm(name wamp.URI) *Realm { return (*r.realms.Load())[name] }

// MaxDepth returns how deep messages may nest, as [Config] says.
func (r *Router) MaxDepth() int { return r.cfg.MaxDepth }

// Attach makes a session for a peer that has just connected. The peer has the
// hello timeout to say HELLO. The caller is the link's reader; see [Link]. A
// router that is shutting down closes the link at once.
func (r *Router) Attach(link Link, peer Peer) *Session {
	s := &Session{router: r, link: link, peer: peer, limits: &r.cfg.Limits}
	s.traffic = newTraffic(s, &r.cfg.Statistics)
	s.out.limit, s.out.most = r.cfg.QueueBytes, uint32(peer.MaxFrame)
	r.mu.Lock()
	closing := r.closing
	if !closing {
		r.sessions[s] = struct{}{}
	}
	r.mu.Unlock()
	if closing {
		s.fail(errEnded, 0)
		return s
	}
	s.awaitHello()
	return s
}

func (r *Router) detach(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, s)
	r.emptiedLocked()
}

// emptiedLocked wakes Shutdown if no session is left.
func (r *Router) emptiedLocked() {
	if r.closing && len(r.sessions)+len(r.lasting) == 0 && r.empty != nil {
		close(r.empty)
		r.empty = nil
	}
}

// Shutdown says goodbye to every session (wamp.close.system_shutdown), waits
// until all have gone or ctx is done, closes the connections that are left,
// and ends the router's goroutines. New connections are refused from its
// beginning on. It returns ctx's error if connections had to be closed.
//
// Each goodbye says in Details._retry_after when to come back: a second and
// more from now, so far apart as [Admission] lets sessions join, or else a
// millisecond. Goodbyes to many sessions are spread over up to 5s, at most a third
// of the time that ctx leaves.
func (r *Router) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	if r.closing {
		r.mu.Unlock()
		return nil
	}
	r.closing = true
	empty := make(chan struct{})
	r.empty = empty
	r.emptiedLocked()
	open := make([]*Session, 0, len(r.sessions)+len(r.lasting))
	for s := range r.sessions {
		if s.seat() == nil { // or its session is told
			open = append(open, s)
		}
	}
	for s := range r.lasting {
		open = append(open, s)
	}
	r.mu.Unlock()

	sayGoodbye(ctx, open, r.shuttingDown)
	var err error
	select {
	case <-empty:
	case <-ctx.Done():
		err = context.Cause(ctx)
		r.mu.Lock()
		for s := range r.sessions {
			s.link.Close()
		}
		r.mu.Unlock()
		<-empty
	}
	r.lanes.close()
	r.flushers.close()
	r.wg.Wait()
	for _, realm := range *r.realms.Load() {
		realm.forgetHistory()
	}
	return err
}

// NewID returns a random ID of the global scope (WAMP "IDs"), as for
// [Publication.ID].
func NewID() wamp.ID { return wamp.ID(rand.Uint64N(uint64(wamp.MaxID))) + 1 }

// Stats returns the router's counters as they are now.
func (r *Router) Stats() Stats {
	r.mu.Lock()
	connections, away := len(r.sessions), r.away.all
	r.mu.Unlock()
	stats := r.stats.snapshot(connections)
	stats.Resumption.Away = away
	return stats
}

// stopTimer stops t, if there is one.
func stopTimer(t *time.Timer) {
	if t != nil {
		t.Stop()
	}
}
