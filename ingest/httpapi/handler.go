package httpapi

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

// A Handler takes events by POST. It is an [http.Handler] for any path, safe
// for concurrent use.
//
// A browser sends application/json and Authorization to another origin only
// after it has asked and been allowed, which this handler never does: no page
// can post with a visitor's means.
type Handler struct {
	// Fixed at construction.
	sink   ingest.Sink
	auth   ingest.Authenticator
	log    *slog.Logger
	config Config

	buffers sync.Pool // of *parser

	requests, events, problems atomic.Uint64
}

// Stats counts what a [Handler] did since it was made.
type Stats struct {
	Requests uint64 // of any method and outcome
	Events   uint64 // events that the sink took, duplicates included
	Problems uint64 // answers with a problem document
}

// New returns a handler that hands events to sink. It panics if config is not
// valid, as [Config.Validate] tells.
func New(sink ingest.Sink, auth ingest.Authenticator, log *slog.Logger, config Config) *Handler {
	config.Validate(func(field string, err error) {
		panic(fmt.Sprintf("httpapi: %s %v", field, err))
	})
	h := &Handler{sink: sink, auth: auth, log: log, config: config}
	h.buffers.New = func() any { return newParser(config.MaxDepth, config.MaxEvents) }
	return h
}

// Stats returns the handler's counters.
func (h *Handler) Stats() Stats {
	return Stats{Requests: h.requests.Load(), Events: h.events.Load(), Problems: h.problems.Load()}
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.requests.Add(1)
	ingest.LimitRead(w, h.config.ReadTimeout)
	if p := h.serve(w, r); p != nil {
		h.problems.Add(1)
		p.write(w)
	}
}

// serve answers a request, or returns the problem with it.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) *Problem {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return &Problem{
			Type:   TypeBase + "method-not-allowed",
			Title:  "The method is not allowed",
			Status: http.StatusMethodNotAllowed,
			Detail: "events are posted: expected the method POST, found " + ingest.Clip(r.Method),
			Allow:  []string{http.MethodPost},
		}
	}
	key, err := h.authenticate(r)
	if err != nil {
		return h.fail(w, r, err)
	}
	if p := checkMediaType(w, r); p != nil {
		return p
	}
	parser := h.buffers.Get().(*parser)
	defer func() {
		if parser.reset() {
			h.buffers.Put(parser)
		}
	}()
	if parser.body, err = ingest.ReadBody(w, r, parser.body[:0], h.config.MaxBody); err != nil {
		return h.fail(w, r, err)
	}
	events, batch, err := parser.parse()
	if err != nil {
		return h.fail(w, r, err)
	}
	if batch {
		var receipts []ingest.Receipt
		if len(events) > 0 {
			if receipts, err = h.sink.PublishMany(r.Context(), key, events); err != nil {
				return h.fail(w, r, err)
			}
		}
		parser.out = appendReceipts(parser.out[:0], receipts)
		h.events.Add(uint64(len(receipts)))
	} else {
		receipt, err := h.sink.Publish(r.Context(), key, events[0])
		if err != nil {
			return h.fail(w, r, ingest.Single(err))
		}
		parser.out = appendReceipt(parser.out[:0], receipt)
		h.events.Add(1)
	}
	parser.out = append(parser.out, '\n')
	header := w.Header()
	header["Content-Type"] = contentType
	header["Content-Length"] = []string{strconv.Itoa(len(parser.out))}
	// A peer that is gone can't be told so.
	_, _ = w.Write(parser.out)
	return nil
}

var contentType = []string{"application/json"}

// authenticate returns the ingest key that the request bears.
func (h *Handler) authenticate(r *http.Request) (ingest.Key, error) {
	secret, ok := ingest.Bearer(r)
	if !ok {
		return ingest.Key{}, ingest.Errorf(ingest.NotAuthorized, `expected the header "Authorization: Bearer <ingest key>"`)
	}
	return h.auth.Key(r.Context(), secret)
}

// fail returns the problem of an error, sets the headers that belong to it, and
// logs what the peer does not learn.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) *Problem {
	if e, ok := errors.AsType[*ingest.SyntaxError](err); ok {
		return syntaxProblem(e)
	}
	e := ingest.AsError(err)
	p := problemOf(e)
	switch e.Kind {
	case ingest.Internal:
		h.log.LogAttrs(r.Context(), slog.LevelError, "posting events failed", slog.Any("err", err))
	case ingest.Unavailable:
		h.log.LogAttrs(r.Context(), slog.LevelWarn, "posting events refused for now", slog.Any("err", err))
		after := ingest.RetryAfterSeconds(max(e.RetryAfter, defaultRetryAfter))
		w.Header().Set("Retry-After", after)
		p.RetryAfter, _ = strconv.ParseInt(after, 10, 64)
	case ingest.NotAuthorized:
		challenge := `Bearer realm="wireroom ingest"`
		if _, ok := ingest.Bearer(r); ok {
			challenge += `, error="invalid_token"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	return p
}

// checkMediaType returns a problem unless the body says to be JSON in UTF-8.
func checkMediaType(w http.ResponseWriter, r *http.Request) *Problem {
	const want = "application/json"
	value := r.Header.Get("Content-Type")
	found := ""
	if value != want { // what nearly all clients send
		media, params, err := mime.ParseMediaType(value)
		switch charset := params["charset"]; {
		case value == "":
			found = "no Content-Type"
		case err != nil || media != want || charset != "" && !strings.EqualFold(charset, "utf-8"):
			found = "the Content-Type " + strconv.Quote(ingest.Clip(value))
		}
	}
	coding := r.Header.Get("Content-Encoding")
	if found == "" && coding != "" && !strings.EqualFold(coding, "identity") {
		w.Header().Set("Accept-Encoding", "identity")
		found = "the Content-Encoding " + strconv.Quote(ingest.Clip(coding))
	}
	if found == "" {
		return nil
	}
	w.Header().Set("Accept-Post", want)
	return &Problem{
		Type:   TypeBase + "unsupported-media-type",
		Title:  "The media type is not supported",
		Status: http.StatusUnsupportedMediaType,
		Detail: "expected uncompressed " + want + " in UTF-8, found " + found,
		Found:  found,
		Accept: []string{want},
	}
}
