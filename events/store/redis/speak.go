package redis

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/events"
)

// Bounds on the messages to other nodes: those that wait, and those that one
// entry of the feed has, which always has at least one.
const (
	waitingMessages = 16_384
	waitingBytes    = 16 << 20
	sendMessages    = 256
	sendBytes       = 256 << 10

	// MaxMessage is how long a payload of [Store.Send] may be, in bytes.
	MaxMessage = 4 << 20
)

// A speaker sends messages to other nodes.
type speaker struct {
	store *Store
	ctx   context.Context
	stop  context.CancelFunc

	sent, unsent atomic.Uint64
	call         uint64 // number of the last call; owned by the goroutine that sends

	// mu guards the following.
	mu      sync.Mutex
	changed *sync.Cond
	waiting []message
	bytes   int
	closed  bool
}

func newSpeaker(s *Store) *speaker {
	p := &speaker{store: s}
	p.changed = sync.NewCond(&p.mu)
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p
}

// Send tells all other nodes something, each once and in the order of the
// calls of one goroutine; see [Follower]. It never waits. The store keeps the
// payload, which must not change. Without other nodes there is nothing to do.
//
// With an error, which wraps [events.ErrUnavailable], nothing is sent: Redis is
// not heard, or too much waits already. What was taken and then cannot be sent
// is counted in [Stats], and the others see this node leave and join again.
func (s *Store) Send(kind string, payload []byte) error {
	if s.ear.others.Load() == 0 {
		return nil
	}
	p := s.speaker
	err := s.Heard()
	if err == nil && len(payload) > MaxMessage {
		err = fmt.Errorf("%w: a message to other gateways has %d bytes, and may have %d", events.ErrUnavailable, len(payload), MaxMessage)
	}
	if err == nil && !p.put(message{kind, payload}) {
		err = fmt.Errorf("%w: too much waits to be told to other gateways", events.ErrUnavailable)
	}
	if err != nil {
		p.unsent.Add(1)
	}
	return err
}

func (m *message) size() int { return len(m.kind) + len(m.payload) + 16 }

// put takes a message, if there is room.
func (p *speaker) put(m message) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.waiting) >= waitingMessages || p.bytes+m.size() > waitingBytes {
		return false
	}
	p.waiting = append(p.waiting, m)
	p.bytes += m.size()
	p.changed.Signal()
	return true
}

// take waits for messages. It returns none when the speaker is closed.
func (p *speaker) take() []message {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.waiting) == 0 && !p.closed {
		p.changed.Wait()
	}
	n, bytes := 0, 0
	for n < len(p.waiting) && n < sendMessages && (n == 0 || bytes+p.waiting[n].size() <= sendBytes) {
		bytes += p.waiting[n].size()
		n++
	}
	some := p.waiting[:n:n]
	p.waiting = p.waiting[n:]
	p.bytes -= bytes
	return some
}

// length returns how many messages wait.
func (p *speaker) length() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// close sends what waits, if Redis lets it, and ends the speaker.
func (p *speaker) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.changed.Signal()
	if p.store.Heard() != nil {
		p.stop()
	}
}

// speak sends what is to be sent until the speaker is closed.
func (p *speaker) speak() {
	defer p.stop()
	for some := p.take(); len(some) > 0; some = p.take() {
		if p.send(some) {
			p.sent.Add(uint64(len(some)))
			continue
		}
		p.unsent.Add(uint64(len(some)))
		p.store.ear.anew.Store(true) // so that the others know that they missed something
	}
}

// send sends messages, and reports whether it could.
func (p *speaker) send(some []message) bool {
	args := []any{p.store.node, 0, flag(false)}
	for i := range some {
		args = append(args, some[i].kind, some[i].payload)
	}
	p.call++
	args[1] = p.call
	end, broken := time.Now().Add(p.store.config.Timeout), false
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		ctx, cancel := context.WithTimeout(p.ctx, p.store.tempo.answer)
		reply, err := p.store.run(ctx, scriptSend, p.store.keys.ofNodes(), args...)
		cancel()
		gone := false
		if w, _ := words(reply); err == nil && len(w) > 0 {
			if w[0] == "ok" {
				return true
			}
			gone = w[0] == "gone" // until the next beat
		}
		if gone && broken {
			return false // nobody knows any more whether the others have it
		}
		broken = broken || err != nil
		args[2] = flag(broken)
		if p.ctx.Err() != nil || err != nil && !passing(err) || err == nil && !gone || time.Now().Add(pause).After(end) {
			return false
		}
		time.Sleep(pause)
	}
}
