package transport

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// EventSourceConfig says how an [EventSource] treats clients. Start from
// [DefaultEventSourceConfig].
type EventSourceConfig struct {
	// Realm is that of requests that name none.
	Realm wamp.URI

	// MaxOpen is how many streams there may be at a time: 1 to 1,000,000.
	MaxOpen int

	// KeepAlive and WriteTimeout are as in [LongPollConfig]. SetupTimeout is how
	// long it may take from the request to the beginning of the stream: at least
	// 1ms.
	KeepAlive, WriteTimeout, SetupTimeout time.Duration

	// Identify is as [Config.Identify].
	Identify func(r *http.Request) (identity any, err error)

	// Position returns how far the log of a topic goes, or false if the topic
	// has none. A client that loses its stream before an event has come knows by
	// it from where to go on. It is called concurrently; nil: no topic has a log.
	Position func(realm, topic wamp.URI) (at LogPosition, ok bool)
}

// DefaultEventSourceConfig returns the defaults, which lack a realm.
func DefaultEventSourceConfig() EventSourceConfig {
	return EventSourceConfig{
		MaxOpen:      10_000,
		KeepAlive:    15 * time.Second,
		WriteTimeout: 10 * time.Second,
		SetupTimeout: 30 * time.Second,
	}
}

// An EventSource answers GET requests with the events of topics as an event
// stream, to clients that know nothing of WAMP. Each is a session of its own
// that subscribes. It is an [http.Handler] for any path, safe for concurrent
// use, and works in the goroutines of the HTTP server. Streams end when the
// router ends their sessions.
type EventSource struct {
	// Fixed at construction.
	cfg    EventSourceConfig
	attach func(link router.Link, peer router.Peer) *router.Session
	door   door
	log    *slog.Logger

	open                     atomic.Int64
	began, refused, tooMany  atomic.Uint64
	events, stalled, dropped atomic.Uint64
}

// NewEventSource returns a handler of valid configuration that attaches clients
// to rt, as fast as it lets them if it is a [Gatekeeper].
func NewEventSource(rt Attacher, cfg EventSourceConfig, log *slog.Logger) *EventSource {
	return &EventSource{
		cfg: cfg, log: log, door: doorOf(rt, cfg.Identify, log), attach: rt.Attach,
	}
}

// EventSourceStats counts what an [EventSource] did since it began.
type EventSourceStats struct {
	Open int // requests now

	Began   uint64 // streams
	Refused uint64 // requests that were refused, for whatever reason
	TooMany uint64 // those of them that were refused because of EventSourceConfig.MaxOpen

	Events  uint64 // that were written
	Stalled uint64 // streams that ended because their client read nothing
	Missed  uint64 // events of which clients were told that they missed them
}

// Stats returns the counters as they are now.
func (es *EventSource) Stats() EventSourceStats {
	return EventSourceStats{
		Open: int(es.open.Load()), Began: es.began.Load(), Refused: es.refused.Load(), TooMany: es.tooMany.Load(),
		Events: es.events.Load(), Stalled: es.stalled.Load(), Missed: es.dropped.Load(),
	}
}

// ServeHTTP implements [http.Handler].
func (es *EventSource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := newExchange(w, r)
	defer x.end()
	w.Header().Set("Cache-Control", "no-store")
	if no := es.serve(x, r); no != nil {
		es.refused.Add(1)
		if x.mayWrite(time.Now().Add(es.cfg.WriteTimeout)) == nil {
			no.write(w)
		}
	}
}

// serve serves a stream, unless the request is refused.
func (es *EventSource) serve(x *exchange, r *http.Request) *webProblem {
	if r.Method != http.MethodGet {
		x.w.Header().Set("Allow", http.MethodGet)
		return &webProblem{status: http.StatusMethodNotAllowed, detail: "expected the method GET, found " + r.Method}
	}
	q, no := readQuestion(r)
	if no != nil {
		return no
	}
	if q.realm == "" {
		q.realm = es.cfg.Realm
	}
	defer es.open.Add(-1)
	if es.open.Add(1) > int64(es.cfg.MaxOpen) {
		es.tooMany.Add(1)
		return &webProblem{status: http.StatusServiceUnavailable, retry: 10 * time.Second, detail: "too many event streams are open; try again later"}
	}
	identity, refused := es.door.enter(r)
	if refused != nil {
		return problemOf(refused)
	}
	if x.mayRead(time.Time{}) != nil { // the server's own deadline is for requests
		return nil
	}
	s := &subscriber{
		es: es, q: q, r: r, box: newMailbox(), over: make(chan struct{}),
		out: eventWriter{x: x, timeout: es.cfg.WriteTimeout},
	}
	s.sess = es.attach(s, router.Peer{
		Serializer: wamp.JSON,
		Framing:    WebSocket, // so that frames are shared with those
		Transport:  "eventsource",
		RemoteAddr: r.RemoteAddr,
		Secure:     isSecure(r),
		Identity:   identity,
	})
	return s.run()
}

var _ http.Handler = (*EventSource)(nil)
