package router

import "github.com/wireroom/wireroom/router/wamp"

// FloodMeta notes so many more joins of the session than may wait, before any
// of them is told.
func (r *Realm) FloodMeta(s *Session, more int) {
	c := &r.meta
	c.mu.Lock()
	c.telling = true
	c.mu.Unlock()
	for range r.router.cfg.MaxMetaEvents + more {
		c.note(metaEvent{topic: sessionJoined, session: s})
	}
	r.run(c.tell)
}

// NoteJoin notes a join of the session.
func (r *Realm) NoteJoin(s *Session) { r.meta.note(metaEvent{topic: sessionJoined, session: s}) }

// FitsURI reports whether uri fits the pattern, by the pattern alone.
func FitsURI(pattern wamp.URI, match wamp.Match, uri wamp.URI) bool {
	return fitsURI(pattern, match, uri)
}

// Watches returns how many of the meta topics a subscription gets events of.
func Watches(topic wamp.URI, match wamp.Match) int {
	var c chronicle
	c.watch(&subscription{topic: topic, match: match}, 1)
	n := 0
	for i := range c.watched {
		n += int(c.watched[i].Load())
	}
	return n
}
