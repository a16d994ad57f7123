package router_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

const (
	acknowledging = `[1,"realm1",{"roles":{"publisher":{},"subscriber":{"features":{"x_acknowledged_event_delivery":true}}}}]`
	reports       = "wireroom.publication.on_received"
)

// subscribed returns a session that is subscribed to the topic.
func (tr *testRouter) subscribed(t *testing.T, hello, topic string) *client {
	t.Helper()
	c := tr.connect()
	c.send(hello)
	c.mustNext(t, 2)
	c.send(fmt.Sprintf(`[32,1,{},%q]`, topic))
	c.mustNext(t, 33)
	return c
}

// A publisher waits for the receipts of so many publications, a subscriber owes
// so many, and no more.
func TestReceiptsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		sub := tr.subscribed(t, acknowledging, "com.example.topic")
		asked := 0
		for range router.MaxOwed/router.MaxAsked + 1 {
			pub, own := tr.subscribed(t, hello, reports), 0
			for i := range router.MaxAsked + 1 {
				pub.send(fmt.Sprintf(`[16,%d,{"acknowledge":true,"_receipts":true},"com.example.topic"]`, i+2))
				if own == router.MaxAsked {
					if m := pub.mustNext(t, 8); string(m[4]) != `"wireroom.error.limit"` {
						t.Errorf("one publication too many is refused with %s", m)
					}
					break
				}
				pub.mustNext(t, 17)
				event := sub.mustNext(t, 36)
				if wants := string(event[3]) != "{}"; wants != (asked < router.MaxOwed) {
					t.Errorf("event %d, of which %d are owed, has the details %s", i, asked, event[3])
				} else if wants {
					asked++
					own++
					continue
				}
				// The only one who could be asked was not.
				if m := pub.mustNext(t, 36); counts(t, m)["not_asked"] != 1.0 {
					t.Errorf("reported %s", m)
				}
			}
		}
		if n := tr.rt.Realm(testRealm).Owed(); n != router.MaxOwed || asked != router.MaxOwed {
			t.Errorf("%d receipts are owed, of %d that were asked for; want %d", n, asked, router.MaxOwed)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n := tr.rt.Realm(testRealm).Owed(); n != 0 {
			t.Errorf("%d receipts are owed when the time is over", n)
		}
		if st := tr.rt.Stats(); st.ReceiptsAsked != uint64(asked) || st.ReceiptsMissing != uint64(asked) {
			t.Errorf("counted %d asked and %d missing, want %d", st.ReceiptsAsked, st.ReceiptsMissing, asked)
		}
	})
}

// counts returns what a report says.
func counts(t *testing.T, m []json.RawMessage) (c map[string]any) {
	t.Helper()
	if len(m) != 6 {
		t.Fatalf("%s is no report", m)
	}
	if err := json.Unmarshal(m[5], &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// An event that a full queue had no room for is reported as dropped, and its
// receipt is not waited for.
func TestReceiptsOfDroppedEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) {
			c.QueueBytes, c.WhenFull, c.WriteTimeout = 4096, router.DropOldest, time.Hour
		})
		sub := tr.subscribed(t, acknowledging, "com.example.topic")
		pub := tr.subscribed(t, hello, reports)
		sub.link.setStalled(true)
		long := wamp.Payload{Args: []byte(`["` + strings.Repeat("x", 1500) + `"]`)}
		for range 2 { // one is being written, the other waits and must not be dropped
			tr.rt.Realm(testRealm).Publish(&router.Publication{Topic: "com.example.topic", Payload: long, WhenFull: router.Disconnect})
			synctest.Wait()
		}
		pub.send(`[16,2,{"acknowledge":true,"_receipts":true},"com.example.topic",` + string(long.Args) + `]`)
		pub.mustNext(t, 17)
		if c := counts(t, pub.mustNext(t, 36)); c["dropped"] != 1.0 || c["silent"] != 0.0 {
			t.Errorf("reported %v", c)
		}
	})
}

// Subscribers that answer, come late, leave and unsubscribe, publishers that
// leave: each report accounts for everybody once, and nothing is owed at last.
func TestReceiptsUnderChurn(t *testing.T) {
	const subscribers, publishers, each = 6, 3, 200
	tr := newRouter(t, func(c *router.Config) { c.QueueBytes = 64 << 20 })
	var mu sync.Mutex
	connect := func(hello string) *client {
		mu.Lock()
		defer mu.Unlock()
		c := tr.connect()
		c.send(hello)
		return c
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	stop := make(chan struct{})
	var serving, publishing sync.WaitGroup
	for i := range subscribers {
		rnd := rand.New(rand.NewPCG(seed, uint64(i)))
		serving.Go(func() {
			for {
				c := connect(acknowledging)
				c.send(`[32,1,{},"com.example.topic"]`)
				c.send(`[32,2,{"match":"prefix"},"com.example"]`)
				for life := rnd.IntN(200); life >= 0; {
					select {
					case <-stop:
						c.hangUp()
						return
					default:
					}
					c.link.await()
					msg, ok := c.next()
					if !ok {
						continue
					}
					life--
					var m []json.RawMessage
					if json.Unmarshal(msg, &m) == nil && string(m[0]) == "36" && rnd.IntN(8) > 0 {
						c.send(fmt.Sprintf(`[337,%s]`, m[2]))
					}
					if string(m[0]) == "3" {
						t.Errorf("a subscriber was told %s", msg)
					}
				}
				c.hangUp()
			}
		})
	}
	for i := range publishers {
		rnd := rand.New(rand.NewPCG(seed, uint64(100+i)))
		publishing.Go(func() {
			c := connect(hello)
			c.send(`[32,1,{},"` + reports + `"]`)
			waiting := map[string]bool{}
			next := func(code string) (m []json.RawMessage) {
				for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
					c.link.await()
					msg, ok := c.next()
					if !ok {
						continue
					}
					if err := json.Unmarshal(msg, &m); err != nil {
						t.Error(err)
						return nil
					}
					switch string(m[0]) {
					case "36":
						var id []json.RawMessage
						if json.Unmarshal(m[4], &id) != nil || !waiting[string(id[0])] {
							t.Errorf("reported %s, which is none of those that are waited for", msg)
						}
						delete(waiting, string(id[0]))
					}
					if string(m[0]) == code {
						return m
					}
				}
				t.Errorf("nothing of type %s came", code)
				return nil
			}
			for n := range each {
				if len(waiting) >= router.MaxAsked/2 {
					next("36")
				}
				c.send(fmt.Sprintf(`[16,%d,{"acknowledge":true,"_receipts":%d},"com.example.topic"]`, n+2, 1+rnd.IntN(50)))
				m := next("17")
				if m == nil {
					return
				}
				waiting[string(m[2])] = true
			}
			for len(waiting) > 0 && next("36") != nil {
			}
			c.hangUp()
		})
	}
	publishing.Wait()
	close(stop)
	serving.Wait()
	if n := tr.rt.Realm(testRealm).Owed(); n != 0 {
		t.Errorf("%d receipts are owed at last", n)
	}
	if st := tr.rt.Stats(); st.ReceiptsAsked == 0 || st.Violations != 0 {
		t.Errorf("%d receipts were asked for, with %d violations", st.ReceiptsAsked, st.Violations)
	}
}
