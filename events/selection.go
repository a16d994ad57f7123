package events

import (
	"context"

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
	for after = through; after > least; {
		page, err := p.Read(ctx, s.Channel, least, after, true, pageEvents, pageBytes)
		if err != nil {
			return 0, err
		}
		if len(page) == 0 {
			return least, nil
		}
		for i := len(page) - 1; i >= 0; i-- {
			e := &page[i].Event
			after = e.Offset - 1
			if ok, err := s.has(e); err != nil {
				return 0, err
			} else if !ok {
				continue
			}
			if n--; n == 0 {
				return after, nil
			}
		}
	}
	return least, nil
}
