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
	"github.com/wireroom/wireroom/router/wamp"
)

// Realms come and go under their names, at random, while clients join them,
// call with timeouts and without, answer, publish, subscribe and watch: each
// call is answered once, or its caller is told that the session is over; nobody
// is told anything after that; and nothing is left.
func TestRealmsUnderChurn(t *testing.T) {
	const keepers, clients, cycles = 3, 6, 8
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	before := runtime.NumGoroutine()
	tr := newRouter(t, func(c *router.Config) { c.Flushers, c.QueueBytes, c.Linger = 2, 1<<20, time.Millisecond })
	var over atomic.Bool
	var ended, answered, refused atomic.Int64

	var keeping sync.WaitGroup
	for i := range keepers {
		keeping.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(i)))
			name := wamp.URI(fmt.Sprintf("com.example.r%d", i))
			for range cycles {
				realm := tr.rt.AddRealm(name, open{}, nil)
				for joined := 1 + rnd.IntN(4); realm.SessionCount() < joined && !t.Failed(); {
					runtime.Gosched()
				}
				for range rnd.IntN(50) {
					realm.Publish(&router.Publication{Topic: "com.example.topic"})
				}
				if err := tr.rt.RemoveRealm(t.Context(), name); err != nil {
					t.Error(err)
				}
				if left := realm.Leftovers(); left != "" {
					t.Errorf("%s of a removed realm are left", left)
				}
			}
		})
	}

	var mu sync.Mutex // guards tr.all
	var living sync.WaitGroup
	for i := range clients {
		living.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(100+i)))
			for !over.Load() && !t.Failed() {
				mu.Lock()
				c := tr.connect()
				tr.all = tr.all[:0] // it ends by itself
				mu.Unlock()
				life := realmLife{t: t, c: c, rnd: rnd, open: map[int]bool{}}
				life.run(wamp.URI(fmt.Sprintf("com.example.r%d", rnd.IntN(keepers))), &over)
				answered.Add(life.answered)
				if life.ended {
					ended.Add(1)
				}
				if life.refused {
					refused.Add(1)
				}
			}
		})
	}
	keeping.Wait()
	over.Store(true)
	living.Wait()
	t.Logf("%d sessions were ended with their realm, %d not let in; %d calls were answered", ended.Load(), refused.Load(), answered.Load())
	if ended.Load() == 0 || answered.Load() == 0 {
		t.Error("nothing happened")
	}
	for deadline := time.Now().Add(30 * time.Second); ; runtime.Gosched() {
		st := tr.rt.Stats()
		// The flushers stay.
		if n := runtime.NumGoroutine() - before; st.Connections == 0 && st.Joined == st.Left && n <= 2 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("left behind: %d connections, %d goroutines; %d joined and %d left", st.Connections, n, st.Joined, st.Left)
		}
	}
}

// A realmLife is one session of [TestRealmsUnderChurn].
type realmLife struct {
	t        *testing.T
	c        *client
	rnd      *rand.Rand
	open     map[int]bool // calls that are not answered
	answered int64
	ended    bool // by the router
	refused  bool // before it had joined
}

func (l *realmLife) run(realm wamp.URI, over *atomic.Bool) {
	defer l.c.hangUp()
	l.c.send(helloTo(realm))
	l.c.send(`[64,1,{"invoke":"roundrobin","concurrency":2},"com.example.proc"]`)
	l.c.send(`[32,2,{},"com.example.topic"]`)
	l.c.send(`[32,3,{"match":"prefix"},"wamp."]`)
	for request := 4; request < 60 && !l.ended && !over.Load(); request++ {
		switch l.rnd.IntN(4) {
		case 0:
			l.c.send(fmt.Sprintf(`[16,%d,{},"com.example.topic",[1]]`, request))
		case 1:
			l.c.send(fmt.Sprintf(`[48,%d,{},"wamp.session.add_testament",["com.example.topic",[2],{}]]`, request))
			l.open[request] = true
		default:
			timeout := []int{0, 1, 5, 10_000}[l.rnd.IntN(4)]
			l.open[request] = true
			l.c.send(fmt.Sprintf(`[48,%d,{"timeout":%d},"com.example.proc"]`, request, timeout))
		}
		l.read()
	}
	if l.rnd.IntN(2) == 0 || l.ended {
		return
	}
	l.c.send(`[6,{},"wamp.close.close_realm"]`)
	for deadline := time.Now().Add(30 * time.Second); !l.ended; l.read() {
		if time.Now().After(deadline) {
			l.t.Error("goodbye was not answered")
			return
		}
		l.c.link.await()
	}
}

// read looks at what has come.
func (l *realmLife) read() {
	for msg, ok := l.c.next(); ok; msg, ok = l.c.next() {
		var m []json.RawMessage
		if err := json.Unmarshal(msg, &m); err != nil {
			l.t.Errorf("%s: %v", msg, err)
			return
		}
		if l.ended {
			l.t.Errorf("%s came after the end", msg)
		}
		switch string(m[0]) {
		case "3":
			l.ended, l.refused = true, true
			if string(m[2]) != `"wamp.error.no_such_realm"` {
				l.t.Errorf("a peer is not let in: %s", msg)
			}
		case "6":
			l.ended = true
		case "8":
			l.answer(string(m[1]), string(m[2]), msg)
		case "50":
			l.answer("48", string(m[1]), msg)
		case "68":
			if l.rnd.IntN(3) > 0 {
				l.c.send(`[70,` + string(m[1]) + `,{}]`)
			}
		}
	}
}

// answer notes the answer to a call.
func (l *realmLife) answer(requestType, request string, msg []byte) {
	if requestType != "48" {
		return // of a procedure that others have registered otherwise
	}
	var n int
	if err := json.Unmarshal([]byte(request), &n); err != nil || !l.open[n] {
		l.t.Errorf("call %s was answered once more: %s", request, msg)
	}
	delete(l.open, n)
	l.answered++
}
