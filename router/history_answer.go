package router

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// maxReadingTime is how long one call may read the past, and wait until it may.
const maxReadingTime = 10 * time.Second

// getEvents is wamp.subscription.get_events (WAMP "Event History").
func (r *Realm) getEvents(ctx context.Context, req *Request) ([]any, map[string]any, error) {
	args, err := req.Payload.DecodeArgs()
	if err != nil {
		return nil, nil, invalidArgument(err)
	}
	kwargs, err := req.Payload.DecodeKwArgs()
	if err != nil {
		return nil, nil, invalidArgument(err)
	}
	q, err := parsePast(args, kwargs, r.router.cfg.MaxPastEvents)
	if err != nil {
		return nil, nil, err
	}
	sub := r.broker.ids.find(q.subscription)
	if sub == nil {
		return nil, nil, wamp.Errorf(wamp.URINoSuchSubscription, "there is no subscription %d", q.subscription)
	}
	p, err := req.Session.past(sub)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, maxReadingTime)
	defer cancel()
	select {
	case r.readings <- struct{}{}:
		defer func() { <-r.readings }()
	case <-ctx.Done():
		return nil, nil, wamp.Errorf(wamp.URIUnavailableHere, "too many read the past at the moment: try again")
	}
	a, err := p.answer(ctx, q)
	if errors.Is(err, context.DeadlineExceeded) {
		err = wamp.Errorf(wamp.URIUnavailableHere, "reading the past took too long: ask for less of it")
	}
	if err != nil {
		return nil, nil, err
	}
	info := map[string]any{"more": a.more}
	if a.missed > 0 {
		info["missed"] = a.missed
	}
	return a.events, info, nil
}

// A pastAnswer is what a session gets of the past.
type pastAnswer struct {
	events []any // encoded
	more   bool  // there are more that were asked for
	missed int   // among them that the session cannot take
}

// answer returns what q asks for, up to its limit and so many bytes that the
// answer leaves room in the session's queue.
func (p *past) answer(ctx context.Context, q *pastQuery) (a pastAnswer, err error) {
	s := p.session
	most, alone := min(s.router.cfg.MaxPastBytes, s.limits.QueueBytes/2), math.MaxInt
	if frame := s.peer.MaxFrame; frame > 0 {
		alone = frame - surelyRest
		most = min(most, alone)
	}
	r, err := p.read(ctx, q)
	if err != nil {
		return a, err
	}
	a.events = []any{}
	for size := 0; ; {
		k, ok, err := r.next(ctx)
		if err != nil || !ok {
			return a, err
		}
		if len(a.events) == q.limit {
			a.more = true
			return a, nil
		}
		b := p.record(&k)
		switch {
		case b == nil || len(b) > alone:
			a.missed++
			continue
		case len(a.events) > 0 && size+len(b) > most:
			a.more = true
			return a, nil
		}
		a.events = append(a.events, wamp.Encoded(b))
		size += len(b) + 1 // what divides them
	}
}

// surelyRest is by how much an answer is longer than its events at most. (The
// least that a peer may take is twice as long.)
const surelyRest = 256

// record returns an event as the session gets it, or nil if its serializer
// cannot express the payload.
func (p *past) record(k *keptEvent) []byte {
	payload, err := k.payload.In(p.session.peer.Serializer)
	if err != nil {
		p.session.router.stats.untranslatable.Add(1)
		return nil
	}
	e := wamp.Event{Subscription: p.sub.id, Publication: k.id, Payload: payload}
	if k.details != nil {
		e.Details = *k.details
	}
	if p.sub.match != wamp.Exact || k.show {
		e.Details.Topic = k.topic
	}
	return e.AppendRecord(nil, p.session.peer.Serializer, isoTime(time.UnixMilli(k.ms)))
}
