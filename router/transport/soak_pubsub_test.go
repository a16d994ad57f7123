package transport_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// soakPadding fills payloads; what arrives is compared with it.
var soakPadding = strings.Repeat("The quick brown fox jumps over the lazy dog. Zwölf Boxkämpfer jagen Viktor. 0123456789 ", 900)

// padSizes are sizes of payloads: on both sides of what changes the header of
// a frame and the way it is written.
var padSizes = []int{0, 0, 0, 7, 30, 60, 100, 200, 500, 1500, 5000, 17_000, 66_000}

// anyPadding returns text of one of the first n sizes, seldom of the largest
// two, which fill the queues of some clients by themselves.
func anyPadding(rnd *rand.Rand, n int) string {
	i := rnd.IntN(n)
	if i >= len(padSizes)-2 && rnd.IntN(4) > 0 {
		i = rnd.IntN(len(padSizes) - 2)
	}
	return padding(padSizes[i])
}

// padding returns text of about the size, without half a character.
func padding(size int) string {
	for size < len(soakPadding) && soakPadding[size]&0xc0 == 0x80 {
		size++
	}
	return soakPadding[:size]
}

// A numbered is the payload of a publication: who published it as what number.
type numbered struct {
	publisher int64 // 0: a group of the gateway
	topic     int   // of soakTopics, or of the group's
	audience  audience
	number    int64 // among those of publisher, topic and audience
	target    int64 // direct: the session; fromGate: the number in the whole group
	disclosed bool
	pad       string
}

func (n *numbered) args() []any {
	return []any{n.publisher, n.topic, int(n.audience), n.number, n.target, n.disclosed, n.pad}
}

func parseNumbered(p *wamp.Payload) (n numbered, ok bool) {
	args, err := p.DecodeArgs()
	if err != nil || len(args) != 7 {
		return n, false
	}
	var ints [5]int64
	for i := range ints {
		if ints[i], ok = args[i].(int64); !ok {
			return n, false
		}
	}
	n = numbered{publisher: ints[0], topic: int(ints[1]), audience: audience(ints[2]), number: ints[3], target: ints[4]}
	n.disclosed, ok = args[5].(bool)
	if ok {
		n.pad, ok = args[6].(string)
	}
	return n, ok && n.pad == padding(len(n.pad))
}

// A streamKey names what is numbered together.
type streamKey struct {
	publisher int64
	topic     int
	audience  audience
}

type stream struct {
	pub  *publisher
	last int64
}

// A heard is a subscription, and what came for it.
type heard struct {
	pattern pattern
	topics  []int // of soakTopics
	group   *group
	began   time.Time
	floor   []mark // how far publishers were when it began
	streams map[streamKey]*stream
	closing bool  // its end was asked for
	dues    []due // what must have come with the answers to requests, in their order

	received, missed, gaps int64

	gate gateHeard
}

// A due is what must have come for a subscription when a request is answered:
// its end, or a barrier. Several may wait to be answered, and what was done
// only when a later one was sent need not come before the answer to an earlier.
type due struct {
	request wamp.ID
	marks   []mark // how far publishers were when it was sent
	gate    gateDue
}

// subscribed begins a subscription, unless it is one that the session has.
func (p *soaker) subscribed(id wamp.ID, req *request) {
	p.sk.sawSubscription(req.pattern, id)
	if had := p.subs[id]; had != nil {
		if had.pattern != req.pattern {
			p.fail("SUBSCRIBED %d for %v, which is the subscription of %v", id, req.pattern, had.pattern)
		}
		return
	}
	h := &heard{pattern: req.pattern, group: req.group, topics: req.pattern.topics(), began: time.Now(), streams: map[streamKey]*stream{}}
	if h.group != nil {
		h.gate.topic = h.group.topicOf(req.pattern)
		h.gate.begin(h.group, req.least)
	}
	h.floor = p.sk.ledger.marks(h.began, h.topics, false)
	p.subs[id] = h
}

// unsubscribed ends a subscription, which must have got all that was done when
// the end was asked for.
func (p *soaker) unsubscribed(id wamp.ID, req *request) {
	p.checkAsked(req.subscription, req.heard, id)
	delete(p.subs, req.subscription)
}

// event checks one EVENT.
func (p *soaker) event(m *wamp.Event) {
	p.sk.tally.events.Add(1)
	h := p.subs[m.Subscription]
	if h == nil {
		p.fail("EVENT for subscription %d, which the session does not have", m.Subscription)
		return
	}
	n, ok := parseNumbered(&m.Payload)
	if !ok {
		p.fail("EVENT with a payload that nobody published")
		return
	}
	missed := p.missed(m)
	p.trace.event(m.Subscription, n, missed)
	h.received++
	h.missed += missed
	p.sk.tally.missed.Add(missed)
	if n.audience == fromGate {
		p.gateEvent(h, m, &n, missed)
		return
	}
	if n.topic < 0 || n.topic >= numSoakTopics || !h.pattern.matches(soakTopics[n.topic]) {
		p.fail("EVENT of a topic that %v does not match", h.pattern)
		return
	}
	if topic := m.Details.Topic; topic != wamp.URI(soakTopics[n.topic]) && (topic != "" || h.pattern.match != wamp.Exact) {
		p.fail("EVENT says topic %q, and %q was published to", topic, soakTopics[n.topic])
	}
	if missed > 0 && !p.profile.lossy {
		p.fail("_missed is %d for a session that must not miss any", missed)
	}
	p.numberedEvent(h, m, &n)
}

// missed returns the mark of an event.
func (p *soaker) missed(m *wamp.Event) int64 {
	v, ok := m.Details.Extra["_missed"]
	if !ok {
		return 0
	}
	missed, ok := v.(int64)
	if !ok || missed <= 0 {
		p.fail("_missed is %v, want a positive number", v)
	}
	return missed
}

// numberedEvent checks an event of another client against those before it.
func (p *soaker) numberedEvent(h *heard, m *wamp.Event, n *numbered) {
	key := streamKey{n.publisher, n.topic, n.audience}
	st := h.streams[key]
	first := st == nil
	if first {
		st = &stream{pub: p.sk.ledger.find(n.publisher)}
		h.streams[key] = st
	}
	switch {
	case n.number <= st.last:
		p.fail("event %d of publisher %d came after %d", n.number, n.publisher, st.last)
	case n.audience == shunning:
		if n.target == int64(p.id) {
			p.fail("an event came that excludes the session")
		}
	case n.audience == direct && n.target != int64(p.id):
		p.fail("an event came for session %d", n.target)
	case n.audience == direct && first:
		// It may have been published before.
	case first:
		if from, known := h.from(key, st.pub); known && n.number > from+1 {
			h.gaps += n.number - from - 1
			p.mayLack(h, "the first event of publisher %d is %d, and %d was due", n.publisher, n.number, from+1)
		}
	case n.number > st.last+1:
		h.gaps += n.number - st.last - 1
		p.mayLack(h, "event %d of publisher %d came after %d", n.number, n.publisher, st.last)
	}
	st.last = n.number
	if st.pub == nil {
		return // it has left long ago
	}
	if n.audience < numCounted && !n.audience.has(p, st.pub) {
		p.fail("an event came for an audience that the session is not of")
	}
	var publisher wamp.ID
	if n.disclosed {
		publisher = wamp.ID(st.pub.session.Load())
	}
	if m.Details.Publisher != publisher {
		p.fail("publisher is %d, want %d", m.Details.Publisher, publisher)
	}
}

// from returns the number up to which a publisher may have been before the
// subscription began, if that is known.
func (h *heard) from(key streamKey, pub *publisher) (int64, bool) {
	if pub == nil {
		return 0, false
	}
	for i := range h.floor {
		if h.floor[i].pub == pub {
			return h.floor[i].counts[key.topic][key.audience], true
		}
	}
	at := pub.ended.Load()
	return 0, at == 0 || at >= h.began.UnixNano() // it came later; or it was over, and this is late
}

// mayLack fails unless the session may lose events and has been told of as many.
func (p *soaker) mayLack(h *heard, format string, args ...any) {
	if !p.profile.lossy || h.gaps > h.missed {
		p.fail("%s (of the subscription of %v %d events came, and of %d that are missing %d are told of)",
			fmt.Sprintf(format, args...), h.pattern, h.received, h.gaps, h.missed)
	}
}

// ask notes what must have arrived when the router answers the request, which
// is about to be sent.
func (p *soaker) ask(h *heard, request wamp.ID) {
	d := due{request: request}
	if !p.profile.lossy {
		d.marks = p.sk.ledger.marks(h.began, h.topics, true)
	}
	if h.group != nil {
		d.gate = h.gate.ask(h.group)
	}
	h.dues = append(h.dues, d)
}

// checkAsked checks that all has arrived that was done when ask was called for
// the request, which is answered. Requests are answered in their order.
func (p *soaker) checkAsked(sub wamp.ID, h *heard, request wamp.ID) {
	for len(h.dues) > 0 && h.dues[0].request <= request {
		d := &h.dues[0]
		p.checkDue(sub, h, d)
		if h.group != nil {
			p.checkGate(h, &d.gate)
		}
		h.dues = slices.Delete(h.dues, 0, 1)
	}
}

// checkDue checks what is due of other clients.
func (p *soaker) checkDue(sub wamp.ID, h *heard, d *due) {
	if p.profile.lossy {
		return // what is missing at the end nobody tells
	}
	for i := range d.marks {
		m := &d.marks[i]
		for _, topic := range h.topics {
			for a := range audience(numCounted) {
				due := m.counts[topic][a]
				if due == 0 || !a.has(p, m.pub) {
					continue
				}
				key := streamKey{m.pub.number, topic, a}
				if st := h.streams[key]; st != nil && st.last >= due {
					continue
				}
				if from, known := h.from(key, m.pub); !known || from >= due {
					continue
				}
				last := int64(0)
				if st := h.streams[key]; st != nil {
					last = st.last
				}
				p.fail("publisher %d had published %d to %q for audience %d when request %d was sent, and only %d came for subscription %d of %v, which began at %s (%d came for it, and %d were missed)\n%s",
					m.pub.number, due, soakTopics[topic], a, d.request, last, sub, h.pattern, h.began.Format(traceTime), h.received, h.missed, m.pub.story(p))
			}
		}
	}
}

// prune forgets publishers that have left, at a moment when nothing is on its
// way.
func (h *heard) prune() {
	for key, st := range h.streams {
		if st.pub == nil || st.pub.ended.Load() != 0 {
			delete(h.streams, key)
		}
	}
	kept := h.floor[:0]
	for _, m := range h.floor {
		if m.pub.ended.Load() == 0 {
			kept = append(kept, m)
		}
	}
	clear(h.floor[len(kept):])
	h.floor = kept
}
