package router

import (
	"sync/atomic"

	"github.com/wireroom/wireroom/router/wamp"
)

// A seat is a connection's place in a session that can be resumed. One
// connection at a time sits; those that did before find that they have lost
// their seat, and do nothing any more.
type seat struct {
	// Fixed at construction.
	lasting *lasting
	link    Link
	peer    *Peer
	number  uint64        // not 0, and another for each seat of a session
	gone    chan struct{} // closed when the reader has nothing to do any more

	heard atomic.Bool // something came after WELCOME, which so has arrived

	left bool // gone is closed; guarded by lasting.mu

	// Guarded by the session's out.mu.
	first   []byte // WELCOME: to be written before anything else
	parting []byte // the end of the connection in its own terms: to be written after what is being written
	parted  bool   // that was taken
	asked   uint64 // number of the last message before the ping that is not answered yet; 0: none
}

// receive handles a message, unless the seat is lost. Connection's reader only.
func (st *seat) receive(msg []byte) error {
	l := st.lasting
	l.reading <- struct{}{}
	defer l.stopReading()
	if st.isGone() {
		return errEnded
	}
	if !st.heard.Load() {
		st.heard.Store(true)
	}
	err := l.session.hear(msg)
	if err == nil {
		l.handled++
	}
	return err
}

// flush writes what receive caused to be sent, by whatever connection that was.
func (st *seat) flush() {
	l := st.lasting
	l.reading <- struct{}{}
	defer l.stopReading()
	l.session.Flush()
}

func (st *seat) isGone() bool {
	select {
	case <-st.gone:
		return true
	default:
		return false
	}
}

// control queues bytes of the link's own, in the duty of ws.
func (st *seat) control(ws *workspace, frame []byte) {
	s := st.lasting.session
	s.out.mu.Lock()
	result := refused
	if st.lasting.seat == st {
		result = s.out.pushLocked(entry{frame: frame, key: st.number}, 0)
	}
	s.out.mu.Unlock()
	ws.pushed(s, result)
}

// end does what [Session.End] says for a connection.
func (st *seat) end(why *wamp.Error) {
	l := st.lasting
	switch {
	case why == nil:
		l.part(st)
		return
	case why.URI == wamp.URINetworkFailure:
		l.lose(st)
		return
	}
	l.mu.Lock()
	ends := l.seat == st && l.session.ending.CompareAndSwap(false, true)
	l.mu.Unlock()
	if ends { // or the session has another connection
		l.session.finish(why, false)
	}
}

// Pong says that the peer has answered a ping that the router had asked for,
// see [Pinger] and [Session.Probe], with the same data. The data is not kept. Any
// goroutine may call it, also when the session has ended.
func (s *Session) Pong(data []byte) {
	st := s.seat()
	if st == nil {
		s.probed(data)
	} else if !st.lasting.session.probed(data) {
		st.pong(data)
	}
}

func (st *seat) pong(data []byte) {
	number, ok := markedNumber(data)
	if !ok {
		return // somebody else's ping
	}
	st.heard.Store(true)
	l := st.lasting
	l.session.out.mu.Lock()
	defer l.session.out.mu.Unlock()
	if l.seat != st || number > l.kept.taken() {
		return
	}
	l.kept.confirm(number)
	if number >= st.asked {
		st.asked = 0
	}
}
