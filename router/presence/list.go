package presence

import (
	"cmp"
	"slices"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Member is who is on a topic, as others see it.
type Member struct {
	ID       uint64 // of this member on this topic, from when it comes to when it goes
	AuthID   string // empty if Hidden
	AuthRole string // likewise
	Hidden   bool   // others must not learn who it is
	Sessions int    // 0: it has just lost its last one
	Since    time.Time
}

func (m *member) describe() Member {
	about := Member{ID: m.id, Hidden: m.hidden, Sessions: m.here, Since: m.since}
	for _, p := range m.elsewhere {
		about.Sessions += p.sessions
	}
	if !m.hidden {
		about.AuthID, about.AuthRole = m.who.authid, m.who.authrole
	}
	return about
}

// describe returns the member as it goes over the wire.
func (m *Member) describe(sessions bool) map[string]any {
	about := map[string]any{"id": m.ID, "since": m.Since.UTC().Format("2006-01-02T15:04:05.000Z")}
	if !m.Hidden {
		about["authid"], about["authrole"] = m.AuthID, m.AuthRole
	}
	if sessions {
		about["sessions"] = m.Sessions
	}
	return about
}

// size is how many bytes the member takes on the wire, about, and no less than
// in JSON.
func (m *Member) size() int { return 128 + 6*(len(m.AuthID)+len(m.AuthRole)) }

// List returns members of the topic, in the order in which they came: at most so
// many, and only those with a greater ID than after. seq is that of the last join
// or leave that the answer knows of; more says whether there are others behind.
func (k *Keeper) List(name wamp.URI, after uint64, limit int) (members []Member, seq uint64, more bool) {
	all, seq := k.behind(name, after)
	slices.SortFunc(all, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	if len(all) > limit {
		return all[:limit], seq, true
	}
	return all, seq, false
}

// behind returns all members with a greater ID, in no order.
func (k *Keeper) behind(name wamp.URI, after uint64) (all []Member, seq uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.topics[name]
	if t == nil {
		return nil, k.lastSeq
	}
	all = make([]Member, 0, len(t.members))
	for _, m := range t.members {
		if m.id > after {
			all = append(all, m.describe())
		}
	}
	return all, t.seq
}

// Count returns how many members the topic has, and how many sessions they have
// in all.
func (k *Keeper) Count(name wamp.URI) (members, sessions int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.topics[name]
	if t == nil {
		return 0, 0
	}
	sessions = len(t.sessions)
	for _, m := range t.members {
		for _, p := range m.elsewhere {
			sessions += p.sessions
		}
	}
	return len(t.members), sessions
}
