package transport

// groupSize is how many bytes a group has at most: as much as a TLS record
// takes (RFC 8446, 5.1).
const groupSize = 16 << 10

// A grouper takes buffers in groups, so that many small ones become few TLS
// records. It changes neither the buffers nor their slice headers. Whoever has
// used it calls release.
type grouper struct {
	bufs   [][]byte
	offset int     // bytes of bufs[0] that were taken
	copied *buffer // what several buffers were copied to; may be nil
}

// skip takes n bytes, which there must be.
func (g *grouper) skip(n int) {
	n += g.offset
	for len(g.bufs) > 0 && n >= len(g.bufs[0]) {
		n -= len(g.bufs[0])
		g.bufs = g.bufs[1:]
	}
	g.offset = n
}

// next takes the next group and returns it, or nothing at the end. It is valid
// until the next call of a method.
func (g *grouper) next() []byte {
	g.skip(0) // what is used up
	if len(g.bufs) == 0 {
		return nil
	}
	first := g.bufs[0][g.offset:]
	if len(first) >= groupSize || len(g.bufs) == 1 {
		first = first[:min(len(first), groupSize)]
		g.offset += len(first)
		return first
	}
	if g.copied == nil {
		g.copied = getBuffer(groupSize)
	}
	size := 0
	for size < groupSize && len(g.bufs) > 0 {
		n := copy(g.copied.b[size:groupSize], g.bufs[0][g.offset:])
		size += n
		g.skip(n)
	}
	return g.copied.b[:size]
}

// release gives memory back; next may be called again after it.
func (g *grouper) release() {
	if g.copied != nil {
		g.copied.free()
		g.copied = nil
	}
}
