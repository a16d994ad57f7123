package router

// HistoryHeld returns for how many events the realm's histories have memory.
func (r *Realm) HistoryHeld() (n int) {
	h := r.broker.history.Load()
	if h == nil {
		return 0
	}
	for _, ring := range h.all {
		ring.mu.Lock()
		n += len(ring.buf)
		ring.mu.Unlock()
	}
	return n
}
