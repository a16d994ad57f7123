package transport

import (
	"sync"
	"sync/atomic"
)

// numShards is how many parts the connections of a server are divided into, to
// be swept one at a time and to be counted without contention.
const numShards = 16

// A shard is one part of a server's connections.
type shard struct {
	mu    sync.Mutex // guards the following, and slot and beat of each conn
	conns []*conn    // in no order

	bytesIn, messagesIn atomic.Uint64
	bytesOut, framesOut atomic.Uint64

	_ [64]byte // keeps the counters of two shards out of one cache line
}

func (s *shard) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.slot = len(s.conns)
	s.conns = append(s.conns, c)
}

func (s *shard) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.conns) - 1
	moved := s.conns[last]
	s.conns[c.slot], moved.slot = moved, c.slot
	s.conns[last] = nil
	s.conns = s.conns[:last]
	if cap(s.conns) > 64 && last < cap(s.conns)/4 {
		s.conns = append(make([]*conn, 0, 2*last), s.conns...)
	}
}

// list appends the connections to dst.
func (s *shard) list(dst []*conn) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(dst, s.conns...)
}
