package transport_test

import (
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

// TestSoakDue checks the soak itself: with two requests under way that make it
// check what has come, the answer to the first must not be taken for that to
// the second, and what is lost must be found by the answer to the second.
func TestSoakDue(t *testing.T) {
	type step func(p *soaker)
	barrier := func(p *soaker) { p.barrier() }
	for _, test := range []struct {
		name   string
		of     source
		second step
		answer wamp.Message // to the second; that to the first is PUBLISHED
	}{
		{"barriers, of a client", fromClient, barrier, &wamp.Published{Request: 3, Publication: 9}},
		{"barriers, of a group", fromGroup, barrier, &wamp.Published{Request: 3, Publication: 9}},
		{"unsubscribe, of a client", fromClient, (*soaker).unsubscribe, &wamp.Unsubscribed{Request: 3}},
		{"unsubscribe, of a group", fromGroup, (*soaker).unsubscribe, &wamp.Unsubscribed{Request: 3}},
	} {
		for _, lost := range []bool{false, true} {
			p := idleSoaker(t)
			expect := func(when string, failures int64) {
				t.Helper()
				if n := p.sk.failures.Load() - 1; n != failures {
					t.Errorf("%s, lost %v: %d failures %s, want %d", test.name, lost, n, when, failures)
				}
			}
			publish, event := test.of(p)
			barrier(p)
			publish()
			test.second(p)
			p.message(&wamp.Published{Request: 2, Publication: 8})
			expect("when the first is answered", 0)
			if lost {
				p.message(test.answer)
				expect("when the second is answered", 1)
				continue
			}
			p.message(event)
			p.message(test.answer)
			expect("when the second is answered", 0)
		}
	}
}

// idleSoaker returns a client of a soak that does nothing and tells of no
// failure, but counts them, from 1.
func idleSoaker(t *testing.T) *soaker {
	sk := &soak{t: t, ledger: newLedger(0), seen: map[pattern]wamp.ID{}}
	sk.failures.Store(1)
	wire := &soakWire{text: true, bare: true}
	wire.wake.L = &wire.mu
	return &soaker{
		sk: sk, id: 1, joined: true, ser: wamp.JSON, profile: profiles[0], place: &place{name: "nowhere"}, wire: wire,
		requests: map[wamp.ID]*request{}, barriers: map[wamp.ID]chan struct{}{}, subs: map[wamp.ID]*heard{},
	}
}

// A source subscribes p, and returns how to publish what p must get then.
type source func(p *soaker) (publish func(), event *wamp.Event)

func fromClient(p *soaker) (publish func(), event *wamp.Event) {
	pub := p.sk.ledger.enter(&soaker{id: 2})
	p.subscribe(pattern{wamp.Exact, soakTopics[0]}, nil)
	p.message(&wamp.Subscribed{Request: 1, Subscription: 7})
	n := numbered{publisher: pub.number, number: 1}
	event = &wamp.Event{Subscription: 7, Payload: p.payload(n.args())}
	return func() {
		pub.sent[0][toAll].Store(1)
		pub.done[0][toAll].Store(1)
	}, event
}

func fromGroup(p *soaker) (publish func(), event *wamp.Event) {
	g := newGroups()[0] // loses nothing
	p.subscribe(g.pattern(0), g)
	p.message(&wamp.Subscribed{Request: 1, Subscription: 7})
	n := numbered{audience: fromGate, number: 1, target: 1}
	event = &wamp.Event{Subscription: 7, Payload: p.payload(n.args())}
	event.Details.Extra = map[string]any{"_group": int64(g.index)}
	return func() {
		g.begun.all.Store(1)
		g.begun.topics[0].Store(1)
		g.done.topics[0].Store(1)
		g.done.all.Store(1)
	}, event
}
