package bridge

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/ingest"
)

// A Bridge is the two handlers, which share keys and bounds.
type Bridge struct {
	// Fixed at construction.
	publisher Publisher
	caller    Caller
	log       *slog.Logger
	config    Config
	keys      *keyring

	requests, published, called, failed, refused atomic.Uint64
}

// Stats counts what a [Bridge] did since it was made.
type Stats struct {
	Requests  uint64 // of any method and outcome
	Published uint64 // publications that the realm took
	Called    uint64 // calls with a result
	Failed    uint64 // answers with an ERROR of the realm
	Refused   uint64 // other answers without success
}

// New returns a bridge. It panics if config is not valid, as [Config.Validate]
// tells.
func New(publisher Publisher, caller Caller, log *slog.Logger, config Config) *Bridge {
	config.Validate(func(field string, err error) {
		panic(fmt.Sprintf("bridge: %s %v", field, err))
	})
	return &Bridge{publisher: publisher, caller: caller, log: log, config: config, keys: newKeyring(&config)}
}

// Stats returns the bridge's counters.
func (b *Bridge) Stats() Stats {
	return Stats{
		Requests: b.requests.Load(), Published: b.published.Load(), Called: b.called.Load(),
		Failed: b.failed.Load(), Refused: b.refused.Load(),
	}
}

// Publisher returns the handler of publications, for any path.
func (b *Bridge) Publisher() http.Handler { return b.handler("topic", b.publish) }

// Caller returns the handler of calls, for any path.
func (b *Bridge) Caller() http.Handler { return b.handler("procedure", b.call) }

// A task carries a request out and appends the answer to dst.
type task func(ctx context.Context, who Principal, r *request, dst []byte) ([]byte, error)

// handler returns a handler of requests in which the URI stands under target.
func (b *Bridge) handler(target string, do task) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.requests.Add(1)
		ingest.LimitRead(w, b.config.ReadTimeout)
		answer, err := b.serve(w, r, target, do)
		if err != nil {
			b.fail(w, r, err)
			return
		}
		status := http.StatusOK
		if target == "topic" && old(r) {
			status = http.StatusAccepted
		}
		write(w, status, answer)
	})
}

// old reports whether the client is crossbarconnect, of which older versions
// take no other answer than the 202 that Crossbar used to give.
func old(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "crossbarconnect") }

// serve returns the answer to a request.
func (b *Bridge) serve(w http.ResponseWriter, r *http.Request, target string, do task) ([]byte, error) {
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return nil, errMethod
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, ingest.Errorf(ingest.BadRequest, "the query cannot be read")
	}
	who, err := b.keys.beginning(r, query)
	if err != nil {
		return nil, err
	}
	if err := checkMediaType(r); err != nil {
		return nil, err
	}
	body, err := ingest.ReadBody(w, r, nil, b.config.MaxBody)
	if err != nil {
		return nil, err
	}
	if who == nil {
		if who, err = b.keys.bySignature(query, body, time.Now()); err != nil {
			return nil, err
		}
	}
	req, err := parseRequest(body, target, b.config.MaxDepth)
	if err != nil {
		return nil, err
	}
	// The server's own deadline is for those that answer at once.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(b.config.CallTimeout + time.Minute))
	ctx, cancel := context.WithTimeoutCause(r.Context(), b.config.CallTimeout, errTimeout)
	defer cancel()
	return do(ctx, *who, req, nil)
}

func (b *Bridge) publish(ctx context.Context, who Principal, r *request, dst []byte) ([]byte, error) {
	id, err := b.publisher.Publish(ctx, who, &Publication{Topic: r.uri, Payload: r.payload, Options: r.options})
	if err != nil {
		return nil, err
	}
	b.published.Add(1)
	return fmt.Appendf(dst, `{"id":%d}`, id), nil
}

func (b *Bridge) call(ctx context.Context, who Principal, r *request, dst []byte) ([]byte, error) {
	result, err := b.caller.Call(ctx, who, &Call{Procedure: r.uri, Payload: r.payload, Options: r.options})
	if err != nil {
		return nil, err
	}
	b.called.Add(1)
	return appendResult(dst, result), nil
}

// checkMediaType returns an error unless the body says to be JSON in UTF-8, or
// says nothing.
func checkMediaType(r *http.Request) error {
	if err := checkType(r.Header.Get("Content-Type")); err != nil {
		return err
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return &ingest.Error{Kind: ingest.BadRequest, Field: "Content-Encoding", Expected: "an uncompressed body", Found: coding, Index: -1}
	}
	return nil
}
