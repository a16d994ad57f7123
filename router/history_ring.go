package router

import (
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A keptEvent is one in a history. It is never changed.
type keptEvent struct {
	place   uint64 // in its history
	ms      int64  // when it was published, Unix time in milliseconds
	id      wamp.ID
	topic   wamp.URI
	channel wamp.URI // another name of its topic; may be empty
	show    bool     // the topic is in Details of exact subscriptions, too
	payload wamp.Payload
	details *wamp.EventDetails // but for the topic; nil: none
	to      *audience          // nil: everybody
}

// keptSize is what an event needs besides what it refers to.
const keptSize = 192

// newKeptEvent returns p to keep, without place and time, and about how many bytes
// it takes. It shares no memory with a message.
func newKeptEvent(p *Publication) (k keptEvent, size int) {
	k = keptEvent{id: p.ID, topic: p.Topic, channel: p.Channel, show: p.ShowTopic}
	size = keptSize + len(p.Topic) + p.Payload.Len()
	var e encoding
	e.init(p)
	e.event.Details.AckDelivery = false // asks for an answer to an EVENT
	if !e.event.Details.IsZero() {
		d := e.event.Details
		k.details = &d
		size += 256 + len(d.TransactionHash) + d.Passthru.Len()
		for _, f := range d.Fields {
			size += 64 + len(f.Key)
		}
	}
	if o := p.Options; o != nil && (o.ExcludeAuthID != nil || o.ExcludeAuthRole != nil || o.EligibleAuthID != nil || o.EligibleAuthRole != nil) {
		lists := &wamp.PublishOptions{
			ExcludeAuthID: slices.Clone(o.ExcludeAuthID), ExcludeAuthRole: slices.Clone(o.ExcludeAuthRole),
			EligibleAuthID: slices.Clone(o.EligibleAuthID), EligibleAuthRole: slices.Clone(o.EligibleAuthRole),
		}
		k.to = new(audience)
		k.to.init(&Publication{Options: lists})
		size += 256
		for _, list := range [][]string{lists.ExcludeAuthID, lists.ExcludeAuthRole, lists.EligibleAuthID, lists.EligibleAuthRole} {
			for _, s := range list {
				size += 16 + len(s)
			}
		}
	}
	return k, size
}

// clonePayload returns a copy of p in one piece of memory.
func clonePayload(p wamp.Payload) wamp.Payload {
	buf := make([]byte, 0, p.Len())
	for _, part := range []*[]byte{&p.Args, &p.KwArgs, &p.Opaque} {
		if *part != nil {
			n := len(buf)
			buf = append(buf, *part...)
			*part = buf[n:len(buf):len(buf)]
		}
	}
	return p
}

// A ring is a history in memory: the last events of some topics, in the order
// in which they took its lock.
type ring struct {
	// Fixed at construction.
	cfg   HistoryConfig
	rank  int // among those of the realm
	stats *counters

	mu    sync.Mutex  // guards the following; taken after any lock but the outbox's, and held for at most ringStep events
	buf   []ringEvent // a circle; its length is a power of two, or 0
	head  int         // of the oldest event
	n     int         // events
	next  uint64      // the place of the next event
	bytes int         // of all
	timer *time.Timer // to forget what gets too old; nil: it is not set
	over  bool        // nothing is kept any more
}

type ringEvent struct {
	keptEvent
	size int
}

// ringStep is how many events are looked at before the lock is given back.
const ringStep = 1024

func newRing(c HistoryConfig, rank int, stats *counters) *ring {
	return &ring{cfg: c, rank: rank, stats: stats, next: 1}
}

// keep adds an event.
func (r *ring) keep(p *Publication) {
	k, size := newKeptEvent(p)
	if size > r.cfg.Bytes {
		r.stats.notKept.Add(1)
		return
	}
	k.payload = clonePayload(p.Payload)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return
	}
	k.ms = time.Now().UnixMilli()
	if r.n > 0 {
		k.ms = max(k.ms, r.at(r.n-1).ms) // the clock may be set back
	}
	r.trim(k.ms)
	for r.n > 0 && (r.n == r.cfg.Events || r.bytes+size > r.cfg.Bytes) {
		r.drop()
	}
	if r.n == len(r.buf) {
		r.grow()
	}
	k.place = r.next
	r.next++
	r.n++
	r.bytes += size
	*r.at(r.n - 1) = ringEvent{k, size}
	r.setTimer(k.ms)
}

// at returns the i-th event, of those that there are, from the oldest. mu is
// held, as for all that follows.
func (r *ring) at(i int) *ringEvent { return &r.buf[(r.head+i)&(len(r.buf)-1)] }

// drop forgets the oldest event.
func (r *ring) drop() {
	e := r.at(0)
	r.bytes -= e.size
	*e = ringEvent{}
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
}

// grow makes room for twice as many events.
func (r *ring) grow() {
	buf := make([]ringEvent, max(8, 2*len(r.buf)))
	n := copy(buf, r.buf[r.head:])
	copy(buf[n:], r.buf[:r.head])
	r.buf, r.head = buf, 0
}

// trim forgets what is too old at the time now.
func (r *ring) trim(now int64) {
	if r.cfg.For == 0 {
		return
	}
	for r.n > 0 && r.at(0).ms <= now-r.cfg.For.Milliseconds() {
		r.drop()
	}
}

// setTimer has the oldest event forgotten in time, also if nothing comes any
// more.
func (r *ring) setTimer(now int64) {
	if r.cfg.For == 0 || r.timer != nil || r.n == 0 {
		return
	}
	wait := r.at(0).ms + r.cfg.For.Milliseconds() - now
	r.timer = time.AfterFunc(max(time.Duration(wait)*time.Millisecond, time.Second), r.expire)
}

func (r *ring) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer = nil; r.over {
		return
	}
	now := time.Now().UnixMilli()
	if r.trim(now); r.n == 0 {
		r.buf, r.head = nil, 0
	}
	r.setTimer(now)
}

// close forgets everything, and keeps nothing from now on.
func (r *ring) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	stopTimer(r.timer)
	r.over, r.timer = true, nil
	r.buf, r.head, r.n, r.bytes = nil, 0, 0, 0
}

// first returns the place of the oldest event, or of the next if there is none.
func (r *ring) first() uint64 { return r.next - uint64(r.n) }

// last implements [source].
func (r *ring) last() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next - 1
}

// seek implements [source].
func (r *ring) seek(_ context.Context, t time.Time, through uint64) (after uint64, err error) {
	ms := t.UnixMilli()
	r.mu.Lock()
	defer r.mu.Unlock()
	n := sort.Search(r.n, func(i int) bool { return r.at(i).ms >= ms })
	return min(r.first()-1+uint64(n), through), nil
}

// find implements [source].
func (r *ring) find(ctx context.Context, id wamp.ID) (found keptEvent, ok bool, err error) {
	for place := uint64(1); ; {
		if err := context.Cause(ctx); err != nil { // a ring may have millions
			return keptEvent{}, false, err
		}
		done := false
		func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			place = max(place, r.first())
			end := min(place+ringStep, r.next)
			for ; place < end; place++ {
				if e := r.at(int(place - r.first())); e.id == id {
					found, ok = e.keptEvent, true
					break
				}
			}
			done = ok || place == r.next
		}()
		if done {
			return found, ok, nil
		}
	}
}

// read implements [source].
func (r *ring) read(_ context.Context, want HistoryRange) (page []keptEvent, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trim(time.Now().UnixMilli())
	low, high := max(want.After+1, r.first()), min(want.Through, r.next-1)
	for range min(want.Limit, ringStep) {
		if low > high {
			break
		}
		place := low
		if want.Reverse {
			place = high
			high--
		} else {
			low++
		}
		page = append(page, r.at(int(place-r.first())).keptEvent)
	}
	return page, nil
}
