package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router/sockio"
)

// quiet keeps the client from printing what the store reports itself.
var quiet = sync.OnceFunc(logging.Disable)

// How many connections a store has, to each server that it uses, and how many
// of them are not for what goes through try: however much is read, what is
// appended finds a connection.
const (
	connections = 16
	reserved    = 4
)

// connect returns a client, which connects when it is used.
func connect(p *place, config Config) goredis.UniversalClient {
	quiet()
	password := p.password
	if password == "" {
		password = config.Password
	}
	attempt := config.attempt()
	o := &goredis.UniversalOptions{
		Addrs:                 p.addrs,
		MasterName:            p.primary,
		IsClusterMode:         p.kind == cluster,
		DB:                    p.db,
		Username:              p.user,
		Password:              password,
		SentinelUsername:      config.SentinelUser,
		SentinelPassword:      config.SentinelPassword,
		TLSConfig:             p.tlsConfig(config.CA),
		ClientName:            "wireroom",
		DisableIdentity:       true,
		Protocol:              2,
		MaxRetries:            -1, // the store does it, as it knows what may be done twice
		DialerRetries:         1,
		DialTimeout:           attempt,
		ReadTimeout:           attempt,
		WriteTimeout:          attempt,
		PoolTimeout:           attempt,
		ContextTimeoutEnabled: true,
		PoolSize:              connections,
		MaxActiveConns:        connections,
		PipelinePoolSize:      -1,
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled,
		},
	}
	// An idle connection that leads nowhere any more is found by the kernel,
	// before anybody wants to use it.
	dialer := &net.Dialer{
		Timeout:         attempt,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 3 * time.Second, Interval: time.Second, Count: 3},
	}
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return sockio.Quick(nc), nil
	}
	if o.TLSConfig != nil {
		o.Dialer = (&tls.Dialer{NetDialer: dialer, Config: o.TLSConfig}).DialContext
	}
	if p.kind == cluster {
		c := o.Cluster()
		c.ClusterStateReloadInterval = relearn
		return goredis.NewClusterClient(c)
	}
	return goredis.NewUniversalClient(o)
}

// relearn is how old may be what is known of a Cluster: where its slots are is
// asked again when a node says that it has a slot no longer, but one that is
// gone does not say so.
const relearn = 500 * time.Millisecond

// checkServer asks Redis for its version, and for what it does when its memory
// is full.
func (s *Store) checkServer(ctx context.Context) error {
	var info string
	err := s.try(ctx, "open the store", func(ctx context.Context) (err error) {
		info, err = s.client.Info(ctx).Result()
		return err
	})
	if e, ok := errors.AsType[goredis.Error](err); ok && goredis.IsPermissionError(e) {
		s.log.Warn("cannot look at the version and the settings of Redis, as its user may not use INFO", "redis", s.place.String())
		return nil
	}
	if err != nil {
		return err
	}
	fields := make(map[string]string)
	for line := range strings.Lines(info) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[k] = v
		}
	}
	var major, minor int
	if _, err := fmt.Sscanf(fields["redis_version"], "%d.%d", &major, &minor); err == nil && (major < 6 || major == 6 && minor < 2) {
		f := finding{what: "is too old", detail: "expected Redis 6.2 or newer, or Valkey, found " + fields["redis_version"], answered: true}
		return s.fault("open the store", f, errTooOld)
	}
	switch policy := fields["maxmemory_policy"]; {
	case strings.HasPrefix(policy, "allkeys-"):
		return s.fault("open the store", finding{
			what: "would remove events when its memory is full", detail: "expected maxmemory-policy noeviction, found " + policy,
			advice: "set it in redis.conf, or with CONFIG SET maxmemory-policy noeviction", answered: true,
		}, errEvicts)
	case strings.HasPrefix(policy, "volatile-"):
		s.log.Warn("Redis removes client tokens when its memory is full; set its maxmemory-policy to noeviction", "redis", s.place.String(), "maxmemory-policy", policy)
	}
	return nil
}

// try calls fn until it succeeds, fails for good, or the time is over. What fn
// does must bear to be done twice, and must not call try. It explains the error.
func (s *Store) try(ctx context.Context, op string, fn func(ctx context.Context) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if s.closed.Load() {
		return fmt.Errorf("%w: Redis at %s", events.ErrClosed, s.place)
	}
	end := time.Now().Add(s.config.Timeout)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		one, cancel := context.WithTimeout(ctx, s.config.attempt())
		err := s.share(one, fn)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil && !errors.Is(context.Cause(ctx), context.DeadlineExceeded):
			return context.Cause(ctx)
		case !s.place.passes(err):
			return s.explain(op, err)
		}
		if pause == firstPause {
			s.wait(op, err)
		}
		if time.Now().Add(pause).After(end) {
			return s.given(s.explain(op, err))
		}
		s.retries.Add(1)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return s.explain(op, err)
		}
	}
}

// wait tells who wants to know it why another attempt is needed.
func (s *Store) wait(op string, err error) {
	if s.waiting == nil {
		return
	}
	if e, ok := errors.AsType[*Error](s.explain(op, err)); ok {
		s.waiting(e)
	}
}

// share calls fn once there is a connection for it that is not reserved.
func (s *Store) share(ctx context.Context, fn func(ctx context.Context) error) error {
	select {
	case s.room <- struct{}{}:
		defer func() { <-s.room }()
		return fn(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// How long to wait before another attempt; doubled each time.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)
