package torture_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A violation is a promise that was not kept.
type violation struct {
	rule  int
	who   string
	text  string
	about []int // entries that show it
}

func (v *violation) String() string { return fmt.Sprintf("rule %d: %s: %s", v.rule, v.who, v.text) }

// A publication is what a publisher wanted to be an event.
type publication struct {
	id, class, room string
	tag             int
	given           bool
	sent            int // entry of the first attempt
	acked           int // entry of the first receipt, or -1
	refused         bool
	unknown         bool
}

// A checker compares a history with the rules of
// docs/design/032-history-checker.md.
type checker struct {
	h          *history
	violations []violation

	pubs   map[string]*publication
	events map[string][]int            // entries of each subscriber, in order
	final  map[string]int              // ID → its record in the last log
	last   map[string]string           // class → the epoch of its last log
	places map[place]int               // → an entry that says so
	where  map[string]map[string]int   // class/ID → epoch → an entry that says so
	epochs map[string]map[string]int   // class → epoch → the first entry with it
	pubIDs map[string]map[uint64]int   // ID → publication ID → an entry
	faults []int                       // entries
	heals  map[string]map[int]struct{} // who → entries
	asked  map[string]map[int]int      // subscriber → connection → when it sent SUBSCRIBE
}

// mostViolations bounds what is reported: what comes after so many says
// nothing new.
const mostViolations = 200

// check returns what in the history is against the rules, and how many
// acknowledged events the store has lost, within them or not.
func check(h *history) (found []violation, lost int) {
	c := &checker{
		h: h, pubs: map[string]*publication{}, events: map[string][]int{}, final: map[string]int{}, last: map[string]string{},
		places: map[place]int{}, where: map[string]map[string]int{}, epochs: map[string]map[string]int{}, pubIDs: map[string]map[uint64]int{},
		heals: map[string]map[int]struct{}{}, asked: map[string]map[int]int{},
	}
	c.index()
	c.onePlaceEach()
	c.order()
	for _, s := range h.Subscribers {
		if s.Plain {
			c.plain(s)
			continue
		}
		c.nothingInvented(s)
		c.sequence(s)
		if members := c.members(s); members[0].Name == s.Name {
			c.nothingMissing(members)
		}
	}
	lost = c.nothingLost()
	c.timesGrow()
	c.epochsHaveCauses()
	return c.violations, lost
}

func (c *checker) report(rule int, who string, about []int, format string, args ...any) {
	if len(c.violations) < mostViolations {
		c.violations = append(c.violations, violation{rule, who, fmt.Sprintf(format, args...), about})
	}
}

func (c *checker) entry(i int) *entry { return &c.h.entries[i] }

// index finds what belongs together.
func (c *checker) index() {
	for i := range c.h.entries {
		e := &c.h.entries[i]
		p := c.pubs[e.ID]
		switch e.Kind {
		case kindPublish:
			if p == nil {
				c.pubs[e.ID] = &publication{id: e.ID, class: e.Class, room: e.Room, tag: e.Tag, given: e.Given, sent: i, acked: -1}
			}
		case kindOK:
			if p.acked < 0 {
				p.acked = i
			}
		case kindRefused:
			p.refused = true
		case kindUnknown:
			p.unknown = true
		case kindSubscribed, kindEvent, kindGap, kindBroken, kindAck, kindAcked, kindDone:
			c.events[e.Who] = append(c.events[e.Who], i)
		case kindAsked:
			if c.asked[e.Who] == nil {
				c.asked[e.Who] = map[int]int{}
			}
			c.asked[e.Who][e.Conn] = i
		case kindFault:
			c.faults = append(c.faults, i)
		case kindHeal:
			if c.heals[e.Who] == nil {
				c.heals[e.Who] = map[int]struct{}{}
			}
			c.heals[e.Who][i] = struct{}{}
		case kindFinal:
			c.final[e.ID] = i
			c.last[e.Class] = e.Epoch
		case kindWrong:
			c.report(e.Rule, e.Who, []int{i}, "%s", e.Note)
		case kindReady:
		}
	}
}

// onePlaceEach checks rules 6 and 7: an offset has one event, an event one
// offset, and receipts say which.
func (c *checker) onePlaceEach() {
	for i := range c.h.entries {
		e := &c.h.entries[i]
		receipt := e.Kind == kindOK
		if !receipt && e.Kind != kindEvent && e.Kind != kindFinal || e.Class == "" {
			continue
		}
		if e.Pub != 0 && !receipt {
			c.publicationID(i, e)
		}
		if e.Epoch == "" {
			continue
		}
		if c.epochs[e.Class] == nil {
			c.epochs[e.Class] = map[string]int{}
		}
		if _, ok := c.epochs[e.Class][e.Epoch]; !ok {
			c.epochs[e.Class][e.Epoch] = i
		}
		rule := func(other int) int {
			if receipt || c.entry(other).Kind == kindOK {
				return 7
			}
			return 6
		}
		if other, ok := c.places[e.place()]; !ok {
			c.places[e.place()] = i
		} else if c.entry(other).ID != e.ID {
			c.report(rule(other), e.Who, []int{other, i}, "%v is given to %s and to %s", e.place(), c.entry(other).ID, e.ID)
		}
		key := e.Class + "/" + e.ID
		if c.where[key] == nil {
			c.where[key] = map[string]int{}
		}
		if other, ok := c.where[key][e.Epoch]; !ok {
			c.where[key][e.Epoch] = i
		} else if c.entry(other).Offset != e.Offset && !c.forgotten(e.Class, c.entry(other).Offset, e.Offset) {
			c.report(rule(other), e.Who, []int{other, i}, "%s is at offset %d and at %d of %s %s", e.ID, c.entry(other).Offset, e.Offset, e.Class, e.Epoch)
		}
	}
	for i := range c.h.entries {
		// A receipt of WAMP has no epoch. In another one the same event has
		// another publication ID, so only one epoch makes sure.
		e := &c.h.entries[i]
		if e.Kind != kindOK || e.Pub == 0 || len(c.epochs[e.Class]) != 1 || len(c.pubIDs[e.ID]) == 0 {
			continue
		}
		if _, ok := c.pubIDs[e.ID][e.Pub]; !ok {
			for pub, other := range c.pubIDs[e.ID] {
				c.report(7, e.Who, []int{i, other}, "PUBLISHED says %d of %s, EVENT says %d", e.Pub, e.ID, pub)
			}
		}
	}
}

// trimmed reports whether old events of the class are removed.
func (c *checker) trimmed(class string) bool { return c.h.Promise.Trimmed[class] > 0 }

// forgotten reports whether an event may be at both offsets: its id is known
// for as long as its record is kept, so who sends it again after that has sent
// another event.
func (c *checker) forgotten(class string, a, b uint64) bool {
	return c.trimmed(class) && max(a, b)-min(a, b) >= c.h.Promise.Trimmed[class]
}

// publicationID notes the publication ID of an event that came.
func (c *checker) publicationID(i int, e *entry) {
	if c.pubIDs[e.ID] == nil {
		c.pubIDs[e.ID] = map[uint64]int{}
	}
	if _, ok := c.pubIDs[e.ID][e.Pub]; ok {
		return
	}
	for pub, other := range c.pubIDs[e.ID] {
		if c.entry(other).Epoch == e.Epoch && (c.entry(other).Offset == e.Offset || !c.forgotten(e.Class, c.entry(other).Offset, e.Offset)) {
			c.report(6, e.Who, []int{other, i}, "%s at %v has the publication IDs %d and %d", e.ID, e.place(), pub, e.Pub)
		}
	}
	c.pubIDs[e.ID][e.Pub] = i
}

// order checks the part of rule 2 that is about publishers: what was sent when
// another event had been acknowledged comes behind it.
func (c *checker) order() {
	type placed struct {
		offset uint64
		p      *publication
	}
	logs := map[[2]string][]placed{}
	for at, i := range c.places {
		if p := c.pubs[c.entry(i).ID]; p != nil {
			log := [2]string{at.class, at.epoch}
			logs[log] = append(logs[log], placed{at.offset, p})
		}
	}
	for log, events := range logs {
		slices.SortFunc(events, func(a, b placed) int { return cmp.Compare(b.offset, a.offset) })
		var first *publication // of those behind, the one that was acknowledged first
		for _, e := range events {
			if first != nil && first.acked < e.p.sent {
				c.report(2, e.p.id, []int{first.acked, e.p.sent}, "it was published when %s had been acknowledged, and is before it in %s %s", first.id, log[0], log[1])
			}
			// In another epoch the receipt may be for a later attempt.
			if e.p.acked >= 0 && c.entry(e.p.acked).Epoch == log[1] && (first == nil || e.p.acked < first.acked) {
				first = e.p
			}
		}
	}
}

// wants reports whether the publication is for the subscriber.
func (s *subscriber) wants(p *publication) bool {
	return p.class == s.Class && (s.Room == "" || s.Room == p.room) && (len(s.Tags) == 0 || slices.Contains(s.Tags, p.tag))
}

// members returns those that have the same subscription as s, with itself.
func (c *checker) members(s subscriber) []subscriber {
	if s.Shared == "" {
		return []subscriber{s}
	}
	var all []subscriber
	for _, other := range c.h.Subscribers {
		if other.Shared == s.Shared && other.Class == s.Class {
			all = append(all, other)
		}
	}
	return all
}

// nothingInvented checks rule 5.
func (c *checker) nothingInvented(s subscriber) {
	for _, i := range c.events[s.Name] {
		e := c.entry(i)
		if e.Kind != kindEvent {
			continue
		}
		p := c.pubs[e.ID]
		switch {
		case p == nil || p.sent > i:
			c.report(5, s.Name, []int{i}, "nobody has published %q", e.ID)
		case p.class != e.Class || p.room != e.Room || p.tag != e.Tag || p.given && e.As != e.ID:
			c.report(5, s.Name, []int{p.sent, i}, "%s is not as it was published", e.ID)
		case p.refused && !p.unknown && p.acked < 0:
			c.report(5, s.Name, []int{p.sent, i}, "%s was refused, and comes", e.ID)
		case !s.wants(p):
			c.report(5, s.Name, []int{p.sent, i}, "%s is not for this subscriber", e.ID)
		}
	}
}

// nothingLost checks the part of rule 4 that is about the store: what was
// acknowledged is in the log in the end, or was removed by a fault that may.
func (c *checker) nothingLost() (lost int) {
	for _, id := range slices.Sorted(maps.Keys(c.pubs)) {
		p := c.pubs[id]
		if p.acked < 0 || c.trimmed(p.class) || c.last[p.class] == "" {
			continue
		}
		if _, ok := c.final[id]; ok {
			continue
		}
		lost++
		if !c.mayBeLost(p) {
			c.report(4, id, []int{p.sent, p.acked}, "it was acknowledged, and is not in the last log")
		}
	}
	for id, i := range c.final {
		p := c.pubs[id]
		if p == nil {
			c.report(5, "log", []int{i}, "nobody has published %q", id)
		} else if p.refused && !p.unknown && p.acked < 0 {
			c.report(5, "log", []int{p.sent, i}, "%s was refused, and is in the log", id)
		}
	}
	return lost
}

// mayBeLost reports whether a fault may have removed what was acknowledged.
func (c *checker) mayBeLost(p *publication) bool {
	if c.h.Promise.Loses == 0 {
		return false
	}
	acked := c.entry(p.acked)
	for _, i := range c.faults {
		f := c.entry(i)
		if !f.Loses || acked.At < f.At-c.h.Promise.Loses {
			continue
		}
		// The receipt may have been on its way when the fault came. And what was
		// lost was of another epoch than that which the log has now.
		if c.ended(i) > p.acked && (acked.Epoch == "" && len(c.epochs[p.class]) > 1 || acked.Epoch != "" && acked.Epoch != c.last[p.class]) {
			return true
		}
	}
	return false
}

// timesGrow checks the part of rule 2 that is about time: it does not go back
// in a log, whatever the clock did.
func (c *checker) timesGrow() {
	type latest struct {
		at    time.Time
		entry int
	}
	logs := map[string]latest{}
	for i := range c.h.entries {
		e := &c.h.entries[i]
		if e.Kind != kindFinal || e.Time == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, e.Time)
		if last := logs[e.Class]; err != nil || at.Before(last.at) {
			c.report(2, "log", []int{last.entry, i}, "%s is of %s, after %s", e.ID, e.Time, last.at.Format(time.RFC3339Nano))
		}
		logs[e.Class] = latest{at, i}
	}
}

// epochsHaveCauses checks the part of rule 4 that is about epochs: a new one
// follows a new process of the store. One process begins two at most: when a
// gateway finds that something is lost, and when the next one starts, which cannot
// know that nothing else is.
func (c *checker) epochsHaveCauses() {
	for _, class := range slices.Sorted(maps.Keys(c.epochs)) {
		begun := slices.Sorted(maps.Values(c.epochs[class]))
		for n, i := range begun[1:] {
			processes := 0
			for _, f := range c.faults {
				if f < i && c.entry(f).Store {
					processes++
				}
			}
			if !c.h.Promise.Epochs || n >= 2*processes {
				c.report(4, class, []int{begun[n], i}, "the log has begun anew, as epoch %s, without a cause", c.entry(i).Epoch)
			}
		}
	}
}

// plain checks the part of rule 8 that is about events without a log: within a
// connection none is missing that was acknowledged.
func (c *checker) plain(s subscriber) {
	var before *publication
	conn := 0
	numbers := slices.SortedFunc(maps.Values(c.pubs), func(a, b *publication) int { return cmp.Compare(a.sent, b.sent) })
	numbers = slices.DeleteFunc(numbers, func(p *publication) bool { return p.class != s.Class })
	index := map[*publication]int{}
	for i, p := range numbers {
		index[p] = i
	}
	for _, i := range c.events[s.Name] {
		e := c.entry(i)
		if e.Kind != kindEvent {
			continue
		}
		p := c.pubs[e.ID]
		if p == nil {
			c.report(5, s.Name, []int{i}, "nobody has published %q", e.ID)
			continue
		}
		if e.Conn == conn && before != nil {
			if index[p] <= index[before] {
				c.report(8, s.Name, []int{before.sent, i}, "%s comes after %s", e.ID, before.id)
			}
			for _, missing := range numbers[min(index[before]+1, index[p]):index[p]] {
				if missing.acked >= 0 {
					c.report(8, s.Name, []int{missing.sent, missing.acked, i}, "%s is missing before %s", missing.id, e.ID)
				}
			}
		}
		before, conn = p, e.Conn
	}
}

// excerpt shows what concerns a violation: its entries, what else there is of
// their events for the same subscriber, and the faults in between.
func (h *history) excerpt(v *violation) string {
	if len(v.about) == 0 {
		return ""
	}
	from, to := slices.Min(v.about), slices.Max(v.about)
	ids := map[string]bool{}
	for _, i := range v.about {
		if id := h.entries[i].ID; id != "" {
			ids[id] = true
		}
	}
	const most = 40
	var lines []string
	for i := range h.entries {
		e := &h.entries[i]
		about := slices.Contains(v.about, i)
		near := i >= from-200 && i <= to+200
		mine := e.Who == v.who && near && (e.Kind == kindSubscribed || e.Kind == kindBroken || e.Kind == kindGap)
		fault := near && (e.Kind == kindFault || e.Kind == kindHeal)
		same := ids[e.ID] && (e.Who == v.who || e.Kind != kindEvent)
		if about || mine || fault || same {
			mark := "  "
			if about {
				mark = "> "
			}
			lines = append(lines, mark+e.String())
		}
	}
	if len(lines) > most {
		lines = slices.Concat(lines[:most/2], []string{fmt.Sprintf("  … %d more", len(lines)-most)}, lines[len(lines)-most/2:])
	}
	return strings.Join(lines, "\n")
}
