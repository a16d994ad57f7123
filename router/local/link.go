package local

import (
	"bytes"
	"net"
	"os"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// inboxBytes is how much the client takes from the router ahead of what it has
// handled. More waits in the session's queue, which has limits and a policy.
const inboxBytes = 64 << 10

// plain is the framing of messages that need none.
var plain = &router.Framing{
	Index: 5,
	Seal:  func(buf []byte, _ wamp.Serializer) []byte { return buf },
	Open:  func(frame []byte) []byte { return frame },
}

// A link is the memory between a router and a client: a [router.Link].
type link struct {
	// Fixed at construction.
	arrived chan struct{} // of capacity 1: there is something to take
	room    chan struct{} // of capacity 1: something was taken
	closing func()        // called by Close, under the lock, perhaps more than once

	mu       sync.Mutex // guards the following
	messages [][]byte   // that were not taken yet
	size     int        // of messages, in bytes
	finished bool       // nothing more will come
	patience *time.Timer
}

func newLink(closing func()) *link {
	return &link{arrived: make(chan struct{}, 1), room: make(chan struct{}, 1), closing: closing}
}

// TryWrite implements [router.Link].
func (l *link) TryWrite(bufs [][]byte) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addLocked(bufs)
}

// addLocked takes whole messages, up to the first that finds no room, and
// returns how many bytes they have.
func (l *link) addLocked(bufs [][]byte) (n int, err error) {
	if l.finished {
		return 0, net.ErrClosed
	}
	for _, b := range bufs {
		if l.size > 0 && l.size+len(b) > inboxBytes {
			break
		}
		l.messages = append(l.messages, bytes.Clone(b))
		l.size += len(b)
		n += len(b)
	}
	if n > 0 {
		wake(l.arrived)
	}
	return n, nil
}

// Write implements [router.Link].
func (l *link) Write(bufs [][]byte, deadline time.Time) error {
	late := time.NewTimer(time.Until(deadline))
	defer late.Stop()
	for {
		l.mu.Lock()
		n, err := l.addLocked(bufs)
		l.mu.Unlock()
		if err != nil {
			return err
		}
		for len(bufs) > 0 && n >= len(bufs[0]) {
			n -= len(bufs[0])
			bufs = bufs[1:]
		}
		if len(bufs) == 0 {
			return nil
		}
		select {
		case <-l.room:
		case <-late.C:
			return os.ErrDeadlineExceeded
		}
	}
}

// CloseFrame implements [router.Link]: GOODBYE and ABORT say all.
func (l *link) CloseFrame(*wamp.Error) []byte { return nil }

// Finish implements [router.Link].
func (l *link) Finish(patience time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.finished {
		return
	}
	l.finished = true
	l.patience = time.AfterFunc(patience, func() { _ = l.Close() })
	wake(l.arrived)
}

// Close implements [router.Link].
func (l *link) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finished = true
	l.messages, l.size = nil, 0
	l.closing()
	if l.patience != nil {
		l.patience.Stop()
	}
	wake(l.arrived)
	wake(l.room)
	return nil
}

// take returns the messages that have come, in order, and whether more may.
func (l *link) take() (messages [][]byte, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	messages = l.messages
	l.messages, l.size = nil, 0
	wake(l.room)
	return messages, !l.finished
}

// wake leaves a sign in c, unless there is one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
