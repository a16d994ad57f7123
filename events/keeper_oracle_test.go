package events_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A plainClient is what a client knows, in the plainest way: which events it has
// acknowledged, or has answered for, and where it began.
type plainClient struct {
	owner    string
	explicit bool
	began    uint64
	had      map[uint64]bool // acknowledged: must not come again to another session
	got      map[uint64]bool // ever

	s       *session
	r       *reading
	last    uint64          // of the present session
	pending map[uint64]bool // got in the present session and not acknowledged
}

// Sessions that come and go at random, answer or do not, and acknowledge at
// random get every event, in order; again only what they did not acknowledge,
// and that is marked.
func TestPersistentOracle(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, persistentClasses())
				rnd := rand.New(rand.NewPCG(seed, 27))
				published := uint64(0)
				clients := make([]*plainClient, 4)
				for i := range clients {
					clients[i] = &plainClient{owner: fmt.Sprint("owner ", i), explicit: i%2 == 1, had: make(map[uint64]bool), got: make(map[uint64]bool)}
				}
				for range 120 {
					c := clients[rnd.IntN(len(clients))]
					switch rnd.IntN(6) {
					case 0, 1:
						n := 1 + rnd.IntN(5)
						d.publish(n)
						published += uint64(n)
					case 2:
						if c.r == nil {
							c.come(d, published, time.Duration(rnd.IntN(2)*300)*time.Millisecond)
						} else {
							c.read(t)
							c.leave(d)
						}
					case 3:
						c.read(t)
						c.acknowledge(t, rnd)
					case 4:
						pass(time.Duration(rnd.IntN(1500)) * time.Millisecond)
					case 5:
						if rnd.IntN(6) == 0 { // the gateway ends in order
							for _, c := range clients {
								if c.r != nil {
									c.read(t)
									c.leave(d)
								}
							}
							d.k.Close(context.Background())
							d.start()
						}
					}
				}
				for _, c := range clients {
					if c.r != nil {
						c.read(t)
						c.leave(d)
					}
					c.come(d, published, 0)
					<-c.r.ended
					c.read(t)
					for o := c.began + 1; o <= published; o++ {
						if !c.got[o] {
							t.Errorf("%s never got the event %d", c.owner, o)
						}
					}
					c.leave(d)
				}
			})
		})
	}
}

func (c *plainClient) come(d *desk, published uint64, slow time.Duration) {
	c.s = d.session(c.owner)
	a := onLog
	a.Explicit = c.explicit
	c.r = d.attach(c.s, a, slow)
	if c.r.held.Fresh() {
		c.began = published
	}
	c.last, c.pending = 0, make(map[uint64]bool)
}

// read takes what came, and holds it against what is known.
func (c *plainClient) read(t *testing.T) {
	t.Helper()
	if c.r == nil {
		return
	}
	synctest.Wait()
	for _, note := range c.r.take() {
		text, marked := strings.CutSuffix(note, "r")
		o, _ := strconv.ParseUint(text, 10, 64)
		switch {
		case o <= c.last:
			t.Errorf("%s got %d behind %d", c.owner, o, c.last)
		case c.had[o]:
			t.Errorf("%s got %d, which it has acknowledged", c.owner, o)
		case c.got[o] && !marked:
			t.Errorf("%s got %d again, without a mark", c.owner, o)
		}
		for missing := max(c.last, c.began) + 1; c.last > 0 && missing < o; missing++ {
			if !c.had[missing] {
				t.Errorf("%s got %d behind %d, and never acknowledged %d", c.owner, o, c.last, missing)
			}
		}
		c.last, c.got[o], c.pending[o] = o, true, true
	}
}

// acknowledge answers some question, or says what was dealt with.
func (c *plainClient) acknowledge(t *testing.T, rnd *rand.Rand) {
	t.Helper()
	if c.r == nil || c.last == 0 {
		return
	}
	if c.explicit {
		var through uint64
		var single []uint64
		if rnd.IntN(2) == 0 {
			through = 1 + rnd.Uint64N(c.last)
		}
		for o := range c.pending {
			if rnd.IntN(3) == 0 {
				single = append(single, o)
			}
		}
		if err := c.r.held.Ack("", through, single); err != nil {
			t.Error(err)
		}
		for o := range c.pending {
			if o <= through || slices.Contains(single, o) {
				c.had[o] = true
				delete(c.pending, o)
			}
		}
		for o := uint64(1); o <= through; o++ {
			c.had[o] = true
		}
		return
	}
	if asked := c.s.questions(); len(asked) > 0 {
		before, _ := c.r.held.Position()
		number := asked[rnd.IntN(len(asked))]
		c.s.Answered(number)
		at, _ := c.r.held.Position()
		if at.Offset > max(before.Offset, c.s.before(number)) {
			t.Errorf("%s was sent %d before the question %d, and its position goes from %d to %d", c.owner, c.s.before(number), number, before.Offset, at.Offset)
		}
		for o := uint64(1); o <= at.Offset; o++ {
			c.had[o] = true
		}
	}
}

func (c *plainClient) leave(d *desk) {
	d.detach(c.r)
	at, _ := c.r.held.Position() // which may have followed the log where nothing was sent
	for o := uint64(1); o <= at.Offset; o++ {
		c.had[o] = true
	}
	c.r = nil
}

// Subscriptions of clients that are not there take no memory of the gateway.
func TestPersistentMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("memory is measured without the race detector")
	}
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, persistentClasses())
		come := func(n int) {
			for i := range n {
				s := d.session(fmt.Sprint("owner ", i))
				r := d.mustAttach(s, onLog)
				d.detach(r)
			}
			pass(time.Minute)
			if st := d.k.Stats(); st.Attached != 0 || st.Waiting != 0 {
				t.Errorf("the keeper has %+v, and nobody is there", st)
			}
			d.shelf.mu.Lock()
			clear(d.shelf.all) // it is the store
			d.shelf.mu.Unlock()
		}
		heap := func() int {
			var m runtime.MemStats
			for range 3 {
				runtime.GC()
			}
			runtime.ReadMemStats(&m)
			return int(m.HeapAlloc)
		}
		const n = 2000
		come(n)
		before := heap()
		come(n)
		more := heap() - before
		t.Logf("%d more subscriptions of clients that are not there: the heap grows by %.2f bytes for each", n, float64(more)/n)
		if more > n*8 {
			t.Errorf("%d subscriptions of clients that are not there take %d bytes, want 0", n, more)
		}
	})
}
