package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/auth"
)

// How /readyz asks the store.
const (
	probeTimeout = 2 * time.Second // for an answer
	probeEvery   = time.Second     // answers are reused so long, so that asking is cheap for others
)

// A health answers /healthz and /readyz.
//
// /healthz says that the process answers. /readyz says whether it can do its
// work: it has the store write and read, and is not shutting down.
type health struct {
	store   auth.TokenStore
	warn    func() string // what an operator should know though it does not keep the gateway from its work; nil: nothing
	closing atomic.Bool

	mu   sync.Mutex // guards the following; held during a probe, so that there is one at a time
	last error
	at   time.Time
}

// close makes /readyz say no from now on, so that a load balancer looks for
// another node.
func (h *health) close() { h.closing.Store(true) }

var errClosing = errors.New("shutting down")

// A listener is a store that knows at any time whether it hears the place where
// things are kept, or why not. Asking does not wait.
type listener interface {
	Heard() error
}

// ready returns why the gateway cannot do its work, or nil.
func (h *health) ready(ctx context.Context) error {
	if h.closing.Load() {
		return errClosing
	}
	timeout := probeTimeout
	if s, ok := h.store.(listener); ok {
		if err := s.Heard(); err != nil {
			return err
		}
		timeout = probeEvery // the store has answered a moment ago
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.at) < probeEvery {
		return h.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	h.last = probe(ctx, h.store)
	h.at = time.Now()
	return h.last
}

// probe has the store do a write and a read that change nothing.
func probe(ctx context.Context, store auth.TokenStore) error {
	if s, ok := store.(interface{ Ready(context.Context) error }); ok {
		return s.Ready(ctx) // it knows better what can be wrong
	}
	var nobody [32]byte // the hash of no token
	if err := store.DeleteToken(ctx, nobody); err != nil {
		return err
	}
	if _, err := store.Token(ctx, nobody); !errors.Is(err, auth.ErrNoToken) {
		return err
	}
	return nil
}

// A reasoned is an error with a text that anybody may know: it names no host,
// no file and no secret.
type reasoned interface {
	error
	Reason() string
}

func (h *health) serveLive(w http.ResponseWriter, _ *http.Request) {
	answerPlain(w, http.StatusOK, "ok")
}

func (h *health) serveReady(w http.ResponseWriter, r *http.Request) {
	switch err := h.ready(r.Context()); {
	case err == nil:
		text := "ready"
		if h.warn != nil {
			if warning := h.warn(); warning != "" {
				text += "\nwarning: " + warning
			}
		}
		answerPlain(w, http.StatusOK, text)
	case errors.Is(err, errClosing):
		answerPlain(w, http.StatusServiceUnavailable, "shutting down")
	default:
		text := "the store does not answer as it should; see the log of the gateway"
		if e, ok := errors.AsType[reasoned](err); ok {
			text = "the store does not answer as it should: " + e.Reason()
		}
		answerPlain(w, http.StatusServiceUnavailable, text)
	}
}

func answerPlain(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // a peer that is gone can't be told so
}
