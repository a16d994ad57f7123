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
	probeTimeout = 2 * time.Second       // for an answer
	probeEvery   = time.Second           // answers are reused so long, so that asking is cheap for others
	hearEvery    = 50 * time.Millisecond // the store is asked meanwhile whether it hears anything
)

// A health answers /healthz and /readyz.
//
// /healthz says that the process answers. /readyz says whether it can do its
// work: it has the store write and read, and is not shutting down.
type health struct {
	store   auth.TokenStore
	warn    func() string // what an operator should know though it does not keep the gateway from its work; nil: nothing
	closing atomic.Bool

	probes sync.WaitGroup // the goroutine of the question under way

	mu      sync.Mutex // guards the following
	probing *question  // nil: none is under way
	last    error
	at      time.Time
}

// A question is one to the store, which many may wait for.
type question struct {
	done chan struct{} // closed when err is set
	err  error
}

// close makes /readyz say no from now on, so that a load balancer looks for
// another node.
func (h *health) close() {
	h.mu.Lock() // so that no question is asked after it
	defer h.mu.Unlock()
	h.closing.Store(true)
}

// wait returns when the store is asked nothing any more, after close.
func (h *health) wait() { h.probes.Wait() }

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
	hears, _ := h.store.(listener)
	if hears != nil {
		if err := hears.Heard(); err != nil {
			return err
		}
	}
	q, last := h.ask(hears != nil)
	if q == nil {
		return last
	}
	var tick <-chan time.Time
	if hears != nil {
		// The store hears of trouble before a question that was asked a moment
		// too late has an answer.
		t := time.NewTicker(hearEvery)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-q.done:
			return q.err
		case <-tick:
			if err := hears.Heard(); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ask returns the question that is under way, after it began one if it must; or nil
// and the last answer, if that is still good. heard says that the store has answered
// a moment ago.
func (h *health) ask(heard bool) (*question, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closing.Load():
		return nil, errClosing
	case h.probing != nil:
		return h.probing, nil
	case time.Since(h.at) < probeEvery:
		return nil, h.last
	}
	timeout := probeTimeout
	if heard {
		timeout = probeEvery
	}
	q := &question{done: make(chan struct{})}
	h.probing = q
	h.probes.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		q.err = probe(ctx, h.store)
		h.mu.Lock()
		h.last, h.at, h.probing = q.err, time.Now(), nil
		h.mu.Unlock()
		close(q.done)
	})
	return q, nil
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
