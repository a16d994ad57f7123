package query

// SetTiny makes clusters of four entries, pairs of keys from the second program
// on, and keys of which many are the same, so that few queries reach every path.
func (ix *Index) SetTiny() {
	ix.cluster.most, ix.pair = 4, 2
	ix.hasher.bits = 0x03000000_0000001f
}

// Flat returns what a matcher's event says to a query, by way of its program.
func (m *Matcher) Flat(ix *Index, id ID) Truth {
	b := ix.store.get(ref(uint32(id)))
	m.machine.regexps = m.flat.plan.regexps
	return m.machine.run(codeOf(b))
}

// UsedBytes returns the bytes of blocks that are in use, after everything that
// can be collected was.
func (ix *Index) UsedBytes() int64 {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.collect(true)
	return ix.store.used
}

// Sweep forgets what nothing refers to.
func (ix *Index) Sweep() {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.replan(true)
}
