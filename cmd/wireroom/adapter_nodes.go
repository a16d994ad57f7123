package main

import (
	"log/slog"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/lease"
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
	Configure(c redis.Configuration)
}

// A follower hands on what other gateways do.
type follower struct {
	mesh   *nodes.Mesh
	logs   *sharedLogs
	leases *lease.Keeper
}

// Join implements [redis.Follower].
func (f follower) Join(node string) { f.mesh.Join(node) }

// Leave implements [redis.Follower].
func (f follower) Leave(node string) {
	f.mesh.Leave(node)
	f.leases.Look() // at what it had
}

// Gap implements [redis.Follower].
func (f follower) Gap() {
	f.logs.gap()
	f.mesh.Gap()
	f.leases.Look() // others may have what this one had
}

// Message implements [redis.Follower].
func (f follower) Message(node, kind string, payload []byte) { f.mesh.Message(node, kind, payload) }

// Configured implements [redis.Follower].
func (f follower) Configured(c redis.Configured) {
	told := nodes.Configuration{Epoch: c.Epoch, By: c.Name, Since: c.Since, Differs: c.Differs}
	for _, g := range c.Gateways {
		told.Gateways = append(told.Gateways, nodes.Gateway{
			Node: g.Node, Name: g.Name, Epoch: g.Epoch, Since: g.Since, Newest: g.Digest == c.Digest || g.Digest == "",
		})
	}
	f.mesh.Configured(told)
}

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
	if g.mesh == nil {
		return
	}
	s := g.store.(sharedStore)
	s.Follow(follower{g.mesh, &sharedLogs{&g.realms, g.plain}, g.leases})
	digest, parts := g.cfg.Digest()
	s.Configure(redis.Configuration{Digest: digest, Parts: parts})
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
	deliver.elsewhere = g.mesh.Realm(rt, func(e nodes.Event) error { return relay(hub, e) })
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
