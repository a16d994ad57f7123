package torture_test

import (
	"maps"
	"slices"
	"time"
)

// A trail is what a subscriber has received so far.
type trail struct {
	epoch  string          // of the last event
	left   map[string]bool // epochs before it
	ahead  map[string]bool // epochs that it has left for an earlier one, over a gateway with the old primary
	astray int             // connection over which it went back to an earlier epoch, or forth again; 0: none
	had    map[place]int   // → the last entry with it
	high   map[string]uint64
	conn   int
	last   uint64 // offset of the last event of the connection in epoch
	acked  map[place]int
	upto   map[string]upto // epoch → acknowledged up to there
	node   map[int]string  // connection → which gateway it led to
	at     string          // the gateway that the last event came from
	ended  map[int]int     // connection → the entry of its end
	gap    int             // entry of a notice that no event has followed over the same connection, or -1
	lost   []lostRange     // that it was told of
	others map[string]upto // epoch → what those with the same subscription had acknowledged up to there when it was asked for
}

// An upto is a cumulative acknowledgement.
type upto struct {
	offset uint64
	entry  int
}

// sequence checks rules 2 and 3, and the parts of rules 1 and 4 that show
// in the order in which events come.
func (c *checker) sequence(s subscriber) {
	t := trail{left: map[string]bool{}, ahead: map[string]bool{}, had: map[place]int{}, high: map[string]uint64{}, acked: map[place]int{}, upto: map[string]upto{}, node: map[int]string{}, ended: map[int]int{}, gap: -1}
	for _, i := range c.events[s.Name] {
		e := c.entry(i)
		switch e.Kind {
		case kindSubscribed:
			if !s.Keeps {
				t.last = 0
			}
			t.conn, t.gap = e.Conn, -1
			t.node[e.Conn] = e.Node
			if s.Shared != "" {
				clear(t.high) // others may have had what is between
				t.others = c.ackedBefore(s, e)
			}
		case kindAcked:
			if e.Upto {
				if e.Offset >= t.upto[e.Epoch].offset {
					t.upto[e.Epoch] = upto{e.Offset, i}
				}
			} else {
				t.acked[place{s.Class, e.Epoch, e.Offset}] = i
			}
		case kindBroken:
			t.ended[e.Conn] = i
		case kindGap:
			c.gap(s, &t, i, e)
		case kindEvent:
			c.next(s, &t, i, e)
		}
	}
}

// gap checks a notice that something is lost.
func (c *checker) gap(s subscriber, t *trail, i int, e *entry) {
	restarted := c.h.Promise.Epochs && slices.ContainsFunc(c.faults, func(f int) bool { return f < i && c.entry(f).Store })
	switch {
	case !c.trimmed(s.Class) && !restarted:
		c.report(4, s.Name, []int{i}, "it is told that events are lost, without a cause")
	case e.Offset > e.Through:
		c.report(4, s.Name, []int{i}, "it is told that %d to %d are lost", e.Offset, e.Through)
	}
	t.gap = i
	if e.Through > 0 {
		t.lost = append(t.lost, lostRange{e.Epoch, e.Offset, e.Through, -1})
	}
}

// next checks an event against those that came before.
func (c *checker) next(s subscriber, t *trail, i int, e *entry) {
	before, repeated := t.had[e.place()]
	if e.Epoch != t.epoch {
		c.turn(s, t, i, e)
	} else if e.Offset <= t.last && !(repeated && (s.Keeps && t.astray != e.Conn || c.entry(before).Conn == e.Conn)) { // which is against rule 3
		c.report(2, s.Name, []int{i}, "offset %d comes after %d over the same connection", e.Offset, t.last)
	}
	if e.Conn != t.conn {
		c.report(2, s.Name, []int{i}, "an event comes over connection %d, of which nothing was subscribed", e.Conn)
	}

	high := t.high[e.Epoch]
	begun := high > 0 || s.All && len(t.left) == 1 && t.gap < 0 // the log from its first record on
	if !s.Filters && begun && e.Offset > high+1 && !c.announced(s, t, high+1, e) {
		c.report(1, s.Name, append(c.at(place{s.Class, e.Epoch, high}), i), "offsets %d to %d are missing before %d", high+1, e.Offset-1, e.Offset)
	}
	if repeated {
		c.repeated(s, t, before, i, e)
	}
	if u := t.others[e.Epoch]; e.Offset <= u.offset && !c.crashedSince(u.entry, i) {
		c.report(3, s.Name, []int{u.entry, i}, "%v comes, and had been acknowledged before the subscription was asked for", e.place())
	}
	t.high[e.Epoch] = max(high, e.Offset)
	t.last, t.at = e.Offset, t.node[e.Conn]
	t.had[e.place()] = i
	t.gap = -1
}

// turn checks that another epoch comes.
//
// Of two gateways one may have the old primary still when the other one has what
// took its place. Who changes from the new to the old is shown an epoch again that
// it had left, and later goes forth to where it was. Neither gateway can know the
// position that the client has from the other one: a client that keeps it itself is
// told so, and gets again what it may have had, as far as the gateway knows.
func (c *checker) turn(s subscriber, t *trail, i int, e *entry) {
	switch {
	case t.ahead[e.Epoch]:
		delete(t.ahead, e.Epoch)
		t.left[t.epoch], t.astray = true, e.Conn
	case t.left[e.Epoch] && c.behind(s, t, i, e):
		delete(t.left, e.Epoch)
		t.ahead[t.epoch], t.astray = true, e.Conn
	default:
		if t.left[e.Epoch] {
			c.report(2, s.Name, []int{i}, "epoch %s comes again after %s", e.Epoch, t.epoch)
		}
		t.left[t.epoch] = true
		maps.Copy(t.left, t.ahead)
		clear(t.ahead)
	}
	t.epoch, t.last = e.Epoch, 0
}

// behind reports whether the event may be of an epoch that the client had left:
// it has changed over to another gateway while an old primary may have answered,
// and was told that its position is not known there, if it has one.
func (c *checker) behind(s subscriber, t *trail, i int, e *entry) bool {
	asked, ok := c.asked[s.Name][e.Conn]
	if !ok || t.node[e.Conn] == t.at || s.Keeps && t.gap < 0 {
		return false
	}
	return slices.ContainsFunc(c.faults, func(f int) bool { return c.entry(f).Split && f < i && c.ended(f) > asked })
}

// announced reports whether the subscriber was told that all from the given
// offset to the event's are lost, but for what it had acknowledged.
func (c *checker) announced(s subscriber, t *trail, from uint64, e *entry) bool {
	if t.gap >= 0 && c.entry(t.gap).Through == 0 && c.trimmed(s.Class) {
		// The position was of another epoch, as nothing of this one was
		// acknowledged where the gateway keeps it, or as the client has changed
		// over and knew only the other one: how much is lost nobody can say.
		if !s.Keeps {
			return len(t.left) > 1
		}
		if t.astray == e.Conn {
			return true
		}
	}
	for ; from < e.Offset; from++ {
		told := slices.ContainsFunc(t.lost, func(l lostRange) bool { return l.epoch == e.Epoch && l.from <= from && from <= l.through })
		if !told && !t.acknowledged(s.Class, from) {
			return false
		}
	}
	return true
}

// acknowledged reports whether the event at an offset was acknowledged in an
// epoch before. One that goes on with the same offsets need not bring it again;
// if it has another event there, that is missing by its ID.
func (t *trail) acknowledged(class string, offset uint64) bool {
	for epoch := range t.left {
		if _, ok := t.acked[place{class, epoch, offset}]; ok || offset <= t.upto[epoch].offset {
			return true
		}
	}
	return false
}

// at returns the entry that says what is at a place, if there is one.
func (c *checker) at(p place) []int {
	if i, ok := c.places[p]; ok {
		return []int{i}
	}
	return nil
}

// repeated checks rule 3.
func (c *checker) repeated(s subscriber, t *trail, before, i int, e *entry) {
	about := []int{before, i}
	switch {
	case c.entry(before).Conn == e.Conn:
		c.report(3, s.Name, about, "%v comes twice over the same connection", e.place())
	case s.Keeps && t.astray != e.Conn:
		c.report(3, s.Name, about, "%v comes again, and the client had said that it has it", e.place())
	case !e.Replayed:
		c.report(3, s.Name, about, "%v comes again and is not marked", e.place())
	}
	c.answeredFor(s, t, before, i)
	acked, ok := t.acked[e.place()]
	if u := t.upto[e.Epoch]; u.offset >= e.Offset && (!ok || u.entry > acked) {
		acked, ok = u.entry, true
	}
	// What an acknowledgement has moved may not be durable yet when a process
	// is killed: that costs repeats, and nothing else.
	crashed := c.crashedSince(acked, i)
	// Another gateway learns of it when it has been written, a moment later.
	moved := ok && t.node[c.entry(acked).Conn] != t.node[e.Conn]
	if ok && !crashed && !moved {
		c.report(3, s.Name, append(about, acked), "%v comes again after it was acknowledged", e.place())
	}
}

// crashedSince reports whether a process was killed before the entry i, or was
// not back at the time of an acknowledgement.
func (c *checker) crashedSince(acked, i int) bool {
	return slices.ContainsFunc(c.faults, func(f int) bool {
		return f < i && c.entry(f).Crash && c.ended(f) > acked
	})
}

// ackedBefore returns up to where those who have the same subscription had
// acknowledged, at the same gateway, when a connection asked for it.
func (c *checker) ackedBefore(s subscriber, subscribed *entry) map[string]upto {
	all := map[string]upto{}
	asked, ok := c.asked[s.Name][subscribed.Conn]
	if !ok {
		return all
	}
	for _, m := range c.members(s) {
		node := ""
		for _, i := range c.events[m.Name] {
			e := c.entry(i)
			if i >= asked {
				break
			}
			if e.Kind == kindSubscribed {
				node = e.Node
			}
			if e.Kind == kindAcked && e.Upto && node == subscribed.Node && e.Offset > all[e.Epoch].offset {
				all[e.Epoch] = upto{e.Offset, i}
			}
		}
	}
	return all
}

// answered is how long before the end of a connection an event must have come
// for pings behind it to have been answered in any case, if nothing was broken.
const answered = 5 * time.Second

// answeredFor checks that an event does not come again whose ping was answered
// long before the connection broke.
func (c *checker) answeredFor(s subscriber, t *trail, before, i int) {
	end, ok := t.ended[c.entry(before).Conn]
	if !s.Auto || !ok || t.node[c.entry(before).Conn] != t.node[c.entry(i).Conn] || c.entry(end).At-c.entry(before).At < answered {
		return
	}
	if !slices.ContainsFunc(c.faults, func(f int) bool {
		return (c.entry(f).Crash || c.entry(f).Pongs) && f < i && c.ended(f) > before
	}) {
		c.report(3, s.Name, []int{before, end, i}, "%v comes again, though it had come %v before the connection broke", c.entry(i).place(), c.entry(end).At-c.entry(before).At)
	}
}

// ended returns the entry at which a fault was over, or one behind the last.
func (c *checker) ended(fault int) int {
	end := len(c.h.entries)
	for heal := range c.heals[c.entry(fault).Who] {
		if heal > fault {
			end = min(end, heal)
		}
	}
	return end
}

// A lostRange is what a notice says is lost.
type lostRange struct {
	epoch         string
	from, through uint64
	older         int // the notice, if it says that the log has begun anew, or -1: all of older epochs may be gone
}

// nothingMissing checks rule 1, and that what is missing was announced, for
// those that have the same subscription between them.
func (c *checker) nothingMissing(members []subscriber) {
	s := members[0]
	had := map[string]bool{}
	var gaps []lostRange
	since := -1 // the first SUBSCRIBED
	done := false
	for _, m := range members {
		open := -1 // a notice without a range, if no event has come since
		for _, i := range c.events[m.Name] {
			switch e := c.entry(i); e.Kind {
			case kindSubscribed:
				if since < 0 || i < since {
					since = i
				}
			case kindEvent:
				had[e.ID] = true
				if open >= 0 { // the log is another one, and begins here
					gaps = append(gaps, lostRange{e.Epoch, 1, e.Offset - 1, open})
				}
				open = -1
			case kindGap:
				gaps = append(gaps, lostRange{e.Epoch, e.Offset, e.Through, -1})
				if open = -1; e.Through == 0 && c.trimmed(s.Class) {
					open = i
				}
			case kindDone:
				done = true
			}
		}
	}
	if since < 0 || !done {
		c.report(1, s.Name, c.events[s.Name][max(0, len(c.events[s.Name])-5):], "it never got the last event")
		return
	}
	for _, id := range slices.Sorted(maps.Keys(c.pubs)) {
		p := c.pubs[id]
		record, kept := c.final[id]
		if had[id] || !s.wants(p) || !kept && p.acked < 0 || !s.All && p.sent < since {
			continue
		}
		about := []int{p.sent}
		if p.acked >= 0 {
			about = append(about, p.acked)
		}
		if c.coveredBy(gaps, p) {
			continue
		}
		if kept {
			c.report(1, s.Name, append(about, record), "%s never came, and is in the log", id)
		} else if !c.mayBeLost(p) {
			c.report(1, s.Name, about, "%s was acknowledged, never came, and is not in the log", id)
		}
	}
}

// coveredBy reports whether one of the notices says that the event is lost, at
// any of the places that it ever had.
func (c *checker) coveredBy(gaps []lostRange, p *publication) bool {
	for epoch, i := range c.where[p.class+"/"+p.id] {
		for _, g := range gaps {
			// An epoch that follows on another has what that had at the same
			// offsets, as far as nothing was lost.
			if c.epochs[p.class][epoch] <= c.epochs[p.class][g.epoch] && g.from <= c.entry(i).Offset && c.entry(i).Offset <= g.through {
				return true
			}
			if g.epoch != epoch && i < g.older {
				return true
			}
		}
	}
	// PUBLISHED has no place; what nobody got of a log that is trimmed has
	// none at all.
	return len(c.where[p.class+"/"+p.id]) == 0 && c.trimmed(p.class) && len(gaps) > 0
}
