package transport

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// lookEvery is how often it is looked whether the client of a patient request
// is still there, if the request takes so long. A client that left is noticed
// after one to two times that.
const lookEvery = time.Second

// Patient returns a handler that serves requests as next does, and is told later
// that a client has left: an HTTP server that has read the body of a request
// starts a goroutine that reads on, and ends it when the request is answered,
// only to cancel the request's context at once if the client leaves. Of a
// request that takes less than a millisecond that is a tenth of what it costs.
// For a patient handler it is looked every second instead, so that the context
// is canceled within two.
//
// That holds for requests by HTTP/1.1 with a declared length, over bare TCP
// through a [Server.Front], on Linux, if the server has [ConnContext]. All
// others are served as ever.
func Patient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A body in chunks may be read byte by byte while it is served.
		p, ok := r.Context().Value(patienceKey{}).(*patience)
		if !ok || r.ContentLength <= 0 {
			next.ServeHTTP(w, r)
			return
		}
		p.begin()
		defer p.end()
		next.ServeHTTP(w, r)
	})
}

// ConnContext is for [http.Server.ConnContext], for the sake of [Patient].
func ConnContext(ctx context.Context, nc net.Conn) context.Context {
	if c, ok := nc.(interface {
		awaitedIn(context.Context) context.Context
	}); ok {
		return c.awaitedIn(ctx)
	}
	return ctx
}

// patienceKey is the key of a connection's *patience in the contexts of its
// requests.
type patienceKey struct{}

// A patience looks after the client of a connection while patient handlers
// serve its requests, one after the other. Its timer runs once a second at most,
// and not while there are none.
type patience struct {
	gone   func() bool        // reports whether the client has left; fixed at construction
	cancel context.CancelFunc // cancels the contexts of requests; fixed before the first; nil: there will be none

	timer *time.Timer // runs look; nil until the first request; owned by who serves

	request atomic.Uint64 // is odd while one is served, and then the name of it
	timed   atomic.Bool   // the timer runs, or look does
	unread  atomic.Bool   // the server has not begun to read on behind this one
	seen    uint64        // the request that look has seen; owned by look
}

// awaitedIn returns the context that those of all requests come from.
func (p *patience) awaitedIn(ctx context.Context) context.Context {
	ctx, p.cancel = context.WithCancel(context.WithValue(ctx, patienceKey{}, p))
	return ctx
}

// begin begins a request.
func (p *patience) begin() {
	p.unread.Store(true)
	p.request.Add(1)
	if !p.timed.CompareAndSwap(false, true) {
		return
	}
	if p.timer == nil {
		p.timer = time.AfterFunc(time.Hour, p.look) // which finds the timer
	}
	p.timer.Reset(lookEvery)
}

// end ends it.
func (p *patience) end() {
	p.request.Add(1)
	p.unread.Store(false)
}

// spare reports whether the server is to be spared reading on behind the request,
// and then does so only for the next one. To read nothing, without an error, ends
// the server's goroutine.
func (p *patience) spare() bool { return p.unread.CompareAndSwap(true, false) }

// look looks after the client, if it is the second time for the request.
func (p *patience) look() {
	for {
		if n := p.request.Load(); n%2 == 1 {
			if n == p.seen && p.gone() {
				p.leave()
				return
			}
			p.seen = n
			p.timer.Reset(lookEvery)
			return
		}
		p.timed.Store(false)
		// A request that began before could not start the timer.
		if p.request.Load()%2 == 0 || !p.timed.CompareAndSwap(false, true) {
			return
		}
	}
}

// leave cancels the contexts of all requests.
func (p *patience) leave() {
	if p.cancel != nil {
		p.cancel()
	}
}
