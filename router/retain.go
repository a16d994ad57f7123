package router

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

const (
	// maxRetainFor is how many milliseconds an event may be asked to be
	// retained: a hundred years.
	maxRetainFor = 100 * 365 * 24 * 3600 * 1000

	// maxRetainedOfTopic is how many events of one topic are retained: the
	// last that is for everybody, the one before for its publisher, and those
	// for some, of which the oldest makes room.
	maxRetainedOfTopic = 10
)

// A retained event is the last of a topic, at least for some sessions (WAMP
// "Event Retention"). It is never changed.
type retained struct {
	topic   wamp.URI
	seq     uint64    // in the order in which the realm's were published
	expires time.Time // zero: never
	from    wamp.ID   // its publisher, if that does not get it
	to      audience  // but for from
	event   wamp.Event
	size    int
}

// newRetained returns p to retain. It shares no memory with it.
func newRetained(p *Publication) (*retained, error) {
	p = p.Clone()
	r := &retained{topic: p.Topic}
	if v := p.Options.Extra["_retain_for"]; v != nil {
		ms, ok := v.(int64)
		if !ok || ms < 1 || ms > maxRetainFor {
			return nil, wamp.Errorf(wamp.URIInvalidArgument, "_retain_for: expected milliseconds, an integer in 1 to %d", maxRetainFor)
		}
		r.expires = time.Now().Add(time.Duration(ms) * time.Millisecond)
	}
	if from := p.Publisher(); from != nil && !p.Options.KeepMe {
		r.from = from.ID
	}
	r.to.init(&Publication{Options: p.Options})
	var e encoding
	e.init(p)
	r.event = e.event
	r.event.Details.Retained = true
	r.event.Payload = p.Payload
	o := p.Options
	r.size = 512 + len(p.Topic) + p.Payload.Len() + p.Options.Passthru.Len() + 8*(len(o.Exclude)+len(o.Eligible))
	for _, list := range [][]string{o.ExcludeAuthID, o.ExcludeAuthRole, o.EligibleAuthID, o.EligibleAuthRole} {
		for _, s := range list {
			r.size += 16 + len(s)
		}
	}
	return r, nil
}

// over reports whether the event's time is over.
func (r *retained) over(now time.Time) bool { return !r.expires.IsZero() && !now.Before(r.expires) }

// isFor reports whether the session would have got the event.
func (r *retained) isFor(s *Session) bool { return s.id != r.from && r.to.has(s) }

// frame returns the framed EVENT for a subscriber, or nil if its serializer
// cannot express the payload.
func (r *retained) frame(m *member) []byte {
	peer := &m.session.peer
	event := r.event
	event.Subscription = m.sub.id
	if m.sub.match != wamp.Exact {
		event.Details.Topic = r.topic
	}
	var err error
	if event.Payload, err = r.event.Payload.In(peer.Serializer); err != nil {
		return nil
	}
	return seal(peer.Framing, peer.Serializer, &event, event.Payload.Len()+len(r.topic))
}

// A retention keeps the retained events of a realm.
type retention struct {
	stats *counters
	cfg   *Config

	mu     sync.RWMutex             // guards the following; taken after an outbox's mu
	topics map[wamp.URI][]*retained // of each topic, the latest first
	seq    uint64
	count  int
	bytes  int
	swept  time.Time // when those that are over were looked for
}

func (rt *retention) init(stats *counters, cfg *Config) {
	rt.stats, rt.cfg = stats, cfg
	rt.topics = make(map[wamp.URI][]*retained)
}

// keep retains a publication of a session before it is routed, or says why
// not. It draws p.ID if it is zero.
func (rt *retention) keep(p *Publication) error {
	if p.ID == 0 {
		p.ID = NewID()
	}
	r, err := newRetained(p)
	if err != nil {
		return err
	}
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if !rt.replaceLocked(r, p.From) && (!rt.sweepLocked() || !rt.replaceLocked(r, p.From)) {
		rt.stats.notRetained.Add(1)
		return wamp.Errorf(wamp.URILimit, "the realm retains %d events of %d bytes, and may retain %d of %d", rt.count, rt.bytes, rt.cfg.MaxRetained, rt.cfg.MaxRetainedBytes)
	}
	return nil
}

// replaceLocked makes r the last of its topic, if there is room.
func (rt *retention) replaceLocked(r *retained, from *Session) bool {
	old := rt.topics[r.topic]
	list := r.before(old, from)
	count, bytes := rt.count+len(list)-len(old), rt.bytes+sizeOf(list)-sizeOf(old)
	if count > max(rt.cfg.MaxRetained, rt.count) || bytes > max(rt.cfg.MaxRetainedBytes, rt.bytes) {
		return false
	}
	rt.seq++
	r.seq = rt.seq
	rt.topics[r.topic] = list
	rt.count, rt.bytes = count, bytes
	return true
}

// sweepLocked forgets what nobody gets any more because its time is over: an
// event for all with those before it, and topics of which nothing else is left.
// It reports whether there was any. It looks through all at most once a second,
// so that a publisher who finds no room costs little.
func (rt *retention) sweepLocked() (any bool) {
	now := time.Now()
	if now.Sub(rt.swept) < time.Second {
		return false
	}
	rt.swept = now
	for topic, list := range rt.topics {
		kept := list
		if i := slices.IndexFunc(list, func(r *retained) bool { return r.to.all && r.over(now) }); i >= 0 {
			kept = slices.Clone(list[:i])
		}
		if !slices.ContainsFunc(kept, func(r *retained) bool { return !r.over(now) }) {
			kept = nil
		}
		if len(kept) == len(list) {
			continue
		}
		any = true
		rt.count -= len(list) - len(kept)
		rt.bytes -= sizeOf(list) - sizeOf(kept)
		if len(kept) == 0 {
			delete(rt.topics, topic)
		} else {
			rt.topics[topic] = kept
		}
	}
	return any
}

// before returns the events of the topic to retain from now on: r, and of the
// older ones those that may still be the last for somebody.
func (r *retained) before(older []*retained, from *Session) []*retained {
	list := []*retained{r}
	if r.to.all {
		// The last for everybody but its publisher, who is nobody's here if
		// it published elsewhere.
		if i := slices.IndexFunc(older, func(o *retained) bool { return r.from != 0 && from != nil && o.isFor(from) }); i >= 0 {
			list = append(list, older[i])
		}
		return list
	}
	if list = append(list, older...); len(list) <= maxRetainedOfTopic {
		return list
	}
	i := len(list) - 1
	for i > 1 && list[i].to.all {
		i--
	}
	return slices.Delete(list, i, i+1)
}

func sizeOf(list []*retained) (n int) {
	for _, r := range list {
		n += r.size
	}
	return n
}

// last returns, for each topic that fits, the last event that the session would
// have got, in the order in which they were published.
func (rt *retention) last(s *Session, pattern wamp.URI, match wamp.Match) (found []*retained) {
	now := time.Now()
	rt.mu.RLock()
	defer rt.mu.RUnlock()
	look := func(list []*retained) {
		if i := slices.IndexFunc(list, func(r *retained) bool { return r.isFor(s) }); i >= 0 && !list[i].over(now) {
			found = append(found, list[i])
		}
	}
	if match == wamp.Exact {
		look(rt.topics[pattern])
		return found
	}
	for topic, list := range rt.topics {
		if fitsURI(pattern, match, topic) {
			look(list)
		}
	}
	slices.SortFunc(found, func(a, b *retained) int { return cmp.Compare(a.seq, b.seq) })
	return found
}

// errRetainGoverned is why a publication to a class is not retained so.
func errRetainGoverned(topic wamp.URI) error {
	return wamp.Errorf(wamp.URIOptionNotAllowed, "retain: %q is governed by a class, which decides what is kept in its log", clip(string(topic)))
}

// checkRetained refuses a subscription for which more is retained than the
// session's queue should take at once.
func (s *Session) checkRetained(pattern wamp.URI, match wamp.Match) error {
	if gov := s.realm.gov; gov != nil && match == wamp.Exact && gov.Governs(pattern) {
		return wamp.Errorf(wamp.URIOptionNotAllowed, "get_retained: %q is governed by a class, whose log has its last events: ask for _last", clip(string(pattern)))
	}
	if match == wamp.Exact {
		return nil
	}
	found := s.realm.retention.last(s, pattern, match)
	if n, most := sizeOf(found), s.limits.QueueBytes/2; n > most {
		return wamp.Errorf(wamp.URILimit, "get_retained: %d events of about %d bytes are retained for the pattern, and at most %d bytes are sent at once", len(found), n, most)
	}
	return nil
}

// sendRetainedLocked queues what is retained for a new subscriber, whose outbox
// is locked: so that what is published meanwhile comes after it. had is what
// became of the frame before; the result, of both. What there is no room for
// counts as missed.
func (s *Session) sendRetainedLocked(m *member, had pushed) pushed {
	for _, r := range s.realm.retention.last(s, m.sub.topic, m.sub.match) {
		frame := r.frame(m)
		switch {
		case frame == nil:
			s.router.stats.untranslatable.Add(1)
			continue
		case s.out.bytes > 0 && s.out.bytes+len(frame) > s.out.limit:
			m.behind++
			s.router.stats.droppedOldest.Add(1)
			continue
		}
		switch s.out.pushLocked(entry{frame: frame, member: m, key: keyFirm}, 0) {
		case flushIt:
			had = flushIt
			s.router.stats.events.Add(1)
		case queued:
			s.router.stats.events.Add(1)
		}
	}
	return had
}
