package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/dynamic"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/redis"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/transport"
)

// maxTimeout bounds every timeout.
const maxTimeout = time.Hour

// Default returns what holds where a file says nothing. It has no role and so
// lets nobody in.
func Default() *Config {
	return &Config{
		Listen:   Listen{HTTP: "127.0.0.1:8080", SocketMode: 0o660},
		Store:    Store{Path: "wireroom.db", Redis: redis.DefaultConfig()},
		Sessions: auth.DefaultSessionConfig(),

		Persistent: events.KeeperConfig{Most: 100},

		Realms:    []Realm{defaultRealm("realm1", "")},
		Dynamic:   dynamic.DefaultConfig(),
		Router:    router.DefaultConfig(),
		Transport: transport.DefaultConfig(),
		LongPoll:  transport.DefaultLongPollConfig(),

		EventSource: transport.DefaultEventSourceConfig(),
		Queries:     events.DefaultQueryConfig(),
		Presence:    presence.DefaultConfig(),
		Ingest:      Ingest{MaxBody: 1 << 20, MaxDepth: 64, MaxEvents: 1000, Timeout: 30 * time.Second},
		Shutdown:    10 * time.Second,
	}
}

// read reads the whole file. The order of the calls is the order of the
// reference in docs/configuration.md.
func (c *Config) read(o *object) {
	here := &c.Realms[0] // in the short form
	o.sub("listen", c.readListen)
	o.unless("realms", func() { here.readName(o) })
	c.readStore(o)
	o.sub("sessions", c.readSessions)
	o.sub("auth", func(auth *object) {
		c.readJWT(auth)
		c.readDynamic(auth)
		auth.unlessIn(o, "realms", func() { here.readAuth(auth) })
	})
	readQueue(o, &c.Router.Limits)
	c.readLimits(o)
	readLinger(o, &c.Router.Limits)
	o.sub("queries", c.readQueries)
	o.sub("presence", c.readPresence)
	o.sub("ingest", c.readIngest)
	c.readBridge(o)
	c.readWebhooks(o)
	o.sub("admission", c.readAdmission)
	o.sub("statistics", c.readStatistics)
	o.sub("resume", c.readResume)
	o.sub("compression", c.readCompression)
	o.sub("longpoll", c.readLongPoll)
	o.sub("eventsource", c.readEventSource)
	o.sub("timeouts", c.readTimeouts)
	c.readOrigins(o)
	o.unless("realms", func() { here.read(o, c) }) // after what roles inherit
	c.readRealms(o)
	c.check(o.d)
}

func (c *Config) readStore(o *object) {
	store := "file:" + c.Store.Path
	o.string("store", &store)
	path, isFile := strings.CutPrefix(store, "file:")
	scheme, _, _ := strings.Cut(store, ":")
	r := &c.Store.Redis
	switch {
	case isFile && path != "":
		c.Store.Path = path
		if o.has("store") {
			c.Store.Path = o.d.resolve(path)
		}
	case redis.IsURL(store):
		r.URL = store
	case scheme == "nats":
		// The URL may hold a password, so it is not repeated.
		o.report("store", fmt.Errorf("expected file:PATH or redis://HOST, found a URL of %s, which this version does not support", scheme))
	default:
		o.report("store", errors.New("expected file:PATH, such as file:wireroom.db, or redis://HOST:PORT, found something else"))
	}
	if r.URL != "" {
		if err := redis.CheckURL(r.URL); err != nil {
			o.report("store", err)
		}
	}
	o.sub("redis", c.readRedis)
	if o.has("redis") && r.URL == "" {
		o.report("redis", errors.New("expected only with a store of redis://, found with another one"))
	}
}

// readRedis reads what does not stand in the URL of the store.
func (c *Config) readRedis(o *object) {
	r := &c.Store.Redis
	password := auth.Secret(r.Password)
	o.secret("password", &password)
	r.Password = string(password)
	o.string("sentinel_user", &r.SentinelUser)
	forSentinel := auth.Secret(r.SentinelPassword)
	o.secret("sentinel_password", &forSentinel)
	r.SentinelPassword = string(forSentinel)
	o.text("ca", &r.CA)
	o.string("prefix", &r.Prefix)
	o.string("node", &r.Node)
	o.anyDuration("timeout", &r.Timeout)
	checked := *r
	if redis.CheckURL(checked.URL) != nil {
		checked.SentinelUser, checked.SentinelPassword = "", ""
		checked.URL = "redis://localhost" // readStore reports what is wrong with it
	}
	o.validate(checked.Validate)
}

func (c *Config) readSessions(o *object) {
	s := &c.Sessions
	o.string("cookie", &s.Cookie)
	o.anyDuration("ttl", &s.TTL)
	o.anyDuration("max", &s.Max)
	o.anyDuration("rotate", &s.Rotate)
	o.anyDuration("grace", &s.Grace)
	o.integer("devices", &s.Devices, 1, 10_000)
	o.integer("newcomers", &s.Newcomers, 1, 1_000_000)
	o.integer("newcomers_per_address", &s.NewcomersPerAddress, 1, 1_000_000)
	o.boolean("secure", &s.Secure)
	o.integer("subscriptions", &c.Persistent.Most, 1, 10_000)
	o.validate(s.Validate)
}

func (c *Config) readJWT(o *object) {
	jwt := auth.DefaultJWTConfig()
	if o.sub("jwt", func(o *object) {
		o.strings("algorithms", "HS256, RS256, ES256, EdDSA", &jwt.Algorithms, "["+strings.Join(jwt.Algorithms, ", ")+"]")
		o.secret("secret", &jwt.Secret)
		o.text("public_key", &jwt.PublicKey)
		o.string("jwks", &jwt.JWKS)
		o.anyDuration("jwks_refresh", &jwt.JWKSRefresh)
		o.anyDuration("jwks_stale", &jwt.JWKSStale)
		o.string("issuer", &jwt.Issuer)
		o.string("audience", &jwt.Audience)
		o.string("role_claim", &jwt.RoleClaim)
		o.string("realm_claim", &jwt.RealmClaim)
		o.anyDuration("leeway", &jwt.Leeway)
		o.boolean("allow_no_expiry", &jwt.AllowNoExpiry)
		o.validate(jwt.Validate)
	}) {
		c.JWT = &jwt
	}
}

// readDynamic reads how procedures are asked that decide for the gateway.
func (c *Config) readDynamic(o *object) {
	d := &c.Dynamic
	o.sub("dynamic", func(o *object) {
		o.duration("timeout", &d.Timeout, 10*time.Millisecond, time.Minute)
		o.integer("cache_entries", &d.CacheEntries, 0, 10_000_000)
		o.size("cache_bytes", &d.CacheBytes, 0, 1<<30)
		o.duration("cache_ttl", &d.CacheTTL, time.Second, 24*time.Hour)
	})
}

func (c *Config) readIngest(o *object) {
	o.list("keys", "list of mappings", "", func(n *yaml.Node, path string) {
		var k auth.KeyConfig
		o.d.object(n, path, func(o *object) {
			o.string("name", &k.Name)
			o.required("name", "a name for the log")
			o.secret("secret", &k.Secret)
			o.uri("realm", &k.Realm)
			o.patterns("classes", &k.Classes)
			o.strings("tokens", "roles", &k.Tokens, "")
		})
		k.AllowWeak = o.d.builtIn
		c.Keys = append(c.Keys, k)
	})
	c.Keys.Validate(o.d.reporter(join(o.path, "keys")))
	o.size("max_body", &c.Ingest.MaxBody, 1<<10, 64<<20)
	o.integer("max_depth", &c.Ingest.MaxDepth, 4, events.MaxDepth)
	o.integer("max_events", &c.Ingest.MaxEvents, 1, 100_000)
	o.duration("timeout", &c.Ingest.Timeout, 10*time.Millisecond, maxTimeout)
}

func (c *Config) readPresence(o *object) {
	o.duration("linger", &c.Presence.Linger, 0, presence.MaxLinger)
	o.integer("members", &c.Presence.MaxMembers, 1, 10_000_000)
}

func (c *Config) readLongPoll(o *object) {
	lp := &c.LongPoll
	o.integer("clients", &lp.MaxOpen, 1, 1_000_000)
	o.duration("wait", &lp.Wait, 10*time.Millisecond, maxTimeout)
	o.duration("away", &lp.Away, 10*time.Millisecond, maxTimeout)
	o.duration("keep_alive", &lp.KeepAlive, 10*time.Millisecond, maxTimeout)
}

func (c *Config) readEventSource(o *object) {
	o.integer("clients", &c.EventSource.MaxOpen, 1, 1_000_000)
	o.duration("keep_alive", &c.EventSource.KeepAlive, 10*time.Millisecond, maxTimeout)
}

func (c *Config) readTimeouts(o *object) {
	o.duration("upgrade", &c.Transport.UpgradeTimeout, time.Millisecond, maxTimeout)
	o.duration("hello", &c.Router.HelloTimeout, time.Millisecond, maxTimeout)
	o.duration("authenticate", &c.Router.AuthTimeout, time.Millisecond, maxTimeout)
	o.duration("write", &c.Router.WriteTimeout, time.Millisecond, maxTimeout)
	o.duration("ping_interval", &c.Transport.PingInterval, 0, 24*time.Hour)
	o.duration("ping_timeout", &c.Transport.PingTimeout, 10*time.Millisecond, maxTimeout)
	o.duration("goodbye", &c.Router.GoodbyeTimeout, time.Millisecond, maxTimeout)
	o.duration("shutdown", &c.Shutdown, time.Millisecond, maxTimeout)
}

func (c *Config) readOrigins(o *object) {
	o.strings("origins", "origins", &c.Origins, "")
	report := o.d.reporter(o.path)
	for i, origin := range c.Origins {
		if _, err := auth.NewOrigins([]string{origin}); err != nil {
			report(fmt.Sprintf("origins[%d]", i), err)
		}
	}
}
