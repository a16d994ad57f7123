package router_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// Nothing is lost silently: of the events that a subscriber should have had,
// those that it did not get are in a counter, whatever became of it.
func TestEveryEventIsAccountedFor(t *testing.T) {
	body := strings.Repeat("x", 150)
	publish := func(tr *testRouter, i int, p router.Publication) {
		p.Topic, p.Payload = "com.example.topic", wamp.Payload{Args: fmt.Appendf(nil, `[%d,%q]`, i, body)}
		tr.rt.Realm(testRealm).Publish(&p)
		synctest.Wait()
	}
	tests := []struct {
		name string
		p    router.Publication
		// act does what it does to the subscriber while n events are
		// published, and returns n.
		act     func(t *testing.T, tr *testRouter, c *client, p router.Publication) (n int)
		counter func(router.Stats) uint64 // the one that owns up to what is missing
		missed  bool                      // the subscriber is told how many are missing
	}{
		{
			name: "all goes well",
			act: func(_ *testing.T, tr *testRouter, _ *client, p router.Publication) int {
				for i := range 50 {
					publish(tr, i, p)
				}
				return 50
			},
			counter: func(router.Stats) uint64 { return 0 },
		},
		{
			name: "its queue is full",
			act: func(_ *testing.T, tr *testRouter, c *client, p router.Publication) int {
				c.link.setStalled(true)
				n := 0
				for ; tr.rt.Stats().SlowConsumers == 0; n++ {
					publish(tr, n, p)
				}
				c.link.setStalled(false)
				return n
			},
			counter: func(st router.Stats) uint64 { return st.Discarded },
		},
		{
			name: "it does not read until the write deadline",
			act: func(t *testing.T, tr *testRouter, c *client, p router.Publication) int {
				c.link.setStalled(true)
				for i := range 5 {
					publish(tr, i, p)
				}
				time.Sleep(router.DefaultConfig().WriteTimeout)
				synctest.Wait()
				if st := tr.rt.Stats(); st.WriteTimeouts != 1 {
					t.Errorf("%d write timeouts, want 1", st.WriteTimeouts)
				}
				return 5
			},
			counter: func(st router.Stats) uint64 { return st.Discarded },
		},
		{
			name: "its connection breaks while events wait",
			act: func(_ *testing.T, tr *testRouter, c *client, p router.Publication) int {
				c.link.setStalled(true)
				for i := range 5 {
					publish(tr, i, p)
				}
				c.hangUp()
				return 5
			},
			counter: func(st router.Stats) uint64 { return st.Discarded },
		},
		{
			name: "writing to it fails",
			act: func(_ *testing.T, tr *testRouter, c *client, p router.Publication) int {
				publish(tr, 0, p)
				c.link.setBroken()
				publish(tr, 1, p)
				return 2
			},
			counter: func(st router.Stats) uint64 { return st.Discarded },
		},
		{
			name: "the oldest are dropped",
			p:    router.Publication{WhenFull: router.DropOldest},
			act: func(_ *testing.T, tr *testRouter, c *client, p router.Publication) int {
				c.link.setStalled(true)
				for i := range 100 {
					publish(tr, i, p)
				}
				c.link.setStalled(false)
				synctest.Wait()
				publish(tr, 100, p)
				return 101
			},
			counter: func(st router.Stats) uint64 { return st.DroppedOldest },
			missed:  true,
		},
		{
			name: "the latest is kept",
			p:    router.Publication{WhenFull: router.KeepLatest},
			act: func(_ *testing.T, tr *testRouter, c *client, p router.Publication) int {
				c.link.setStalled(true)
				for i := range 100 {
					publish(tr, i, p)
				}
				c.link.setStalled(false)
				synctest.Wait()
				publish(tr, 100, p)
				return 101
			},
			counter: func(st router.Stats) uint64 { return st.Superseded },
			missed:  true,
		},
		{
			name: "its serializer has no such value",
			act: func(_ *testing.T, tr *testRouter, _ *client, p router.Publication) int {
				p.Topic = "com.example.topic"
				p.Payload = wamp.Payload{Serializer: wamp.CBOR, Args: []byte("\x81\xf9\x7e\x00")} // [NaN]
				tr.rt.Realm(testRealm).Publish(&p)
				return 1
			},
			counter: func(st router.Stats) uint64 { return st.Untranslatable },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newRouter(t, func(c *router.Config) { c.QueueBytes = 4096 })
				c := tr.connect()
				c.send(hello)
				c.mustNext(t, 2)
				c.send(`[32,1,{},"com.example.topic"]`)
				c.mustNext(t, 33)
				n := tt.act(t, tr, c, tt.p)
				synctest.Wait()
				got, missed := c.ledger(t)
				lost := tt.counter(tr.rt.Stats())
				if got+int(lost) != n {
					t.Errorf("of %d events %d came and %d are counted as lost", n, got, lost)
				}
				if tt.missed && missed != lost {
					t.Errorf("%d events are lost, and the session was told of %d", lost, missed)
				}
			})
		})
	}
}

// ledger takes all messages that the peer has got, and counts the events, which
// must be in order, and those that it was told it missed.
func (c *client) ledger(t *testing.T) (n int, missed uint64) {
	t.Helper()
	for last := -1; ; {
		msg, ok := c.next()
		if !ok {
			return n, missed
		}
		if !strings.HasPrefix(string(msg), "[36,") {
			continue
		}
		var (
			details struct {
				Missed uint64 `json:"_missed"`
			}
			number int
			skip   any
		)
		if err := json.Unmarshal(msg, &[]any{&skip, &skip, &skip, &details, &[]any{&number}}); err != nil {
			t.Fatalf("%s: %v", msg, err)
		}
		if number <= last {
			t.Errorf("event %d came after %d", number, last)
		}
		last = number
		missed += details.Missed
		n++
	}
}
