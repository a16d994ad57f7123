package transport_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

const (
	groupTopics = 3
	groupKeys   = 4
)

// A group is some topics that the program itself publishes to, in one
// goroutine and by one policy, as a gateway does for its classes. Its events
// are numbered for each topic and for the group, so that every subscription,
// to a topic or to all of them, knows exactly how many it must get.
type group struct {
	name   string
	index  int
	policy router.WhenFull
	linger time.Duration
	closed func(role string) bool // for whom it is not; nil: nobody

	begun, done groupCounts
}

// latestKeys are the last numbers in each topic with each key.
type latestKeys [groupTopics][groupKeys]int64

// groupCounts is how far a group is.
type groupCounts struct {
	all    atomic.Int64
	topics [groupTopics]atomic.Int64
	keys   [groupTopics][groupKeys]atomic.Int64 // the last number in the topic with the key
}

func newGroups() []*group {
	groups := []*group{
		{name: "gate.firm", policy: router.Disconnect},
		{name: "gate.oldest", policy: router.DropOldest},
		{name: "gate.latest", policy: router.KeepLatest},
		{name: "gate.linger", policy: router.DropOldest, linger: 8 * time.Millisecond},
		{name: "gate.role", linger: 3 * time.Millisecond, closed: func(role string) bool { return role == "small" }},
	}
	for i, g := range groups {
		g.index = i
	}
	return groups
}

func (g *group) topic(i int) string { return fmt.Sprintf("%s.%d", g.name, i) }

// pattern returns something to subscribe to: a topic, or all of them.
func (g *group) pattern(i int) pattern {
	switch i %= groupTopics + 2; i {
	case groupTopics:
		return pattern{wamp.Prefix, g.name}
	case groupTopics + 1:
		return pattern{wamp.Wildcard, g.name + "."}
	default:
		return pattern{wamp.Exact, g.topic(i)}
	}
}

// key returns the key of a topic's event, which a subscription to all topics
// tells from those of other topics.
func (g *group) key(topic int, number int64) uint64 {
	return uint64(topic)*groupKeys + uint64(number%groupKeys) + 1
}

// publish publishes bursts until the soak is over.
func (g *group) publish(sk *soak, rnd *rand.Rand) {
	for sk.pause(rnd, 60) {
		if !sk.enter() {
			return
		}
		for range 1 + rnd.IntN(12) {
			g.publishOne(sk, rnd)
		}
		sk.gate.RUnlock()
	}
}

func (g *group) publishOne(sk *soak, rnd *rand.Rand) {
	topic := rnd.IntN(groupTopics)
	n := numbered{topic: topic, audience: fromGate, pad: anyPadding(rnd, len(padSizes)-2)}
	n.target = g.begun.all.Add(1)
	n.number = g.begun.topics[topic].Add(1)
	ser := wamp.Serializer(rnd.IntN(wamp.NumSerializers))
	payload, err := wamp.NewPayload(ser, n.args(), nil)
	if err != nil {
		sk.t.Errorf("payload: %v", err)
		return
	}
	p := router.Publication{
		Topic: wamp.URI(g.topic(topic)), Payload: payload, WhenFull: g.policy, Key: g.key(topic, n.number),
		Fields: []wamp.Field{wamp.UintField("_group", uint64(g.index))},
	}
	if g.linger > 0 && rnd.IntN(4) > 0 {
		p.Linger = g.linger
	}
	if g.closed != nil {
		p.Allow = func(s *router.Session) bool { return !g.closed(s.AuthRole()) }
	}
	sk.realm.Publish(&p)
	g.done.keys[topic][n.number%groupKeys].Store(n.number)
	g.done.topics[topic].Store(n.number)
	g.done.all.Store(n.target)
}

// A gateHeard is what a subscription knows of a group.
type gateHeard struct {
	topic int // -1: all of them

	least, most int64              // where the group was when the subscription began
	floor       [groupTopics]int64 // and each topic, at most
	last        int64              // what came; -1: nothing yet
	keys        latestKeys
}

// A gateDue is what must come of a group.
type gateDue struct {
	last int64 // all up to this one
	keys latestKeys
}

// topicOf returns the topic of an exact pattern of the group, or -1.
func (g *group) topicOf(p pattern) int {
	if p.match != wamp.Exact {
		return -1
	}
	return int(p.uri[len(p.uri)-1] - '0')
}

func (c *groupCounts) of(topic int) int64 {
	if topic < 0 {
		return c.all.Load()
	}
	return c.topics[topic].Load()
}

func (c *groupCounts) latest() (n latestKeys) {
	for t := range n {
		for k := range n[t] {
			n[t][k] = c.keys[t][k].Load()
		}
	}
	return n
}

// begin is called when SUBSCRIBED came; least is where the group was when the
// request was sent.
func (h *gateHeard) begin(g *group, least int64) {
	h.least, h.most, h.last = least-1, g.begun.of(h.topic), -1
	for t := range h.floor {
		h.floor[t] = g.begun.topics[t].Load()
	}
}

// ask returns what is done.
func (h *gateHeard) ask(g *group) gateDue {
	return gateDue{last: g.done.of(h.topic), keys: g.done.latest()}
}

// gateEvent checks an event of a group. What is missing must have been told of
// by now; it may be told of before its gap, if it was dropped from behind an
// event that waits. That it is told of exactly, atRest checks.
func (p *soaker) gateEvent(h *heard, m *wamp.Event, n *numbered, missed int64) {
	g, gh := h.group, &h.gate
	if index, ok := m.Details.Extra["_group"].(int64); g == nil || !ok || int(index) != g.index || n.topic >= groupTopics || !h.pattern.matches(g.topic(n.topic)) {
		p.fail("EVENT of a topic that %v does not match", h.pattern)
		return
	}
	if g.closed != nil && g.closed(p.profile.role) {
		p.fail("EVENT of %s for role %s, which may not have it", g.name, p.profile.role)
		return
	}
	policy := g.policyFor(p.profile)
	if missed > 0 && policy == router.Disconnect {
		p.fail("_missed is %d, and %s must not lose any", missed, g.name)
	}
	number := n.number
	if gh.topic < 0 {
		number = n.target
	}
	start := number - h.received - h.missed // if nothing is told of before its gap
	switch all := g.begun.of(gh.topic); {
	case number <= gh.last:
		p.fail("event %d of %v came after %d", number, h.pattern, gh.last)
	case start > gh.most:
		p.fail("event %d of %v: %d came, %d are told of as missing, and it began at %d at most", number, h.pattern, h.received, h.missed, gh.most)
	case h.received+h.missed > all-gh.least:
		p.fail("event %d of %v: %d came, %d are told of as missing, and only %d to %d were published",
			number, h.pattern, h.received, h.missed, gh.least+1, all)
	case policy == router.Disconnect && (gh.last < 0 && start < gh.least || gh.last >= 0 && number != gh.last+1):
		p.fail("event %d of %v came after %d", number, h.pattern, gh.last)
	}
	gh.last = number
	gh.keys[n.topic][n.number%groupKeys] = n.number
}

// policyFor returns what becomes of the group's events for a client whose
// queue is full.
func (g *group) policyFor(prof *profile) router.WhenFull {
	switch {
	case g.policy != router.Inherit:
		return g.policy
	case prof.limits.WhenFull != router.Inherit:
		return prof.limits.WhenFull
	default:
		return router.Disconnect
	}
}

// checkGate checks what is due of the group: all of it, or the latest for each
// key.
func (p *soaker) checkGate(h *heard, d *gateDue) {
	g, gh := h.group, &h.gate
	if g.closed != nil && g.closed(p.profile.role) {
		return
	}
	policy := g.policyFor(p.profile)
	if policy == router.Disconnect {
		if gh.last < d.last && gh.most < d.last {
			p.fail("%d events of %v were published, and the last that came is %d", d.last, h.pattern, gh.last)
		}
		return
	}
	if policy == router.KeepLatest {
		p.checkLatest(h, d.keys)
	}
}

// checkLatest checks that the latest event of each key has come, of those that
// were due. One of them may have been superseded since, while it waited, by an
// event that comes behind the answer by which this side knows that it was due.
func (p *soaker) checkLatest(h *heard, latest latestKeys) {
	g, gh := h.group, &h.gate
	for t := range latest {
		for k, due := range latest[t] {
			if gh.topic >= 0 && gh.topic != t || due <= gh.floor[t] || gh.keys[t][k] >= due {
				continue
			}
			if next := due + groupKeys; g.begun.topics[t].Load() < next {
				p.fail("the latest event of %s with key %d is %d, and %d came", g.topic(t), k, due, gh.keys[t][k])
			}
		}
	}
}

// atRest checks a subscription to a group that has published nothing for a
// while: what came and what is missing is all that was published since it
// began. It reports whether the last event has come.
func (p *soaker) atRest(h *heard) bool {
	g, gh := h.group, &h.gate
	if g.closed != nil && g.closed(p.profile.role) {
		return true
	}
	end := g.done.of(gh.topic)
	if gh.last < end {
		// Only what is dropped and followed by nothing is nowhere told.
		return gh.most >= end || g.policyFor(p.profile) == router.DropOldest
	}
	start := end - h.received - h.missed
	if start < gh.least || start > gh.most {
		p.fail("%d events of %v came and %d are missing: it began at %d to %d, and the last is %d", h.received, h.pattern, h.missed, gh.least, gh.most, end)
	}
	gh.least, gh.most = start, start
	if g.policyFor(p.profile) == router.KeepLatest {
		p.checkLatest(h, g.done.latest())
	}
	return true
}
