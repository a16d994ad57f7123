package router_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Two callees take a procedure from each other again and again, while more is
// called than they have room for. Each of them answers all that it is asked: so
// every call has a result.
func TestTakeOversLoseNoCall(t *testing.T) {
	const callers, perCaller, inFlight = 3, 300, 8
	tr := newRouter(t)
	var over atomic.Bool
	var takeOvers atomic.Int64
	var working, calling sync.WaitGroup
	register := func(c *client, request int) {
		takeOvers.Add(1)
		c.send(fmt.Sprintf(`[64,%d,{"force_reregister":true,"concurrency":%d},"com.example.proc"]`, request, 1+request%2))
	}
	for range 2 {
		c := tr.connect()
		c.send(`[1,"realm1",{"roles":{"callee":{"features":{"registration_revocation":true}}}}]`)
		register(c, 1)
		working.Go(func() {
			for request := 2; !over.Load(); {
				msg, ok := c.next()
				if !ok {
					runtime.Gosched()
					continue
				}
				var m []json.RawMessage
				if err := json.Unmarshal(msg, &m); err != nil {
					t.Error(err)
					return
				}
				switch string(m[0]) {
				case "67":
					register(c, request)
					request++
				case "68":
					c.send(`[70,` + string(m[1]) + `,{}]`)
				}
			}
		})
	}
	for range callers {
		c := tr.connect()
		c.send(`[1,"realm1",{"roles":{"caller":{}}}]`)
		calling.Go(func() {
			deadline := time.Now().Add(time.Minute)
			for sent, answered := 0, 0; answered < perCaller; {
				if sent < perCaller && sent-answered < inFlight {
					sent++
					c.send(fmt.Sprintf(`[48,%d,{},"com.example.proc"]`, sent))
					continue
				}
				msg, ok := c.next()
				switch {
				case !ok && time.Now().After(deadline):
					t.Errorf("%d of %d calls were answered", answered, sent)
					return
				case !ok:
					runtime.Gosched()
				case strings.HasPrefix(string(msg), "[2,"):
				case strings.HasPrefix(string(msg), "[50,"):
					answered++
				default:
					t.Errorf("a caller got %s", msg)
					return
				}
			}
		})
	}
	calling.Wait()
	over.Store(true)
	working.Wait()
	t.Logf("the procedure was taken over %d times", takeOvers.Load()-1)
	for _, c := range tr.all {
		c.hangUp()
	}
	if what := tr.rt.Realm(testRealm).Leftovers(); what != "" {
		t.Errorf("%s are left", what)
	}
}
