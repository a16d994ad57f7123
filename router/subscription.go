package router

import (
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A subscription is a topic or pattern that sessions are subscribed to, perhaps
// with a filter. All of them share its ID.
type subscription struct {
	// Fixed at construction.
	id    wamp.ID
	topic wamp.URI
	match wamp.Match

	filter *Filter // nil: it gets all events

	lasting  bool // it stays when it has no members
	attended bool // the realm's [Attendance] is told of its members

	created int64 // in milliseconds of Unix time; an integer, since there may be many subscriptions

	// list is read without a lock. What it points to never changes within
	// its length; a new member is appended behind it in the same memory, and
	// members that left stay until they are the majority.
	list atomic.Pointer[[]*member]

	gone int // members of list that left; guarded by the lock of the topic's shard
}

// members returns the members, including some that left. The slice is never
// changed.
func (sub *subscription) members() []*member {
	if p := sub.list.Load(); p != nil {
		return *p
	}
	return nil
}

// addLocked makes m a member. It leaves the outbox of m's session locked: no
// event can be queued until the caller unlocks it.
func (sub *subscription) addLocked(m *member) {
	m.sub = sub
	list := append(sub.members(), m)
	m.session.out.mu.Lock()
	sub.list.Store(&list)
}

// removeLocked counts m as gone and reports whether no member is left.
func (sub *subscription) removeLocked(m *member) (empty bool) {
	m.removed = true
	sub.gone++
	old := sub.members()
	if sub.gone == len(old) {
		sub.list.Store(nil)
		sub.gone = 0
		return true
	}
	if sub.gone <= len(old)/2 || sub.gone < 16 && len(old) > 16 {
		return false
	}
	list := make([]*member, 0, len(old)-sub.gone)
	for _, m := range old {
		if !m.removed {
			list = append(list, m)
		}
	}
	sub.gone = 0
	sub.list.Store(&list)
	return false
}

// A phase says which events a member gets.
type phase uint8

const (
	live      phase = iota // what is published
	replaying              // what its feed sends; what is published it finds in the log
	over                   // none: it has unsubscribed
)

// A member is one session's part in a subscription.
type member struct {
	// Fixed at construction.
	session *Session
	sub     *subscription

	removed bool   // guarded by the lock of the topic's shard
	revoked bool   // by others, and its session is not told; owned by who removes it
	watched bool   // guarded by session.out.mu: its feed has a watch
	phase   phase  // likewise
	missed  uint64 // likewise: events that were dropped after the last one that was taken to be written
	behind  uint64 // likewise: events that were dropped after the last one that is queued
	feed    *Feed  // changed with both session.mu and session.out.mu held; the last replay, if there was one
}

// push queues an event if the member is live.
func (m *member) push(frame []byte, key uint64, linger time.Duration) pushed {
	o := &m.session.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if m.phase != live {
		return refused
	}
	if m.watched {
		m.feed.watch.Queued() // what is sent now comes behind the event, as the queue is locked
		key = keyFirm         // who watches goes by every event
	}
	return o.pushLocked(entry{frame: frame, member: m, key: key}, linger)
}

func (m *member) isReplaying() bool {
	o := &m.session.out
	o.mu.Lock()
	defer o.mu.Unlock()
	return m.phase == replaying
}

// endLocked lets no event follow. The outbox's lock is held.
func (m *member) endLocked() {
	m.phase = over
	if m.watched {
		m.feed.watch.Live(false)
	}
}

// leave ends the member: no event is queued for it from now on.
func (m *member) leave() {
	o := &m.session.out
	o.mu.Lock()
	m.endLocked()
	o.mu.Unlock()
	m.session.mu.Lock()
	feed := m.feed
	m.session.mu.Unlock()
	if feed != nil {
		feed.cancel()
		if feed.watch != nil {
			feed.watch.Ended()
		}
	}
}
