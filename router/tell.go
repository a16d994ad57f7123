package router

import (
	"github.com/wireroom/wireroom/router/wamp"
)

// Tell queues an event for those live subscriptions of the realm's sessions for
// which wants is true, each for itself, and returns for how many. It looks at all
// subscriptions, so it is for what happens rarely. A session whose queue has no
// room for the event ends. Subscriptions with a replay under way are left out.
//
// wants is called under no lock.
func (r *Realm) Tell(p *Publication, wants func(s *Session, topic wamp.URI, match wamp.Match) bool) (n int) {
	return r.Miss(p, wants, func(Watch) Replay { return nil })
}

// Miss is Tell about events that these subscriptions do not get, but that can be
// had: a subscription with a [Watch] is not told. It gets the replay that mend
// returns for its watch, unless that is nil, and nothing that is published until
// that is over. Between what was published before, and what is published after
// Miss was called by the same goroutine, nothing passes it by.
//
// mend is called under the session's lock: it must be quick, and must not call the
// session's methods.
func (r *Realm) Miss(p *Publication, wants func(s *Session, topic wamp.URI, match wamp.Match) bool, mend func(w Watch) Replay) (n int) {
	ws := getWorkspace()
	for _, s := range r.sessionsWhere(func(*Session) bool { return true }) {
		for _, m := range s.members() {
			if !wants(s, m.sub.topic, m.sub.match) || m.mend(mend) {
				continue
			}
			if frame := ws.single(m, p); frame != nil && ws.pushed(s, m.push(frame, keyFirm, 0)) {
				r.router.stats.events.Add(1)
				n++
			}
		}
	}
	ws.handOver(&r.router.flushers)
	putWorkspace(ws)
	return n
}

// single returns the framed event for one member, or nil if the peer's serializer
// cannot express the payload. It draws p.ID if it is zero.
func (ws *workspace) single(m *member, p *Publication) []byte {
	if p.ID == 0 {
		p.ID = NewID()
	}
	s := m.session
	ws.enc.init(p)
	ws.enc.begin(m.sub)
	frame := ws.enc.frame(&s.peer)
	ws.enc = encoding{}
	if frame == nil {
		s.router.stats.untranslatable.Add(1)
	}
	return frame
}
