package presence

import (
	"cmp"
	"container/heap"
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
	Gateways []Gateway // at which it is, by name, if that was asked for
}

// A Gateway is one at which a member is.
type Gateway struct {
	Name     string
	Sessions int // 0: it has just lost its last one there
}

func (m *member) describe(gateways bool) Member {
	about := Member{ID: m.id, Hidden: m.hidden, Sessions: m.here, Since: m.since}
	for _, p := range m.elsewhere {
		about.Sessions += p.sessions
	}
	if !m.hidden {
		about.AuthID, about.AuthRole = m.who.authid, m.who.authrole
	}
	if gateways {
		about.Gateways = m.places()
	}
	return about
}

// places returns at which nodes the member is, as if their names were those of
// gateways; an empty one is this node.
func (m *member) places() []Gateway {
	list := make([]Gateway, 0, len(m.elsewhere)+1)
	if m.present || len(m.elsewhere) == 0 {
		list = append(list, Gateway{"", m.here})
	}
	for node, p := range m.elsewhere {
		list = append(list, Gateway{node, p.sessions})
	}
	return list
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
	if m.Gateways != nil {
		list := make([]any, len(m.Gateways))
		for i, g := range m.Gateways {
			list[i] = map[string]any{"name": g.Name, "sessions": g.Sessions}
		}
		about["gateways"] = list
	}
	return about
}

// size is how many bytes the member takes on the wire, about, and no less than
// in JSON.
func (m *Member) size() int {
	n := 128 + 6*(len(m.AuthID)+len(m.AuthRole))
	for _, g := range m.Gateways {
		n += 64 + 6*len(g.Name)
	}
	return n
}

// List returns members of the topic, in the order in which they came: at most so
// many, which is at least one, and only those with a greater ID than after. seq is that of the last join
// or leave that the answer knows of; more says whether there are others behind.
// gateways asks at which each of them is; where there are no [Peers] nobody can
// say.
func (k *Keeper) List(name wamp.URI, after uint64, limit int, gateways bool) (members []Member, seq uint64, more bool) {
	gateways = gateways && k.peers != nil
	members, seq, more = k.behind(name, after, limit, gateways)
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	if gateways {
		k.nameGateways(members)
	}
	return members, seq, more
}

// nameGateways puts the names of gateways in place of their nodes.
func (k *Keeper) nameGateways(members []Member) {
	names := make(map[string]string)
	for _, m := range members {
		for i, g := range m.Gateways {
			name, ok := names[g.Name]
			if !ok {
				name = k.peers.Gateway(g.Name)
				names[g.Name] = name
			}
			m.Gateways[i].Name = name
		}
		slices.SortFunc(m.Gateways, func(a, b Gateway) int { return cmp.Compare(a.Name, b.Name) })
	}
}

// behind is List, but in no order.
func (k *Keeper) behind(name wamp.URI, after uint64, limit int, gateways bool) (some []Member, seq uint64, more bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.topics[name]
	if t == nil {
		return nil, k.lastSeq, false
	}
	// A topic may have very many, and who asks for one of them must not have all
	// of them described, while others wait.
	first := make(eldest, 0, min(limit, len(t.members)))
	for _, m := range t.members {
		switch {
		case m.id <= after:
		case len(first) < limit:
			heap.Push(&first, m)
		default:
			more = true
			if m.id < first[0].id {
				first[0] = m
				heap.Fix(&first, 0)
			}
		}
	}
	some = make([]Member, len(first))
	for i, m := range first {
		some[i] = m.describe(gateways)
	}
	return some, t.seq, more
}

// An eldest is a heap of members, with that on top that came last.
type eldest []*member

func (e eldest) Len() int           { return len(e) }
func (e eldest) Less(i, j int) bool { return e[i].id > e[j].id }
func (e eldest) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }

// Push implements [heap.Interface].
func (e *eldest) Push(x any) { *e = append(*e, x.(*member)) }

// Pop implements [heap.Interface]; nobody takes members out.
func (e *eldest) Pop() any { panic("presence: a member is taken out of the eldest") }

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
	if k.peers == nil {
		return len(t.members), sessions
	}
	for _, m := range t.members {
		for _, p := range m.elsewhere {
			sessions += p.sessions
		}
	}
	return len(t.members), sessions
}
