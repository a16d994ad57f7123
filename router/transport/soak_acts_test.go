package transport_test

import (
	"fmt"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// helloMessage returns what the client joins with.
func (p *soaker) helloMessage() *wamp.Hello {
	parity := "odd"
	if p.even {
		parity = "even"
	}
	callee := map[string]any{"features": map[string]any{
		"call_canceling": true, "progressive_call_results": true, "progressive_call_invocations": true,
		"call_reroute": p.number%4 != 0, "registration_revocation": true,
	}}
	if p.plain {
		callee = map[string]any{}
	}
	hello := &wamp.Hello{Realm: soakRealm, Details: map[string]any{
		"authid": p.profile.role + "/" + parity,
		"roles": map[string]any{
			"publisher": map[string]any{}, "subscriber": map[string]any{}, "callee": callee,
			"caller": map[string]any{"features": map[string]any{"progressive_call_invocations": true}},
		},
	}}
	if p.roam != nil {
		hello.Details["resumable"] = true
	}
	return hello
}

// hello asks to join, and waits for WELCOME. It reports whether that came.
func (p *soaker) hello() bool {
	p.mu.Lock()
	p.put(p.helloMessage().Append(nil, p.ser))
	p.mu.Unlock()
	select {
	case <-p.welcomed:
		return true
	case <-p.gone:
		return false
	case <-time.After(patientlyWaited):
		p.complain("no WELCOME came")
		return false
	}
}

// complain is fail for who does not hold mu.
func (p *soaker) complain(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail(format, args...)
}

// act does something at random. A session that sends faster than its
// messages are taken does nothing.
func (p *soaker) act() {
	if p.wire.pending() > 256<<10 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ahead() {
		return
	}
	switch n := p.rnd.IntN(1000); {
	case n < 330:
		p.publish()
	case n < 400:
		p.subscribe(soakPatterns[p.rnd.IntN(len(soakPatterns))], nil)
	case n < 430:
		g := p.sk.groups[p.rnd.IntN(len(p.sk.groups))]
		p.subscribe(g.pattern(p.rnd.IntN(100)), g)
	case n < 460: // patterns that come and go, and that hardly anything matches
		uri := fmt.Sprintf("soak.churn.%d.%d", p.rnd.IntN(50), p.rnd.IntN(50))
		switch p.rnd.IntN(3) {
		case 0:
			p.subscribe(pattern{wamp.Prefix, uri[:len(uri)-p.rnd.IntN(4)]}, nil)
		case 1:
			p.subscribe(pattern{wamp.Wildcard, uri + "."}, nil)
		default:
			p.subscribe(pattern{wamp.Wildcard, "." + uri[4:]}, nil)
		}
	case n < 560:
		p.unsubscribe()
	case n < 600:
		p.register()
	case n < 625:
		p.unregister()
	case n < 820:
		p.call()
	case n < 840:
		p.cancel()
	case n < 855:
		p.callMore(false)
	case n < 860:
		p.pinged++
		p.wire.queue(fin|ping, fmt.Append(nil, p.pinged))
	default:
		p.answer(p.rnd.IntN(20) == 0)
	}
}

// publish publishes something to somebody.
func (p *soaker) publish() {
	if p.pub == nil {
		p.pub = p.sk.ledger.enter(p)
	}
	topic := p.rnd.IntN(numSoakTopics)
	n := numbered{publisher: p.pub.number, topic: topic, disclosed: p.rnd.IntN(4) == 0, pad: anyPadding(p.rnd, len(padSizes))}
	n.audience = audience(p.rnd.IntN(int(numCounted) + 2))
	if p.rnd.IntN(2) == 0 {
		n.audience = toAll
	}
	options := n.audience.options()
	switch n.audience {
	case direct, shunning:
		target := p.sk.somebody(p.rnd)
		if target == 0 {
			return
		}
		n.target = int64(target)
		to := streamKeyTo{topic, target}
		if n.audience == direct {
			options.Eligible = []wamp.ID{target, 1}
		} else {
			options.Exclude = []wamp.ID{target, 1}
			to.target = 0
		}
		p.directs[to]++
		n.number = p.directs[to]
	default:
		n.number = p.pub.sent[topic][n.audience].Add(1)
	}
	options.Acknowledge = p.rnd.IntN(3) == 0
	options.DiscloseMe = n.disclosed
	id := p.nextRequest()
	if options.Acknowledge {
		p.requests[id] = &request{kind: wamp.TypePublish}
	}
	p.unacked = append(p.unacked, published{request: id, topic: topic, to: n.audience, number: n.number})
	p.send(&wamp.Publish{Request: id, Options: options, Topic: wamp.URI(soakTopics[topic]), Payload: p.payload(n.args())})
}

// barrier publishes something to nobody. When it is acknowledged, all
// requests before it are answered, and all subscriptions have what was done
// when it was sent. mu is held.
func (p *soaker) barrier() <-chan struct{} {
	id := p.nextRequest()
	for _, h := range p.subs {
		if !h.closing {
			p.ask(h, id)
		}
	}
	ch := make(chan struct{})
	p.requests[id] = &request{kind: wamp.TypePublish}
	p.barriers[id] = ch
	p.send(&wamp.Publish{Request: id, Options: wamp.PublishOptions{Acknowledge: true, Eligible: []wamp.ID{}}, Topic: "soak.a"})
	return ch
}

func (p *soaker) subscribe(pat pattern, g *group) {
	if len(p.subs) > 12 {
		p.unsubscribe()
	}
	id := p.nextRequest()
	req := &request{kind: wamp.TypeSubscribe, pattern: pat, group: g}
	if g != nil {
		req.least = g.begun.of(g.topicOf(pat))
	}
	p.requests[id] = req
	p.send(&wamp.Subscribe{Request: id, Options: wamp.SubscribeOptions{Match: pat.match}, Topic: wamp.URI(pat.uri)})
}

// unsubscribe ends a subscription, sometimes a second time while the first is
// on its way.
func (p *soaker) unsubscribe() {
	for sub, h := range p.subs {
		req := &request{kind: wamp.TypeUnsubscribe, subscription: sub, heard: h, again: h.closing}
		for _, other := range p.requests {
			if other.kind == wamp.TypeSubscribe && other.pattern == h.pattern {
				return // what it would be the end of is hard to say
			}
		}
		id := p.nextRequest()
		if !req.again {
			p.ask(h, id)
			h.closing = true
		}
		p.requests[id] = req
		p.send(&wamp.Unsubscribe{Request: id, Subscription: sub})
		return
	}
}

// settle waits until everything that the session asked for is answered, and
// reports whether it lives.
func (p *soaker) settle() bool {
	w := waiting{p: p, began: time.Now()}
	p.mu.Lock()
	p.callMore(true)
	all := p.barrier()
	p.mu.Unlock()
	for answered := false; !answered; {
		select {
		case <-all:
			answered = true
		case <-p.gone:
			if !p.back() {
				return false
			}
		case <-time.After(time.Second):
			p.mu.Lock()
			lost := w.overdue(func() string { return p.stateLocked(0) })
			if lost {
				p.fail("the last of %d requests is not answered within %v; after %v: %s", len(p.requests), patientlyWaited+longLost, patientlyWaited, w.late)
			}
			p.mu.Unlock()
			if lost {
				return false
			}
		}
	}
	for {
		p.mu.Lock()
		p.answer(p.rnd.IntN(20) == 0) // or two that wait for each other would never settle
		left := len(p.calls)
		if left > 0 && w.overdue(p.openCalls) {
			p.fail("%d calls are not answered within %v: %s\nafter %v: %s", left, patientlyWaited+longLost, p.openCalls(), patientlyWaited, w.late)
			p.mu.Unlock()
			return false
		}
		p.mu.Unlock()
		if left == 0 {
			w.done()
			return true
		}
		select {
		case <-p.wake:
		case <-time.After(5 * time.Millisecond):
		case <-p.gone:
			if !p.back() {
				return false
			}
		}
	}
}
