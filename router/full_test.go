package router_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

const topic wamp.URI = "com.example.topic"

// A received is what a peer got of an event.
type received struct {
	value  int    // the first argument
	missed uint64 // Details._missed
}

// events takes all that the peer has got, which must be events.
func (c *client) events(t *testing.T) (out []received) {
	t.Helper()
	synctest.Wait()
	for {
		msg, ok := c.next()
		if !ok {
			return out
		}
		var d wamp.Decoder
		m, err := d.Decode(c.ser, msg)
		event, ok := m.(*wamp.Event)
		if !ok {
			t.Fatalf("got %q, %v, want an event", msg, err)
		}
		args, err := event.Payload.DecodeArgs()
		if err != nil {
			t.Fatal(err)
		}
		r := received{value: int(number(args[0]))}
		if n, ok := event.Details.Extra["_missed"]; ok {
			r.missed = uint64(number(n))
		}
		out = append(out, r)
	}
}

func number(v any) float64 {
	var f float64
	if err := json.Unmarshal(fmt.Append(nil, v), &f); err != nil {
		return -1
	}
	return f
}

// subscriber joins a peer that subscribes to the topic.
func (tr *testRouter) subscriber(t *testing.T, ser wamp.Serializer) *client {
	t.Helper()
	c := tr.connectWith(ser)
	c.sendAs(hello)
	c.sendAs(fmt.Sprintf(`[32,1,{},%q]`, topic))
	synctest.Wait()
	for range 2 {
		if _, ok := c.next(); !ok {
			t.Fatal("the subscriber could not join")
		}
	}
	return c
}

// publish publishes i with so many bytes to go with it.
func (tr *testRouter) publish(i, size int, change ...func(*router.Publication)) {
	p := &router.Publication{Topic: topic, Payload: wamp.Payload{
		Serializer: wamp.JSON, Args: fmt.Appendf(nil, `[%d,%q]`, i, strings.Repeat("x", size)),
	}}
	for _, f := range change {
		f(p)
	}
	tr.rt.Realm(testRealm).Publish(p)
}

func TestDropOldest(t *testing.T) {
	for ser := range wamp.Serializer(wamp.NumSerializers) {
		t.Run(ser.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newRouter(t, func(c *router.Config) { c.QueueBytes, c.WhenFull = 4096, router.DropOldest })
				slow, fast := tr.subscriber(t, ser), tr.subscriber(t, ser)
				slow.link.setStalled(true)
				for i := range 20 {
					tr.publish(i, 900)
					synctest.Wait()
				}
				if got := fast.events(t); len(got) != 20 || got[19] != (received{value: 19}) {
					t.Errorf("the fast subscriber got %v, want 20 events and none missed", got)
				}
				slow.link.setStalled(false)
				// The first was being written and can't be dropped; three
				// more fit behind it. The mark stands at the gap.
				want := []received{{value: 0}, {value: 17, missed: 16}, {value: 18}, {value: 19}}
				if got := slow.events(t); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("the slow subscriber got %v, want %v", got, want)
				}
				tr.publish(20, 900)
				if got := slow.events(t); len(got) != 1 || got[0] != (received{value: 20}) {
					t.Errorf("afterwards it got %v, want event 20 without a mark", got)
				}
				if st := tr.rt.Stats(); st.DroppedOldest != 16 || st.SlowConsumers != 0 {
					t.Errorf("DroppedOldest, SlowConsumers = %d, %d; want 16, 0", st.DroppedOldest, st.SlowConsumers)
				}
			})
		})
	}
}

// A publication's policy goes before the session's.
func TestPublicationSaysWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.QueueBytes, c.WhenFull = 4096, router.DropOldest })
		slow := tr.subscriber(t, wamp.JSON)
		slow.link.setStalled(true)
		for i := range 4 {
			tr.publish(i, 900, func(p *router.Publication) { p.WhenFull = router.Disconnect })
			synctest.Wait()
		}
		tr.publish(4, 900) // has nothing to displace
		if st := tr.rt.Stats(); st.DroppedOldest != 1 || st.SlowConsumers != 0 {
			t.Errorf("DroppedOldest, SlowConsumers = %d, %d; want 1, 0", st.DroppedOldest, st.SlowConsumers)
		}
		tr.publish(5, 900, func(p *router.Publication) { p.WhenFull = router.Disconnect })
		if st := tr.rt.Stats(); st.SlowConsumers != 1 {
			t.Errorf("SlowConsumers = %d, want 1: the queue is full of what must not be dropped", st.SlowConsumers)
		}
	})
}

func TestKeepLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.QueueBytes = 8192 })
		slow := tr.subscriber(t, wamp.JSON)
		slow.link.setStalled(true)
		latest := func(key uint64) func(*router.Publication) {
			return func(p *router.Publication) { p.WhenFull, p.Key = router.KeepLatest, key }
		}
		tr.publish(1000, 900) // is being written
		synctest.Wait()
		for i := range 40 {
			tr.publish(i, 900, latest(uint64(1+i%3)))
			synctest.Wait()
		}
		slow.link.setStalled(false)
		got := slow.events(t)
		last, missed := map[int]int{}, uint64(0)
		for i, r := range got {
			if i > 1 && r.value <= got[i-1].value {
				t.Errorf("event %d came after %d", r.value, got[i-1].value)
			}
			last[r.value%3] = r.value
			missed += r.missed
		}
		if last[37%3] != 37 || last[38%3] != 38 || last[39%3] != 39 {
			t.Errorf("got %v, want the latest of each key: 37, 38 and 39", got)
		}
		if int(missed)+len(got) != 41 {
			t.Errorf("%d events and %d missed, of 41", len(got), missed)
		}
		if st := tr.rt.Stats(); st.Superseded != missed {
			t.Errorf("Superseded = %d, want the %d that were owned up to", st.Superseded, missed)
		}

		// When there are more keys than room, none is lost in silence.
		slow.link.setStalled(true)
		for i := range 20 {
			tr.publish(i, 900, latest(uint64(100+i)))
			synctest.Wait()
		}
		if st := tr.rt.Stats(); st.SlowConsumers != 1 {
			t.Errorf("SlowConsumers = %d, want 1", st.SlowConsumers)
		}
	})
}

// Events with different keys never make way for each other, whatever the keys.
func TestKeepLatestKeys(t *testing.T) {
	for _, keys := range [][2]uint64{{0, 1}, {1, 2}, {2, 3}, {3, 1}, {1 << 63, 1<<63 + 1}, {math.MaxUint64, 1}, {math.MaxUint64, 0}} {
		synctest.Test(t, func(t *testing.T) {
			tr := newRouter(t, func(c *router.Config) { c.QueueBytes, c.WhenFull = 4096, router.KeepLatest })
			slow := tr.subscriber(t, wamp.JSON)
			slow.link.setStalled(true)
			tr.publish(0, 900) // is being written
			synctest.Wait()
			tr.publish(1, 900, func(p *router.Publication) { p.Key = keys[0] })
			for i := 2; i < 20; i++ {
				tr.publish(i, 900, func(p *router.Publication) { p.Key = keys[1] })
			}
			slow.link.setStalled(false)
			if got := slow.events(t); len(got) < 3 || got[1].value != 1 || got[len(got)-1].value != 19 {
				t.Errorf("keys %d and %d: got %v, want 1 and 19 among them", keys[0], keys[1], got)
			}
		})
	}
}

// What answers a request displaces events and is never displaced.
func TestAnswersAreNotDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.QueueBytes, c.WhenFull = 4096, router.DropOldest })
		slow := tr.subscriber(t, wamp.JSON)
		slow.link.setStalled(true)
		for i := range 10 {
			tr.publish(i, 900)
			synctest.Wait()
		}
		body := strings.Repeat("y", 900)
		slow.send(fmt.Sprintf(`[48,2,{},"wireroom.test.echo",[%q]]`, body))
		slow.send(fmt.Sprintf(`[48,3,{},"wireroom.test.echo",[%q]]`, body))
		for i := range 10 {
			tr.publish(10+i, 900)
			synctest.Wait()
		}
		slow.link.setStalled(false)
		synctest.Wait()
		slow.mustNext(t, 36)
		slow.mustNext(t, 50)
		slow.mustNext(t, 50)
		if got := slow.events(t); len(got) != 1 || got[0] != (received{value: 19, missed: 18}) {
			t.Errorf("then the slow peer got %v, want event 19 after 18 missed", got)
		}
	})
}

// A session that is granted limits of its own has these.
func TestGrantedLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		c := tr.connect()
		c.send(strings.Replace(hello, `{"roles"`, `{"authid":"limited","roles"`, 1))
		c.mustNext(t, 2)
		c.send(`[32,1,{},"com.example.a"]`)
		c.mustNext(t, 33)
		c.send(`[32,2,{},"com.example.b"]`)
		c.mustNext(t, 8)
		c.link.setStalled(true)
		for range 10 {
			c.send(fmt.Sprintf(`[48,1,{},"wireroom.test.echo",[%q]]`, strings.Repeat("x", 1000)))
			synctest.Wait()
		}
		if st := tr.rt.Stats(); st.SlowConsumers != 1 {
			t.Errorf("SlowConsumers = %d, want 1: the session was granted 4096 bytes", st.SlowConsumers)
		}
	})
}

// Events linger for company; what answers a request does not, and takes them
// along.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.Linger = 20 * time.Millisecond })
		c := tr.subscriber(t, wamp.JSON)
		writes := func() int {
			synctest.Wait()
			c.link.mu.Lock()
			defer c.link.mu.Unlock()
			return c.link.writes
		}
		base := writes()
		tr.publish(1, 10)
		time.Sleep(15 * time.Millisecond)
		tr.publish(2, 10)
		if n := writes(); n != base {
			t.Errorf("%d writes within the linger time, want none", n-base)
		}
		time.Sleep(5 * time.Millisecond)
		if n := writes(); n != base+1 {
			t.Errorf("%d writes when it had passed, want 1 with both events", n-base)
		}
		if got := c.events(t); len(got) != 2 {
			t.Errorf("got %v, want 2 events", got)
		}

		tr.publish(3, 10)
		c.send(`[48,2,{},"wireroom.test.echo",[1]]`)
		c.mustNext(t, 36)
		c.mustNext(t, 50)
		if n := writes(); n != base+2 {
			t.Errorf("%d writes for an event and a result, want 1", n-base-1)
		}

		tr.publish(4, 10, func(p *router.Publication) { p.Linger = -1 })
		if got := c.events(t); len(got) != 1 {
			t.Errorf("an event that must not linger: got %v at once", got)
		}

		tr.publish(5, 10, func(p *router.Publication) { p.Linger = time.Second })
		tr.publish(6, 10) // is due sooner, and takes the other along
		time.Sleep(20 * time.Millisecond)
		if got := c.events(t); len(got) != 2 || got[0].value != 5 {
			t.Errorf("got %v, want 5 and 6 when the first of them was due", got)
		}

		for i := range 20 {
			tr.publish(i, 900)
		}
		if got := c.events(t); len(got) < 18 {
			t.Errorf("%d events went at once, want all but those that came after 16 KiB had gathered", len(got))
		}
		time.Sleep(time.Second)
		if got := c.events(t); len(got) > 2 {
			t.Errorf("%d events lingered although 16 KiB waited", len(got))
		}
	})
}

// A peer that sends more than it may is heard later, and nothing of it is lost.
func TestPace(t *testing.T) {
	const rate = 10
	for _, tt := range []struct {
		name  string
		limit func(*router.Config)
		size  int           // of a message's argument
		after time.Duration // of 3 × rate messages
	}{
		{"messages", func(c *router.Config) { c.MessageRate = rate }, 10, 2 * time.Second},
		{"bytes", func(c *router.Config) { c.ByteRate = rate * 1000 }, 1000 - 47, 2 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newRouter(t, tt.limit)
				c := tr.connect()
				c.send(hello)
				c.mustNext(t, 2)
				began := time.Now()
				for i := range 3 * rate {
					c.send(fmt.Sprintf(`[48,%d,{},"wireroom.test.echo",[%q]]`, 100+i, strings.Repeat("x", tt.size)))
					c.mustNext(t, 50)
				}
				if d := time.Since(began); d < tt.after-200*time.Millisecond || d > tt.after+200*time.Millisecond {
					t.Errorf("%d messages took %v, want about %v: one second's worth at once, the rest at the rate", 3*rate, d, tt.after)
				}
				if st := tr.rt.Stats(); st.Pauses == 0 {
					t.Error("no pause was counted")
				}
			})
		})
	}
}

// A pause ends when the session does.
func TestPauseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.ByteRate = 100 })
		for _, end := range []func(*client){
			func(c *client) { c.s.End(wamp.Errorf(wamp.URICloseKilled, "enough")) },
			func(c *client) {
				c.link.setBroken()
				c.s.SendControl([]byte("ping"))
			},
		} {
			c := tr.connect()
			c.send(hello)
			c.mustNext(t, 2)
			c.send(`[48,1,{},"wireroom.test.echo",["` + strings.Repeat("x", 1_000_000) + `"]]`)
			c.mustNext(t, 50)
			heard := make(chan struct{})
			go func() {
				c.send(`[48,2,{},"wireroom.test.echo",[1]]`)
				close(heard)
			}()
			synctest.Wait()
			if !c.s.Busy() {
				t.Fatal("the session is not busy in a pause of hours")
			}
			began := time.Now()
			end(c)
			<-heard
			if d := time.Since(began); d != 0 {
				t.Errorf("the pause went on for %v", d)
			}
		}
	})
}
