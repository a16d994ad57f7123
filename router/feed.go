package router

import (
	"context"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Feed brings past events to one subscription of one session. While it runs,
// published events do not reach the subscription: the replay finds them in its
// log. Methods are for one goroutine at a time.
type Feed struct {
	member *member
	ctx    context.Context // done when the subscription or the session ends, or another replay begins
	cancel context.CancelFunc
}

// replay starts fn for the member. The session's mu is held.
func (s *Session) replay(m *member, fn Replay) {
	if m.feed != nil {
		m.feed.cancel()
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &Feed{member: m, ctx: ctx, cancel: cancel}
	m.feed = f
	s.out.mu.Lock()
	if m.phase == live {
		m.phase = replaying
	}
	s.out.mu.Unlock()
	s.router.wg.Go(func() {
		defer cancel()
		fn(f)
	})
}

// Context is done when nobody wants the events any more.
func (f *Feed) Context() context.Context { return f.ctx }

// Session returns the subscriber.
func (f *Feed) Session() *Session { return f.member.session }

// Send queues a past event for the subscription. It waits while the session's
// queue is more than half full. Its error is that of the feed's context.
func (f *Feed) Send(p *Publication) error {
	s := f.member.session
	for {
		if err := f.ctx.Err(); err != nil {
			return err
		}
		room := s.out.wait()
		if room == nil {
			break
		}
		select {
		case <-room:
		case <-f.ctx.Done():
			return f.ctx.Err()
		}
	}
	ws := getWorkspace()
	defer putWorkspace(ws)
	if p.ID == 0 {
		p.ID = newID()
	}
	ws.enc.init(p)
	ws.enc.begin(f.member.sub)
	frame := ws.enc.frame(&s.peer)
	ws.enc = encoding{}
	if frame == nil {
		s.router.stats.untranslatable.Add(1)
		return nil
	}
	if ws.pushed(s, f.push(frame)) {
		s.router.stats.events.Add(1)
	}
	ws.handOver(&s.router.flushers)
	return f.ctx.Err()
}

// push queues frame unless another replay has taken over.
func (f *Feed) push(frame []byte) pushed {
	o := &f.member.session.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.ctx.Err() != nil || f.member.phase != replaying {
		return refused
	}
	return o.pushLocked(frame)
}

// Live lets published events reach the subscription from now on.
func (f *Feed) Live() {
	o := &f.member.session.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.ctx.Err() == nil && f.member.phase == replaying {
		f.member.phase = live
	}
}

// Subscription returns the ID of the subscription that is fed.
func (f *Feed) Subscription() wamp.ID { return f.member.sub.id }
