package router

import (
	"errors"
	"math"
	"os"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

const (
	// flushInline is how many sessions a reader flushes by itself when it
	// has used up what it read. More go to the flushers.
	flushInline = 8

	// flushAhead is how many sessions a reader leaves unflushed while it
	// goes on handling messages.
	flushAhead = 64

	// fanOutAhead is how many sessions a fan-out queues for before the
	// flushers begin, on other cores, with those.
	fanOutAhead = 256

	// flushChunk is how many sessions a flusher takes at a time.
	flushChunk = 16

	// flushRounds is how often one flush writes to a session that others
	// go on queuing for.
	flushRounds = 4
)

// A workspace is what a goroutine needs while it handles messages: a decoder,
// scratch space, and the sessions that it has the duty to flush. It comes from
// a pool, so that an idle connection holds none.
type workspace struct {
	dec    wamp.Decoder
	dirty  []*Session
	lazy   []*Session // to be flushed after linger
	linger time.Duration

	next     []*call // to be passed on, because there is room for them
	starting bool    // next is being worked on
	bufs     [][]byte
	matches  []*subscription
	to       audience
	enc      encoding
	details  []byte // of WELCOME, before it is framed

	// What is on its way, here so that it needs no memory of its own.
	publication Publication
	invocation  wamp.Invocation
	result      wamp.Result
}

var workspaces = sync.Pool{New: func() any { return new(workspace) }}

func getWorkspace() *workspace { return workspaces.Get().(*workspace) }

func putWorkspace(ws *workspace) {
	if cap(ws.dirty) > 4096 || cap(ws.lazy) > 4096 || cap(ws.bufs) > 4096 || cap(ws.matches) > 4096 || cap(ws.details) > 16<<10 {
		return // a giant's leftovers are not worth keeping
	}
	workspaces.Put(ws)
}

// send queues frame on s, as a duty of ws if it must be flushed.
func (ws *workspace) send(s *Session, frame []byte) bool {
	return ws.pushed(s, s.out.push(frame))
}

func (ws *workspace) pushed(s *Session, p pushed) bool {
	switch p {
	case flushIt:
		ws.dirty = append(ws.dirty, s)
		return true
	case queued:
		return true
	case overflow:
		s.overflow()
	case tooLong:
		s.tooLong()
	}
	return false
}

// delivered is pushed for an event of a fan-out, which may linger. When the
// fan-out is over, rest must be called.
func (ws *workspace) delivered(s *Session, p pushed, linger time.Duration) bool {
	switch {
	case p == lingerIt:
		if ws.linger != linger {
			ws.rest()
			ws.linger = linger
		}
		ws.lazy = append(ws.lazy, s)
		return true
	case !ws.pushed(s, p):
		return false
	case len(ws.dirty) >= fanOutAhead:
		ws.handOver(&s.router.flushers)
	}
	return true
}

// rest leaves the sessions that are to be flushed after a while to their lane.
func (ws *workspace) rest() {
	if len(ws.lazy) == 0 {
		return
	}
	ws.lazy[0].router.lanes.add(ws.linger, ws.lazy)
	clear(ws.lazy)
	ws.lazy = ws.lazy[:0]
}

// flush writes what ws has the duty to write: little by itself, much through
// the flushers. It never waits for a peer.
func (ws *workspace) flush(f *flushers) {
	if len(ws.dirty) > flushInline {
		ws.handOver(f)
		return
	}
	for i, s := range ws.dirty {
		ws.bufs = s.flush(ws.bufs[:0])
		ws.dirty[i] = nil
	}
	ws.dirty = ws.dirty[:0]
}

// handOver leaves all of ws's duty to the flushers.
func (ws *workspace) handOver(f *flushers) {
	if len(ws.dirty) == 0 {
		return
	}
	f.add(ws.dirty...)
	clear(ws.dirty)
	ws.dirty = ws.dirty[:0]
}

// Flushers are a few goroutines that write what others queued. Each session
// stands in their queue at most once, because only who has the duty to flush
// it may add it; so the queue is bounded by the number of sessions.
//
// Sessions that are sent the past are none of their business: thousands that
// come back together would hold up what is live. Each [Feed] writes by itself.
type flushers struct {
	mu     sync.Mutex // guards the following
	wake   sync.Cond
	queue  sessionQueue
	idle   int // goroutines that wait
	closed bool
}

// start runs n flushers until close; they are counted in wg.
func (f *flushers) start(n int, wg *sync.WaitGroup) {
	f.wake.L = &f.mu
	for range n {
		wg.Go(f.run)
	}
}

// add takes over the duty to flush the sessions.
func (f *flushers) add(sessions ...*Session) {
	f.mu.Lock()
	f.queue.push(sessions)
	for range min(f.idle, (len(sessions)+flushChunk-1)/flushChunk) {
		f.wake.Signal()
	}
	f.mu.Unlock()
}

// close ends the flushers when the queue is empty.
func (f *flushers) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.wake.Broadcast()
}

func (f *flushers) run() {
	var (
		chunk [flushChunk]*Session
		bufs  [][]byte
	)
	for {
		n := f.take(&chunk)
		if n == 0 {
			return
		}
		for i, s := range chunk[:n] {
			bufs = s.flush(bufs[:0])
			chunk[i] = nil
		}
		if cap(bufs) > 4096 {
			bufs = nil
		}
	}
}

func (f *flushers) take(chunk *[flushChunk]*Session) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.queue.empty() {
		if f.closed {
			return 0
		}
		f.idle++
		f.wake.Wait()
		f.idle--
	}
	return f.queue.pop(chunk[:])
}

// A sessionQueue is sessions that wait, in their order.
type sessionQueue struct {
	all  []*Session
	head int // the first that waits
}

func (q *sessionQueue) empty() bool { return q.head == len(q.all) }

func (q *sessionQueue) push(sessions []*Session) { q.all = append(q.all, sessions...) }

// pop moves as many as fit into dst, and returns how many.
func (q *sessionQueue) pop(dst []*Session) int {
	n := copy(dst, q.all[q.head:])
	clear(q.all[q.head : q.head+n])
	q.head += n
	if q.head == len(q.all) {
		q.all, q.head = q.all[:0], 0
	} else if q.head > 1024 && q.head > len(q.all)/2 {
		q.all = append(q.all[:0], q.all[q.head:]...)
		q.head = 0
	}
	return n
}

// flush writes what is queued for the peer, as far as it takes it at once, and
// leaves the rest to a goroutine of the session's own. If more is queued as
// fast as it writes, it leaves that to the flushers, behind the sessions that
// wait there. The caller has the duty to flush and gives it up. bufs is scratch
// space, returned for reuse.
func (s *Session) flush(bufs [][]byte) [][]byte {
	if l := s.lasting(); l != nil {
		return l.flush(bufs)
	}
	for n, round := 0, 0; ; round++ {
		var (
			size int
			last bool
			err  error
		)
		if round == flushRounds {
			s.out.wrote(n)
			s.router.flushers.add(s)
			return bufs
		}
		if bufs, size, last = s.take(bufs[:0], n); len(bufs) == 0 {
			s.flushed(last)
			return bufs
		}
		if n, err = s.link.TryWrite(bufs); err != nil {
			s.fail(err, len(bufs))
			clear(bufs)
			return bufs
		}
		if n < size {
			rest := append([][]byte(nil), skip(bufs, n)...)
			s.router.wg.Go(func() { s.drain(rest, size) })
			clear(bufs)
			return bufs
		}
		clear(bufs)
	}
}

// drain writes bufs, the end of what counts as size bytes in the outbox, and
// whatever else is queued, waiting for the peer, but for no flush longer than
// the write timeout.
func (s *Session) drain(bufs [][]byte, size int) {
	for {
		if err := s.link.Write(bufs, time.Now().Add(s.router.cfg.WriteTimeout)); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				s.router.stats.writeTimeouts.Add(1)
			}
			s.fail(err, len(bufs))
			return
		}
		var last bool
		if bufs, size, last = s.take(bufs[:0], size); len(bufs) == 0 {
			s.flushed(last)
			return
		}
	}
}

// take takes what is next to be written. What follows a gap in a subscription
// is marked, in a copy, with how many events are missing.
func (s *Session) take(dst [][]byte, written int) (_ [][]byte, size int, last bool) {
	dst, size, gaps, last := s.out.take(dst, written)
	grown := 0
	for _, g := range gaps {
		frame := s.marked(dst[g.at], g.missed)
		grown += len(frame) - len(dst[g.at])
		dst[g.at] = frame
	}
	if grown != 0 {
		s.out.wrote(-grown)
	}
	if s.traffic != nil && len(dst) > 0 {
		s.traffic.sent(dst)
	}
	return dst, size + grown, last
}

// marked returns a copy of the framed EVENT that says how many events of its
// subscription the session missed before it.
func (s *Session) marked(frame []byte, missed uint64) []byte {
	ws := getWorkspace() // the caller's may be in use
	defer putWorkspace(ws)
	f, ser := s.peer.Framing, s.peer.Serializer
	ws.dec.MaxDepth = math.MaxInt32 // the router wrote it
	m, err := ws.dec.Decode(ser, f.Open(frame))
	event, ok := m.(*wamp.Event)
	if !ok {
		s.router.log.Error("event cannot be marked", "missed", missed, "err", err)
		return frame
	}
	event.Details.Fields = []wamp.Field{wamp.UintField("_missed", missed)}
	return seal(f, ser, event, len(frame))
}

// flushed is called when the duty to flush has ended; last says for ever.
func (s *Session) flushed(last bool) {
	if last {
		s.link.Finish(s.router.cfg.GoodbyeTimeout)
	}
}

// skip returns bufs without its first n bytes. It changes bufs.
func skip(bufs [][]byte, n int) [][]byte {
	for len(bufs) > 0 && n >= len(bufs[0]) {
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	if n > 0 {
		bufs[0] = bufs[0][n:]
	}
	return bufs
}
