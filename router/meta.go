package router

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A metaTopic is a topic on which the router tells of a realm.
type metaTopic uint8

// The meta events (WAMP "Session Meta API", "Registration Meta API",
// "Subscriptions Meta API").
const (
	sessionJoined metaTopic = iota
	sessionLeft
	sessionTraffic // as crossbar has it; only with [Statistics]
	subscriptionCreated
	subscriberCame
	subscriberWent
	subscriptionDeleted
	registrationCreated
	calleeCame
	calleeWent
	registrationDeleted
	numMetaTopics
)

var metaTopics = [numMetaTopics]wamp.URI{
	sessionJoined:       "wamp.session.on_join",
	sessionLeft:         "wamp.session.on_leave",
	sessionTraffic:      "wamp.session.on_stats",
	subscriptionCreated: "wamp.subscription.on_create",
	subscriberCame:      "wamp.subscription.on_subscribe",
	subscriberWent:      "wamp.subscription.on_unsubscribe",
	subscriptionDeleted: "wamp.subscription.on_delete",
	registrationCreated: "wamp.registration.on_create",
	calleeCame:          "wamp.registration.on_register",
	calleeWent:          "wamp.registration.on_unregister",
	registrationDeleted: "wamp.registration.on_delete",
}

// A metaEvent is what happened to a session, by itself or with a subscription
// or registration. It is encoded only when it is published.
type metaEvent struct {
	topic   metaTopic
	untold  bool // the session does not know: it is told, too
	session *Session
	sub     *subscription
	reg     *registration
	traffic *trafficReport
}

// args returns the positional arguments of the event.
func (e *metaEvent) args() []any {
	s := e.session
	switch e.topic {
	case sessionJoined:
		return []any{s.describe()}
	case sessionLeft:
		return []any{s.id, s.authid, s.authrole}
	case sessionTraffic:
		about := map[string]any{"session": s.id, "realm": s.realm.name, "authid": s.authid, "authrole": s.authrole}
		return []any{about, e.traffic.describe(s)}
	case subscriptionCreated:
		return []any{s.id, e.sub.describe()}
	case registrationCreated:
		return []any{s.id, e.reg.describe()}
	}
	if e.sub != nil {
		return []any{s.id, e.sub.id}
	}
	return []any{s.id, e.reg.id}
}

// A chronicle publishes a realm's meta events. Whatever happens is noted where
// it happens, under the lock that orders it, and told by a goroutine that
// lives while there is something to tell: so that events about a session, a
// subscription or a registration come in the order of what they tell, and
// nobody who joins or subscribes waits for their publication. What nobody is
// subscribed to is not noted.
type chronicle struct {
	realm *Realm

	watched [numMetaTopics]atomic.Int32 // subscriptions that get the topic's events

	owed [numMetaTopics]uint64 // events lost before those that are told next; owned by tell

	mu      sync.Mutex // guards the following; taken after any other lock
	events  []metaEvent
	lost    [numMetaTopics]uint64 // since the queue was last taken, when it was full
	telling bool                  // a goroutine runs tell
}

// wants reports whether anybody is subscribed to events of the topic.
func (c *chronicle) wants(topic metaTopic) bool { return c.watched[topic].Load() > 0 }

// note has the event told, if anybody wants to know. Any locks may be held.
func (c *chronicle) note(e metaEvent) {
	if !c.wants(e.topic) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.events) >= c.realm.router.cfg.MaxMetaEvents {
		c.lost[e.topic]++
		c.realm.router.stats.metaLost.Add(1)
		return
	}
	c.events = append(c.events, e)
	if !c.telling {
		c.telling = true
		c.realm.run(c.tell)
	}
}

// tell publishes what was noted until nothing is left.
func (c *chronicle) tell() {
	ws := getWorkspace()
	defer putWorkspace(ws)
	var events []metaEvent
	for {
		clear(events)
		c.mu.Lock()
		if len(c.events) == 0 {
			c.events = nil
			c.telling = false
			c.mu.Unlock()
			return
		}
		events, c.events = c.events, events[:0]
		lost := c.lost
		c.lost = [numMetaTopics]uint64{}
		c.mu.Unlock()
		for i := range events {
			c.publish(ws, &events[i])
		}
		for i, n := range lost { // they came after the ones that were just told
			c.owed[i] += n
		}
	}
}

// publish tells of one event everybody but the session that it is about, which
// knows as a rule, and may not have been told that it is subscribed yet.
func (c *chronicle) publish(ws *workspace, e *metaEvent) {
	payload, err := wamp.NewPayload(wamp.JSON, e.args(), nil)
	if err != nil {
		c.realm.router.log.Error("meta event cannot be encoded", "topic", metaTopics[e.topic], "err", err)
		return
	}
	topic := metaTopics[e.topic]
	p := &Publication{Topic: topic, Payload: payload, From: e.session}
	if e.untold {
		p.From = nil
	}
	p.Allow = func(s *Session) bool { // a pattern may have let it in that fits other topics, too
		d := s.decide(ActionSubscribe, topic, wamp.Exact, nil)
		return d.Allow || d.Ask != nil && s.subscribedUnder(topic)
	}
	if n := c.owed[e.topic]; n > 0 {
		p.Fields = []wamp.Field{wamp.UintField("_missed", n)}
		c.owed[e.topic] = 0
	}
	c.realm.broker.publish(ws, p)
	ws.handOver(&c.realm.router.flushers)
}

// subscribedUnder reports whether the session has a subscription that gets the
// topic, and that nobody can have who was not asked about the router's own
// topics: one that begins with "wamp.".
func (s *Session) subscribedUnder(topic wamp.URI) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.subs {
		if m.sub.filter == nil && m.sub.topic.Reserved() && fitsURI(m.sub.topic, m.sub.match, topic) {
			return true
		}
	}
	return false
}

// watch notes that a subscription has come, or has gone with n -1. Meta events
// pass no filter.
func (c *chronicle) watch(sub *subscription, n int32) {
	if sub.filter != nil || !mayFitMeta(sub.topic, sub.match) {
		return
	}
	for i, topic := range metaTopics {
		if fitsURI(sub.topic, sub.match, topic) {
			c.watched[i].Add(n)
		}
	}
}

// mayFitMeta reports false for what fits no URI under "wamp.", quickly.
func mayFitMeta(pattern wamp.URI, match wamp.Match) bool {
	const ours = "wamp."
	switch s := string(pattern); match {
	case wamp.Prefix:
		n := min(len(s), len(ours))
		return s[:n] == ours[:n]
	case wamp.Wildcard:
		return strings.HasPrefix(s, ours) || s[0] == '.'
	default:
		return strings.HasPrefix(s, ours)
	}
}

// fitsURI reports whether uri fits the pattern.
func fitsURI(pattern wamp.URI, match wamp.Match, uri wamp.URI) bool { return uri.Fits(pattern, match) }

// isoTime returns a time as the meta API shows it: ISO 8601, UTC, milliseconds.
func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
