package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/certs"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/console"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/lease"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/nodes"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/pace"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/embedded"
	"github.com/wireroom/wireroom/events/store/redis"
	"github.com/wireroom/wireroom/ingest/httpapi"
	"github.com/wireroom/wireroom/ingest/xmlrpc"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// sweepTokensEvery is how often expired client tokens and persistent
// subscriptions are removed.
const sweepTokensEvery = 10 * time.Minute

// persistentLapsed is for how long persistent subscriptions have expired before
// they are removed. Those that sessions have, here or at another gateway, may have
// expired by what is stored for a moment: after the store was away for longer than
// they live, or the clock was set. Nobody gets one that has expired, so it costs a
// record to leave it.
const persistentLapsed = time.Hour

// A gateway is all rooms of the house, wired.
type gateway struct {
	// Fixed at construction.
	cfg       *config.Config
	log       *slog.Logger
	certs     *certs.Keeper // nil without TLS
	listener  net.Listener
	acme      net.Listener   // for challenges over plain HTTP; nil: none
	raw       []net.Listener // for RawSocket alone
	store     store
	mesh      *nodes.Mesh    // nil: no other gateway can use the store
	verifier  *auth.Verifier // nil: no JWT is accepted
	sessions  *auth.Sessions
	plain     wamp.URI // the realm whose logs have plain names in the store
	sink      *sink
	bridge    *bridged // nil: none
	leases    *lease.Keeper
	webhooks  *webhooks // set by run
	realms    realms
	replays   *pace.Pace // of all realms
	router    *router.Router
	transport *transport.Server
	longpoll  *transport.LongPoll
	health    *health
	http      *http.Server
}

// A store keeps event logs, persistent subscriptions and client tokens.
type store interface {
	events.Store
	events.PersistentStore
	auth.TokenStore
	Close() error
}

// newGateway opens the store, binds the address and wires everything. Nothing
// is served until run. With an error nothing is left open.
func newGateway(ctx context.Context, cfg *config.Config, log *slog.Logger) (_ *gateway, err error) {
	g := &gateway{cfg: cfg, log: log, replays: pace.New(pagesAtOnce)}
	var undo []func()
	defer func() {
		if err != nil {
			for i := len(undo) - 1; i >= 0; i-- {
				undo[i]()
			}
		}
	}()

	if g.certs, err = keepCertificates(cfg.Listen, log); err != nil {
		return nil, err
	}
	if g.listener, err = listen(ctx, cfg.Listen, g.certs); err != nil {
		return nil, err
	}
	undo = append(undo, func() { _ = g.listener.Close() })
	if g.acme, err = listenACME(ctx, cfg.Listen); err != nil {
		return nil, err
	}
	if g.acme != nil {
		undo = append(undo, func() { _ = g.acme.Close() })
	}
	if g.raw, err = listenRaw(ctx, cfg.Listen, g.certs); err != nil {
		return nil, err
	}
	undo = append(undo, func() { closeAll(g.raw) })

	if g.store, err = openStore(ctx, cfg.Store, log); err != nil {
		return nil, err
	}
	undo = append(undo, func() { _ = g.store.Close() })

	// Who.
	origins, err := auth.NewOrigins(cfg.Origins)
	if err != nil {
		return nil, err
	}
	keys, err := auth.NewKeys(cfg.Keys)
	if err != nil {
		return nil, err
	}
	if cfg.JWT != nil {
		if g.verifier, err = auth.NewVerifier(*cfg.JWT); err != nil {
			return nil, err
		}
	}
	g.sessions = auth.NewSessions(cfg.Sessions, g.store, g.verifier, origins, log.With("part", "sessions"))
	g.sessions.EndUsers(g.realms.endUser)
	g.mesh = newMesh(g.store, g.sessions, log.With("part", "nodes"))
	undo = append(undo, g.unfollow)

	// Between whom, and what.
	g.router = router.New(cfg.Router, authenticator{&g.realms, g.sessions}, log.With("part", "router"))
	undo = append(undo, func() { _ = g.router.Shutdown(ctx) })
	if g.plain, err = plainRealm(ctx, g.store, cfg.Realms[0].Name); err != nil {
		return nil, err
	}
	if cfg.Realm(g.plain) == nil {
		log.Warn("the store has logs of a realm that is not configured; nobody sees them", "store", cfg.Store.Name(), "realm", string(g.plain))
	}
	undo = append(undo, g.closeRealms)
	for i := range cfg.Realms {
		if err := g.openRealm(ctx, &cfg.Realms[i]); err != nil {
			return nil, err
		}
	}

	holder, _ := g.store.(lease.Holder) // nil: no other gateway can use the store
	g.leases = lease.New(holder, log.With("part", "leases"))
	g.follow()

	// By which wires.
	transportConfig := cfg.Transport
	transportConfig.Origins = []string{"*"} // identify looks at them
	transportConfig.Rest = pace.New(arrivalsAtOnce).Step
	transportConfig.Identify = identify(g.sessions)
	transportConfig.IdentifyTLS = func(state *tls.ConnectionState) any { return auth.IdentifyTLS(state) }
	g.transport = transport.NewServer(g.router, transportConfig, log.With("part", "websocket"))
	g.longpoll = newLongPoll(g.router, cfg, g.sessions, log.With("part", "longpoll"))
	g.sink = &sink{realms: &g.realms, keys: keys, sessions: g.sessions}
	g.health = &health{store: g.store}
	if g.mesh != nil {
		g.health.warn = g.mesh.Stale
	}
	rpc, api := ingestConfigs(cfg.Ingest)
	s := &site{
		ws:      g.transport,
		stream:  g.sessions.Guard(streamCORS, newEventSource(g.router, cfg, &g.realms, g.sessions, log.With("part", "eventsource"))),
		lp:      g.sessions.Guard(pollCORS, http.StripPrefix("/lp", g.longpoll)),
		xmlrpc:  transport.Patient(xmlrpc.New(g.sink, g.sink, log.With("part", "xmlrpc"), rpc)),
		events:  transport.Patient(httpapi.New(g.sink, g.sink, log.With("part", "httpapi"), api)),
		session: g.sessions,
		console: console.Handler(consolePage(cfg)),
		health:  g.health,
	}
	if cfg.Bridge != nil {
		g.bridge = newBridged(g.router, &g.realms, g.sink)
		s.more = g.bridge.routes(cfg.Bridge, log.With("part", "bridge"))
	}
	g.http = &http.Server{
		Handler:           g.transport.Handler(s.handler()),
		ReadHeaderTimeout: cfg.Transport.UpgradeTimeout,
		ReadTimeout:       cfg.Transport.UpgradeTimeout + cfg.Ingest.Timeout, // bodies that nobody asked for are read, too
		// Whatever a handler waits for has a limit of its own; this is for
		// peers that do not read the answer. A WebSocket is none of it, and
		// long polls and event streams set their own.
		WriteTimeout:   cfg.Ingest.Timeout + cfg.Router.WriteTimeout + time.Minute,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 32 << 10,
		// A connection of HTTP/2 has no deadlines, but those of its requests. As
		// TCP keep-alive is off, pings find out that nobody is there.
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: cfg.Transport.PingInterval, PingTimeout: cfg.Transport.PingTimeout,
			WriteByteTimeout: cfg.Router.WriteTimeout,
		},
		ConnContext: transport.ConnContext,
		ErrorLog:    slog.NewLogLogger(log.With("part", "http").Handler(), slog.LevelDebug),
	}
	return g, nil
}

// openStore opens the store in Redis, or the file of the embedded store, whose
// folder need not exist.
func openStore(ctx context.Context, cfg config.Store, log *slog.Logger) (store, error) {
	log = log.With("part", "store")
	if cfg.Redis.URL != "" {
		cfg.Redis.Waiting = func(e *redis.Error) {
			log.Warn("waiting for Redis", "redis", e.Place, "why", e.Fault(), "timeout", cfg.Redis.Timeout)
		}
		s, err := redis.Open(ctx, cfg.Redis, log)
		if err != nil {
			return nil, err
		}
		log.Info("this gateway uses the store", "node", s.Node(), "name", s.Name())
		return s, nil
	}
	if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the store: %w", err)
	}
	s, err := embedded.Open(cfg.Path, embedded.DefaultConfig(), log)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// configuredUsers returns the users of the configuration, or nil if it has
// none.
func configuredUsers(ctx context.Context, cfg auth.UsersConfig, store auth.TokenStore) (*auth.Users, error) {
	if len(cfg) == 0 {
		return nil, nil
	}
	key, err := auth.DecoyKey(ctx, store)
	if err != nil {
		return nil, err
	}
	return auth.NewUsers(cfg, key)
}

// What may be done between two naps of a [pace.Pace] on a machine that is not
// late: connections accepted, and pages of the past sent.
const (
	arrivalsAtOnce = 16
	pagesAtOnce    = 16
)

// hubConfig lets the hub take whatever may come in by one of the wires. rest is
// what its replays give way by.
func hubConfig(cfg *config.Config, rest func()) events.Config {
	c := events.DefaultConfig()
	c.Rest = rest
	c.MaxBytes = min(max(cfg.Ingest.MaxBody, cfg.Transport.MaxMessage), 64<<20)
	c.MaxBatch = max(c.MaxBatch, cfg.Ingest.MaxEvents)
	return c
}

func ingestConfigs(c config.Ingest) (xmlrpc.Config, httpapi.Config) {
	rpc, api := xmlrpc.DefaultConfig(), httpapi.DefaultConfig()
	rpc.MaxBody, api.MaxBody = int64(c.MaxBody), int64(c.MaxBody)
	rpc.MaxDepth, api.MaxDepth = c.MaxDepth, c.MaxDepth
	rpc.MaxEvents, api.MaxEvents = c.MaxEvents, c.MaxEvents
	rpc.MaxCalls = c.MaxEvents
	rpc.ReadTimeout, api.ReadTimeout = c.Timeout, c.Timeout
	return rpc, api
}

// run serves until ctx is done or a listener fails, and then brings
// everything to an end in order. It returns when nothing of the gateway runs
// any more.
func (g *gateway) run(ctx context.Context) error {
	var owned sync.WaitGroup
	chores, stopChores := context.WithCancel(context.WithoutCancel(ctx))
	owned.Go(func() { g.sweepTokens(chores) })
	owned.Go(func() { g.sessions.Run(chores) })
	if g.verifier != nil {
		owned.Go(func() { g.verifier.Run(chores, g.log.With("part", "jwt")) })
	}
	if g.certs != nil {
		now := make(chan os.Signal, 1) // before anybody can know that the gateway runs: the signal would end it
		signal.Notify(now, syscall.SIGHUP)
		defer signal.Stop(now)
		owned.Go(func() { g.keepCertificates(chores, now) })
	}

	g.webhooks = startWebhooks(g.router, &g.realms, g.leases, g.cfg.Webhooks, g.cfg.Shutdown, g.log)
	owned.Go(func() { g.leases.Run(chores) })
	failed := make(chan error, 1+len(g.raw))
	owned.Go(func() {
		failed <- fmt.Errorf("serve %s: %w", g.listener.Addr(), g.http.Serve(g.transport.Front(g.listener, "/ws")))
	})
	for _, ln := range g.raw {
		owned.Go(func() {
			if err := g.transport.ServeRawSocket(ln); err != nil {
				failed <- fmt.Errorf("serve RawSocket on %s: %w", ln.Addr(), err)
			}
		})
	}

	var err error
	select {
	case <-ctx.Done():
		g.log.Info("shutting down", "cause", context.Cause(ctx))
	case err = <-failed:
	}
	err = errors.Join(err, g.shutdown(context.WithoutCancel(ctx)))
	stopChores()
	owned.Wait()
	return errors.Join(err, g.close())
}

// shutdown takes no more events, accepts no more connections, lets the
// requests under way finish, and says goodbye to every session. Whoever is
// still there after the configured time is cut off, which is no error.
func (g *gateway) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Shutdown)
	defer cancel()
	g.health.close()
	posts, stop := context.WithTimeout(ctx, g.cfg.Shutdown/2) // a store that is stuck must not cost the goodbyes
	g.sink.close(posts)
	stop()

	// The requests under way can't post any more. They need not be done
	// before the goodbyes, for which a slow one would leave no time.
	var requests sync.WaitGroup
	var httpErr error
	requests.Go(func() { httpErr = g.http.Shutdown(ctx) })
	routerErr := g.router.Shutdown(ctx)
	wireErr := errors.Join(g.transport.Shutdown(ctx), g.longpoll.Shutdown(ctx))
	g.webhooks.close(ctx) // after the last event
	requests.Wait()

	err := errors.Join(httpErr, routerErr, wireErr)
	if errors.Is(err, context.DeadlineExceeded) {
		g.log.Warn("not everybody left in time", "after", g.cfg.Shutdown, "http", httpErr, "sessions", errors.Join(routerErr, wireErr))
		_ = g.http.Close() // its connections; its listener is closed
		return nil
	}
	if err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}

// close delivers what the hubs have accepted, and closes the store.
func (g *gateway) close() error {
	if g.bridge != nil {
		g.bridge.close()
	}
	g.closeRealms()
	g.unfollow()
	g.health.wait()
	if err := g.store.Close(); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	g.log.Info("stopped")
	return nil
}

// keepCertificates has the certificates read again when their files change, and
// at once when something comes from now, and got from an ACME server if there is
// one.
func (g *gateway) keepCertificates(ctx context.Context, now <-chan os.Signal) {
	if g.acme != nil {
		challenges := &http.Server{
			Handler: g.certs.Challenges(), ReadTimeout: g.cfg.Transport.UpgradeTimeout, WriteTimeout: g.cfg.Router.WriteTimeout,
			ErrorLog: g.http.ErrorLog,
		}
		var serving sync.WaitGroup
		serving.Go(func() { _ = challenges.Serve(g.acme) }) // until Close
		defer serving.Wait()
		defer func() { _ = challenges.Close() }()
	}
	g.certs.Run(ctx, now)
}

// sweepTokens removes expired client tokens and persistent subscriptions now and
// then.
func (g *gateway) sweepTokens(ctx context.Context) {
	tick := time.NewTicker(sweepTokensEvery)
	defer tick.Stop()
	for {
		if n, err := g.sessions.Sweep(ctx); err != nil && ctx.Err() == nil {
			g.log.Warn("expired client tokens cannot be removed", "err", err)
		} else if n > 0 {
			g.log.Debug("expired client tokens removed", "count", n)
		}
		if n, err := g.store.DeleteExpiredPersistents(ctx, time.Now().Add(-persistentLapsed)); err != nil && ctx.Err() == nil {
			g.log.Warn("expired persistent subscriptions cannot be removed", "err", err)
		} else if n > 0 {
			g.log.Debug("expired persistent subscriptions removed", "count", n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
