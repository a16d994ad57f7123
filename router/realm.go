package router

import (
	"sync"
	"sync/atomic"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Realm is a routing space of its own: sessions reach only each other.
type Realm struct {
	// Fixed at construction.
	router *Router
	name   wamp.URI
	rules  Authorizer
	gov    Governor // nil: no topic is governed

	elsewhere Elsewhere // nil: the realm is here only

	broker broker
	dealer dealer
	meta   chronicle

	retention retention
	owed      atomic.Int64  // receipts that sessions owe
	readings  chan struct{} // a slot for each session that reads the past; never closed

	welcomes welcomes

	busy atomic.Int64  // sessions that have not left, goroutines, and one until the realm is closed
	over chan struct{} // closed when nothing of that is left
	once sync.Once     // closes over

	mu       sync.Mutex // guards the following; taken after any other lock
	sessions map[wamp.ID]*Session
	closed   bool // nobody can join any more
}

func newRealm(r *Router, name wamp.URI, rules Authorizer, gov Governor) *Realm {
	realm := &Realm{
		router: r, name: name, rules: rules, gov: gov,
		over: make(chan struct{}), sessions: make(map[wamp.ID]*Session), readings: make(chan struct{}, maxReadings),
	}
	realm.busy.Store(1)
	realm.meta.realm = realm
	realm.broker.init(&r.stats, &realm.meta)
	realm.dealer.init(r, &realm.meta)
	realm.retention.init(&r.stats, &r.cfg)
	realm.provideMeta()
	return realm
}

// Name returns the realm's URI.
func (r *Realm) Name() wamp.URI { return r.name }

// Session returns the session with the ID, or nil.
func (r *Realm) Session(id wamp.ID) *Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[id]
}

// SessionCount returns how many sessions the realm has.
func (r *Realm) SessionCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sessions)
}

// draw returns an ID that no session of the realm has.
func (r *Realm) draw() wamp.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.drawLocked()
}

func (r *Realm) drawLocked() wamp.ID {
	id := NewID()
	for r.sessions[id] != nil {
		id = NewID()
	}
	return id
}

// admit makes s a session of the realm, with the ID that was drawn for it. In
// the one case in 2^53 that another one joined with the same ID meanwhile, it
// gets another. It reports false if the realm is closed. Otherwise the session
// calls done when it has left.
func (r *Realm) admit(s *Session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	if r.sessions[s.id] != nil {
		s.id = r.drawLocked()
	}
	r.sessions[s.id] = s
	r.busy.Add(1)
	return true
}

// forget takes the session off the realm's list. It may be called again.
func (r *Realm) forget(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions[s.id] == s {
		delete(r.sessions, s.id)
	}
}

// Publish routes p and returns its publication ID. Frames are queued when it
// returns; writing them is left to the router's flushers. It never waits for a
// peer. Publications of one goroutine reach each subscriber in their order.
func (r *Realm) Publish(p *Publication) wamp.ID {
	ws := getWorkspace()
	r.broker.publish(ws, p)
	ws.handOver(&r.router.flushers)
	putWorkspace(ws)
	p.book.seal()
	return p.ID
}
