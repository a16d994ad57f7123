package router

import (
	"context"
	"errors"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

const (
	// maxSources is of how many histories one answer can be made.
	maxSources = 64

	// pastPage is how many events are read from a history at a time, and
	// pastPageBytes about how many bytes.
	pastPage      = 64
	pastPageBytes = 64 << 10
)

// A source is a history that can be read: a [ring], or one that a [Historian]
// has.
type source interface {
	last() uint64
	seek(ctx context.Context, t time.Time, through uint64) (after uint64, err error)
	find(ctx context.Context, id wamp.ID) (keptEvent, bool, error)
	read(ctx context.Context, want HistoryRange) ([]keptEvent, error)
}

// A governed history is one of a [Historian]: it implements source.
type governed struct{ History }

func (g governed) last() uint64 { return g.Last() }

func (g governed) seek(ctx context.Context, t time.Time, through uint64) (uint64, error) {
	return g.Seek(ctx, t, through)
}

func (g governed) find(ctx context.Context, id wamp.ID) (keptEvent, bool, error) {
	place := g.Place(id)
	if place == 0 || place > g.Last() {
		return keptEvent{}, false, nil
	}
	page, err := g.read(ctx, HistoryRange{After: place - 1, Through: place, Limit: 1, Bytes: 1})
	if err != nil || len(page) == 0 || page[0].id != id {
		return keptEvent{}, false, err
	}
	return page[0], true, nil
}

func (g governed) read(ctx context.Context, want HistoryRange) ([]keptEvent, error) {
	page, err := g.Read(ctx, want)
	list := make([]keptEvent, len(page))
	for i := range page {
		list[i], _ = newKeptEvent(&page[i].Publication)
		list[i].place, list[i].ms = page[i].Place, page[i].Time.UnixMilli()
		list[i].payload = page[i].Publication.Payload
	}
	return list, err
}

// A past is what one session may see of a subscription's past. It belongs to
// one call.
type past struct {
	session *Session
	sub     *subscription
	sources []source
	allowed map[wamp.URI]bool // topics that the session may or may not subscribe to
}

// past returns what there is for the session. The error says why there is
// nothing, and never will be.
func (s *Session) past(sub *subscription) (*past, error) {
	i, err := s.maySubscribe(sub.topic, sub.match)
	if err != nil {
		return nil, err
	}
	p := &past{session: s, sub: sub}
	if h := s.realm.broker.history.Load(); h != nil && sub.filter == nil {
		for _, ring := range h.all {
			if wamp.Overlap(sub.topic, sub.match, ring.cfg.Topic, ring.cfg.Match) {
				p.sources = append(p.sources, ring)
			}
		}
	}
	if gov, ok := s.realm.gov.(Historian); ok {
		list, err := gov.Histories(s, i, sub.filter)
		if err != nil {
			return nil, err
		}
		for _, h := range list {
			p.sources = append(p.sources, governed{h})
		}
	}
	switch n := len(p.sources); {
	case n == 0:
		return nil, wamp.Errorf(wamp.URIHistoryUnavailable, "no event of %q is kept", clip(string(sub.topic)))
	case n > maxSources:
		return nil, wamp.Errorf(wamp.URILimit, "the pattern %q is of %d histories, and at most %d can be read at once", clip(string(sub.topic)), n, maxSources)
	}
	return p, nil
}

// maySubscribe returns the session's interest in a topic, or an error if it may
// not subscribe to it, which is asked as if it did. Reader only.
func (s *Session) maySubscribe(topic wamp.URI, match wamp.Match) (Interest, error) {
	m := &wamp.Subscribe{Topic: topic, Options: wamp.SubscribeOptions{Match: match}}
	d, err := s.ask(ActionSubscribe, topic, match, m)
	return Interest{Topic: topic, Match: match, Where: d.Where}, err
}

// shows reports whether the subscription's past has the event, for the session.
func (p *past) shows(k *keptEvent) (bool, error) {
	if k.to != nil && !k.to.has(p.session) {
		return false, nil
	}
	name := k.topic
	if !fitsURI(p.sub.topic, p.sub.match, name) {
		if name = k.channel; name == "" || !fitsURI(p.sub.topic, p.sub.match, name) {
			return false, nil
		}
	}
	if p.sub.match == wamp.Exact {
		return true, nil // it was asked for by its name
	}
	if may, known := p.allowed[name]; known {
		return may, nil
	}
	_, err := p.session.maySubscribe(name, wamp.Exact)
	if err != nil && !errors.Is(err, wamp.ErrNotAuthorized) {
		return false, err
	}
	if p.allowed == nil {
		p.allowed = make(map[wamp.URI]bool)
	}
	p.allowed[name] = err == nil
	return err == nil, nil
}

// read returns a reader of what q asks for.
func (p *past) read(ctx context.Context, q *pastQuery) (*pastReader, error) {
	r := &pastReader{past: p, topic: q.topic, reverse: q.reverse, lanes: make([]pastLane, len(p.sources))}
	if q.topic == "" && p.sub.match == wamp.Exact {
		r.topic = p.sub.topic
	}
	low, high := make([]int64, len(p.sources)), make([]int64, len(p.sources))
	for i, src := range p.sources {
		r.lanes[i] = pastLane{source: src, through: src.last()}
		low[i], high[i] = q.low, q.high
	}
	for _, b := range q.bounds {
		at, rank, err := p.locate(ctx, b)
		if err != nil {
			return nil, err
		}
		r.bound(b, at, rank, low, high)
	}
	for i := range r.lanes {
		if err := r.lanes[i].limit(ctx, low[i], high[i]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// locate finds the event that a filter names, and in which source it is.
func (p *past) locate(ctx context.Context, b pastBound) (at keptEvent, rank int, err error) {
	for rank, src := range p.sources {
		at, ok, err := src.find(ctx, b.publication)
		if err != nil {
			return keptEvent{}, 0, err
		}
		if !ok {
			continue
		}
		if ok, err = p.shows(&at); ok || err != nil {
			return at, rank, err
		}
	}
	return keptEvent{}, 0, wamp.Errorf(wamp.URINoSuchEvent, "%s: the history of the subscription has no publication %d, or has it no longer", b.name, b.publication)
}

// A pastReader reads the sources of a past side by side. Its order is that of
// time, within a millisecond that of the sources, and within a source that of
// places.
type pastReader struct {
	past    *past
	topic   wamp.URI // only events that have this name; empty: any
	reverse bool
	lanes   []pastLane
}

// A pastLane is what is still to be read of one source.
type pastLane struct {
	source         source
	after, through uint64
	page           []keptEvent // read and not yet taken
}

// bound leaves only what is on the right side of an event.
func (r *pastReader) bound(b pastBound, at keptEvent, rank int, low, high []int64) {
	for i := range r.lanes {
		l := &r.lanes[i]
		switch {
		case i == rank && b.upper && b.included:
			l.through = min(l.through, at.place)
		case i == rank && b.upper:
			l.through = min(l.through, at.place-1)
		case i == rank && b.included:
			l.after = max(l.after, at.place-1)
		case i == rank:
			l.after = max(l.after, at.place)
		case b.upper && i < rank:
			high[i] = min(high[i], at.ms+1)
		case b.upper:
			high[i] = min(high[i], at.ms)
		case i < rank:
			low[i] = max(low[i], at.ms+1)
		default:
			low[i] = max(low[i], at.ms)
		}
	}
}

// limit leaves only what is in a range of times, low <= t < high.
func (l *pastLane) limit(ctx context.Context, low, high int64) error {
	if low >= high {
		l.through = l.after
		return nil
	}
	if low > minMilli {
		after, err := l.source.seek(ctx, time.UnixMilli(low), l.through)
		if err != nil {
			return err
		}
		l.after = max(l.after, after)
	}
	if high < maxMilli {
		through, err := l.source.seek(ctx, time.UnixMilli(high), l.through)
		if err != nil {
			return err
		}
		l.through = min(l.through, through)
	}
	return nil
}

// Times of events, as Unix time in milliseconds, are between these.
const (
	minMilli = 0
	maxMilli = 253402300800000 // the year 10000
)

// next returns the next event, or false if there is none.
func (r *pastReader) next(ctx context.Context) (keptEvent, bool, error) {
	var first *pastLane
	for i := range r.lanes {
		l := &r.lanes[i]
		if err := r.fill(ctx, l); err != nil {
			return keptEvent{}, false, err
		}
		if len(l.page) == 0 {
			continue
		}
		if first == nil || !r.reverse && l.page[0].ms < first.page[0].ms || r.reverse && l.page[0].ms >= first.page[0].ms {
			first = l
		}
	}
	if first == nil {
		return keptEvent{}, false, nil
	}
	k := first.page[0]
	first.page = first.page[1:]
	return k, true, nil
}

// fill reads on until there is an event that is asked for, or no event.
func (r *pastReader) fill(ctx context.Context, l *pastLane) error {
	for len(l.page) == 0 && l.after < l.through {
		page, err := l.source.read(ctx, HistoryRange{
			After: l.after, Through: l.through, Reverse: r.reverse,
			Limit: max(4, pastPage/len(r.lanes)), Bytes: max(4<<10, pastPageBytes/len(r.lanes)), Topic: r.topic,
		})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			l.after = l.through
			return nil
		}
		if last := page[len(page)-1].place; r.reverse {
			l.through = last - 1
		} else {
			l.after = last
		}
		kept := page[:0]
		for i := range page {
			if err := context.Cause(ctx); err != nil { // each may have to be asked about elsewhere
				return err
			}
			k := &page[i]
			if r.topic != "" && k.topic != r.topic && k.channel != r.topic {
				continue
			}
			ok, err := r.past.shows(k)
			if err != nil {
				return err
			}
			if ok {
				kept = append(kept, *k)
			}
		}
		l.page = kept
	}
	return nil
}
