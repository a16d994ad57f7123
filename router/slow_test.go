package router_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A session whose queue is full is ended at once, counted, and told if it ever
// reads again; the publisher and the others do not wait.
func TestFullQueueDisconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.QueueBytes = 4096 })
		a, b, c := tr.connect(), tr.connect(), tr.connect()
		for _, peer := range []*client{a, b, c} {
			peer.send(hello)
			peer.mustNext(t, 2)
		}
		for _, peer := range []*client{b, c} {
			peer.send(`[32,1,{},"com.example.topic"]`)
			peer.mustNext(t, 33)
		}
		b.link.setStalled(true)
		began := time.Now()
		body := strings.Repeat("x", 1000)
		for i := range 10 {
			a.send(fmt.Sprintf(`[16,%d,{"acknowledge":true},"com.example.topic",["%s"]]`, i+1, body))
			a.mustNext(t, 17)
			c.mustNext(t, 36)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("ten publications took %v of fake time, want none", d)
		}
		st := tr.rt.Stats()
		if st.SlowConsumers != 1 || st.Discarded == 0 {
			t.Errorf("SlowConsumers, Discarded = %d, %d; want 1 and more than 0", st.SlowConsumers, st.Discarded)
		}
		b.link.setStalled(false)
		synctest.Wait()
		events := 0
		for {
			msg, ok := b.next()
			if !ok {
				t.Fatal("the slow session was not told why it ended")
			}
			if strings.HasPrefix(string(msg), "[36,") {
				events++
				continue
			}
			if !strings.Contains(string(msg), `"wireroom.error.slow_consumer"`) {
				t.Errorf("the slow session got %s, want GOODBYE with wireroom.error.slow_consumer", msg)
			}
			break
		}
		// Three events of 1,060 bytes fit; the first of them was being
		// written, and the fourth found the queue full.
		if events != 1 || st.Discarded != 3 {
			t.Errorf("%d events written and %d discarded, want 1 and 3", events, st.Discarded)
		}
		if !b.closed() {
			t.Error("the slow session's connection is open")
		}
	})
}

// A message larger than the whole queue passes if nothing else waits.
func TestFrameLargerThanQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.QueueBytes = 4096 })
		a := tr.connect()
		a.send(hello)
		a.mustNext(t, 2)
		a.send(`[48,1,{},"wireroom.test.echo",["` + strings.Repeat("x", 10_000) + `"]]`)
		a.mustNext(t, 50)
	})
}

// mustNext settles and takes the next message, which must be of the type.
func (c *client) mustNext(t *testing.T, want int) []json.RawMessage {
	t.Helper()
	synctest.Wait()
	msg, ok := c.next()
	if !ok {
		t.Fatalf("got nothing, want a message of type %d", want)
	}
	var m []json.RawMessage
	if err := json.Unmarshal(msg, &m); err != nil || string(m[0]) != fmt.Sprint(want) {
		t.Fatalf("got %s, want a message of type %d", msg, want)
	}
	return m
}

// Many publishers, subscribers that come and go, exact and pattern
// subscriptions with different details: each subscriber sees each publisher's
// events in order, nothing twice, and no event outside its subscription.
func TestOrderUnderChurn(t *testing.T) {
	const publishers, subscribers, rounds, perRound = 4, 8, 20, 25
	tr := newRouter(t, func(c *router.Config) { c.QueueBytes = 64 << 20 })
	var wg sync.WaitGroup
	for p := range publishers {
		c := tr.connect()
		wg.Go(func() {
			c.send(hello)
			for i := range rounds * perRound {
				c.send(fmt.Sprintf(`[16,%d,{"disclose_me":true},"com.example.topic",[%d,%d]]`, i+1, p, i))
			}
		})
	}
	for i := range subscribers {
		c := tr.connectWith(wamp.Serializer(0))
		options := []string{`{}`, `{"match":"prefix"}`, `{"match":"wildcard"}`}[i%3]
		wg.Go(func() {
			c.send(hello)
			for r := range rounds {
				c.send(fmt.Sprintf(`[32,%d,%s,"com.example.topic"]`, 2*r+1, options))
				sub := c.until(33)
				c.until(36)
				c.send(fmt.Sprintf(`[34,%d,%s]`, 2*r+2, sub[2]))
				c.until(35)
			}
			if len(c.problems) > 0 {
				t.Error(c.problems[0])
			}
		})
	}
	wg.Wait()
	if st := tr.rt.Stats(); st.SlowConsumers != 0 || st.Publications != publishers*rounds*perRound {
		t.Errorf("stats %+v", st)
	}
}

// until reads messages until one of the type comes, or none does for long, and
// checks the events among them.
func (c *client) until(want int) []json.RawMessage {
	for wait := time.Now().Add(time.Minute); time.Now().Before(wait); {
		msg, ok := c.next()
		if !ok {
			c.link.await()
			if want == 36 {
				return nil // the publishers may have finished
			}
			continue
		}
		var m []json.RawMessage
		json.Unmarshal(msg, &m)
		switch string(m[0]) {
		case "33":
			c.subscribed = true
		case "35":
			c.subscribed = false
		case "36":
			c.check(m)
		}
		if string(m[0]) == fmt.Sprint(want) {
			return m
		}
	}
	c.problems = append(c.problems, fmt.Sprintf("no message of type %d came", want))
	return make([]json.RawMessage, 9)
}

func (c *client) check(m []json.RawMessage) {
	var args [2]int
	json.Unmarshal(m[4], &args)
	if c.last == nil {
		c.last = map[int]int{}
	}
	if last, ok := c.last[args[0]]; ok && args[1] <= last {
		c.problems = append(c.problems, fmt.Sprintf("publisher %d: event %d came after %d", args[0], args[1], last))
	}
	c.last[args[0]] = args[1]
	if !c.subscribed {
		c.problems = append(c.problems, fmt.Sprintf("an EVENT came outside a subscription: %s", m))
	}
}
