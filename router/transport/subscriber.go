package transport

import (
	"net/http"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

var _ router.Link = (*subscriber)(nil)

// A subscriber is one client of an [EventSource], and the link of its session. The
// request's handler is the session's reader.
type subscriber struct {
	// Fixed at construction.
	es   *EventSource
	q    *question
	r    *http.Request
	sess *router.Session
	box  mailbox
	over chan struct{} // closed by Close; never sent to

	// Owned by the handler.
	out       eventWriter
	subs      map[wamp.ID]int // which topic of the question each subscription is of
	positions []LogPosition   // of the topics, as far as they have one
	held      [][]byte        // events that came before the stream began
	heldBytes int

	mu     sync.Mutex  // guards the following
	timer  *time.Timer // closes; nil before Finish
	closed bool
	writes bool // the stream has begun, and not ended
}

// TryWrite implements [router.Link].
func (s *subscriber) TryWrite(bufs [][]byte) (int, error) { return s.box.tryWrite(bufs) }

// Write implements [router.Link].
func (s *subscriber) Write(bufs [][]byte, deadline time.Time) error {
	return s.box.write(bufs, deadline)
}

// CloseFrame implements [router.Link]. There is none.
func (s *subscriber) CloseFrame(*wamp.Error) []byte { return nil }

// Finish implements [router.Link]. The stream ends when everything is written.
func (s *subscriber) Finish(patience time.Duration) {
	s.mu.Lock()
	if !s.closed && s.timer == nil {
		s.timer = time.AfterFunc(patience, func() { _ = s.Close() }) // always nil
	}
	s.mu.Unlock()
	s.box.finish()
}

// Close implements [router.Link].
func (s *subscriber) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	close(s.over)
	s.box.close()
	if s.writes {
		s.out.x.cut()
	}
	return nil
}

// run joins, subscribes, and writes events until the session or the client goes.
func (s *subscriber) run() *webProblem {
	var err error
	defer func() { s.sess.Detach(err) }()
	no := s.setUp()
	if no != nil {
		s.sess.End(nil) // nobody would hear why
		return no
	}
	s.es.began.Add(1)
	s.writing(true)
	if err = s.stream(); err != nil {
		s.es.stalled.Add(1)
	}
	s.writing(false) // what is written ends in good order
	return nil
}

// writing says whether closing has to cut short what is being written.
func (s *subscriber) writing(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = yes
	if yes && s.closed {
		s.out.x.cut()
	}
}

// stream writes the events. An error is that of writing.
func (s *subscriber) stream() error {
	s.out.begin(comeBack)
	s.begin()
	alive := time.NewTicker(s.es.cfg.KeepAlive)
	defer alive.Stop()
	frames, ended := s.held, false
	s.held = nil
	for {
		for _, f := range frames {
			if ended = s.translate(WebSocket.Open(f)); ended {
				break
			}
		}
		if len(s.out.buf) > 0 {
			if err := s.out.flush(); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
		var last bool
		if frames, last = s.box.take(frames[:0], takeFrames); len(frames) > 0 {
			continue
		}
		if last {
			return nil
		}
		select {
		case <-s.box.wake:
		case <-alive.C:
			s.out.comment()
		case <-s.over:
			return nil
		case <-s.r.Context().Done():
			return nil
		}
	}
}

// takeFrames is how many events are written at a time.
const takeFrames = 256
