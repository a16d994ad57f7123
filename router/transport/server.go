package transport

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// An Attacher makes a session for each connection: a [router.Router].
type Attacher interface {
	Attach(link router.Link, peer router.Peer) *router.Session
}

// A Gatekeeper is an [Attacher] that bounds how fast connections come, as a
// [router.Router] does.
type Gatekeeper interface {
	// Admit is asked before each upgrade, concurrently. It reports whether
	// one more connection may come now, or else after which time to try
	// again.
	Admit() (retryAfter time.Duration, ok bool)
}

// A Server upgrades HTTP requests to WebSocket connections and serves them. It
// is an [http.Handler]; all methods are safe for concurrent use.
type Server struct {
	// Fixed at construction.
	cfg     Config
	origins []origin
	attach  func(link router.Link, peer router.Peer) session
	admit   func() (retryAfter time.Duration, ok bool) // as [Gatekeeper.Admit]; nil: any number may come
	log     *slog.Logger
	pace    pace
	deflate *router.Framing // for peers that negotiated permessage-deflate; nil: none may

	stats  counters
	turn   atomic.Uint32 // the shard of the next connection
	shards [numShards]shard
	crew   crew
	wg     sync.WaitGroup // connections, crew, fronts with what they wait for, and the sweeper

	mu      sync.Mutex     // guards the following
	closing bool           // no more upgrades
	open    int            // connections that have not ended
	fronts  []func() error // shut what Front returned
	idle    chan struct{}  // closed when closing is set and open is 0; never sent to
	quit    chan struct{}  // closed after idle: ends the sweeper; never sent to
}

// NewServer returns a server of valid configuration that attaches connections
// to rt, as fast as it lets them if it is a [Gatekeeper]. Its sweeper runs until
// [Server.Shutdown].
func NewServer(rt Attacher, cfg Config, log *slog.Logger) *Server {
	s := newServer(func(link router.Link, peer router.Peer) session { return rt.Attach(link, peer) }, cfg, log)
	if g, ok := rt.(Gatekeeper); ok {
		s.admit = g.Admit
	}
	return s
}

func newServer(attach func(router.Link, router.Peer) session, cfg Config, log *slog.Logger) *Server {
	s := &Server{
		cfg:    cfg,
		attach: attach,
		log:    log,
		idle:   make(chan struct{}),
		quit:   make(chan struct{}),
	}
	s.crew.wg = &s.wg
	for _, text := range cfg.Origins {
		if o, err := parseOrigin(text); err == nil { // others match nothing
			s.origins = append(s.origins, o)
		}
	}
	if len(cfg.Origins) > 0 && s.origins == nil {
		s.origins = []origin{{scheme: "none"}} // an allow list that allows nobody
	}
	if cfg.Deflate {
		s.deflate = deflateFraming(cfg.DeflateMin, &s.stats.out)
	}
	if cfg.PingInterval > 0 {
		s.pace = paceOf(cfg)
		s.wg.Go(s.sweep)
	}
	return s
}

// newConn returns a connection whose upgrade was answered, or nil: a server
// that shuts down takes none. in holds what arrived after the request. The
// caller has to call begin; the connection counts as open already.
func (s *Server) newConn(w wire, in inbox, t terms) *conn {
	c := &conn{
		srv:   s,
		shard: &s.shards[s.turn.Add(1)%numShards],
		wire:  w,
		in:    in,
		asm:   assembler{max: s.cfg.MaxMessage, data: opText, deflate: t.extensions != ""},
		young: youngWaits,
	}
	if t.serializer.Binary() {
		c.asm.data = opBinary
	}
	c.batch = t.batched
	if t.raw > 0 {
		c.asm.raw, c.asm.max, c.takes = true, t.limit, t.raw
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil
	}
	s.open++
	s.wg.Add(1)
	s.stats.upgraded.Add(1)
	if c.asm.raw {
		s.stats.rawSockets.Add(1)
	}
	if c.asm.deflate {
		s.stats.deflating.Add(1)
	}
	return c
}

// done counts a reader that has ended.
func (s *Server) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open--; s.open == 0 && s.closing {
		close(s.idle)
	}
	s.wg.Done()
}

// Shutdown refuses upgrades from now on, ends every session with
// wamp.close.system_shutdown unless it is ending already, and returns when all
// connections and goroutines of the server are gone. When ctx is done it
// closes the connections that are left, and returns the cause.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closing
	s.closing = true
	if first && s.open == 0 {
		close(s.idle)
	}
	fronts := s.fronts
	s.fronts = nil
	s.mu.Unlock()

	for _, shut := range fronts {
		_ = shut() // nothing comes any more
	}
	if first {
		why := &wamp.Error{URI: wamp.URISystemShutdown, Text: "the server is shutting down"}
		s.each(func(c *conn) { c.sess.End(why) })
	}
	var err error
	select {
	case <-s.idle:
	case <-ctx.Done():
		err = context.Cause(ctx)
		s.each(func(c *conn) { _ = c.Close() }) // always nil
		<-s.idle
	}
	if first {
		close(s.quit)
		s.crew.close()
	}
	s.wg.Wait()
	return err
}

// add makes c known to the sweeper and to Shutdown.
func (s *Server) add(c *conn) {
	c.shard.add(c)
	s.mu.Lock()
	closing := s.closing
	s.mu.Unlock()
	if closing { // Shutdown may not have seen it
		c.sess.End(&wamp.Error{URI: wamp.URISystemShutdown, Text: "the server is shutting down"})
	}
}

func (s *Server) remove(c *conn) { c.shard.remove(c) }

// each calls f for every connection. f may take any lock.
func (s *Server) each(f func(c *conn)) {
	var conns []*conn
	for i := range s.shards {
		conns = s.shards[i].list(conns[:0])
		for _, c := range conns {
			f(c)
		}
	}
}

var _ http.Handler = (*Server)(nil)
