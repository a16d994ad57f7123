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
	alone            wamp.ID // set if nobody knows who it is: then the session is a member by itself
	node             string  // with alone, of a session at another gateway
}

func identityOf(s *router.Session) identity {
	who := identity{authid: s.AuthID(), authrole: s.AuthRole()}
	if who.authid == "" {
		who.alone = s.ID()
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
	here      int             // its sessions in this realm
	present   bool            // it has one, or lost the last one a moment ago
	linger    *list.Element   // in Keeper.lingering; nil: it has a session, or has gone
	until     time.Time       // while it lingers
	elsewhere map[string]part // where else it is present, by node; nil if nowhere
}

// A part is what another gateway has said of a member.
type part struct {
	sessions int
	sync     uint64 // when it was said, as of [Keeper.Begin]
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
		who := identityOf(s)
		if at.member = t.members[who]; at.member == nil {
			at.member = k.join(t, who, k.rules.Hides(s, t.name), time.Now())
		}
		at.here++
		if at.linger != nil {
			k.lingering.Remove(at.linger)
			at.linger = nil
		}
		if !at.present {
			at.present = true
			k.members++
		}
		k.changed(at.member)
	}
	at.subscriptions++
	t.sessions[s] = at
}

// join makes a member, for whoever knows where it is present.
func (k *Keeper) join(t *topic, who identity, hidden bool, since time.Time) *member {
	k.lastID++
	m := &member{topic: t, who: who, id: k.lastID, hidden: hidden, since: since}
	t.members[who] = m
	k.stats.Joins++
	k.note(m, Join)
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
	at.here--
	if at.here == 0 && k.cfg.Linger == 0 {
		k.absent(at.member)
		return
	}
	k.changed(at.member)
	if at.here == 0 {
		k.delay(at.member)
	}
}

// delay has a member that is nowhere now, or has no session here, stay for a while.
func (k *Keeper) delay(m *member) {
	m.until = time.Now().Add(k.cfg.Linger)
	m.linger = k.lingering.PushBack(m)
	if k.lingering.Len() == 1 {
		k.rouse()
	}
}

// absent notes that a member is not here any more.
func (k *Keeper) absent(m *member) {
	if m.present {
		m.present = false
		k.members--
		k.changed(m)
	}
	if len(m.elsewhere) == 0 {
		k.part(m)
	}
}

// part takes a member that is nowhere off its topic.
func (k *Keeper) part(m *member) {
	delete(m.topic.members, m.who)
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
		k.absent(m)
	}
	return 0
}
