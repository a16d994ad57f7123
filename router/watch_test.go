package router_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A lookout governs "kept.topic": it watches who subscribes to it, and notes
// what peers answer.
type lookout struct {
	keeper
	goOn chan struct{} // closed when replays that are asked for by _since may end

	mu     sync.Mutex // guards the following
	notes  []string
	probed []uint64
}

func (l *lookout) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

// take returns what was noted since it was last called.
func (l *lookout) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	notes := l.notes
	l.notes = nil
	return notes
}

func (l *lookout) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := l.take(); !slices.Equal(got, want) {
		t.Errorf("the watch was told %q, want %q", got, want)
	}
}

func (l *lookout) Probed(_ *router.Session, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.probed = append(l.probed, number)
}

func (l *lookout) answers(t *testing.T, want ...uint64) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.probed, want) {
		t.Errorf("the answers are %v, want %v", l.probed, want)
	}
}

func (l *lookout) Begun(wamp.ID) { l.note("begun") }
func (l *lookout) Live(now bool) { l.note("live %v", now) }
func (l *lookout) Queued()       { l.note("queued") }
func (l *lookout) Ended()        { l.note("ended") }

func (l *lookout) Subscribe(_ *router.Session, i router.Interest, options *wamp.SubscribeOptions) (router.Terms, error) {
	if _, ok := options.Extra["_since"]; ok {
		return router.Terms{Replay: func(f *router.Feed) {
			<-l.goOn
			f.Live()
		}}, nil
	}
	if i.Topic == "kept.replay" {
		return router.Terms{Replay: func(f *router.Feed) { f.Live() }}, nil
	}
	if i.Topic != "kept.topic" {
		return router.Terms{}, nil
	}
	return router.Terms{Watch: l, Replay: func(f *router.Feed) {
		if err := f.Send(&router.Publication{Topic: "kept.topic"}); err != nil && !errors.Is(err, f.Context().Err()) {
			panic(err)
		}
		f.Live()
	}}, nil
}

// A watch is told of every event, also of a replay, and once of the beginning
// and of the end, whichever way that comes.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(lookout)
		tr := newRouterGoverned(t, l)
		a := tr.connect()
		a.send(hello)
		a.mustNext(t, 2)
		subscribe := func(c *client, topic string) (id string) {
			synctest.Wait()
			for _, more := c.next(); more; { // what came before is of no interest
				_, more = c.next()
			}
			c.send(fmt.Sprintf(`[32,1,{},%q]`, topic))
			return string(c.mustNext(t, 33)[2])
		}
		publish := func() { tr.rt.Realm(testRealm).Publish(&router.Publication{Topic: "kept.topic"}) }

		id := subscribe(a, "kept.topic")
		l.want(t, "begun", "queued", "live true")
		publish()
		publish()
		l.want(t, "queued", "queued")
		a.send(`[32,2,{},"kept.topic"]`) // the watch is given back, as there is one
		l.want(t, "ended")
		a.send(`[34,3,` + id + `]`)
		l.want(t, "live false", "ended")
		publish()
		l.want(t)

		subscribe(a, "kept.topic")
		l.want(t, "begun", "queued", "live true")
		a.send(`[6,{},"wamp.close.normal"]`)
		l.want(t, "live false", "ended")

		b := tr.connect()
		b.send(`[1,"realm1",{"roles":{"subscriber":{}},"authid":"limited"}]`)
		b.mustNext(t, 2)
		subscribe(b, "kept.topic")
		l.take()
		tr.rt.Realm(testRealm).RevokeSubscriptions("", func(*router.Session, wamp.URI, wamp.Match) bool { return true })
		l.want(t, "live false", "live false", "ended") // it is over before UNSUBSCRIBED
		subscribe(b, "other.topic")
		b.send(`[32,2,{},"kept.topic"]`) // one subscription too many
		l.want(t, "ended")
		b.hangUp()
	})
}

// A watch knows what passes its subscription by: all, while another replay runs,
// also one that came without a watch.
func TestWatchKnowsReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lookout{goOn: make(chan struct{})}
		tr := newRouterGoverned(t, l)
		a := tr.connect()
		a.send(hello)
		a.mustNext(t, 2)
		a.send(`[32,1,{},"kept.topic"]`)
		l.want(t, "begun", "queued", "live true")
		a.send(`[32,2,{"_since":1},"kept.topic"]`)
		l.want(t, "live false")
		tr.rt.Realm(testRealm).Publish(&router.Publication{Topic: "kept.topic"})
		l.want(t)
		close(l.goOn)
		l.want(t, "live true")
		tr.rt.Realm(testRealm).Publish(&router.Publication{Topic: "kept.topic"})
		l.want(t, "queued")
	})
}

// What is watched is not dropped when the queue is full: the session ends.
func TestWatchedIsNotDropped(t *testing.T) {
	for _, watched := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := new(lookout)
			tr := newRouterGoverned(t, l, func(c *router.Config) { c.QueueBytes, c.WhenFull = 4096, router.DropOldest })
			a := tr.connect()
			a.send(hello)
			a.mustNext(t, 2)
			topic := wamp.URI("other.topic")
			if watched {
				topic = "kept.topic"
			}
			a.send(fmt.Sprintf(`[32,1,{},%q]`, topic))
			a.mustNext(t, 33)
			synctest.Wait()
			a.link.setStalled(true)
			for range 200 {
				tr.rt.Realm(testRealm).Publish(&router.Publication{Topic: topic})
			}
			synctest.Wait()
			if ends := tr.rt.Stats().SlowConsumers; watched != (ends == 1) {
				t.Errorf("watched %v: %d sessions were ended", watched, ends)
			}
		})
	}
}

// A probe comes back when its peer has everything before it, over whichever
// connection the session has; from a peer that knows no pings, never.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(lookout)
		s := newStackOf(t, newRouterGoverned(t, l), nil)
		r := &resumer{t: t}
		session := func() *router.Session {
			id, _ := r.session.Int64()
			return s.rt.rt.Realm(testRealm).Session(wamp.ID(id))
		}
		plain := s.connect(wamp.JSON)
		plain.send(hello)
		r.welcome(plain)
		if !session().CanProbe(true) || !session().Probe(7) {
			t.Error("a WebSocket cannot be asked")
		}
		l.answers(t, 7)
		plain.mu.Lock()
		plain.mute = true
		plain.mu.Unlock()
		session().Probe(8)
		l.answers(t, 7)

		a := s.connect(wamp.JSON)
		r.join(a)
		session().Probe(9)
		l.answers(t, 7, 9)
		a.hangUp()
		synctest.Wait()
		if session().CanProbe(true) || session().Probe(10) {
			t.Error("a session that is away can be asked")
		}
		b := s.connect(wamp.JSON)
		r.resume(b, 0)
		session().Probe(11)
		l.answers(t, 7, 9, 11)

		lean := s.rt.connect()
		lean.send(hello)
		r.welcome(lean)
		if session().CanProbe(true) || session().Probe(12) {
			t.Error("a link without pings can be asked")
		}
		lean.s.Pong([]byte("wireprob0123456789"))
		lean.s.Pong(nil)
		lean.hangUp()
	})
}

// What is told to some subscriptions reaches these, and no others.
func TestTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(lookout)
		tr := newRouterGoverned(t, l)
		a := tr.connect()
		a.send(hello)
		a.mustNext(t, 2)
		for i, topic := range []string{"kept.", "kept.else", "other.topic"} {
			a.send(fmt.Sprintf(`[32,%d,{"match":"prefix"},%q]`, i+1, topic))
			a.mustNext(t, 33)
		}
		n := tr.rt.Realm(testRealm).Tell(&router.Publication{Topic: "kept.topic"}, func(_ *router.Session, topic wamp.URI, match wamp.Match) bool {
			return wamp.URI("kept.topic").Fits(topic, match)
		})
		if n != 1 {
			t.Errorf("%d subscriptions were told, want 1", n)
		}
		a.mustNext(t, 36)
		synctest.Wait()
		if msg, more := a.next(); more {
			t.Errorf("%s came, too", msg)
		}
	})
}

// Who has a watch is not told of what it misses: it gets a replay, and nothing
// that is published meanwhile.
func TestMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(lookout)
		tr := newRouterGoverned(t, l)
		realm := tr.rt.Realm(testRealm)
		a, b := tr.connect(), tr.connect()
		for _, peer := range []*client{a, b} {
			peer.send(hello)
			peer.mustNext(t, 2)
		}
		a.send(`[32,1,{},"kept.topic"]`)
		a.mustNext(t, 33)
		a.mustNext(t, 36) // of the replay
		b.send(`[32,1,{"match":"prefix"},"kept."]`)
		b.mustNext(t, 33)
		l.want(t, "begun", "queued", "live true")
		quiet := func(p *client) {
			t.Helper()
			synctest.Wait()
			if msg, more := p.next(); more {
				t.Errorf("%s came, too", msg)
			}
		}
		event := &router.Publication{Topic: "kept.topic"}
		all := func(_ *router.Session, topic wamp.URI, match wamp.Match) bool {
			return event.Topic.Fits(topic, match)
		}
		goOn := make(chan struct{})
		mend := func(w router.Watch) router.Replay {
			if w != router.Watch(l) {
				t.Errorf("the watch is %v", w)
			}
			return func(f *router.Feed) {
				<-goOn
				_ = f.Send(&router.Publication{Topic: "kept.topic"})
				f.Live()
			}
		}
		if n := realm.Miss(event, all, mend); n != 1 {
			t.Errorf("%d subscriptions were told, want 1", n)
		}
		b.mustNext(t, 36)
		l.want(t, "live false")
		if n := realm.Miss(event, all, mend); n != 1 { // the replay has that, too
			t.Errorf("%d subscriptions were told, want 1", n)
		}
		b.mustNext(t, 36)
		realm.Publish(&router.Publication{Topic: "kept.topic"})
		b.mustNext(t, 36)
		quiet(a)
		close(goOn)
		a.mustNext(t, 36)
		l.want(t, "queued", "live true")
		quiet(a)
		if n := realm.Miss(event, all, func(router.Watch) router.Replay { return nil }); n != 2 {
			t.Errorf("%d subscriptions were told, want 2", n)
		}
		a.mustNext(t, 36)
		goOn = make(chan struct{})
		defer close(goOn)
		realm.Miss(event, all, mend)
		a.hangUp() // while the replay waits
		l.want(t, "queued", "live false", "live false", "ended")
	})
}
