package events

import (
	"errors"
	"slices"
)

// errSpans says that too many offsets were acknowledged out of order.
var errSpans = errors.New("too many gaps between the events that are acknowledged one by one")

// A progress is how far a persistent subscription is acknowledged: everything up
// to the position, and behind it the spans, which are in order, with a gap before
// and between.
type progress struct {
	Position
	acked []Span
}

// reach acknowledges everything up to the offset, and reports whether that is
// news.
func (p *progress) reach(offset uint64) bool {
	if offset <= p.Offset {
		return false
	}
	p.Offset = offset
	p.settle()
	return true
}

// settle forgets spans up to the position, and moves it on over those that
// follow it at once.
func (p *progress) settle() {
	n := 0
	for n < len(p.acked) && p.acked[n].From <= p.Offset+1 {
		p.Offset = max(p.Offset, p.acked[n].Through)
		n++
	}
	if p.acked = p.acked[n:]; len(p.acked) == 0 {
		p.acked = nil
	}
}

// add acknowledges the event with the offset alone, and reports whether that is
// news. With more than [MaxAckedSpans] spans it is an error.
func (p *progress) add(offset uint64) (bool, error) {
	switch {
	case p.had(offset):
		return false, nil
	case offset == p.Offset+1:
		return p.reach(offset), nil
	}
	i, _ := slices.BinarySearchFunc(p.acked, offset, func(s Span, o uint64) int {
		if s.From < o {
			return -1
		}
		return 1
	}) // spans before i begin before the offset, and so end before it
	before := i > 0 && p.acked[i-1].Through+1 == offset
	after := i < len(p.acked) && p.acked[i].From == offset+1
	switch {
	case before && after:
		p.acked[i-1].Through = p.acked[i].Through
		p.acked = slices.Delete(p.acked, i, i+1)
	case before:
		p.acked[i-1].Through = offset
	case after:
		p.acked[i].From = offset
	case len(p.acked) >= MaxAckedSpans:
		return false, errSpans
	default:
		p.acked = slices.Insert(p.acked, i, Span{offset, offset})
	}
	return true, nil
}

// had reports whether the event with the offset is acknowledged.
func (p *progress) had(offset uint64) bool {
	if offset <= p.Offset {
		return true
	}
	i, _ := slices.BinarySearchFunc(p.acked, offset, func(s Span, o uint64) int {
		if s.Through < o {
			return -1
		}
		return 1
	}) // spans before i end before the offset
	return i < len(p.acked) && offset >= p.acked[i].From
}

// join acknowledges what q does. It reports false if they are of different
// epochs; then p stays.
func (p *progress) join(q progress) bool {
	if p.Epoch != q.Epoch {
		return false
	}
	p.reach(q.Offset)
	for _, s := range q.acked {
		p.addSpan(s)
	}
	return true
}

// addSpan acknowledges a span, as long as there is room for it.
func (p *progress) addSpan(s Span) {
	if s.Through <= p.Offset {
		return
	}
	from, through := s.From, s.Through
	rest := p.acked[:0:0]
	for _, old := range p.acked {
		if old.Through+1 < from || through+1 < old.From {
			rest = append(rest, old)
			continue
		}
		from, through = min(from, old.From), max(through, old.Through)
	}
	if len(rest) >= MaxAckedSpans {
		return
	}
	i, _ := slices.BinarySearchFunc(rest, from, func(s Span, o uint64) int {
		if s.From < o {
			return -1
		}
		return 1
	})
	p.acked = slices.Insert(rest, i, Span{from, through})
	p.settle()
}

// clone returns a copy that shares nothing.
func (p *progress) clone() progress {
	return progress{p.Position, slices.Clone(p.acked)}
}
