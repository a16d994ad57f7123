package embedded

import (
	"cmp"
	"slices"

	"github.com/wireroom/wireroom/events"
)

// move moves a subscription on; see [events.Move]. What it keeps of m is m's.
func (s *subscription) move(m *events.Move) {
	if m.Seen.After(s.Seen) {
		s.Seen = m.Seen
	}
	if m.Expires.After(s.Expires) {
		s.Expires = m.Expires
	}
	switch s.Position.Epoch {
	case m.Position.Epoch:
		s.Position.Offset = max(s.Position.Offset, m.Position.Offset)
		s.Acked = append(s.Acked, m.Acked...)
	case m.Was:
		s.Position, s.Acked = m.Position, slices.Clone(m.Acked)
	default:
		return
	}
	s.Position.Offset, s.Acked = settle(s.Position.Offset, s.Acked)
}

// settle joins spans, takes those that begin at the offset into it, and returns
// the offset and what is left: at most [events.MaxAckedSpans], in order, with
// gaps. It changes spans.
func settle(offset uint64, spans []events.Span) (uint64, []events.Span) {
	slices.SortFunc(spans, func(a, b events.Span) int { return cmp.Compare(a.From, b.From) })
	left := spans[:0]
	for _, a := range spans {
		switch n := len(left); {
		case a.Through <= offset || a.Through < a.From:
		case a.From <= offset || a.From-offset == 1: // only as long as nothing is left, as they are in order
			offset = a.Through
		case n > 0 && (a.From <= left[n-1].Through || a.From-left[n-1].Through == 1):
			left[n-1].Through = max(left[n-1].Through, a.Through)
		case n < events.MaxAckedSpans:
			left = append(left, a)
		}
	}
	if len(left) == 0 {
		return offset, nil
	}
	return offset, left
}
