package presence

import (
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// Peers are other gateways that have the same realm.
type Peers interface {
	// Changed is told of each change of who is present here, in order. Locks are
	// held: it must be fast and call nothing of the keeper.
	Changed(at Attendee)

	// Complete reports whether it is known who is present at all of them.
	Complete() bool

	// Gateway returns the name that a node has for people, which is never empty;
	// of this gateway for an empty node. Locks are not held.
	Gateway(node string) string
}

// An Attendee is a member on a topic, as one gateway knows it.
type Attendee struct {
	Topic    wamp.URI
	AuthID   string
	AuthRole string
	Session  wamp.ID // of a session that is a member by itself, which has no AuthID; 0: it is none
	Hidden   bool
	Present  bool // false: it is not there any more
	Sessions int  // there; 0: it has just lost its last one, or is not present
	Since    time.Time
}

// changed tells peers of a member. Keeper.mu is held.
func (k *Keeper) changed(m *member) {
	if k.peers != nil {
		k.peers.Changed(m.attendee())
	}
}

func (m *member) attendee() Attendee {
	return Attendee{
		Topic: m.topic.name, AuthID: m.who.authid, AuthRole: m.who.authrole, Session: m.who.alone,
		Hidden: m.hidden, Present: m.present, Sessions: m.here, Since: m.since,
	}
}

// complete reports whether it is known who is there.
func (k *Keeper) complete() bool { return k.peers == nil || k.peers.Complete() }

// Here returns who is present here. What [Peers] are told of afterwards has
// happened since.
func (k *Keeper) Here() (all []Attendee) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range k.topics {
		for _, m := range t.members {
			if m.present {
				all = append(all, m.attendee())
			}
		}
	}
	return all
}

// Begin begins to take in all who are present at a node: what was said of it before
// and is not said again until [Keeper.End] is not so any more. It returns what End
// wants to know.
func (k *Keeper) Begin() (sync uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.syncs++
	return k.syncs
}

// There notes what a node says of somebody who is present there, or is not any more.
func (k *Keeper) There(node string, at Attendee) {
	if !k.kept(at.Topic) || at.AuthID == "" && at.Session == 0 {
		return // it has another configuration
	}
	who := identity{authid: at.AuthID, authrole: at.AuthRole}
	if at.AuthID == "" {
		who.alone, who.node = at.Session, node
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !at.Present {
		if t := k.topics[at.Topic]; t != nil && t.members[who] != nil {
			k.gone(t.members[who], node)
		}
		return
	}
	t := k.topicOf(at.Topic)
	m := t.members[who]
	if m == nil {
		m = k.join(t, who, at.Hidden, at.Since)
	}
	if m.elsewhere == nil {
		m.elsewhere = make(map[string]part)
	}
	m.elsewhere[node] = part{sessions: max(at.Sessions, 0), sync: k.syncs}
	if m.linger != nil && !m.present { // it was at a node that is gone, and has come to another one
		k.lingering.Remove(m.linger)
		m.linger = nil
	}
}

// gone notes that a member is not at a node any more.
func (k *Keeper) gone(m *member, node string) {
	if _, ok := m.elsewhere[node]; !ok {
		return
	}
	delete(m.elsewhere, node)
	if len(m.elsewhere) > 0 {
		return
	}
	m.elsewhere = nil
	if !m.present && m.linger == nil {
		k.part(m)
	}
}

// End takes off who was not said to be present at the node since [Keeper.Begin].
func (k *Keeper) End(node string, sync uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.every(func(m *member) {
		if p, ok := m.elsewhere[node]; ok && p.sync < sync {
			k.gone(m, node)
		}
	})
}

// Forget takes off who was present at a node that is gone. Its clients may be about
// to come to another one, so they linger as if they had been here.
func (k *Keeper) Forget(node string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.every(func(m *member) {
		if _, ok := m.elsewhere[node]; ok && len(m.elsewhere) == 1 && !m.present && m.linger == nil && k.cfg.Linger > 0 {
			m.elsewhere = nil
			k.delay(m)
			return
		}
		k.gone(m, node)
	})
}

// every calls f for each member, which f may take off. Keeper.mu is held.
func (k *Keeper) every(f func(*member)) {
	for _, t := range k.topics {
		for _, m := range t.members {
			f(m)
		}
	}
}
