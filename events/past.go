package events

import (
	"context"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/events/query"
)

// A Past is what was routed of a retained class up to some moment, to be read
// in any order, without subscribing. It is for one goroutine at a time, and
// needs no end.
type Past struct {
	hub     *Hub
	sieve   *sieve
	log     *classLog
	epoch   string
	through uint64
}

// A PastEvent is an event in a [Past].
type PastEvent struct {
	Event          // not marked as Replayed
	Channel string // encoded; may be empty
}

// Past returns the past of a class up to now: of its events, or, unless where is
// nil, of those that satisfy the query. The error is an [*UnknownClassError], or
// wraps [ErrNotRetained] or an error of [query.NewFilter].
func (h *Hub) Past(class string, where *query.Query) (*Past, error) {
	m := h.state.Load().members[class]
	switch {
	case m == nil:
		return nil, &UnknownClassError{Class: class}
	case m.log == nil:
		return nil, fmt.Errorf("%w: %s", ErrNotRetained, class)
	}
	sieve, err := newSieve(m.class, Selection{Where: where})
	if err != nil {
		return nil, err
	}
	p := &Past{hub: h, sieve: sieve, log: m.log}
	p.epoch, p.through = m.log.position()
	return p, nil
}

// Class returns the class.
func (p *Past) Class() *Class { return p.sieve.class }

// Last returns the position of the last event; offset 0: there was none.
func (p *Past) Last() (epoch string, offset uint64) { return p.epoch, p.through }

// Seek returns the offset after which to read for every event up to the offset
// through that is not before t, and none that is.
func (p *Past) Seek(ctx context.Context, t time.Time, through uint64) (after uint64, err error) {
	return p.hub.store.SeekTime(ctx, p.sieve.class.name, min(through, p.through), t)
}

// Read returns the last events with offsets greater than after and up to
// through, or the first of them, in any case in the order of their offsets: at
// most limit, at least 1, and no more of them than have about so many bytes of
// data, but at least one. If channel is not empty, only its events count. There
// are none if the log has no more, some of which may have been trimmed since.
func (p *Past) Read(ctx context.Context, channel string, after, through uint64, last bool, limit, bytes int) ([]PastEvent, error) {
	through = min(through, p.through)
	for after < through {
		page, from, to, err := p.page(ctx, channel, after, through, last, limit, bytes)
		if err != nil || len(page) == 0 {
			return nil, err
		}
		events := page[:0]
		for i := range page {
			ok, err := p.sieve.has(&page[i].Event)
			if err != nil {
				return nil, err
			}
			if ok {
				events = append(events, page[i])
			}
		}
		if len(events) > 0 {
			return events, nil
		}
		if last {
			through = from
		} else {
			after = to
		}
	}
	return nil, nil
}

// page reads events of the channel, whatever the query says of them, with
// offsets greater than from and up to to.
func (p *Past) page(ctx context.Context, channel string, after, through uint64, last bool, limit, bytes int) (events []PastEvent, from, to uint64, err error) {
	class := p.sieve.class.name
	for {
		if err := context.Cause(ctx); err != nil { // there may be many pages of which nothing is wanted
			return nil, 0, 0, err
		}
		from = after
		if last {
			// A page is read forwards: find where one begins that ends at
			// through.
			begin, err := p.hub.store.SeekLast(ctx, class, channel, through, limit)
			if err != nil {
				return nil, 0, 0, err
			}
			from = max(after, begin)
		}
		page, err := p.hub.store.Read(ctx, Range{Class: class, Channel: channel, After: from, Through: through, Limit: limit, Bytes: bytes})
		if err != nil {
			return nil, 0, 0, err
		}
		if page.Bounds.Epoch != p.epoch {
			p.log.renew(p.epoch, page.Bounds)
			return nil, 0, 0, fmt.Errorf("%w: the log of the class %s has the epoch %s in place of %s", ErrUnavailable, class, page.Bounds.Epoch, p.epoch)
		}
		if last && page.After < through && limit > 1 {
			limit /= 2 // it was too long to reach the end
			continue
		}
		events = make([]PastEvent, len(page.Records))
		for i := range events {
			events[i] = PastEvent{page.Records[i].event(p.epoch), page.Records[i].Channel}
		}
		return events, from, max(page.After, from), nil
	}
}
