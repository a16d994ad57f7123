package router

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// brokerShards divides the exact topics, so that subscribing to one seldom
// waits for another. A power of two.
const brokerShards = 64

// A broker keeps the subscriptions of a realm and routes publications.
type broker struct {
	stats    *counters
	meta     *chronicle
	seed     maphash.Seed
	lastID   atomic.Uint64
	exact    [brokerShards]topicShard
	patterns patterns[subscription]
	filtered filtered
	ids      subscriptionIDs
	history  atomic.Pointer[histories] // nil: of no topic

	attendance Attendance // nil: nobody wants to know who is subscribed
}

type topicShard struct {
	mu   sync.RWMutex // guards the following
	subs map[wamp.URI]*subscription
}

func (b *broker) init(stats *counters, meta *chronicle) {
	b.stats, b.meta, b.seed = stats, meta, maphash.MakeSeed()
	b.ids.init()
	for i := range b.exact {
		b.exact[i].subs = make(map[wamp.URI]*subscription)
	}
}

func (b *broker) shard(topic wamp.URI) *topicShard {
	return &b.exact[maphash.String(b.seed, string(topic))&(brokerShards-1)]
}

// publish queues the event on every subscriber that is to have it. It draws
// p.ID if it is zero.
func (b *broker) publish(ws *workspace, p *Publication) {
	if p.ID == 0 {
		p.ID = NewID()
	}
	b.stats.publications.Add(1)
	p.book = p.receiptBook()
	if h := b.history.Load(); h != nil {
		h.keep(p)
	}
	if ws.matches = ws.matches[:0]; p.Exact {
		ws.matches = b.matchExact(ws.matches, p.Topic)
	} else {
		ws.matches = b.match(ws.matches, p.Topic, p.Channel)
	}
	for _, id := range p.Filters {
		ws.matches = b.filtered.match(ws.matches, id, p.Topic, p.Channel)
	}
	if len(ws.matches) == 0 {
		return
	}
	ws.to.init(p)
	ws.enc.init(p)
	n := 0
	for i, sub := range ws.matches {
		ws.enc.begin(sub)
		if p.book != nil {
			p.book.enc.begin(sub)
		}
		n += b.fanOut(ws, sub)
		ws.matches[i] = nil
	}
	ws.to, ws.enc = audience{}, encoding{}
	b.stats.events.Add(uint64(n))
}

// fanOut queues the event on the subscribers of one subscription.
func (b *broker) fanOut(ws *workspace, sub *subscription) (n int) {
	p := ws.enc.p
	for _, m := range sub.members() {
		s := m.session
		if !ws.to.has(s) {
			continue
		}
		enc, asked := &ws.enc, false
		if p.book != nil && p.book.ask(s) {
			enc, asked = &p.book.enc, true
		}
		frame := enc.frame(&s.peer)
		if frame == nil {
			b.stats.untranslatable.Add(1)
			if asked {
				p.book.unask(s)
			}
			continue
		}
		w, linger := p.WhenFull, p.Linger
		if w == Inherit {
			w = s.limits.WhenFull
		}
		if linger == 0 {
			linger = s.limits.Linger
		}
		result := m.push(frame, w.key(p.Key), linger)
		if ws.delivered(s, result, linger) {
			n++
		}
		if p.book != nil {
			p.book.queued(s, asked, result)
		}
	}
	ws.rest()
	return n
}

// match appends the subscriptions without a filter that an event of the topic
// goes to, each once.
func (b *broker) match(dst []*subscription, topic, channel wamp.URI) []*subscription {
	dst = b.matchExact(dst, topic)
	if channel != "" {
		dst = b.matchExact(dst, channel)
	}
	if b.patterns.count.Load() == 0 {
		return dst
	}
	return b.patterns.matchEither(dst, topic, channel)
}

func (b *broker) matchExact(dst []*subscription, topic wamp.URI) []*subscription {
	if sub := b.find(topic, wamp.Exact, nil); sub != nil {
		dst = append(dst, sub)
	}
	return dst
}

// find returns the subscription of a topic or pattern and a filter, or nil.
func (b *broker) find(topic wamp.URI, match wamp.Match, filter *Filter) *subscription {
	if filter != nil {
		return b.filtered.find(topic, match, filter.ID)
	}
	if match != wamp.Exact {
		b.patterns.mu.RLock()
		defer b.patterns.mu.RUnlock()
		return b.patterns.get(topic, match)
	}
	sh := b.shard(topic)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.subs[topic]
}

// add subscribes the member's session to topic, and reports whether it made the
// subscription. It leaves the session's outbox locked, for the caller to queue
// what comes before any event, and to unlock.
func (b *broker) add(m *member, topic wamp.URI, match wamp.Match, filter *Filter) (made bool) {
	mu := b.lock(topic, match, filter)
	mu.Lock()
	defer mu.Unlock()
	var sub *subscription
	switch {
	case filter != nil:
		sub = b.filtered.get(topic, match, filter.ID)
	case match != wamp.Exact:
		sub = b.patterns.get(topic, match)
	default:
		sub = b.shard(topic).subs[topic]
	}
	if made = sub == nil; made {
		sub = b.create(m.session, topic, match, filter)
		switch {
		case filter != nil:
			b.filtered.put(sub)
		case match != wamp.Exact:
			b.patterns.put(topic, match, sub)
		default:
			b.shard(topic).subs[topic] = sub
		}
	}
	b.enter(sub, m)
	return made
}

// lock returns what guards the subscription of a topic or pattern and a filter.
func (b *broker) lock(topic wamp.URI, match wamp.Match, filter *Filter) *sync.RWMutex {
	switch {
	case filter != nil:
		return &b.filtered.part(filter.ID).mu
	case match != wamp.Exact:
		return &b.patterns.mu
	default:
		return &b.shard(topic).mu
	}
}

// create returns a new subscription that the session wants. The lock of the
// topic's shard is held, as for enter and exit.
func (b *broker) create(s *Session, topic wamp.URI, match wamp.Match, filter *Filter) *subscription {
	sub := &subscription{
		id: wamp.ID(b.lastID.Add(1)), topic: topic, match: match, filter: filter, created: time.Now().UnixMilli(),
		attended: b.attends(topic, match),
	}
	b.ids.put(sub)
	b.meta.watch(sub, 1)
	b.meta.note(metaEvent{topic: subscriptionCreated, session: s, sub: sub})
	return sub
}

// found makes a subscription that is there without subscribers, and stays. Only
// while it has any does it count among those that want meta events.
func (b *broker) found(topic wamp.URI, match wamp.Match) {
	sub := &subscription{
		id: wamp.ID(b.lastID.Add(1)), topic: topic, match: match, lasting: true, created: time.Now().UnixMilli(),
		attended: b.attends(topic, match),
	}
	if match != wamp.Exact {
		b.patterns.mu.Lock()
		defer b.patterns.mu.Unlock()
		b.patterns.put(topic, match, sub)
	} else {
		sh := b.shard(topic)
		sh.mu.Lock()
		defer sh.mu.Unlock()
		sh.subs[topic] = sub
	}
	b.ids.put(sub)
}

// enter makes m a member. It leaves the outbox of m's session locked.
func (b *broker) enter(sub *subscription, m *member) {
	if sub.lasting && sub.members() == nil {
		b.meta.watch(sub, 1)
	}
	if sub.attended {
		b.attendance.Came(m.session, sub.topic)
	}
	sub.addLocked(m)
	m.session.traffic.watches(sub, 1)
	b.meta.note(metaEvent{topic: subscriberCame, session: m.session, sub: sub})
}

// exit takes a member out and reports whether it was the last of a subscription
// that ends with it.
func (b *broker) exit(sub *subscription, m *member) (last bool) {
	last = sub.removeLocked(m)
	if sub.attended {
		b.attendance.Went(m.session, sub.topic)
	}
	m.session.traffic.watches(sub, -1)
	b.meta.note(metaEvent{topic: subscriberWent, session: m.session, sub: sub, untold: m.revoked})
	if last {
		b.meta.watch(sub, -1)
	}
	if last = last && !sub.lasting; last {
		b.ids.delete(sub)
		b.meta.note(metaEvent{topic: subscriptionDeleted, session: m.session, sub: sub, untold: m.revoked})
	}
	return last
}

// remove takes a member that has left out of its subscription, and forgets a
// subscription that has no members.
func (b *broker) remove(m *member) {
	sub := m.sub
	if b.take(sub, m) && sub.filter != nil {
		sub.filter.Release()
	}
}

// take is remove, and reports whether the subscription is gone.
func (b *broker) take(sub *subscription, m *member) (gone bool) {
	mu := b.lock(sub.topic, sub.match, sub.filter)
	mu.Lock()
	defer mu.Unlock()
	if !b.exit(sub, m) {
		return false
	}
	switch {
	case sub.filter != nil:
		b.filtered.delete(sub)
	case sub.match != wamp.Exact:
		b.patterns.delete(sub.topic, sub.match)
	default:
		delete(b.shard(sub.topic).subs, sub.topic)
	}
	return true
}
