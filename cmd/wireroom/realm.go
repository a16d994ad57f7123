package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/dynamic"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/nodes"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/wamp"
)

// A realm is everything of one realm: who may join it and do what, its event
// classes and their logs, and its sessions. It shares the store, the listeners
// and the router with others, and nothing else. It is not changed once open.
type realm struct {
	name   wamp.URI
	auth   *auth.Auth
	limits map[string]*router.Limits // of roles that have some of their own
	hub    *events.Hub
	keeper *events.Keeper
	keeps  events.PersistentStore // of its persistent subscriptions
	router *router.Realm
	caller *dynamic.Caller // of procedures that decide for the gateway

	presence  *presence.Keeper // nil: nobody may ask who is on a topic
	elsewhere *nodes.Realm     // nil: there can be no other gateways
}

// close ends what works for the realm, when nobody is in it any more.
func (r *realm) close() {
	if r.presence != nil {
		r.presence.Close()
	}
	if r.elsewhere != nil {
		r.elsewhere.Close()
	}
	r.hub.Close()
	r.closeKeeper()
}

// A realms is the realms that are open, by name.
type realms struct {
	changing sync.Mutex // held while one is opened or closed, before mu
	closed   bool       // guarded by changing: none is opened any more

	mu   sync.RWMutex // guards the following
	open map[wamp.URI]*realm
}

// get returns the realm of that name, or nil.
func (r *realms) get(name wamp.URI) *realm {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.open[name]
}

// those returns who knows the clients of one of these realms: nil if it is
// another, or not open.
func (r *realms) those(names []wamp.URI) func(name wamp.URI) *auth.Auth {
	return func(name wamp.URI) *auth.Auth {
		if !slices.Contains(names, name) {
			return nil
		}
		if one := r.get(name); one != nil {
			return one.auth
		}
		return nil
	}
}

// put makes a realm known.
func (r *realms) put(one *realm) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = make(map[wamp.URI]*realm)
	}
	r.open[one.name] = one
}

// take makes a realm unknown, and returns it, or nil.
func (r *realms) take(name wamp.URI) *realm {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.open[name]
	delete(r.open, name)
	return one
}

// names returns the names of the realms, sorted.
func (r *realms) names() []wamp.URI {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.open))
}

// errRealms says that the gateway opens no realms any more.
var errRealms = errors.New("the gateway is shutting down")

// openRealm opens a realm, which must not be open. Clients can join it, and
// web applications post to it, when openRealm returns. With an error nothing
// of it is left open.
func (g *gateway) openRealm(ctx context.Context, cfg *config.Realm) error {
	g.realms.changing.Lock()
	defer g.realms.changing.Unlock()
	switch {
	case g.realms.closed:
		return fmt.Errorf("open the realm %s: %w", cfg.Name, errRealms)
	case g.realms.get(cfg.Name) != nil:
		return fmt.Errorf("open the realm %s: it is open already", cfg.Name)
	}
	one, err := g.newRealm(ctx, cfg)
	if err != nil {
		return fmt.Errorf("open the realm %s: %w", cfg.Name, err)
	}
	// From now on the authenticator lets clients in: all is in its place.
	g.realms.put(one)
	if _, shared := g.store.(listener); shared {
		one.hub.CatchUp() // with what other gateways appended before it could be told
	}
	g.log.Info("realm open", "realm", string(cfg.Name), "classes", len(cfg.Classes))
	return nil
}

// newRealm wires a realm that nobody knows yet.
func (g *gateway) newRealm(ctx context.Context, cfg *config.Realm) (*realm, error) {
	log := func(part string) *slog.Logger { return g.log.With("part", part, "realm", string(cfg.Name)) }

	// Who.
	policy, err := auth.NewPolicy(map[wamp.URI]auth.Roles{cfg.Name: cfg.Roles})
	if err != nil {
		return nil, err
	}
	sees, err := newRows(cfg)
	if err != nil {
		return nil, err
	}
	users, err := configuredUsers(ctx, cfg.Users, g.store)
	if err != nil {
		return nil, err
	}

	var decoyKey []byte // of what strangers are answered
	if len(cfg.Authenticators) > 0 {
		if decoyKey, err = auth.DecoyKey(ctx, g.store); err != nil {
			return nil, err
		}
	}

	// What.
	catalogue, err := events.NewCatalogue(cfg.Classes)
	if err != nil {
		return nil, err
	}
	anonymous := cfg.Identity.Anonymous
	queries := events.NewQueries(catalogue, boundsOfQueries(g.cfg, cfg), log("queries"))
	deliver := &delivery{anonymous: anonymous, queries: queries}
	hub, err := events.NewHub(ctx, catalogue, realmLogs(g.store, cfg.Name, g.plain), deliver, hubConfig(g.cfg, g.replays.Step), log("events"))
	if err != nil {
		return nil, err
	}

	keeps := realmKeeps(g.store, cfg.Name, g.plain)
	keeper := events.NewKeeper(keeps, hub, g.cfg.Persistent, log("persistent"))

	// Between whom.
	govern := &governor{hub: hub, queries: queries, kept: &holdings{keeper: keeper}, anonymous: anonymous, log: log("replay")}
	caller := dynamic.NewCaller(g.router, cfg.Name, g.cfg.Dynamic.Timeout)
	asks := dynamic.NewAuthorizer(caller, g.cfg.Dynamic, log("authorizer"))
	rules := authorizer{policy: policy, asks: asks, rows: sees, hub: hub}
	deliver.realm = g.router.AddRealm(cfg.Name, rules, govern)
	elsewhere := g.spread(deliver.realm, hub, deliver)
	present := keepPresence(deliver.realm, g.cfg, attendance{realm: cfg.Name, policy: policy, ask: rules, govern: govern}, elsewhere, log("presence"))
	deliver.realm.KeepHistory(cfg.History)
	provide(deliver.realm, hub, policy, anonymous)
	provideQuery(deliver.realm, govern, policy)
	providePersistent(deliver.realm, govern)
	provideQueryStats(deliver.realm, queries, anonymous)
	provideAuth(deliver.realm, asks, anonymous)
	who := auth.New(cfg.Identity, policy, g.sessions, users)
	if len(cfg.Authenticators) > 0 {
		who = who.Asking(cfg.Name, dynamic.Lookups(caller, cfg.Authenticators, log("authenticator")), g.realms.those(cfg.AuthenticatorRealms), decoyKey)
	}
	provideSessions(deliver.realm, who, g.sessions, anonymous)
	return &realm{
		name: cfg.Name, auth: who, limits: cfg.RoleLimits,
		hub: hub, keeper: keeper, keeps: keeps, router: deliver.realm, caller: caller, presence: present, elsewhere: elsewhere,
	}, nil
}

// closeRealm closes a realm, whatever is under way in it, and leaves the others
// alone: its clients get GOODBYE, web applications are refused, and what the
// hub has accepted is in its logs, from where it can be opened again. It does
// not wait for clients that are slow to leave. With ctx done before all has
// ended in order it returns ctx's error; the realm is closed then, too.
func (g *gateway) closeRealm(ctx context.Context, name wamp.URI) error {
	g.realms.changing.Lock()
	defer g.realms.changing.Unlock()
	one := g.realms.take(name) // nobody posts to it or joins it any more
	if one == nil {
		return fmt.Errorf("close the realm %s: it is not open", name)
	}
	one.caller.Close()
	err := g.router.RemoveRealm(ctx, name)
	one.close()
	if err != nil {
		return fmt.Errorf("close the realm %s: %w", name, err)
	}
	g.log.Info("realm closed", "realm", string(name))
	return nil
}

// closeRealms delivers what the hubs have accepted, and opens no realm any
// more. Nobody may be left who posts or publishes.
func (g *gateway) closeRealms() {
	g.realms.changing.Lock()
	defer g.realms.changing.Unlock()
	g.realms.closed = true
	for _, name := range g.realms.names() {
		one := g.realms.take(name)
		one.caller.Close()
		one.close()
	}
}

// keeperPatience is how long a store may take to write, at the end, how far
// persistent subscriptions have come.
const keeperPatience = 5 * time.Second

// closeKeeper writes how far the persistent subscriptions have come.
func (r *realm) closeKeeper() {
	ctx, cancel := context.WithTimeout(context.Background(), keeperPatience)
	defer cancel()
	r.keeper.Close(ctx)
}
