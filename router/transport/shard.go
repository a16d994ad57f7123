package transport

import (
	"sync"
	"sync/atomic"
)

const (
	// numShards is how many parts the connections of a server are divided
	// into, to be swept one at a time and counted without contention.
	numShards = 16

	// chunkSize is how many slots a shard allocates at a time.
	chunkSize = 64
)

// A shard is one part of a server's connections.
//
// What the sweeper looks at lies in slots, and not in the connections, so that
// it reads memory in order: looking at a connection costs nanoseconds where it
// would cost a cache miss. Slots do not move, because readers write to them
// without a lock; a shard keeps as many as it ever needed, of 24 bytes each.
type shard struct {
	mu     sync.Mutex // guards the following, and conn and beat of each slot
	chunks []*[chunkSize]slot
	free   []*slot

	bytesIn, messagesIn atomic.Uint64
	bytesOut, framesOut atomic.Uint64
	inflated            atomic.Uint64 // messages
	inflatedFrom        atomic.Uint64 // their bytes
	inflatedTo          atomic.Uint64

	_ [64]byte // keeps the counters of two shards out of one cache line
}

// A slot is what the sweeper knows of a connection.
type slot struct {
	conn  *conn         // nil: the slot is free
	heard atomic.Uint32 // the most that was read since the sweeper last looked: one of heard…
	beat  beat
}

// What a reader tells the sweeper.
const (
	heardNothing = iota
	heardBytes
	heardMessage // the session got one, and may have made the stack grow
)

// add gives c a slot.
func (s *shard) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) == 0 {
		chunk := new([chunkSize]slot)
		s.chunks = append(s.chunks, chunk)
		for i := range chunk {
			s.free = append(s.free, &chunk[chunkSize-1-i])
		}
	}
	last := len(s.free) - 1
	c.slot = s.free[last]
	s.free = s.free[:last]
	c.slot.conn = c
	c.slot.heard.Store(heardBytes)
	c.slot.beat = beat{}
}

// remove takes the slot of c back.
func (s *shard) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.slot.conn = nil
	s.free = append(s.free, c.slot)
}

// list appends the connections to dst.
func (s *shard) list(dst []*conn) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, chunk := range s.chunks {
		for i := range chunk {
			if c := chunk[i].conn; c != nil {
				dst = append(dst, c)
			}
		}
	}
	return dst
}

// sweep looks at each connection and appends to due those that need something.
func (s *shard) sweep(due []dueConn, p *pace) []dueConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, chunk := range s.chunks {
		for i := range chunk {
			sl := &chunk[i]
			if sl.conn == nil {
				continue
			}
			heard := sl.heard.Load()
			if heard != heardNothing {
				sl.heard.Store(heardNothing)
			}
			if d := sl.beat.look(heard, p); d != nothing {
				due = append(due, dueConn{sl.conn, d})
			}
		}
	}
	return due
}
