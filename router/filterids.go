package router

// FilterIDs returns the IDs of the filters that the session's subscriptions have,
// in no order, and one twice if two have it. Any goroutine may call it; a
// [Governor] that is asked about a subscription learns what the session has
// besides.
func (s *Session) FilterIDs() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []uint64
	for _, m := range s.subs {
		if m.sub.filter != nil {
			ids = append(ids, m.sub.filter.ID)
		}
	}
	return ids
}
