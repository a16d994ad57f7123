package events

import (
	"context"
	"time"
)

// How the deliverer catches up with a log.
const (
	lookFor   = time.Second           // how long one look at the log may take
	ownFor    = time.Second           // how long an event of others waits for own ones that stand before it
	firstLook = 20 * time.Millisecond // pause before another look, doubled each time
	lastLook  = time.Second
)

// A told is an event that another gateway appended to the same log.
type told struct {
	member *member
	record Record
	at     Appended
}

// A lag is a class whose events cannot be routed as they come. The deliverer
// owns it.
type lag struct {
	member *member
	told   []told    // in order, the first not next to what was routed
	since  time.Time // when the first of them came

	behind bool // the log is to be read
	tries  int  // how often it could not, although the store answers
	pause  time.Duration
	next   time.Time // when to look again
}

// Heard takes events that another gateway appended to logs that this hub has
// too: at says where they are. They are routed by this hub's classes, each log
// in its order; those of classes that it does not know, or does not retain, are
// counted. Records without Data are read from the log. Heard never waits: what
// comes too fast is read from the logs later. Its calls must be one at a time,
// in the order in which the events were appended. The hub owns the records.
func (h *Hub) Heard(records []Record, at []Appended) {
	h.ready.follows.Store(true)
	members := h.state.Load().members
	list := make([]told, 0, len(records))
	for i := range records {
		m := members[records[i].Class]
		if m == nil || m.log == nil {
			h.stats.strange.Add(1)
			continue
		}
		list = append(list, told{m, records[i], at[i]})
	}
	if len(list) > 0 {
		h.ready.tell(list, h.config.PendingEvents, h.config.PendingBytes)
	}
}

// CatchUp has the hub look how far its logs go, and route what others appended
// and [Hub.Heard] has not brought. It does not wait for that.
func (h *Hub) CatchUp() {
	h.ready.follows.Store(true)
	for _, m := range h.state.Load().members {
		if m.log != nil {
			h.ready.fallBehind(m)
		}
	}
}

// tell adds events of others, as far as there is room; of the classes of the
// others the logs are read.
func (d *deliveries) tell(list []told, most, mostBytes int) {
	d.mu.Lock()
	for _, t := range list {
		if len(d.told) >= most || d.toldBytes > 0 && d.toldBytes+len(t.record.Data) > mostBytes {
			d.overflows++
			d.fallBehindLocked(t.member)
			continue
		}
		d.told = append(d.told, t)
		d.toldBytes += len(t.record.Data)
	}
	d.mu.Unlock()
	d.wake()
}

// fallBehind has the log of a class read.
func (d *deliveries) fallBehind(m *member) {
	d.mu.Lock()
	d.fallBehindLocked(m)
	d.mu.Unlock()
	d.wake()
}

func (d *deliveries) fallBehindLocked(m *member) {
	if d.behind == nil {
		d.behind = make(map[*classLog]*member)
	}
	d.behind[m.log] = m
}

// takeTold returns the events of others, and the classes whose logs are to be
// read.
func (d *deliveries) takeTold() ([]told, map[*classLog]*member) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list, behind := d.told, d.behind
	d.told, d.behind, d.toldBytes = nil, nil, 0
	return list, behind
}

// lagOf returns the lag of a class, which may be a new one.
func (h *Hub) lagOf(m *member) *lag {
	g := h.lags[m.log]
	if g == nil {
		if h.lags == nil {
			h.lags = make(map[*classLog]*lag)
		}
		g = &lag{member: m, pause: firstLook}
		h.lags[m.log] = g
	}
	return g
}

// fallBehind has the log of a class read. Only the deliverer calls it.
func (h *Hub) fallBehind(m *member) { h.lagOf(m).behind = true }

// isBehind reports whether the log of a class is to be read first.
func (h *Hub) isBehind(m *member) bool {
	g := h.lags[m.log]
	return g != nil && g.behind
}

// follow routes what others appended, as far as it is next.
func (h *Hub) follow() {
	list, behind := h.ready.takeTold()
	for _, m := range behind {
		h.fallBehind(m)
	}
	for _, t := range list {
		if g := h.lags[t.member.log]; g != nil {
			h.lateFor(g, t)
			continue
		}
		epoch, routed := t.member.log.position()
		switch {
		case epoch != t.at.Epoch:
			h.fallBehind(t.member)
		case t.at.Offset <= routed:
		case t.at.Offset == routed+1 && len(t.record.Data) > 0:
			h.routeTold(t)
		case t.at.Offset == routed+1:
			h.fallBehind(t.member)
		default:
			h.lateFor(h.lagOf(t.member), t)
		}
	}
}

// lateFor has an event wait for those before it. Too many do not wait: the log
// is read.
func (h *Hub) lateFor(g *lag, t told) {
	if len(g.told) == 0 {
		g.since = time.Now()
	}
	if len(g.told) >= lateEvents {
		clear(g.told)
		g.told, g.behind = g.told[:0], true
		return
	}
	g.told = append(g.told, t)
}

// lateEvents is how many events of a class wait for those before them.
const lateEvents = 1024

func (h *Hub) routeTold(t told) {
	e := t.record.event(t.at.Epoch)
	e.Offset, e.Time, e.Class = t.at.Offset, t.at.Time, t.member.class.name
	e.Key = t.member.class.keyOf(e.Data)
	h.stats.followed.Add(1)
	h.routeAt(t.member.log, admitted{event: &e, member: t.member, channel: t.record.Channel})
}

// catchUp goes on with the classes that lag, and returns after which time it is
// to be called again; 0: when something comes.
//
// If the store is away, one class is enough to find that out: the deliverer has
// more to do than to wait for it once for each.
func (h *Hub) catchUp() (again time.Duration) {
	away := false
	for l, g := range h.lags {
		now := time.Now()
		switch {
		case !g.behind || now.Before(g.next):
		case away:
			g.next = now.Add(firstLook)
		default:
			away = h.readOn(g)
		}
		if !g.behind {
			h.drain(g)
		}
		var wait time.Duration
		switch {
		case g.behind:
			wait = g.next.Sub(now)
		case len(g.told) == 0:
			delete(h.lags, l)
			continue
		default:
			wait = g.since.Add(ownFor).Sub(now)
		}
		if wait = max(wait, time.Millisecond); again == 0 || wait < again {
			again = wait
		}
	}
	return again
}

// drain routes those that wait and are next. If the first of them is not, and no
// own event is under way that could stand before it, the log is read.
func (h *Hub) drain(g *lag) {
	for len(g.told) > 0 {
		t := g.told[0]
		epoch, routed := t.member.log.position()
		switch {
		case epoch == t.at.Epoch && t.at.Offset <= routed:
		case epoch == t.at.Epoch && t.at.Offset == routed+1 && len(t.record.Data) > 0:
			h.routeTold(t)
		default:
			own, _ := h.room.load()
			if epoch != t.at.Epoch || t.at.Offset == routed+1 || own == 0 || time.Since(g.since) >= ownFor {
				g.behind, g.next = true, time.Time{}
				h.readOn(g)
			}
			return
		}
		g.told[0] = told{}
		g.told = g.told[1:]
		g.since = time.Now()
	}
}

// readOn routes from the log what it has and was not routed, and reports whether
// the store does not even say how far that goes.
func (h *Hub) readOn(g *lag) (away bool) {
	b, err := h.look(g.member)
	away = err != nil
	if !away {
		answered := time.Now()
		if err = h.fill(g.member, Appended{Epoch: b.Epoch, Offset: b.Next}); err == nil {
			epoch, routed := g.member.log.position()
			for len(g.told) > 0 && (g.told[0].at.Epoch != epoch || g.told[0].at.Offset <= routed) {
				g.told[0] = told{}
				g.told = g.told[1:]
			}
			*g = lag{member: g.member, told: g.told, since: answered, pause: firstLook}
			return false
		}
		if g.tries++; g.tries >= fillTries && !g.next.IsZero() {
			h.skip(g.member, Appended{Epoch: b.Epoch, Offset: b.Next}, err)
			g.tries = 0
		}
	}
	g.next = time.Now().Add(g.pause)
	g.pause = min(2*g.pause, lastLook)
	return away
}

// look asks the store how far the log of a class goes, and knows the epoch
// then.
func (h *Hub) look(m *member) (Bounds, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookFor)
	defer cancel()
	epoch, _ := m.log.position()
	b, err := h.store.Bounds(ctx, m.class.name)
	if err == nil {
		m.log.renew(epoch, b)
	}
	return b, err
}
