package events

import (
	"context"
	"runtime"

	"github.com/wireroom/wireroom/events/query"
)

// A Selection is a part of the events of a class.
type Selection struct {
	Channel string       // only events of this channel, encoded; empty: of all
	Where   *query.Query // only events that satisfy it; nil: all
}

// A sieve finds what a selection has in a log. It is for one goroutine at a
// time.
type sieve struct {
	Selection
	class  *Class
	filter *query.Filter // nil: nothing is asked of the event
}

// mostSearches returns how many replays may search a log by a query at a time,
// each for one page. A replay without a query waits for its subscriber; one whose
// query is true of nothing would keep a core busy, and there may be as many as
// there are subscriptions.
func mostSearches() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// turn waits until a page may be searched by the sieve's query, if there is one.
// Who waits longest is next. end is to be called once if there is no error.
func (s *sieve) turn(ctx context.Context, h *Hub) (end func(), err error) {
	if s.filter == nil {
		return func() {}, nil
	}
	select {
	case h.searches <- struct{}{}:
		return h.searched, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// searched gives a turn to the next.
func (h *Hub) searched() { <-h.searches }

func newSieve(c *Class, sel Selection) (*sieve, error) {
	s := &sieve{Selection: sel, class: c}
	if sel.Where == nil {
		return s, nil
	}
	var err error
	s.filter, err = query.NewFilter(sel.Where)
	return s, err
}

// has reports whether an event of the channel is in the selection.
func (s *sieve) has(e *Event) (bool, error) {
	if s.filter == nil {
		return true, nil
	}
	return s.filter.Match(s.class.schema, metaOf(e, s.class), e.Data)
}

// maxSearched is through how many events of a class the last that satisfy a query
// are looked for.
const maxSearched = 100_000

// seekLast returns the offset after which the last n of the selection are, up to
// the offset through, or those of the events that it looks through.
func (s *sieve) seekLast(ctx context.Context, h *Hub, epoch string, through uint64, n int) (after uint64, err error) {
	if s.filter == nil {
		return h.store.SeekLast(ctx, s.class.name, s.Channel, through, n)
	}
	p := &Past{hub: h, sieve: &sieve{Selection: Selection{Channel: s.Channel}, class: s.class}, epoch: epoch, through: through}
	least := through - min(through, maxSearched)
	for after = through; after > least && n > 0; {
		if after, err = s.countBack(ctx, p, least, after, &n); err != nil {
			return 0, err
		}
	}
	return after, nil
}

// countBack takes those of one page before through, or all, that are in the
// selection from n, and returns how far it came: to where n is 0, or the page ends.
func (s *sieve) countBack(ctx context.Context, p *Past, least, through uint64, n *int) (after uint64, err error) {
	end, err := s.turn(ctx, p.hub)
	if err != nil {
		return 0, err
	}
	defer end()
	page, err := p.Read(ctx, s.Channel, least, through, true, pageEvents, pageBytes)
	if err != nil {
		return 0, err
	}
	after = least // if there are none
	for i := len(page) - 1; i >= 0 && *n > 0; i-- {
		e := &page[i].Event
		after = e.Offset - 1
		ok, err := s.has(e)
		if err != nil {
			return 0, err
		}
		if ok {
			*n--
		}
	}
	return after, nil
}
