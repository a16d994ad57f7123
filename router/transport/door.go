package transport

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A door decides who may come in by an HTTP request.
type door struct {
	admit    func() (retryAfter time.Duration, ok bool)      // as [Gatekeeper.Admit]; nil: any number may come
	identify func(r *http.Request) (identity any, err error) // as [Config.Identify]; may be nil
	log      *slog.Logger
}

func doorOf(rt Attacher, identify func(r *http.Request) (any, error), log *slog.Logger) door {
	d := door{identify: identify, log: log}
	if g, ok := rt.(Gatekeeper); ok {
		d.admit = g.Admit
	}
	return d
}

// enter returns who sent r, or why they may not come in.
func (d *door) enter(r *http.Request) (identity any, no *refusal) {
	if d.admit != nil {
		if after, ok := d.admit(); !ok {
			return nil, refuseTooMany(after)
		}
	}
	if d.identify == nil {
		return nil, nil
	}
	identity, err := d.identify(r)
	if err == nil {
		return identity, nil
	}
	if e, ok := errors.AsType[*wamp.Error](err); ok && e.URI != wamp.URIInternal {
		return nil, &refusal{status: http.StatusForbidden, text: e.Text}
	}
	d.log.Error("peer of a request cannot be identified", "peer", r.RemoteAddr, "err", err)
	return nil, &refusal{status: http.StatusInternalServerError, text: "internal error"}
}

// refuseTooMany is the answer when too many come at the same time.
func refuseTooMany(after time.Duration) *refusal {
	seconds := (after + time.Second - 1) / time.Second // the header has whole ones
	return &refusal{
		status: http.StatusServiceUnavailable, text: "too many connections come at the same time; try again later",
		header: [2]string{"Retry-After", strconv.FormatInt(int64(seconds), 10)},
	}
}

func refuseClosing() *refusal {
	return &refusal{
		status: http.StatusServiceUnavailable, text: "the server is shutting down",
		header: [2]string{"Retry-After", "5"},
	}
}

// write answers with the refusal.
func (no *refusal) write(w http.ResponseWriter) {
	if no.header[0] != "" {
		w.Header().Set(no.header[0], no.header[1])
	}
	http.Error(w, no.text, no.status)
}
