package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// A Feed brings the events of a subscription.
type Feed interface {
	// Run subscribes and hands each event to take, in order, until ctx is
	// done, take returns false, or the subscription ends. It has given the
	// subscription up when it returns. With a position it begins behind it, as
	// [Event.Position] and times as RFC 3339 has them say; without one, with
	// what comes now.
	//
	// It returns nil if ctx was done or take wanted no more, [ErrOver] if there
	// is nothing to be had any more, and otherwise why the subscription ended;
	// then it will be run again.
	Run(ctx context.Context, position string, take func(*Event) bool) error
}

// ErrOver is that a feed has ended for good.
var ErrOver = errors.New("the feed is over")

// A Hook forwards the events of a feed to an endpoint.
type Hook struct {
	// Fixed at construction.
	cfg      Config
	feed     Feed
	log      *slog.Logger
	client   *client
	queue    *queue
	stopFeed context.CancelFunc
	stopSend context.CancelFunc
	keeping  sync.WaitGroup
	sending  sync.WaitGroup

	// Owned by keep, and by take while the feed runs.
	position string
	full     bool   // the feed was ended because the queue was full
	look     bool   // the feed was ended to look whether the log has what is missing
	looked   string // of which gap that was last done

	delivered, retried, givenUp, dropped atomic.Uint64
}

// Stats counts what became of the events of a [Hook].
type Stats struct {
	Delivered uint64 // taken by the endpoint
	Retried   uint64 // attempts after the first
	GivenUp   uint64 // refused by the endpoint, or tried for too long
	Dropped   uint64 // because the queue was full
}

// Stats returns the hook's counters.
func (h *Hook) Stats() Stats {
	return Stats{Delivered: h.delivered.Load(), Retried: h.retried.Load(), GivenUp: h.givenUp.Load(), Dropped: h.dropped.Load()}
}

// Start begins to forward events. The configuration must be valid.
func Start(cfg Config, feed Feed, log *slog.Logger) *Hook { return start(cfg, feed, log, nil) }

// start is Start; change, if not nil, changes how requests are sent.
func start(cfg Config, feed Feed, log *slog.Logger, change func(*client)) *Hook {
	h := &Hook{cfg: cfg, feed: feed, log: log.With("webhook", cfg.Name), client: newClient(cfg.Endpoint), queue: newQueue(cfg.QueueBytes)}
	if change != nil {
		change(h.client)
	}
	if h.position = cfg.Position; cfg.Again && h.position == "" {
		h.position = time.Now().UTC().Format(time.RFC3339Nano)
	}
	var feeding, sending context.Context
	feeding, h.stopFeed = context.WithCancel(context.Background())
	sending, h.stopSend = context.WithCancel(context.Background())
	h.keeping.Go(func() { h.keep(feeding) })
	h.sending.Go(func() { h.send(sending) })
	return h
}

// Close ends the feed, sends what waits as long as ctx lasts, and returns when
// nothing of the hook runs any more. What was not sent by then is counted in
// the log.
func (h *Hook) Close(ctx context.Context) {
	h.stopFeed()
	h.keeping.Wait()
	stop := context.AfterFunc(ctx, h.stopSend)
	h.sending.Wait()
	stop()
	h.stopSend()
	h.client.close()
	if n := h.queue.len(); n > 0 && h.cfg.Done != nil {
		h.log.Info("events are left in the log", "events", n)
	} else if n > 0 {
		h.log.Warn("events were not sent before the end", "events", n)
	}
	s := h.Stats()
	h.log.Info("the webhook has ended", "delivered", s.Delivered, "retried", s.Retried, "given_up", s.GivenUp, "dropped", s.Dropped)
}

// Bounds on how long a feed that ended is left alone.
const (
	feedPause    = time.Second
	maxFeedPause = 30 * time.Second
)

// keep runs the feed again and again.
func (h *Hook) keep(ctx context.Context) {
	defer h.queue.end()
	for failures := 0; ctx.Err() == nil; {
		h.full, h.look = false, false
		begun := time.Now()
		err := h.feed.Run(ctx, h.position, h.take)
		switch {
		case ctx.Err() != nil || errors.Is(err, ErrOver):
			return
		case h.full:
			h.log.Warn("the endpoint is slow; its events are left in the log until there is room", "waiting", h.queue.len())
			failures = 0
			select {
			case <-h.queue.room:
			case <-ctx.Done():
			}
			continue
		case h.look:
			h.log.Info("events are missing, and are looked for in the log")
			continue
		}
		if time.Since(begun) > maxFeedPause {
			failures = 0
		}
		h.log.Warn("the subscription has ended, and is made again", "err", err)
		pause(ctx, backoff(failures, feedPause, maxFeedPause))
		failures++
	}
}

// take queues an event of the feed.
func (h *Hook) take(e *Event) bool {
	select {
	case <-h.queue.room: // an old sign
	default:
	}
	if h.cfg.Again && e.Lost && e.Class == "" { // it only says that others are missing
		if gap := h.position + " " + e.Position; gap != h.looked {
			h.look, h.looked = true, gap
			return false
		}
	}
	dropped, ok := h.queue.put(e, !h.cfg.Again)
	if !ok {
		h.full = true
		return false
	}
	if dropped > 0 && h.dropped.Add(uint64(dropped)) == uint64(dropped) {
		h.log.Warn("events are dropped, because the queue of the endpoint is full")
	}
	if h.cfg.Again && e.Position != "" {
		h.position = e.Position
	}
	return true
}

// send delivers events one after the other.
func (h *Hook) send(ctx context.Context) {
	for {
		w, ok := h.queue.take(ctx)
		if !ok {
			return
		}
		if over := h.deliver(ctx, w); over && h.cfg.Done != nil && w.Position != "" {
			h.cfg.Done(w.Position)
		}
	}
}

// Bounds on the time between two attempts.
const (
	firstRetry    = time.Second
	maxRetry      = 5 * time.Minute
	maxRetryAfter = time.Hour
)

// deliver tries to send an event until the endpoint takes it, refuses it for
// good, or time is over. It reports whether nothing more is to be done about it.
func (h *Hook) deliver(ctx context.Context, w waiting) bool {
	until := w.since.Add(h.cfg.GiveUp)
	body, media := h.cfg.Format.body(w.Event, h.cfg.Source, w.missed)
	for n := 0; ; n++ {
		wait, err := h.attempt(ctx, w.ID, body, media, n)
		switch {
		case err == nil:
			h.delivered.Add(1)
			if n > 0 {
				h.log.Info("the endpoint takes events again", "after", time.Since(w.since).Round(time.Millisecond))
			}
			return true
		case ctx.Err() != nil && h.cfg.Done != nil:
			h.log.Info("an event is left in the log", "event", w.ID, "err", err)
			return false
		case ctx.Err() != nil:
			h.givenUp.Add(1)
			h.log.Warn("an event was not taken before the end", "event", w.ID, "err", err)
			return false
		case wait < 0 || !time.Now().Before(until):
			h.givenUp.Add(1)
			h.log.Warn("an event was given up", "event", w.ID, "attempts", n+1, "err", err)
			return true
		case n == 0:
			h.log.Warn("an event was not taken, and will be sent again", "event", w.ID, "err", err)
		}
		pause(ctx, min(wait, time.Until(until))) // once more in the end, whatever the endpoint asks for
		h.retried.Add(1)
	}
}

// attempt sends an event once. With an error it returns how long to wait before
// the next attempt, or a negative time if there is to be none.
func (h *Hook) attempt(ctx context.Context, id string, body []byte, media string, n int) (time.Duration, error) {
	if h.cfg.Held != nil && !h.cfg.Held() {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	r, err := h.client.post(id, body, media)
	if err != nil {
		return -1, err
	}
	a, err := h.client.tell(ctx, r)
	wait := backoff(n, firstRetry, maxRetry)
	switch {
	case err != nil:
		return wait, err
	case a.ok():
		return 0, nil
	case !a.temporary():
		return -1, fmt.Errorf("the endpoint refuses it with status %d", a.status)
	}
	return max(wait, min(a.retryAfter(time.Now()), maxRetryAfter)), fmt.Errorf("the endpoint answers with status %d", a.status)
}

// backoff returns how long to wait after n failures before this one: twice as
// long each time, and up to half of that less, so that endpoints that come back
// are not met by everybody at once.
func backoff(n int, first, most time.Duration) time.Duration {
	d := min(first<<min(n, 20), most)
	return d - rand.N(d/2+1)
}

// pause waits, unless ctx is done before.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
