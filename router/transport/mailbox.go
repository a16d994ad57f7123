package transport

import (
	"net"
	"os"
	"sync"
	"time"
)

// mailboxBytes is how much a mailbox takes: as much as the router writes at
// once. What does not fit waits in the session's queue, by its rules.
const mailboxBytes = 64 << 10

// A mailbox holds framed messages of a session until an HTTP request fetches
// them: what the system's buffer is to a socket. Between them may be pings, in
// their place. Methods are safe for concurrent use.
type mailbox struct {
	wake chan struct{} // has a value when there may be something new to fetch; never closed

	mu       sync.Mutex // guards the following
	frames   [][]byte
	bytes    int           // of frames
	room     chan struct{} // closed when more may be taken in; nil: nobody waits
	finished bool          // nothing more will come
	closed   bool          // and nothing will be fetched
}

func newMailbox() mailbox { return mailbox{wake: make(chan struct{}, 1)} }

// signal has whoever waits for wake look again.
func (b *mailbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// tryWrite takes in as many of bufs as there is room for, whole frames each, and
// returns their bytes. It keeps the frames, not bufs.
func (b *mailbox) tryWrite(bufs [][]byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, _, err = b.addLocked(bufs)
	return n, err
}

func (b *mailbox) addLocked(bufs [][]byte) (n, frames int, err error) {
	if b.closed {
		return 0, 0, net.ErrClosed
	}
	for _, f := range bufs {
		if b.bytes > 0 && b.bytes+len(f) > mailboxBytes { // a larger one may pass alone
			break
		}
		b.frames = append(b.frames, f)
		b.bytes += len(f)
		n += len(f)
		frames++
	}
	if frames > 0 {
		b.signal()
	}
	return n, frames, nil
}

// write takes in all of bufs, waiting until the deadline for them to be fetched.
func (b *mailbox) write(bufs [][]byte, deadline time.Time) error {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		b.mu.Lock()
		_, frames, err := b.addLocked(bufs)
		if bufs = bufs[frames:]; err != nil || len(bufs) == 0 {
			b.mu.Unlock()
			return err
		}
		if b.room == nil {
			b.room = make(chan struct{})
		}
		room := b.room
		b.mu.Unlock()
		select {
		case <-room:
		case <-timer.C:
			return os.ErrDeadlineExceeded
		}
	}
}

// take appends up to most messages to dst, and all pings between and right behind
// them. last says that nothing is left and nothing will come.
func (b *mailbox) take(dst [][]byte, most int) (_ [][]byte, last bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, f := range b.frames {
		if !isPing(f) {
			if most == 0 {
				break
			}
			most--
		}
		b.bytes -= len(f)
		n++
	}
	dst = append(dst, b.frames[:n]...)
	clear(b.frames[:n])
	if b.frames = b.frames[n:]; len(b.frames) == 0 {
		b.frames = nil
	}
	if n > 0 {
		b.ventLocked()
	}
	return dst, b.finished && b.frames == nil
}

// ventLocked lets those who wait for room try again.
func (b *mailbox) ventLocked() {
	if b.room != nil {
		close(b.room)
		b.room = nil
	}
}

// finish says that nothing more will come.
func (b *mailbox) finish() {
	b.mu.Lock()
	b.finished = true
	b.mu.Unlock()
	b.signal()
}

// close throws away what is there, and takes nothing more.
func (b *mailbox) close() {
	b.mu.Lock()
	b.finished, b.closed = true, true
	b.frames, b.bytes = nil, 0
	b.ventLocked()
	b.mu.Unlock()
	b.signal()
}
