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
	ctx    context.Context // done when the subscription or the session ends
	cancel context.CancelFunc
	watch  Watch // nil: nobody watches the member
	duty   bool  // to flush the session; owned by who offers
}

// replay starts fn for the member, which is watched by watch from now on, or, if
// that is nil, by whoever watched it before. The session's mu is held.
func (s *Session) replay(m *member, fn Replay, watch Watch) {
	ctx, cancel := context.WithCancel(context.Background())
	f := &Feed{member: m, ctx: ctx, cancel: cancel, watch: watch}
	if watch == nil && m.feed != nil {
		f.watch = m.feed.watch
	}
	s.out.mu.Lock()
	m.feed, m.watched = f, f.watch != nil
	if m.phase == live {
		m.phase = replaying
		if m.watched {
			f.watch.Live(false)
		}
	}
	s.out.forgive(m) // the replay knows better
	s.out.mu.Unlock()
	s.realm.run(func() {
		defer cancel()
		fn(f)
	})
}

// mend starts the replay that mend returns for the member's watch, if the member
// is live and has one, and reports whether there is any.
func (m *member) mend(mend func(w Watch) Replay) bool {
	s := m.session
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.mu.Lock()
	may := m.phase == live && m.watched
	s.out.mu.Unlock()
	if !may {
		return false
	}
	fn := mend(m.feed.watch)
	if fn == nil {
		return false
	}
	s.replay(m, fn, nil) // if it leaves meanwhile, it waits for us to cancel that
	return true
}

// Context is done when nobody wants the events any more.
func (f *Feed) Context() context.Context { return f.ctx }

// Subscription returns the ID of the subscription.
func (f *Feed) Subscription() wamp.ID { return f.member.sub.id }

// Session returns the subscriber.
func (f *Feed) Session() *Session { return f.member.session }

// Send queues a past event for the subscription, and has it written. It waits
// while the session's queue is more than half full, has 32 KiB, or has no room
// for the event. Its error is that of the feed's context.
func (f *Feed) Send(p *Publication) error {
	for {
		room, err := f.Offer(nil, func() *Publication { return p })
		f.Flush()
		if room == nil {
			return err
		}
		select {
		case <-room:
		case <-f.ctx.Done():
			return f.ctx.Err()
		}
	}
}

// Offer is Send for those who have something else to do meanwhile: where Send
// would wait, it returns a channel that is closed when the event may be offered
// again, or when the session has ended. The event need not be written before
// [Feed.Flush].
//
// of returns the event. It is not called if copies, which are of this very event,
// have it as the peer is sent it; copies may be nil.
func (f *Feed) Offer(copies *Copies, of func() *Publication) (room <-chan struct{}, err error) {
	frame := copies.find(f.member)
	if frame == nil {
		ws := getWorkspace()
		frame = ws.single(f.member, of())
		putWorkspace(ws)
		if frame == nil {
			return nil, f.ctx.Err()
		}
		frame = copies.add(f.member, frame)
	}
	result, room := f.push(frame)
	switch {
	case room != nil:
		return room, nil
	case result == flushIt:
		f.duty = true
		fallthrough
	case result == queued:
		f.member.session.router.stats.events.Add(1)
	}
	return nil, f.ctx.Err()
}

// Flush writes what was offered, as far as the peer takes it at once. It must
// follow each row of offers, and soon: until then nobody writes to the session.
func (f *Feed) Flush() {
	if !f.duty {
		return
	}
	f.duty = false
	ws := getWorkspace()
	ws.bufs = f.member.session.flush(ws.bufs[:0])
	putWorkspace(ws)
}

// Tell queues an event for the subscription, which is live, and for no other. It
// does not wait: a session whose queue has no room for it ends.
func (f *Feed) Tell(p *Publication) {
	m := f.member
	ws := getWorkspace()
	if frame := ws.single(f.member, p); frame != nil && ws.pushed(m.session, m.push(frame, keyFirm, 0)) {
		m.session.router.stats.events.Add(1)
	}
	ws.handOver(&m.session.router.flushers)
	putWorkspace(ws)
}

// push queues frame unless the subscription is over. If there is no room
// now, it returns a channel that is closed when there may be.
func (f *Feed) push(frame []byte) (pushed, <-chan struct{}) {
	o := &f.member.session.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.ctx.Err() != nil || f.member.phase != replaying {
		return refused, nil
	}
	if room := o.waitLocked(len(frame)); room != nil {
		return refused, room
	}
	result := o.pushLocked(entry{frame: frame, member: f.member, key: keyFirm}, 0)
	if f.watch != nil {
		f.watch.Queued()
	}
	return result, nil
}

// Live lets published events reach the subscription from now on.
func (f *Feed) Live() {
	o := &f.member.session.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.ctx.Err() == nil && f.member.phase == replaying {
		f.member.phase = live
		if f.watch != nil {
			f.watch.Live(true)
		}
	}
}
