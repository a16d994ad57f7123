package transport

import (
	"errors"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

var (
	_ router.Link   = (*poll)(nil)
	_ router.Pinger = (*poll)(nil)
)

// errAway is why the session of a client ends that fetches no messages.
var errAway = errors.New("the client did not come back for messages")

// A poll is one client of a [LongPoll], and the link of its session.
//
// The session's reader is whoever holds the turn: one request to send at a time,
// and at last the goroutine that detaches the session. Of the requests to
// receive and the event streams one is served, the latest.
type poll struct {
	// Fixed at construction.
	lp         *LongPoll
	name       string // what the client is known by: a secret
	serializer wamp.Serializer
	batched    bool
	box        mailbox
	turn       chan struct{} // holds a value while nobody is the session's reader
	over       chan struct{} // closed by Close; never sent to
	gone       chan struct{} // closed when the session is detached; never sent to

	sess session // set before anybody else knows the poll

	mu        sync.Mutex  // guards the following
	receiver  *receiver   // nil: the client is not receiving
	sender    *exchange   // a request to send that is being read; nil: there is none
	timer     *time.Timer // calls expire; nil before start
	due       time.Time   // when that is meant to be
	finishing bool        // everything was put into the box
	closed    bool
	broken    error       // why the transport ended, for the log
	why       *wamp.Error // why the session is ending, if it says; written by CloseFrame

	// Messages that were fetched from the box, in order, and that the client
	// may not have.
	kept  [][]byte
	first uint64 // number of kept[0], or of the message that will be; from 1
	sent  int    // of kept, how many were given to a receiver
	bytes int    // of those

	streamed uint64 // the number of the first message of the first event stream; 0: there was none

	habit habit
	had   uint64  // the client has said that it has all messages up to this number
	asked []asked // what it was asked and has not answered, in order
}

// A receiver is a request to receive, or an event stream, that is under way.
type receiver struct {
	released chan struct{} // closed when a later one takes its place; never sent to
}

func newReceiver() *receiver { return &receiver{released: make(chan struct{})} }

func newPoll(lp *LongPoll, name string, ser wamp.Serializer, batched bool) *poll {
	return &poll{
		lp: lp, name: name, serializer: ser, batched: batched, box: newMailbox(), first: 1,
		turn: make(chan struct{}, 1), over: make(chan struct{}), gone: make(chan struct{}),
	}
}

// start lets requests come, and begins to wait for the client's return, unless
// the router has refused it: then it has as long as Finish says.
func (p *poll) start() {
	p.mu.Lock()
	if !p.closed && !p.finishing {
		p.armLocked(p.lp.cfg.Away)
	}
	p.mu.Unlock()
	p.turn <- struct{}{}
}

// armLocked has expire called after d.
func (p *poll) armLocked(d time.Duration) {
	p.due = time.Now().Add(d)
	if p.timer == nil {
		p.timer = time.AfterFunc(d, p.expire)
		return
	}
	p.timer.Reset(d)
}

// expire is called when the client has been away for too long, or had its time
// to say that it goes, too.
func (p *poll) expire() {
	p.mu.Lock()
	late := !p.closed && (p.finishing || p.receiver == nil) && !time.Now().Before(p.due)
	finishing := p.finishing
	if late && !finishing {
		p.broken = errAway
	}
	p.mu.Unlock()
	switch {
	case !late: // it came back at the last moment
		return
	case !finishing:
		p.lp.stats.away.Add(1)
		p.sess.End(wamp.Errorf(wamp.URINetworkFailure, "nobody came for messages within %v", p.lp.cfg.Away))
	}
	_ = p.Close() // always nil
}

// TryWrite implements [router.Link].
func (p *poll) TryWrite(bufs [][]byte) (int, error) { return p.box.tryWrite(bufs) }

// Write implements [router.Link].
func (p *poll) Write(bufs [][]byte, deadline time.Time) error { return p.box.write(bufs, deadline) }

// CloseFrame implements [router.Link]. There is none, but the reason is what a
// request to send is answered with.
func (p *poll) CloseFrame(why *wamp.Error) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.why = why
	return nil
}

// Finish implements [router.Link]. The client ends the transport by a request to
// close, or by one more to receive.
func (p *poll) Finish(patience time.Duration) {
	p.mu.Lock()
	if !p.closed && !p.finishing {
		p.finishing = true
		p.armLocked(patience)
	}
	p.mu.Unlock()
	p.box.finish()
}

// Close implements [router.Link].
func (p *poll) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	close(p.over)
	p.box.close()
	if p.sender != nil {
		p.sender.cut() // it has the turn; receivers find out by themselves
	}
	go p.detach() // counted in lp.wg
	return nil
}

// fail ends the client at once, because of err.
func (p *poll) fail(err error) {
	p.mu.Lock()
	if p.broken == nil {
		p.broken = err
	}
	p.mu.Unlock()
	_ = p.Close() // always nil
}

// detach ends the session, once the request that is sending is done.
func (p *poll) detach() {
	<-p.turn // for good
	p.mu.Lock()
	err := p.broken
	p.kept, p.sent, p.bytes = nil, 0, 0
	p.asked = nil
	p.mu.Unlock()
	p.sess.Detach(err)
	p.lp.forget(p)
	close(p.gone)
}
