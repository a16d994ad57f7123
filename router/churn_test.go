package router_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router"
)

// Callees that share a procedure come, answer, fail, say that they are not
// available, answer in parts, leave in the middle, and take the procedure over;
// callers cancel and time out: each call is answered exactly once, and nothing
// of any is left.
func TestCallsUnderChurn(t *testing.T) {
	const callers, callees, perCaller, inFlight = 4, 5, 400, 16
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	tr := newRouter(t, func(c *router.Config) { c.QueueBytes, c.MaxWaiting = 64<<20, 20 })
	var working sync.WaitGroup
	var over atomic.Bool
	var mu sync.Mutex // newRouter's list of clients is not for many goroutines
	connect := func() *client {
		mu.Lock()
		defer mu.Unlock()
		c := tr.connect()
		c.send(`[1,"realm1",{"roles":{"caller":{"features":{"progressive_call_invocations":true}},"callee":{"features":{"call_canceling":true,"call_reroute":true,"progressive_call_results":true,"progressive_call_invocations":true,"registration_revocation":true}}}}]`)
		return c
	}
	for i := range callees {
		rnd := rand.New(rand.NewPCG(seed, uint64(i)))
		working.Go(func() {
			for !over.Load() {
				serve(connect(), rnd, &over)
			}
		})
	}
	var calling sync.WaitGroup
	var answers, results atomic.Int64
	outcomes := map[string]int{}
	count := func(outcome string) {
		mu.Lock()
		defer mu.Unlock()
		outcomes[outcome]++
	}
	for i := range callers {
		rnd := rand.New(rand.NewPCG(seed, uint64(100+i)))
		calling.Go(func() {
			c := connect()
			open := map[int]bool{}
			deadline := time.Now().Add(time.Minute)
			for sent := 0; sent < perCaller || len(open) > 0; {
				if sent < perCaller && len(open) < inFlight {
					sent++
					open[sent] = true
					options := `{}`
					switch rnd.IntN(6) {
					case 0:
						options = `{"timeout":2}`
					case 1:
						options = `{"receive_progress":true}`
					}
					c.send(fmt.Sprintf(`[48,%d,%s,"com.example.proc",[%d]]`, sent, options, sent))
					if rnd.IntN(6) == 0 {
						c.send(fmt.Sprintf(`[49,%d,{"mode":%q}]`, sent, []string{"skip", "kill", "killnowait"}[rnd.IntN(3)]))
					}
					continue
				}
				msg, ok := c.next()
				if !ok {
					if time.Now().After(deadline) {
						t.Errorf("calls %v were never answered", open)
						return
					}
					c.link.await()
					continue
				}
				var m []json.RawMessage
				if err := json.Unmarshal(msg, &m); err != nil {
					t.Error(err)
					return
				}
				at := 1
				switch string(m[0]) {
				case "2":
					continue
				case "8":
					at = 2
					count(string(m[4]))
				case "50":
					if string(m[2]) == `{"progress":true}` {
						continue
					}
					results.Add(1)
				default:
					t.Errorf("a caller got %s", msg)
					return
				}
				var request int
				if err := json.Unmarshal(m[at], &request); err != nil || !open[request] {
					t.Errorf("call %d was answered once more: %s", request, msg)
					return
				}
				delete(open, request)
				answers.Add(1)
			}
		})
	}
	calling.Wait()
	over.Store(true)
	working.Wait()
	if answers.Load() != callers*perCaller && !t.Failed() {
		t.Errorf("%d answers to %d calls", answers.Load(), callers*perCaller)
	}
	t.Logf("%d results, errors: %v", results.Load(), outcomes)
	if results.Load() == 0 {
		t.Error("no call had a result")
	}
	mu.Lock()
	for _, c := range tr.all {
		c.hangUp()
	}
	mu.Unlock()
	if what := tr.rt.Realm(testRealm).Leftovers(); what != "" {
		t.Errorf("%s are left", what)
	}
}

// serve is the life of a callee.
func serve(c *client, rnd *rand.Rand, over *atomic.Bool) {
	defer c.hangUp()
	force := rnd.IntN(8) == 0
	c.send(fmt.Sprintf(`[64,1,{"invoke":%q,"concurrency":%d,"force_reregister":%v},"com.example.proc"]`,
		[]string{"roundrobin", "load"}[rnd.IntN(8)/7], rnd.IntN(4), force))
	idle := 0
	for left := 20 + rnd.IntN(40); left > 0 && !over.Load(); {
		msg, ok := c.next()
		if !ok {
			if idle++; idle > 2000 { // it may owe answers, and get no more to do
				return
			}
			runtime.Gosched()
			continue
		}
		idle = 0
		var m []json.RawMessage
		if json.Unmarshal(msg, &m) != nil {
			return
		}
		switch string(m[0]) {
		case "8": // procedure_already_exists, for another policy
			return
		case "67":
			if len(m) == 3 { // revoked
				return
			}
		case "68":
			left--
			id := string(m[1])
			switch rnd.IntN(10) {
			case 0:
				c.send(`[8,68,` + id + `,{},"com.example.error"]`)
			case 1, 2:
				c.send(`[8,68,` + id + `,{},"wamp.error.unavailable"]`)
			case 3:
				c.send(`[70,` + id + `,{"progress":true},[1]]`)
				c.send(`[70,` + id + `,{},[2]]`)
			case 4: // answers never
			case 5:
				c.send(`[70,` + id + `,{}]`)
				c.send(`[70,` + id + `,{}]`) // once more
			default:
				c.send(`[70,` + id + `,{},[1]]`)
			}
		}
	}
	if rnd.IntN(2) == 0 {
		c.send(`[66,2,1]`) // likely not its own
	}
}
