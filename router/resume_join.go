package router

import (
	"maps"

	"github.com/wireroom/wireroom/router/wamp"
)

// methodAnonymous is the authmethod of sessions that nobody stands behind.
const methodAnonymous = "anonymous"

// welcomeLasting is welcome for a peer whose HELLO said something about
// resumption, or about subscriptions that are to be attached again.
func (s *Session) welcomeLasting(g *Grant, a *resumeAsk) error {
	more := map[string]any{}
	if a.session != 0 {
		l, refused := s.claim(g, a)
		if l != nil {
			err := s.takeOver(l, g, a)
			if err == nil {
				s.router.stats.resumed.Add(1)
			} else {
				l.giveBack(s)
			}
			return err
		}
		s.router.stats.resumeRefused.Add(1)
		more["resumed"] = false
		if refused != "" {
			more["_resume_refused"] = refused
		}
	}
	if a.reattach == nil {
		maps.Copy(more, s.greeting(g))
	}
	if a.again && s.router.cfg.Resume.For > 0 {
		return s.settle(g, more, a.reattach)
	}
	s.tied.Store(nil)
	if a.reattach != nil {
		return s.welcomeBack(g, more, a.reattach)
	}
	return s.welcomed(g, encodeWelcome(s.peer.Serializer, s.realm.name, g, g.AuthID, more))
}

// claim takes the seat from whoever sits in the session that the peer wants to
// resume. It returns nil if the peer can't have that, and a reason only if the
// session is its own: that has ended then.
func (s *Session) claim(g *Grant, a *resumeAsk) (l *lasting, refused string) {
	const nobody = "AAAAAAAAAAAAAAAAAAAAAA=="
	old := s.realm.Session(a.session)
	if old != nil {
		l = old.lasting()
	}
	if l == nil {
		sameToken(nobody, a.token)
		return nil, ""
	}
	l.mu.Lock()
	its := l.hasTokenLocked(a.token) && old.isOf(g)
	if !its || l.over || old.ending.Load() {
		l.mu.Unlock()
		return nil, ""
	}
	var link Link
	switch {
	case l.seat != nil:
		link = l.seat.link
		l.vacateLocked()
	case l.claimant != nil:
		link = l.claimant.link // the peer has given that connection up, too
	}
	l.comeBackLocked()
	ends := false
	if refused = s.misfit(l, a); refused == "" { // now that nothing more is taken
		l.claimant = s
	} else {
		l.claimant = nil
		ends = old.ending.CompareAndSwap(false, true)
	}
	l.mu.Unlock()
	if link != nil {
		_ = link.Close() // its reader and writer find that they have lost the seat
	}
	if ends {
		s.router.wg.Go(l.end)
	}
	if refused != "" {
		return nil, refused
	}
	return l, ""
}

// hasTokenLocked reports whether the token is that of the session, in a time
// that does not tell how much of it is. The token before is good as long as
// the peer may not have got the present one.
func (l *lasting) hasTokenLocked(token string) bool {
	now, before := sameToken(l.token, token), sameToken(l.before, token)
	return now || before && (l.seat == nil || !l.seat.heard.Load())
}

// isOf reports whether the session belongs to who got the grant. Nobody in
// particular has an authid that was drawn for the one session: there the token
// alone decides.
func (s *Session) isOf(g *Grant) bool {
	if s.authrole != g.AuthRole || s.trusted != g.Trusted || s.Claims() != g.Claims || s.Client() != g.Client {
		return false
	}
	if (s.Tenure() == nil) != (g.Tenure == nil) {
		return false
	}
	if s.authmethod == methodAnonymous || g.AuthMethod == methodAnonymous {
		return s.authmethod == g.AuthMethod
	}
	return s.authid == g.AuthID
}

// misfit returns why the peer can't resume the session, or "".
func (s *Session) misfit(l *lasting, a *resumeAsk) string {
	old := l.session
	if s.peer.Serializer != old.peer.Serializer {
		return refusedSerializer
	}
	if most := s.peer.MaxFrame; most != 0 && (old.peer.MaxFrame == 0 || most < old.peer.MaxFrame) {
		return refusedFrames
	}
	old.out.mu.Lock()
	defer old.out.mu.Unlock()
	switch k := &l.kept; {
	case a.counts && a.received > k.last():
		return refusedCount
	case a.counts && a.received < k.base, !a.counts && !k.whole():
		return refusedLost
	}
	return ""
}

// giveBack leaves the session without a connection again, because s, which
// claimed it, has gone. If another has claimed it since, it stays with that.
func (l *lasting) giveBack(s *Session) {
	then := nothing
	l.mu.Lock()
	if l.claimant == s {
		l.claimant = nil
		then = l.goAwayLocked()
	}
	l.mu.Unlock()
	then()
}

// takeOver seats the peer in the session that it has claimed.
func (s *Session) takeOver(l *lasting, g *Grant, a *resumeAsk) error {
	err := s.await(func(done <-chan struct{}) bool {
		select {
		case l.reading <- struct{}{}: // whoever sat has handled what it was handling
			return true
		case <-done:
			return false
		}
	})
	if err != nil {
		return err
	}
	defer l.stopReading()
	st := l.newSeat(s)
	if err := s.retire(); err != nil {
		return err
	}
	old := l.session
	if !a.counts {
		old.mayRepeatReceipts()
	}
	l.mu.Lock()
	gone := l.over || old.ending.Load() || l.claimant != s
	if t := old.Tenure(); t != nil && !gone {
		gone = t.Resume(g) != nil
	}
	if gone {
		l.mu.Unlock()
		_ = s.link.Close() // there is no outbox any more to say it through
		return errEnded
	}
	l.claimant = nil
	l.before, l.token = a.token, ""
	if a.again {
		l.token = newResumeToken()
	}
	more := l.details()
	more["resumed"], more["_received"] = true, l.handled
	l.lastly = st.peer

	old.out.mu.Lock()
	k := &l.kept
	if a.counts {
		k.confirm(a.received)
	} else if n := len(k.messages); n > 0 {
		more["_repeats"] = n
	}
	k.next = 0
	details := encodeWelcome(s.peer.Serializer, s.realm.name, g, old.authid, more)
	st.first = seal(s.peer.Framing, s.peer.Serializer, &wamp.Welcome{Session: old.id, Ready: details}, len(details))
	l.seat = st
	flush := l.parked
	l.parked = false
	old.out.mu.Unlock()
	l.mu.Unlock()
	s.sitDown(st, flush)
	return nil
}

// abandon ends a session of which its peer never heard.
func (l *lasting) abandon() {
	l.mu.Lock()
	l.vacateLocked()
	ends := l.session.ending.CompareAndSwap(false, true)
	l.mu.Unlock()
	if ends {
		l.session.router.wg.Go(l.end)
	}
}

// newSeat returns a seat for the connection.
func (l *lasting) newSeat(s *Session) *seat {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seats++
	return &seat{lasting: l, link: s.link, peer: &s.peer, number: l.seats, gone: make(chan struct{})}
}

// details returns what WELCOME tells about how to resume the session. mu is
// held, or nobody else knows l.
func (l *lasting) details() map[string]any {
	more := map[string]any{"resumable": l.token != ""}
	if l.token != "" {
		more["resume_token"] = l.token
		more["_resume_window"] = l.cfg.For.Milliseconds()
	}
	return more
}

// settle is welcome for a peer whose session can be resumed: it gets one that
// does not end with the connection.
func (s *Session) settle(g *Grant, more map[string]any, again *reattachAsk) error {
	lasts := &Session{
		router: s.router, peer: s.peer, limits: s.limits,
		id: s.id, realm: s.realm, features: s.features,
	}
	l := &lasting{session: lasts, cfg: &s.router.cfg.Resume, reading: make(chan struct{}, 1), token: newResumeToken()}
	lasts.tied.Store(&tie{lasting: l})
	lasts.traffic = newTraffic(lasts, &s.router.cfg.Statistics)
	lasts.out.limit, lasts.out.most = s.out.limit, s.out.most
	lasts.out.duty = flushing // ours until we sit down, though others may end the session before
	st := l.newSeat(s)
	maps.Copy(more, l.details())
	var details wamp.Encoded
	if again == nil {
		details = encodeWelcome(s.peer.Serializer, s.realm.name, g, g.AuthID, more)
	}
	if !s.router.enlist(lasts) {
		return errEnded // the router is shutting down, and tells the peer
	}
	l.seat, l.lastly = st, st.peer
	if err := lasts.enter(g, details); err != nil {
		s.router.release(lasts)
		return err
	}
	s.router.stats.joined.Add(1)
	if again != nil {
		end := s.settleBack(lasts, g, more, again)
		defer end()
	}
	if err := s.retire(); err != nil {
		l.abandon()
		return err
	}
	s.sitDown(st, true)
	s.router.stats.resumable.Add(1)
	return nil
}

// sitDown has the connection hand on what it reads from now on. With flush it
// has the duty to flush the session.
func (s *Session) sitDown(st *seat, flush bool) {
	old := st.lasting.session
	s.peer.ChannelID = nil
	s.tied.Store(&tie{seat: st})
	ws := s.ws
	s.ws = nil
	if flush {
		ws.dirty = append(ws.dirty, old)
	}
	if old.ws == nil {
		old.ws = ws
	} else {
		ws.handOver(&s.router.flushers)
		putWorkspace(ws)
	}
	if s.ending.Load() { // before it was known where that should go
		st.end(s.why.Load())
	}
}

// retire has the connection's own outbox take nothing any more, when all that
// was in it is written, so that another session can write to its link.
func (s *Session) retire() error {
	s.mu.Lock() // what the hello timeout ends must not be the session that is resumed
	stopTimer(s.hello)
	s.hello = nil
	s.mu.Unlock()
	for {
		done, empty := s.out.retire()
		switch {
		case done:
			return nil
		case empty == nil:
			return errEnded
		}
		err := s.await(func(done <-chan struct{}) bool {
			select {
			case <-empty:
				return true
			case <-done:
				return false
			}
		})
		if err != nil {
			return err
		}
	}
}

// retire refuses all that is queued from now on, if nothing has to be written.
// Otherwise it returns a channel that is closed when that may be so, and hardly
// takes anything more until then; or nil if the outbox is closed.
func (o *outbox) retire() (done bool, empty <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return false, nil
	case o.duty == nobody:
		o.closed, o.duty = true, flushing
		return true, nil
	}
	o.limit = 1 // room then means that nothing waits
	if o.room == nil {
		o.room = make(chan struct{})
	}
	return false, o.room
}
