package router

import (
	"context"
	"encoding/binary"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Watch is told of what becomes of one session's part in a subscription. No
// event for that is dropped, whatever its class or the session's role says: a
// queue that has no room for one ends the session.
type Watch interface {
	// Begun is called first, once: the session has the subscription with this
	// ID. Nothing was sent for it yet, not even SUBSCRIBED. The session is
	// locked: Begun must not call its methods.
	Begun(id wamp.ID)

	// Live says whether the subscription gets what is published from now on:
	// it does when a replay is over, and does not when another one begins or
	// the subscription ends. Before the first call it does not. The same rules
	// hold as for Queued.
	Live(now bool)

	// Queued is called for each event that is queued for the subscription, or
	// could not be since the session ends, or since it is longer than the
	// session's peer takes. The session's queue is locked: Queued must be
	// quick and must not call its methods.
	Queued()

	// Ended is called last, once, from any goroutine: the session has the
	// subscription no more, or did not get it. Queued may be running still.
	Ended()
}

// A Prober is a [Governor] that asks peers what they have got.
type Prober interface {
	Governor

	// Probed says that the peer of a session has answered the ping with that
	// number, and so has received everything that was queued before it. A peer
	// can make up an answer that it was not asked for. Answers may come from
	// several goroutines at a time, in any order, and after the session's end.
	Probed(s *Session, number uint64)
}

// probeMark begins the data of the pings of [Session.Probe]. The number follows.
const probeMark = "wireprob"

// CanProbe reports whether the session's peer, as it is connected now, can be
// asked what it has got. wanted says that it has asked for that, in so many
// words: see [Pinger].
func (s *Session) CanProbe(wanted bool) bool {
	p, _, ok := s.pinger()
	return ok && p.PingFrame([]byte(probeMark), wanted) != nil
}

// Probe asks the peer, behind all that is queued, to say that it has got that:
// then [Prober.Probed] is called with the number. It reports false if that is
// not possible now, as the peer knows no pings or is away. A peer that answers
// nothing, or whose connection breaks, is asked nothing again. Probe is for a
// peer that wants to be asked.
func (s *Session) Probe(number uint64) bool {
	p, st, ok := s.pinger()
	if !ok {
		return false
	}
	frame := p.PingFrame(binary.BigEndian.AppendUint64([]byte(probeMark), number), true)
	if frame == nil {
		return false
	}
	ws := getWorkspace()
	if st != nil {
		st.control(ws, frame) // it is lost if another connection has taken the seat, which may know no such frames
	} else {
		s.traffic.ignore(frame)
		ws.send(s, frame)
	}
	ws.handOver(&s.router.flushers)
	putWorkspace(ws)
	return true
}

// pinger returns the link of the session's present connection, if it can ping,
// and its seat, if the session can be resumed.
func (s *Session) pinger() (p Pinger, st *seat, ok bool) {
	l := s.lasting()
	if l == nil {
		p, ok = s.link.(Pinger)
		return p, nil, ok
	}
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if st = l.seat; st == nil {
		return nil, nil, false
	}
	p, ok = st.link.(Pinger)
	return p, st, ok
}

// probed tells who asked of an answer. It reports false if the data is of
// another ping.
func (s *Session) probed(data []byte) bool {
	if len(data) != len(probeMark)+8 || string(data[:len(probeMark)]) != probeMark {
		return false
	}
	if !s.joined.Load() {
		return true // it was never asked
	}
	if p, ok := s.realm.gov.(Prober); ok {
		p.Probed(s, binary.BigEndian.Uint64(data[len(probeMark):]))
	}
	return true
}

// Wait runs f for a [Governor] that has to wait for something in its Subscribe,
// or for a [Handler]: nobody else waits for what the session's reader has in
// hand meanwhile. ctx is done when the session ends. Wait returns the error of
// f, or, if the session has ended, one that is to be returned as it is.
func (s *Session) Wait(f func(ctx context.Context) error) error {
	s.ws.flush(&s.router.flushers)
	var err error
	ended := s.idle(func(done <-chan struct{}) bool {
		err = f(tenure{context.Background(), done})
		select {
		case <-done:
			return false
		default:
			return !s.ending.Load()
		}
	})
	if ended != nil {
		return ended
	}
	return err
}
