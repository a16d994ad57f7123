package presence

import (
	"container/list"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// An identity is whose sessions are one member of a topic.
type identity struct {
	authid, authrole string
	alone            *router.Session // set if nobody knows who it is: then the session is a member by itself
}

func identityOf(s *router.Session) identity {
	who := identity{authid: s.AuthID(), authrole: s.AuthRole()}
	if who.authid == "" {
		who.alone = s
	}
	return who
}

// A topic is one that has members, or whose joins and leaves somebody wants to
// know. All of it is guarded by Keeper.mu.
type topic struct {
	name     wamp.URI
	seq      uint64 // of the last join or leave
	watchers int    // sessions that want to know
	lost     uint64 // joins and leaves that could not be told, since the last one that is
	members  map[identity]*member
	sessions map[*router.Session]attendee // of members, as far as they are in this realm
}

// An attendee is a session that is on a topic.
type attendee struct {
	*member
	subscriptions int // to the topic: without a filter, and with some
}

// A member is on a topic.
type member struct {
	// Fixed at construction.
	topic  *topic
	who    identity
	id     uint64
	hidden bool
	since  time.Time

	// Guarded by Keeper.mu.
	here   int           // its sessions
	linger *list.Element // in Keeper.lingering; nil: it has a session, or has gone
	until  time.Time     // while it lingers
}

// topicOf returns the topic, which it makes if need be.
func (k *Keeper) topicOf(name wamp.URI) *topic {
	t := k.topics[name]
	if t == nil {
		// What a client knows of the topic from before it was forgotten is older.
		t = &topic{name: name, seq: k.lastSeq, members: make(map[identity]*member), sessions: make(map[*router.Session]attendee)}
		k.topics[name] = t
	}
	return t
}

// release forgets the topic if nobody needs it.
func (k *Keeper) release(t *topic) {
	if len(t.members) == 0 && t.watchers == 0 {
		k.lastSeq = max(k.lastSeq, t.seq)
		delete(k.topics, t.name)
	}
}

// hasRoom reports whether the session can come to the topic.
func (k *Keeper) hasRoom(s *router.Session, name wamp.URI) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.members < k.cfg.MaxMembers {
		return true
	}
	if t := k.topics[name]; t != nil && t.members[identityOf(s)] != nil {
		return true
	}
	k.stats.Refused++
	return false
}

// enter notes that the session has subscribed to the topic.
func (k *Keeper) enter(s *router.Session, name wamp.URI) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.topicOf(name)
	at, ok := t.sessions[s]
	if !ok {
		at.member = k.memberOf(t, s)
		at.here++
		if at.linger != nil {
			k.lingering.Remove(at.linger)
			at.linger = nil
		}
	}
	at.subscriptions++
	t.sessions[s] = at
}

// memberOf returns the member that the session belongs to, which joins if it is
// not there.
func (k *Keeper) memberOf(t *topic, s *router.Session) *member {
	who := identityOf(s)
	m := t.members[who]
	if m == nil {
		k.lastID++
		m = &member{topic: t, who: who, id: k.lastID, hidden: k.rules.Hides(s, t.name), since: time.Now()}
		t.members[who] = m
		k.members++
		k.stats.Joins++
		k.note(m, Join)
	}
	return m
}

// leave notes that the session has given up a subscription to the topic.
func (k *Keeper) leave(s *router.Session, name wamp.URI) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.topics[name]
	at := t.sessions[s]
	if at.subscriptions--; at.subscriptions > 0 {
		t.sessions[s] = at
		return
	}
	delete(t.sessions, s)
	if at.here--; at.here > 0 {
		return
	}
	if k.cfg.Linger == 0 {
		k.part(at.member)
		return
	}
	at.until = time.Now().Add(k.cfg.Linger)
	at.linger = k.lingering.PushBack(at.member)
	if k.lingering.Len() == 1 {
		k.rouse()
	}
}

// part takes a member without a session off its topic.
func (k *Keeper) part(m *member) {
	delete(m.topic.members, m.who)
	k.members--
	k.stats.Leaves++
	k.note(m, Leave)
	k.release(m.topic)
}

// watch notes that as many sessions more want to know who comes and goes.
func (k *Keeper) watch(name wamp.URI, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.topicOf(name)
	was := t.watchers
	t.watchers += n
	switch {
	case was == 0:
		k.stats.Watched++
	case t.watchers == 0:
		k.stats.Watched--
		k.release(t)
	}
}

// expire takes off those whose time is over, and returns in how long that of the
// next one is; 0: nobody lingers.
func (k *Keeper) expire() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	for e := k.lingering.Front(); e != nil; e = k.lingering.Front() {
		m := e.Value.(*member)
		if left := time.Until(m.until); left > 0 {
			return left
		}
		k.lingering.Remove(e)
		m.linger = nil
		k.part(m)
	}
	return 0
}
