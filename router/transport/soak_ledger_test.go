package transport_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/wireroom/wireroom/router/wamp"
)

// soakTopics are what clients publish to.
var soakTopics = []string{"soak.a", "soak.b", "soak.b.c", "soak.bb.c", "soak.d.e.f", "sork.x"}

const numSoakTopics = 6

// An audience is whom a publication is for. Each publisher numbers what it
// publishes to a topic for an audience, so that who belongs to the audience
// gets every number and who does not gets none.
type audience uint8

const (
	toAll     audience = iota // exclude_me: false
	toOthers                  // everybody but the publisher, as WAMP has it by default
	notMarked                 // exclude_authrole
	onlyMark                  // eligible_authrole
	notEven                   // exclude_authid
	onlyEven                  // eligible_authid
	numCounted

	direct   = numCounted     // eligible: one session; numbered for each
	shunning = numCounted + 1 // exclude: some sessions; numbers have gaps
	fromGate = numCounted + 2 // published by the program itself
)

// has reports whether p is among the audience of what pub publishes.
func (a audience) has(p *soaker, pub *publisher) bool {
	switch a {
	case toOthers:
		return pub.session.Load() != uint64(p.id)
	case notMarked:
		return !p.profile.marked
	case onlyMark:
		return p.profile.marked
	case notEven:
		return !p.even
	case onlyEven:
		return p.even
	default:
		return true
	}
}

// options returns the options that stand for the audience.
func (a audience) options() wamp.PublishOptions {
	o := wamp.PublishOptions{KeepMe: a != toOthers}
	switch a {
	case notMarked:
		o.ExcludeAuthRole = markedRoles
	case onlyMark:
		o.EligibleAuthRole = markedRoles
	case notEven:
		o.ExcludeAuthID = []string{"nobody", "even"}
	case onlyEven:
		o.EligibleAuthID = []string{"even"}
	}
	return o
}

// A publisher is one session as a publisher: how far it is, for everybody to
// see. What is sent may arrive; what is done has been queued for everybody who
// was subscribed.
type publisher struct {
	number  int64
	by      weak.Pointer[soaker] // nobody is kept for this
	session atomic.Uint64        // its WAMP ID
	ended   atomic.Int64         // when, in Unix nanoseconds; 0: not yet

	sent, done [numSoakTopics][numCounted]atomic.Int64
}

// A ledger knows who publishes, and who can be published to.
type ledger struct {
	numbers atomic.Int64
	present []atomic.Uint64 // the session of each worker, or 0

	mu         sync.Mutex // guards the following
	publishers map[int64]*publisher
	forgotten  time.Time // when those that had ended were last forgotten
}

// remembered is how long a publisher that has ended is remembered. Few
// subscriptions last longer, and those are checked a little less.
const remembered = 20 * time.Second

func newLedger(workers int) *ledger {
	return &ledger{present: make([]atomic.Uint64, workers), publishers: map[int64]*publisher{}, forgotten: time.Now()}
}

// story tells what the publisher did last, for the report of p, whose mu is held.
func (pub *publisher) story(p *soaker) string {
	by := pub.by.Value()
	switch {
	case p.sk.failures.Load() > 0:
		return "" // nobody reads it
	case by == p:
		return "  it published that itself"
	case by == nil:
		return "  the publisher is gone"
	}
	for range 100 {
		if by.mu.TryLock() { // it may be about to tell of p
			defer by.mu.Unlock()
			resumed := 0
			if by.roam != nil {
				resumed = by.roam.times
			}
			return fmt.Sprintf("  the publisher is client %d, session %d, resumed %d times, %d publications not acknowledged; the last it saw:\n%s",
				by.number, by.id, resumed, len(by.unacked), by.trace.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Sprintf("  the publisher is client %d, which is busy", by.number)
}

// enter adds p, whose mu is held, as a publisher.
func (l *ledger) enter(p *soaker) *publisher {
	pub := &publisher{number: l.numbers.Add(1), by: weak.Make(p)}
	pub.session.Store(uint64(p.id))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.publishers[pub.number] = pub
	if time.Since(l.forgotten) > remembered/4 {
		l.forgetLocked(time.Now().Add(-remembered))
	}
	return pub
}

func (l *ledger) forgetLocked(before time.Time) {
	l.forgotten = time.Now()
	for n, pub := range l.publishers {
		if at := pub.ended.Load(); at != 0 && at < before.UnixNano() {
			delete(l.publishers, n)
		}
	}
}

// forget forgets all publishers that have ended.
func (l *ledger) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgetLocked(time.Now())
}

func (l *ledger) find(number int64) *publisher {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.publishers[number]
}

// since returns the publishers that were there at t or later.
func (l *ledger) since(t time.Time) []*publisher {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*publisher, 0, len(l.publishers))
	for _, pub := range l.publishers {
		if at := pub.ended.Load(); at == 0 || at >= t.UnixNano() {
			list = append(list, pub)
		}
	}
	return list
}

// A mark is how far a publisher was with some topics.
type mark struct {
	pub    *publisher
	counts [numSoakTopics][numCounted]int64
}

// marks notes how far the publishers since t are with the topics.
func (l *ledger) marks(t time.Time, topics []int, done bool) []mark {
	list := l.since(t)
	marks := make([]mark, len(list))
	for i, pub := range list {
		from := &pub.sent
		if done {
			from = &pub.done
		}
		marks[i].pub = pub
		for _, topic := range topics {
			for a := range from[topic] {
				marks[i].counts[topic][a] = from[topic][a].Load()
			}
		}
	}
	return marks
}

// A pattern is what is subscribed to.
type pattern struct {
	match wamp.Match
	uri   string
}

var soakPatterns = []pattern{
	{wamp.Exact, "soak.a"},
	{wamp.Exact, "soak.b"},
	{wamp.Exact, "soak.b.c"},
	{wamp.Exact, "sork.x"},
	{wamp.Exact, "soak.nobody"},
	{wamp.Prefix, "soak"},
	{wamp.Prefix, "soak.b"},
	{wamp.Prefix, "soak.b."},
	{wamp.Prefix, "so"},
	{wamp.Prefix, "soak.d.e"},
	{wamp.Wildcard, "soak."},
	{wamp.Wildcard, ".b.c"},
	{wamp.Wildcard, "soak..c"},
	{wamp.Wildcard, "soak..e."},
	{wamp.Wildcard, "."},
}

// matches is the specification of matching, in its plainest form.
func (p pattern) matches(topic string) bool {
	switch p.match {
	case wamp.Exact:
		return p.uri == topic
	case wamp.Prefix:
		return strings.HasPrefix(topic, p.uri)
	}
	want, got := strings.Split(p.uri, "."), strings.Split(topic, ".")
	return slices.EqualFunc(want, got, func(w, g string) bool { return w == "" || w == g })
}

// topics returns which of soakTopics match.
func (p pattern) topics() (list []int) {
	for i, topic := range soakTopics {
		if p.matches(topic) {
			list = append(list, i)
		}
	}
	return list
}
