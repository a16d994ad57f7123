package nodes

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/wamp"
)

// gapTopic is where clients hear that publications of other gateways may be
// missing.
const gapTopic = "wireroom.node.on_gap"

// A Realm is a realm that is at several gateways: [router.Elsewhere] and
// [presence.Peers].
type Realm struct {
	// Fixed at construction.
	mesh   *Mesh
	router *router.Realm
	relay  Relay

	keeper atomic.Pointer[presence.Keeper] // nil: it has no presence
	in     losses                          // publications that came and found no room

	mu      sync.Mutex // guards the following; taken after any other lock
	changed map[attendee]presence.Attendee
}

// A Relay routes events of classes that are not retained, which another gateway has
// accepted. It returns an error if it can do nothing with one.
type Relay func(e Event) error

// An Event is one of a class that is not retained.
type Event struct {
	Class       string
	ID          string
	Time        time.Time
	Data        []byte
	Publication wamp.ID
	Options     *wamp.PublishOptions // of a client; nil: none
	From        *router.Publisher    // nil: no client
	Missed      uint64               // so many of the class are missing before it
}

// Realm makes a realm one that is at other gateways, too, before anybody can join it
// ([router.Realm.Extend]). relay routes events of its classes.
func (m *Mesh) Realm(rt *router.Realm, relay Relay) *Realm {
	r := &Realm{mesh: m, router: rt, relay: relay, changed: make(map[attendee]presence.Attendee)}
	rt.Extend(r)
	m.mu.Lock()
	m.realms[rt.Name()] = r
	m.mu.Unlock()
	return r
}

// Keep has the realm say who is present here, and k know who is elsewhere.
func (r *Realm) Keep(k *presence.Keeper) {
	r.keeper.Store(k)
	_ = r.mesh.send(kindWho, struct{}{}) // if it is not sent, there will be a gap
	r.mesh.sayAll()
}

// Close takes the realm out of the mesh. Its members have left before.
func (r *Realm) Close() {
	m := r.mesh
	m.mu.Lock()
	if m.realms[r.router.Name()] == r {
		delete(m.realms, r.router.Name())
	}
	m.mu.Unlock()
	m.sayAll() // without those of whom it could not be said any more
}

// tellGap tells clients who want to know that publications may be missing.
func (r *Realm) tellGap() {
	r.router.Publish(&router.Publication{Topic: gapTopic, Exact: true, Payload: wamp.Payload{Serializer: wamp.JSON}})
}
