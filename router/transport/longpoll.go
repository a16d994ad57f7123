package transport

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// LongPollConfig says how a [LongPoll] treats clients. Start from
// [DefaultLongPollConfig].
type LongPollConfig struct {
	// MaxMessage is how many bytes one request to send may have: 1 KiB to
	// 256 MiB.
	MaxMessage int

	// MaxOpen is how many clients there may be at a time: 1 to 1,000,000.
	MaxOpen int

	// Wait is how long a request to receive waits for a message: 10ms to 1h.
	// Clients and proxies have limits of their own; autobahn for JavaScript
	// gives up after 12s.
	Wait time.Duration

	// Away is how long a client may take to come back for messages before it is
	// taken for gone: 10ms to 1h.
	Away time.Duration

	// KeepAlive is how long an event stream is silent before it gets a comment:
	// 10ms to 1h.
	KeepAlive time.Duration

	// BodyTimeout is how long the body of a request may take to arrive, and
	// WriteTimeout how long the client may take to read what one answer holds,
	// or what is written to a stream at a time: at least 1ms.
	BodyTimeout, WriteTimeout time.Duration

	// Identify is as [Config.Identify], for requests to open.
	Identify func(r *http.Request) (identity any, err error)
}

// DefaultLongPollConfig returns the defaults.
func DefaultLongPollConfig() LongPollConfig {
	return LongPollConfig{
		MaxMessage:   1 << 20,
		MaxOpen:      10_000,
		Wait:         10 * time.Second,
		Away:         30 * time.Second,
		KeepAlive:    15 * time.Second,
		BodyTimeout:  30 * time.Second,
		WriteTimeout: 10 * time.Second,
	}
}

// A LongPoll serves WAMP over plain HTTP requests (WAMP, "HTTP Longpoll
// Transport"), and the messages to a client as an event stream too. It is an
// [http.Handler] of the paths /open, /<id>/receive, /<id>/events, /<id>/send and
// /<id>/close; all methods are safe for concurrent use.
//
// It has no goroutine of its own but one for a client that ends, for a moment.
// What bounds it are the limits of the sessions, LongPollConfig.MaxOpen, and 128
// KiB more of messages for each client that does not fetch them.
type LongPoll struct {
	// Fixed at construction.
	cfg    LongPollConfig
	attach func(link router.Link, peer router.Peer) session
	door   door
	log    *slog.Logger
	mux    *http.ServeMux

	stats pollCounters
	wg    sync.WaitGroup // polls

	mu      sync.Mutex // guards the following
	closing bool
	open    int              // polls that are not forgotten
	polls   map[string]*poll // those that have a session, by their secret names
}

// NewLongPoll returns a handler of valid configuration that attaches clients to
// rt, as fast as it lets them if it is a [Gatekeeper].
func NewLongPoll(rt Attacher, cfg LongPollConfig, log *slog.Logger) *LongPoll {
	return newLongPoll(func(link router.Link, peer router.Peer) session { return rt.Attach(link, peer) }, doorOf(rt, cfg.Identify, log), cfg, log)
}

func newLongPoll(attach func(router.Link, router.Peer) session, d door, cfg LongPollConfig, log *slog.Logger) *LongPoll {
	lp := &LongPoll{cfg: cfg, attach: attach, door: d, log: log, mux: http.NewServeMux(), polls: make(map[string]*poll)}
	lp.mux.HandleFunc("POST /open", lp.serveOpen)
	lp.mux.HandleFunc("POST /{poll}/receive", lp.of((*poll).serveReceive))
	lp.mux.HandleFunc("GET /{poll}/events", lp.of((*poll).serveEvents))
	lp.mux.HandleFunc("POST /{poll}/send", lp.of((*poll).serveSend))
	lp.mux.HandleFunc("POST /{poll}/close", lp.of((*poll).serveClose))
	return lp
}

// ServeHTTP implements [http.Handler].
func (lp *LongPoll) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	lp.mux.ServeHTTP(w, r)
}

// of returns the handler of a request for a client that has opened.
func (lp *LongPoll) of(serve func(p *poll, x *exchange, r *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		lp.mu.Lock()
		p := lp.polls[r.PathValue("poll")]
		lp.mu.Unlock()
		if p == nil {
			http.Error(w, noSuchPoll, http.StatusNotFound)
			return
		}
		x := newExchange(w, r)
		defer x.end()
		serve(p, x, r)
	}
}

var subprotocolJSON = wamp.JSON.Subprotocol()

const noSuchPoll = "there is no such transport, or it has ended: open another"

// maxOpenBody is how many bytes a request to open may have.
const maxOpenBody = 4 << 10

// serveOpen makes a client of who asks.
func (lp *LongPoll) serveOpen(w http.ResponseWriter, r *http.Request) {
	x := newExchange(w, r)
	defer x.end()
	p, protocol, no := lp.admit(x, r)
	if no != nil {
		lp.stats.refused.Add(1)
		lp.answer(x, no)
		return
	}
	body, err := json.Marshal(map[string]string{"protocol": protocol, "transport": p.name})
	if err != nil {
		panic("transport: strings cannot be written as JSON: " + err.Error())
	}
	if err := x.answer("application/json", append(body, '\n'), time.Now().Add(lp.cfg.WriteTimeout)); err != nil {
		_ = p.Close() // nobody knows its name
	}
}

// admit decides about a request to open.
func (lp *LongPoll) admit(x *exchange, r *http.Request) (p *poll, protocol string, no *refusal) {
	body, no := lp.body(x, r, maxOpenBody)
	if no != nil {
		return nil, "", no
	}
	var ask struct{ Protocols []string }
	if err := json.Unmarshal(body, &ask); err != nil || len(ask.Protocols) == 0 {
		return nil, "", &refusal{status: http.StatusBadRequest, text: fmt.Sprintf(
			`the body must be a JSON object with a list "protocols" of %s`, subprotocols)}
	}
	var ok, batched bool
	var ser wamp.Serializer
	for _, protocol = range ask.Protocols {
		if ser, batched, ok = subprotocolOf(protocol); ok {
			break
		}
	}
	if !ok {
		return nil, "", &refusal{status: http.StatusBadRequest, text: fmt.Sprintf(
			"protocols must have one of %s, or of these with .batched, not only %q", subprotocols, strings.Join(ask.Protocols, ", "))}
	}
	identity, no := lp.door.enter(r)
	if no != nil {
		return nil, "", no
	}
	if no := lp.reserve(); no != nil {
		return nil, "", no
	}
	p = newPoll(lp, rand.Text(), ser, batched)
	p.sess = lp.attach(p, router.Peer{
		Serializer: ser,
		Framing:    WebSocket, // so that frames are shared with those
		Transport:  "longpoll",
		RemoteAddr: r.RemoteAddr,
		Secure:     isSecure(r),
		Identity:   identity,
	})
	lp.add(p)
	return p, protocol, nil
}

// reserve counts one more poll, unless there are too many. Each is followed by
// forget.
func (lp *LongPoll) reserve() *refusal {
	lp.mu.Lock()
	defer lp.mu.Unlock()
	switch {
	case lp.closing:
		return refuseClosing()
	case lp.open >= lp.cfg.MaxOpen:
		lp.stats.tooMany.Add(1)
		return &refusal{
			status: http.StatusServiceUnavailable, text: "too many clients are connected by HTTP; try again later",
			header: [2]string{"Retry-After", "10"},
		}
	}
	lp.open++
	lp.wg.Add(1)
	lp.stats.opened.Add(1)
	return nil
}

// add makes a poll that has its session known to requests and to Shutdown.
func (lp *LongPoll) add(p *poll) {
	lp.mu.Lock()
	lp.polls[p.name] = p
	closing := lp.closing
	lp.mu.Unlock()
	p.start()
	if closing { // Shutdown may not have seen it
		p.sess.End(shuttingDown())
	}
}

// forget lets go of a poll whose session was detached.
func (lp *LongPoll) forget(p *poll) {
	lp.mu.Lock()
	delete(lp.polls, p.name)
	lp.open--
	lp.mu.Unlock()
	lp.wg.Done()
}

func shuttingDown() *wamp.Error {
	return &wamp.Error{URI: wamp.URISystemShutdown, Text: "the server is shutting down"}
}

// body reads the body of a request, of at most so many bytes. Memory grows with
// what arrives.
func (lp *LongPoll) body(x *exchange, r *http.Request, most int) ([]byte, *refusal) {
	if err := x.mayRead(time.Now().Add(lp.cfg.BodyTimeout)); err != nil {
		return nil, gonePoll()
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.w, r.Body, int64(most)))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, &refusal{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("the body has more than %d bytes", most)}
		}
		// What is left of it nobody waits for.
		return nil, &refusal{
			status: http.StatusRequestTimeout, text: "the body did not arrive whole, or not in time",
			header: [2]string{"Connection", "close"},
		}
	}
	// The server's own deadline must not end an answer that waits.
	if err := x.mayRead(time.Time{}); err != nil {
		return nil, gonePoll()
	}
	return body, nil
}

// answer answers with a refusal, or without one with 204 and nothing more.
func (lp *LongPoll) answer(x *exchange, no *refusal) {
	if x.mayWrite(time.Now().Add(lp.cfg.WriteTimeout)) != nil {
		return // it was cut short
	}
	if no != nil {
		no.write(x.w)
		return
	}
	x.w.WriteHeader(http.StatusNoContent)
}

// Shutdown takes no more clients, ends every session with
// wamp.close.system_shutdown unless it is ending already, and returns when all
// have gone. When ctx is done it ends those that are left at once, and returns
// the cause. A client that is not receiving at that moment has the router's
// patience to fetch the goodbye.
func (lp *LongPoll) Shutdown(ctx context.Context) error {
	lp.mu.Lock()
	lp.closing = true
	lp.mu.Unlock()
	lp.each(func(p *poll) { p.sess.End(shuttingDown()) })
	gone := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		lp.wg.Wait()
		close(gone)
	})
	defer waiting.Wait()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		lp.each(func(p *poll) { _ = p.Close() }) // always nil
		return context.Cause(ctx)
	}
}

func (lp *LongPoll) each(f func(p *poll)) {
	lp.mu.Lock()
	all := make([]*poll, 0, len(lp.polls))
	for _, p := range lp.polls {
		all = append(all, p)
	}
	lp.mu.Unlock()
	for _, p := range all {
		f(p)
	}
}

var _ http.Handler = (*LongPoll)(nil)
