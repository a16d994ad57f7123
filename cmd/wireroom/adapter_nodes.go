package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/nodes"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/redis"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/wamp"
)

// A sharedStore is one that several gateways can use, which so hear of each other.
type sharedStore interface {
	nodes.Bus
	Follow(f redis.Follower)
}

// A follower hands on what other gateways do.
type follower struct {
	mesh *nodes.Mesh
	logs *sharedLogs
}

// Join implements [redis.Follower].
func (f follower) Join(node string) { f.mesh.Join(node) }

// Leave implements [redis.Follower].
func (f follower) Leave(node string) { f.mesh.Leave(node) }

// Gap implements [redis.Follower].
func (f follower) Gap() {
	f.logs.gap()
	f.mesh.Gap()
}

// Message implements [redis.Follower].
func (f follower) Message(node, kind string, payload []byte) { f.mesh.Message(node, kind, payload) }

// Appended implements [redis.Follower].
func (f follower) Appended(_ string, records []events.Record, at []events.Appended) {
	f.logs.appended(records, at)
}

// newMesh returns what joins the gateway with others that use its store, or nil if
// there can be none. They tell each other what is revoked.
func newMesh(s store, sessions *auth.Sessions, log *slog.Logger) *nodes.Mesh {
	bus, ok := s.(sharedStore)
	if !ok {
		return nil
	}
	m := nodes.New(bus, sessions, log)
	sessions.OnRevocation(m.Revoked)
	return m
}

// follow begins to hear others, when all realms are open.
func (g *gateway) follow() {
	if g.mesh != nil {
		g.store.(sharedStore).Follow(follower{g.mesh, &sharedLogs{&g.realms, g.plain}})
	}
}

// unfollow hears others no more.
func (g *gateway) unfollow() {
	if g.mesh != nil {
		g.store.(sharedStore).Follow(nil)
		g.mesh.Close()
	}
}

// spread makes a realm that nobody can join yet one of all gateways. The result is
// nil if there can be no others.
func (g *gateway) spread(rt *router.Realm, hub *events.Hub, deliver *delivery) *nodes.Realm {
	if g.mesh == nil {
		return nil
	}
	provideNodeStats(rt, g.mesh, deliver.anonymous)
	deliver.elsewhere = g.mesh.Realm(rt, hashOf(hub.Catalogue()), func(e nodes.Event) error { return relay(hub, e) })
	return deliver.elsewhere
}

// peersOf returns the realm as presence wants it, which must not be a nil that is
// none.
func peersOf(r *nodes.Realm) presence.Peers {
	if r == nil {
		return nil
	}
	return r
}

// hashOf returns what stands for the classes: two gateways with different ones have
// different hashes.
func hashOf(cat *events.Catalogue) string {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, c := range cat.Classes() {
		_ = enc.Encode(c.Describe()) // neither fails
	}
	return hex.EncodeToString(h.Sum(nil))
}

// relay routes an event of a class that is not retained, which another gateway has
// accepted.
func relay(hub *events.Hub, e nodes.Event) error {
	return hub.Relay(&events.Event{
		Class: e.Class, ID: e.ID, Time: e.Time.UTC(), Data: e.Data,
		Origin: &origin{id: e.Publication, options: e.Options, foreign: true, publisher: e.From, missed: e.Missed},
	})
}

// tellOthers passes on an event that was accepted here, and is in no log.
func (d *delivery) tellOthers(e *events.Event, p *router.Publication) {
	d.elsewhere.Routed(&nodes.Event{
		Class: e.Class, ID: e.ID, Time: e.Time, Data: e.Data,
		Publication: p.ID, Options: p.Options, From: p.Publisher(),
	})
}

// missedField says how many events are missing before one.
func missedField(n uint64) wamp.Field { return wamp.UintField("_missed", n) }
