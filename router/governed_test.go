package router_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A keeper governs "kept.topic": it holds publications back until they are
// released, and replays what the test gives it.
type keeper struct {
	mu     sync.Mutex // guards the following
	held   []func()
	replay router.Replay
	most   int
}

func (k *keeper) Governs(topic wamp.URI) bool { return topic == "kept.topic" }

func (k *keeper) Publish(p *router.Publication, done func(wamp.ID, error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = append(k.held, func() {
		p.From.Realm().Publish(p)
		done(p.ID, nil)
	})
	k.most = max(k.most, len(k.held))
}

func (k *keeper) Subscribe(*router.Session, router.Interest, *wamp.SubscribeOptions) (router.Terms, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return router.Terms{Replay: k.replay}, nil
}

// release lets the oldest publication that is held back go on.
func (k *keeper) release() {
	k.mu.Lock()
	f := k.held[0]
	k.held = k.held[1:]
	k.mu.Unlock()
	f()
}

// A session whose publications wait for the Governor is not read beyond the
// limit, and goes on in order.
func TestPublishingLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{}
		tr := newRouterGoverned(t, k, func(c *router.Config) { c.MaxPublishing = 2 })
		a, b := tr.connect(), tr.connect()
		for _, c := range []*client{a, b} {
			c.send(hello)
			c.mustNext(t, 2)
		}
		b.send(`[32,1,{},"kept.topic"]`)
		b.mustNext(t, 33)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range 5 {
				a.send(fmt.Sprintf(`[16,%d,{"acknowledge":true},"kept.topic",[%d]]`, i+1, i))
			}
		}()
		for i := range 5 {
			synctest.Wait()
			k.release()
			if m := a.mustNext(t, 17); string(m[1]) != fmt.Sprint(i+1) {
				t.Errorf("PUBLISHED for request %s, want %d", m[1], i+1)
			}
			if m := b.mustNext(t, 36); string(m[4]) != fmt.Sprintf("[%d]", i) {
				t.Errorf("EVENT with %s, want [%d]", m[4], i)
			}
		}
		<-sent
		if k.most != 2 {
			t.Errorf("%d publications were with the Governor at a time, want 2", k.most)
		}
	})
}

// A replay comes first; what is published meanwhile does not reach the
// subscription, because the replay has it; then it is live.
func TestReplayThenLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caughtUp := make(chan struct{})
		k := &keeper{replay: func(f *router.Feed) {
			for i := range 3 {
				if err := f.Send(&router.Publication{Topic: "kept.topic", Payload: wamp.Payload{Args: fmt.Appendf(nil, "[%d]", i)}}); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
			<-caughtUp
			f.Live()
		}}
		tr := newRouterGoverned(t, k)
		a := tr.connect()
		a.send(hello)
		a.mustNext(t, 2)
		a.send(`[32,1,{},"kept.topic"]`)
		a.mustNext(t, 33)
		for i := range 3 {
			if m := a.mustNext(t, 36); string(m[4]) != fmt.Sprintf("[%d]", i) {
				t.Errorf("EVENT with %s, want [%d]", m[4], i)
			}
		}
		realm := tr.rt.Realm(testRealm)
		realm.Publish(&router.Publication{Topic: "kept.topic"})
		synctest.Wait()
		if msg, ok := a.next(); ok {
			t.Errorf("during the replay %s came", msg)
		}
		close(caughtUp)
		synctest.Wait()
		realm.Publish(&router.Publication{Topic: "kept.topic"})
		a.mustNext(t, 36)
	})
}

// A feed waits for a subscriber that does not read, and ends with its
// subscription. Another replay cannot cut it off.
func TestFeedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 3)
		k := &keeper{replay: func(f *router.Feed) {
			body := []byte(`["` + string(make128()) + `"]`)
			for {
				if err := f.Send(&router.Publication{Topic: "kept.topic", Payload: wamp.Payload{Args: body}}); err != nil {
					ended <- err
					return
				}
			}
		}}
		tr := newRouterGoverned(t, k, func(c *router.Config) { c.QueueBytes = 4096; c.WriteTimeout = time.Hour })
		a := tr.connect()
		a.send(hello)
		a.mustNext(t, 2)
		a.link.setStalled(true)
		a.send(`[32,1,{},"kept.topic"]`)
		synctest.Wait()
		if st := tr.rt.Stats(); st.SlowConsumers != 0 {
			t.Error("the feed overran the queue")
		}
		a.send(`[32,2,{},"kept.topic"]`)
		synctest.Wait()
		if len(ended) != 0 {
			t.Error("another replay cut the first off")
		}
		a.hangUp()
		synctest.Wait()
		if len(ended) != 1 {
			t.Errorf("%d replays have ended with their session, want the only one", len(ended))
		}
	})
}

// Many replays on one session share its queue: none of them overruns it,
// however large their events are.
func TestFeedsShareTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const feeds, each = 20, 10
		body := []byte(`["` + strings.Repeat("x", 3000) + `"]`)
		k := &keeper{replay: func(f *router.Feed) {
			for range each {
				if err := f.Send(&router.Publication{Topic: "any", Payload: wamp.Payload{Args: body}}); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
			f.Live()
		}}
		tr := newRouterGoverned(t, k, func(c *router.Config) { c.QueueBytes = 8 << 10; c.WriteTimeout = time.Hour })
		a := tr.connect()
		a.send(hello)
		a.mustNext(t, 2)
		a.link.setStalled(true)
		for i := range feeds {
			a.send(fmt.Sprintf(`[32,%d,{},"topic.%d"]`, i+1, i))
		}
		events := 0
		for range feeds * (each + 1) {
			synctest.Wait()
			a.link.setStalled(false) // takes what waits now
			synctest.Wait()
			for msg, ok := a.next(); ok; msg, ok = a.next() {
				if strings.HasPrefix(string(msg), "[36,") {
					events++
				}
			}
			a.link.setStalled(true)
		}
		if st := tr.rt.Stats(); st.SlowConsumers != 0 || events != feeds*each {
			t.Errorf("%d events came and %d sessions were ended, want %d and none", events, st.SlowConsumers, feeds*each)
		}
	})
}
