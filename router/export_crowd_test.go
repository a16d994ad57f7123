package router

// Crowd returns how many sessions are counted as without a connection, or, if
// that is none, how many users and addresses are still counted.
func (r *Router) Crowd() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.away.all
	if n == 0 {
		n = len(r.away.users) + len(r.away.addresses)
	}
	return n
}
