package router

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A lasting is what a session has that can be resumed: the seat that its
// connections take one after the other, and what is not known to have arrived.
//
// The right to be the session's reader, and to use what that owns, is in
// reading: its seat's connection has it while it handles a message, and who
// resumes the session while one takes the seat from another. The duty to flush
// is as in any outbox, but while nobody sits it is parked with nobody, and who
// sits down takes it over.
type lasting struct {
	// Fixed at construction.
	session *Session
	cfg     *Resume
	reading chan struct{} // room for one value, which is the right; never closed

	handled uint64 // messages of the peer; owned by who has the right to read

	mu       sync.Mutex // guards the following; taken after Session.mu, before out.mu
	token    string     // for the next resumption; "": there will be none
	before   string     // the token before, as long as the peer may not know token; or ""
	over     bool       // the session has left
	claimant *Session   // of the connection that is about to sit down, or nil
	away     *place     // nobody sits, and the router counts it for this; nil: it does not
	turn     uint64     // how often it went away
	timer    *time.Timer
	lastly   *Peer  // who sits, or sat last
	seats    uint64 // that there were

	// Changed with both mu and out.mu held.
	seat *seat // nil: nobody sits

	// Guarded by out.mu.
	kept   kept
	parked bool // nobody has the duty to flush, which the outbox says that somebody has
}

func (l *lasting) stopReading() { <-l.reading }

// leaving is [Session.leaving] for who sits.
func (l *lasting) leaving() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.seat == nil {
		return nil
	}
	return l.seat.gone
}

// closeFrame returns the end of the present connection in its own terms.
func (l *lasting) closeFrame(why *wamp.Error) entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seat == nil {
		return entry{}
	}
	return entry{frame: l.seat.link.CloseFrame(why), key: l.seat.number}
}

// welcome has WELCOME written to the first connection. The caller has the duty
// to flush.
func (l *lasting) welcome(frame []byte) {
	o := &l.session.out
	o.mu.Lock()
	defer o.mu.Unlock()
	l.seat.first = frame
}

// giveUp forgets what would have to be written again.
func (l *lasting) giveUp() {
	o := &l.session.out
	o.mu.Lock()
	defer o.mu.Unlock()
	l.kept.next = len(l.kept.messages)
}

// vacateLocked takes the seat from who sits. mu is held. The caller has to
// close the link.
func (l *lasting) vacateLocked() {
	st := l.seat
	st.leaveLocked()
	if l.before != "" && st.heard.Load() {
		l.before = "" // the peer knows the next one
	}
	o := &l.session.out
	o.mu.Lock()
	defer o.mu.Unlock()
	l.seat = nil
	st.first, st.parting = nil, nil
	if o.duty != flushing {
		o.duty, l.parked = flushing, true
	}
}

// leaveLocked tells the seat's reader that it has nothing to do any more. The
// lasting's mu is held.
func (st *seat) leaveLocked() {
	if !st.left {
		st.left = true
		close(st.gone)
	}
}

// lose takes the seat from a connection that is broken. The session is without
// one from now on, or ends.
func (l *lasting) lose(st *seat) {
	then := nothing
	l.mu.Lock()
	if l.seat == st {
		l.vacateLocked()
		then = l.goAwayLocked()
	}
	l.mu.Unlock()
	_ = st.link.Close() // its reader finds that it has lost the seat
	then()
}

func nothing() {}

// goAwayLocked begins the time in which the session can be resumed, or ends it
// if there can be none. The caller has to call then when mu is not held any more.
func (l *lasting) goAwayLocked() (then func()) {
	s := l.session
	if l.over || s.ending.Load() {
		return nothing
	}
	place := placeOf(s, l.lastly)
	if l.token == "" || !s.router.sendAway(place) {
		if s.ending.CompareAndSwap(false, true) {
			return func() { s.router.wg.Go(l.end) }
		}
		return nothing
	}
	l.away = &place
	l.turn++
	turn := l.turn
	l.timer = time.AfterFunc(l.cfg.For, func() { l.expire(turn) })
	return s.detached
}

// comeBackLocked ends that time.
func (l *lasting) comeBackLocked() {
	if l.away != nil {
		l.session.router.callBack(*l.away)
		l.away = nil
	}
	stopTimer(l.timer)
	l.timer = nil
}

// expire ends the session, if nobody has resumed it since it went away for the
// turn-th time.
func (l *lasting) expire(turn uint64) {
	s := l.session
	l.mu.Lock()
	ends := l.away != nil && l.turn == turn && !l.over && s.ending.CompareAndSwap(false, true)
	l.mu.Unlock()
	if ends {
		s.router.stats.resumeExpired.Add(1)
		l.end()
	}
}

// end ends a session without a connection. ending was set by the caller.
func (l *lasting) end() {
	s := l.session
	s.why.CompareAndSwap(nil, &wamp.Error{URI: wamp.URINetworkFailure})
	s.leave()
}

// left is called when the session leaves, for whatever reason.
func (l *lasting) left() {
	l.mu.Lock()
	l.over = true
	l.token, l.before = "", ""
	l.comeBackLocked()
	away := l.seat == nil
	if !away {
		l.seat.leaveLocked()
	}
	l.mu.Unlock()
	if away {
		l.session.discard(0)
	}
}

// part has the connection closed in its own terms, because the peer did that,
// and leaves the session without one.
func (l *lasting) part(st *seat) {
	s := l.session
	if s.ending.Load() {
		return // all that is under way
	}
	end := st.link.CloseFrame(nil)
	if end == nil {
		l.lose(st)
		return
	}
	flush := false
	l.mu.Lock()
	if l.seat == st {
		st.leaveLocked() // nothing more is read
		s.out.mu.Lock()
		st.parting = end
		if s.out.duty != flushing {
			s.out.duty, flush = flushing, true
		}
		s.out.mu.Unlock()
	}
	l.mu.Unlock()
	if flush {
		s.router.flushers.add(s)
	}
}

// broke is called by who could not write to the seat's link.
func (l *lasting) broke(st *seat, err error) {
	l.session.router.log.LogAttrs(context.Background(), slog.LevelDebug, "connection of a session that can be resumed broke",
		slog.Any("session", l.session.id), slog.Any("err", err))
	l.lose(st)
}

// at returns who sits, or sat last.
func (l *lasting) at() *Peer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastly
}

// enlist makes the session one that Shutdown waits for. It reports false if the
// router is shutting down.
func (r *Router) enlist(s *Session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return false
	}
	if r.lasting == nil {
		r.lasting = make(map[*Session]struct{})
	}
	r.lasting[s] = struct{}{}
	return true
}

// release forgets a session that has left.
func (r *Router) release(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.lasting, s)
	r.emptiedLocked()
}

// sendAway counts one more session without a connection, if there may be one.
func (r *Router) sendAway(pl place) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return false
	}
	switch r.away.enter(pl, &r.cfg.Resume) {
	case fullOfAll:
		r.stats.resumeCrowded.Add(1)
		return false
	case fullOfUser:
		r.stats.resumeCrowdedUser.Add(1)
		return false
	case fullOfAddress:
		r.stats.resumeCrowdedAddress.Add(1)
		return false
	}
	r.stats.wentAway.Add(1)
	return true
}

func (r *Router) callBack(pl place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away.leave(pl)
}
