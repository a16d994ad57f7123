package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// A Router delivers events to whoever subscribed to them. The hub declares it,
// because the hub calls it.
type Router interface {
	// Route delivers an event of the class c to the subscribers of the
	// class's topic and, if channel is not empty, to those of the topic
	// c.Topic(channel). It must not wait for any of them. It keeps e as long
	// as it likes, and changes nothing in it.
	//
	// For a retained class the calls are one at a time, in the order of the
	// offsets, from the hub's own goroutine. For other classes they come
	// from the goroutines that publish, concurrently. Route must not publish.
	Route(e *Event, c *Class, channel string)
}

// A GapRouter is a [Router] that tells subscribers what they miss.
type GapRouter interface {
	Router

	// Lost says that live subscribers of a retained class do not get what the
	// recovery says: it is gone, or the log was made anew. It is called
	// between those calls of Route that are before and after the gap. The
	// same rules hold for it.
	Lost(c *Class, r Recovery)

	// Passed is Lost for events that could not be read in time and that the
	// log may have still: a replay that begins after r.LostFrom-1 of r.Epoch
	// brings them, to who must not miss them.
	Passed(c *Class, r Recovery)
}

// lost tells live subscribers of the class what they miss, and whether the log
// may have it still.
func (h *Hub) lost(c *Class, r Recovery, kept bool) {
	h.stats.gaps.Add(1)
	to, ok := h.router.(GapRouter)
	switch {
	case !ok:
	case kept:
		to.Passed(c, r)
	default:
		to.Lost(c, r)
	}
}

// A Hub takes events, keeps those of retained classes, and routes all. Its
// methods may be called concurrently.
type Hub struct {
	// Fixed at construction.
	store  Store // nil if no class was ever retained
	router Router
	config Config
	log    *slog.Logger
	room   *room
	shared Line // of PublishAsync

	searches chan struct{} // full when as many as may search logs: see mostSearches
	reads    chan struct{} // full when as many as may read logs: see mostReads
	sends    chan struct{} // full when as many as may send the past: see mostSends
	pages    pages         // that replays have read

	state atomic.Pointer[state] // never changed once stored
	stats counters

	// setting guards the following; it serializes writers of state.
	setting sync.Mutex
	known   map[string]*member // all that ever were, as their logs and windows outlive a change of classes

	ready deliveries
	lags  map[*classLog]*lag // owned by the deliverer

	ctx   context.Context // done when Close has delivered everything
	stop  context.CancelFunc
	owned sync.WaitGroup // deliverer and sweeper

	closed atomic.Bool
}

// A state is what the hub knows of the classes at one time.
type state struct {
	catalogue *Catalogue
	members   map[string]*member
}

// A member is a class in the hub.
type member struct {
	class  *Class
	log    *classLog // nil if the class is not retained
	window *window   // for classes that are not retained
}

// NewHub returns a hub and starts its goroutines, which [Hub.Close] ends. It
// asks the store for the bounds of each retained class. store may be nil if no
// class is retained; the hub does not close it, and is the only one that
// appends to it.
func NewHub(ctx context.Context, cat *Catalogue, store Store, router Router, config Config, log *slog.Logger) (*Hub, error) {
	var problems []error
	config.Validate(func(path string, err error) { problems = append(problems, fmt.Errorf("%s: %w", path, err)) })
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	h := &Hub{
		store:  store,
		router: router,
		config: config,
		log:    log,
		room:   newRoom(config.PendingEvents, config.PendingBytes),
		known:  make(map[string]*member),

		searches: make(chan struct{}, mostSearches()),
		reads:    make(chan struct{}, mostReads()),
		sends:    make(chan struct{}, mostSends()),
	}
	h.shared.hub = h
	h.ready.signal = make(chan struct{}, 1)
	if err := h.SetCatalogue(ctx, cat); err != nil {
		return nil, err
	}
	h.ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	h.owned.Go(h.deliver)
	h.owned.Go(h.sweep)
	return h, nil
}

// Catalogue returns the event classes as they are now.
func (h *Hub) Catalogue() *Catalogue { return h.state.Load().catalogue }

// SetCatalogue changes the event classes, atomically. What was accepted under
// the old ones is still delivered. The log of a class that is gone, or is not
// retained any more, stays in the store as it is, and the class goes on from
// there if it comes back. With an error nothing changes.
func (h *Hub) SetCatalogue(ctx context.Context, cat *Catalogue) error {
	h.setting.Lock()
	defer h.setting.Unlock()
	next := &state{catalogue: cat, members: make(map[string]*member, cat.Len())}
	for _, c := range cat.classes {
		m := &member{class: c}
		if old := h.known[c.name]; old != nil {
			*m = *old
			m.class = c
		}
		if m.window == nil {
			m.window = &window{most: h.config.DuplicateIDs, last: h.config.DuplicateFor}
		}
		if c.Retain().Retained() && m.log == nil {
			l, err := h.openLog(ctx, c.name)
			if err != nil {
				return err
			}
			m.log = l
		}
		next.members[c.name] = m
	}
	for name, m := range next.members {
		h.known[name] = m
		if !m.class.Retain().Retained() {
			m := *m
			m.log = nil
			next.members[name] = &m
		}
	}
	h.state.Store(next)
	if h.ready.follows.Load() {
		h.CatchUp() // with what was heard while the logs of new classes were opened
	}
	return nil
}

// openLog finds out how far the log of a class goes. Nobody appends to it yet,
// so everything in it counts as routed.
func (h *Hub) openLog(ctx context.Context, class string) (*classLog, error) {
	if h.store == nil {
		return nil, fmt.Errorf("the class %s is retained, and there is no store to keep it in", class)
	}
	b, err := h.store.Bounds(ctx, class)
	if err != nil {
		return nil, fmt.Errorf("open the log of the class %s: %w", class, err)
	}
	return &classLog{epoch: b.Epoch, routed: b.Next - 1, line: b.Line, told: b.Epoch}, nil
}

// Close takes no more events, waits until all that were accepted are delivered
// or have failed, and ends the hub's goroutines. Publishers that wait for room
// get [ErrClosed]; a Publish of a class that is not retained may still be
// routing if it was called before. The store must not be closed before.
func (h *Hub) Close() {
	if h.closed.Swap(true) {
		h.owned.Wait()
		return
	}
	<-h.room.close()
	h.stop()
	h.owned.Wait()
}

// sweep trims logs by age, and windows, until the hub stops. It trims once at
// the start, as much may have grown old while nothing ran.
func (h *Hub) sweep() {
	tick := time.NewTicker(h.config.SweepEvery)
	defer tick.Stop()
	for {
		h.sweepOnce()
		select {
		case <-tick.C:
		case <-h.ctx.Done():
			return
		}
	}
}

// sweepOnce trims logs and windows. Logs that cannot be trimmed are told together,
// since a store that is away has that for all of them.
func (h *Hub) sweepOnce() {
	var first error
	failed, class := 0, ""
	for _, m := range h.state.Load().members {
		m.window.expireNow(time.Now())
		if m.log == nil {
			continue
		}
		if err := h.trim(m); err != nil {
			if failed++; first == nil {
				first, class = err, m.class.name
			}
		}
	}
	if failed > 0 && h.ctx.Err() == nil {
		h.log.Warn("cannot trim the logs of classes", "classes", failed, "class", class, "err", first)
	}
}

// trim trims the log of one class.
func (h *Hub) trim(m *member) error {
	for {
		n, err := h.store.Trim(h.ctx, m.class.name, m.class.Retain(), time.Now())
		if n == 0 || err != nil {
			return err
		}
	}
}
