package events

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// mostReads returns how many replays without a query may read a log at a time,
// each a page: a store is slower with thousands of readers.
func mostReads() int { return 2 * runtime.GOMAXPROCS(0) }

// mostSends returns how many replays may send at a time, each a page. After a
// break thousands come back together. What is live goes through several
// goroutines, each of which would else wait behind thousands that have something
// to send; and it needs processors that are free.
func mostSends() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// mostPages is how many passages of logs are kept for other replays. One that
// has more bytes of data than twice pageBytes, as a single event may, is not.
const mostPages = 64

// pages keeps what replays have read of logs while others are under way: those
// who come back together want the same events. What is in a log at an offset
// never changes in an epoch, so a passage is as good as when it was read. It is
// safe for concurrent use.
type pages struct {
	mu   sync.Mutex // guards the following
	read map[pageKey]*passage
	keys []pageKey // of read, the oldest first
}

// A passage is a page of a log as replays send it. Nobody changes it.
type passage struct {
	bounds Bounds
	after  uint64
	events []Event // at most pageEvents, marked as Replayed
	made   []Made  // for each of events; nil: the passage is not kept for others
}

// newPassage returns the passage of a page that was read of the epoch.
func newPassage(page *Page, epoch string) *passage {
	p := &passage{bounds: page.Bounds, after: page.After, events: make([]Event, len(page.Records))}
	for i := range page.Records {
		p.events[i] = page.Records[i].event(epoch)
		p.events[i].Replayed = true
	}
	return p
}

// madeOf returns where subscribers leave what they make of the i-th event.
func (p *passage) madeOf(i int) *Made {
	if p.made == nil {
		return nil
	}
	return &p.made[i]
}

// Made is a place beside an event of the past for what one subscriber has made
// of it, such as the bytes that it writes, and others need as well who are sent
// the same event within moments. It is kept as long as the event. It is safe for
// concurrent use.
type Made struct{ value atomic.Value }

// By returns what is there. If nothing is, that is what first returns, which is
// of one type in all calls.
func (m *Made) By(first func() any) any {
	if v := m.value.Load(); v != nil {
		return v
	}
	m.value.CompareAndSwap(nil, first())
	return m.value.Load()
}

// A pageKey is where a page begins.
type pageKey struct {
	class, channel, epoch string
	after                 uint64
}

// get returns the passage with that key, if it is kept and has nothing behind
// through.
func (p *pages) get(key pageKey, through uint64) *passage {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.read[key]; found != nil && found.after <= through {
		return found
	}
	return nil
}

// keep keeps a passage for others, in place of the oldest one if there are as
// many as may be. The caller has not shown it to anybody yet.
func (p *pages) keep(key pageKey, found *passage) {
	size := 0
	for i := range found.events {
		size += len(found.events[i].Data)
	}
	if size > 2*pageBytes || found.after <= key.after {
		return
	}
	found.made = make([]Made, len(found.events))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.read == nil {
		p.read = make(map[pageKey]*passage)
	}
	if p.read[key] == nil {
		if len(p.keys) == mostPages {
			delete(p.read, p.keys[0])
			p.keys = p.keys[:copy(p.keys, p.keys[1:])]
		}
		p.keys = append(p.keys, key)
	}
	p.read[key] = found
}

// forget lets go of all pages.
func (p *pages) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read, p.keys = nil, nil
}

// turn waits until the replay may read. Who waits longest is next. end is to be
// called once if there is no error, and before a subscriber is waited for.
func (r *replay) turn(ctx context.Context) (end func(), err error) {
	if r.sieve.filter != nil {
		return r.sieve.turn(ctx, r.hub)
	}
	return r.hub.readTurn(ctx)
}

// readTurn waits until one more replay may read.
func (h *Hub) readTurn(ctx context.Context) (end func(), err error) {
	select {
	case h.reads <- struct{}{}:
		return h.hasRead, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// hasRead gives a turn to the next.
func (h *Hub) hasRead() { <-h.reads }

// sendTurn waits until one more replay may send.
func (h *Hub) sendTurn(ctx context.Context) (end func(), err error) {
	select {
	case h.sends <- struct{}{}:
		return h.hasSent, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// hasSent gives a turn to the next, once what is live had its own.
func (h *Hub) hasSent() {
	if h.config.Rest != nil {
		h.config.Rest()
	}
	<-h.sends
}

// find finds the next events of the log among what other replays have read.
func (r *replay) find() *passage { return r.hub.pages.get(r.key(), r.through) }

// key returns what the next events of the log are kept by.
func (r *replay) key() pageKey {
	return pageKey{r.member.class.name, r.sieve.Channel, r.epoch, r.after}
}

// read reads the next events of the log, unless another replay has read them
// since it was its turn.
func (r *replay) read(ctx context.Context) (*passage, error) {
	if found := r.find(); found != nil {
		return found, nil
	}
	key, limit := r.key(), pageEvents
	if key.channel == "" {
		// Pages end at the same offsets whoever reads them, so that those
		// who began at different ones soon read the same.
		limit -= int(r.after % pageEvents)
	}
	page, err := r.hub.store.Read(ctx, Range{
		Class: key.class, Channel: key.channel, After: r.after, Through: r.through, Limit: limit, Bytes: pageBytes,
	})
	if err != nil {
		return nil, err
	}
	found := newPassage(&page, r.epoch)
	if page.Bounds.Epoch == r.epoch && r.hub.stats.replays.Load() > 1 {
		r.hub.pages.keep(key, found)
	}
	return found, nil
}

// replaying counts a replay. end is to be called once, when it is over: with
// the last one all pages go.
func (h *Hub) replaying() (end func()) {
	h.stats.replays.Add(1)
	return func() {
		if h.stats.replays.Add(-1) == 0 {
			h.pages.forget()
		}
	}
}
