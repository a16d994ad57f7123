package xmlrpc

import (
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/wireroom/wireroom/ingest"
)

// A Handler serves XML-RPC calls. It is an [http.Handler] for any path, safe
// for concurrent use.
//
// Everything that a call can fail by is a fault in an answer of HTTP status
// 200, as XML-RPC wants it. Other statuses are for what is no call: 405, 408,
// 413 and 415, each with a line of plain text.
//
// A browser sends text/xml to another origin only after it has asked and been
// allowed, which this handler never does: no page can post with a visitor's
// means.
type Handler struct {
	// Fixed at construction.
	sink    ingest.Sink
	auth    ingest.Authenticator
	log     *slog.Logger
	config  Config
	methods map[string]*method
	names   []string // of methods, sorted

	calls sync.Pool // of *call

	requests, events, faults atomic.Uint64
}

// Stats counts what a [Handler] did since it was made.
type Stats struct {
	Requests uint64 // HTTP requests, of any method and outcome
	Events   uint64 // events that the sink took, duplicates included
	Faults   uint64 // faults, also those inside the answers to system.multicall
}

// New returns a handler that hands events to sink. The methods of a
// [ingest.TokenMinter] are served if sink is one. It panics if config is not
// valid, as [Config.Validate] tells.
func New(sink ingest.Sink, auth ingest.Authenticator, log *slog.Logger, config Config) *Handler {
	config.Validate(func(field string, err error) {
		panic(fmt.Sprintf("xmlrpc: %s %v", field, err))
	})
	h := &Handler{sink: sink, auth: auth, log: log, config: config}
	h.methods, h.names = methodsFor(sink)
	h.calls.New = func() any { return &call{h: h, decoder: decoder{maxDepth: config.MaxDepth}} }
	return h
}

// Stats returns the handler's counters.
func (h *Handler) Stats() Stats {
	return Stats{Requests: h.requests.Load(), Events: h.events.Load(), Faults: h.faults.Load()}
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.requests.Add(1)
	ingest.LimitRead(w, h.config.ReadTimeout)
	charset, ok := h.accept(w, r)
	if !ok {
		return
	}
	c := h.calls.Get().(*call)
	defer c.release()
	var err error
	if c.body, err = ingest.ReadBody(w, r, c.body[:0], h.config.MaxBody); err != nil {
		refuseBody(w, err)
		return
	}
	c.ctx, c.request = r.Context(), r
	c.answer(charset)

	header := w.Header()
	header["Content-Type"] = contentType
	header["Content-Length"] = []string{strconv.Itoa(len(c.out))}
	if c.retryAfter > 0 {
		header.Set("Retry-After", ingest.RetryAfterSeconds(c.retryAfter))
	}
	// A peer that is gone can't be told so.
	_, _ = w.Write(c.out)
}

var contentType = []string{"text/xml; charset=utf-8"}

// accept answers a request that cannot be a call, and otherwise returns the
// character set that its header declares, if any.
func (h *Handler) accept(w http.ResponseWriter, r *http.Request) (charset string, ok bool) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, help, http.StatusMethodNotAllowed)
		return "", false
	}
	value := r.Header.Get("Content-Type")
	if value != "text/xml" { // what nearly all clients send
		media, params, err := mime.ParseMediaType(value)
		if err != nil || media != "text/xml" && media != "application/xml" {
			w.Header().Set("Accept-Post", "text/xml")
			http.Error(w, "An XML-RPC call has the Content-Type text/xml, not "+
				strconv.Quote(ingest.Clip(value))+".", http.StatusUnsupportedMediaType)
			return "", false
		}
		charset = params["charset"]
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		w.Header().Set("Accept-Encoding", "identity")
		http.Error(w, "An XML-RPC call is not compressed; the Content-Encoding "+
			strconv.Quote(ingest.Clip(coding))+" is not supported.", http.StatusUnsupportedMediaType)
		return "", false
	}
	return charset, true
}

const help = `This is an XML-RPC endpoint: it takes POST requests with text/xml.

    import xmlrpc.client
    server = xmlrpc.client.ServerProxy("http://HOST:PORT/RPC2")
    print(server.system.listMethods())
    print(server.system.methodHelp("event.publish"))`

// refuseBody answers a request whose body did not come as it should.
func refuseBody(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	e := ingest.AsError(err)
	switch e.Kind {
	case ingest.TooLarge:
		status = http.StatusRequestEntityTooLarge
	case ingest.Timeout:
		status = http.StatusRequestTimeout
	}
	http.Error(w, e.Detail(), status)
}

// explain returns the code and text that a failure has on the wire, and logs
// what the caller does not learn.
func (c *call) explain(method string, err error) (code int, text string) {
	c.h.faults.Add(1)
	if f, ok := errors.AsType[*fault](err); ok {
		return f.code, f.text
	}
	e := ingest.AsError(err)
	switch e.Kind {
	case ingest.Internal:
		c.h.log.LogAttrs(c.ctx, slog.LevelError, "XML-RPC call failed",
			slog.String("method", ingest.Clip(method)), slog.Any("err", err))
	case ingest.Unavailable:
		c.retryAfter = max(c.retryAfter, e.RetryAfter)
		c.h.log.LogAttrs(c.ctx, slog.LevelWarn, "XML-RPC call refused for now",
			slog.String("method", ingest.Clip(method)), slog.Any("err", err))
	}
	return Code(e.Kind), e.Detail()
}
