package router_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// TestSoak has many peers join, subscribe by all policies, publish, register,
// call, cancel, stall, break off and leave at random, and checks that
//
//   - a subscription gets each publisher's events in order, none twice, and
//     none missing from the first that it got;
//   - no event comes outside its subscription;
//   - every call is answered exactly once;
//   - invocations come in the order of their IDs, and for registrations that
//     the callee has;
//   - a session that did not get something was ended and counted;
//   - nothing is left behind.
//
// It runs for two seconds, or SOAK (a duration, such as 20m), from a printed
// seed that SOAK_SEED sets.
func TestSoak(t *testing.T) {
	length, seed := 2*time.Second, uint64(time.Now().UnixNano())
	if s := os.Getenv("SOAK"); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	if s := os.Getenv("SOAK_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SOAK=%v SOAK_SEED=%d", length, seed)

	before := runtime.NumGoroutine()
	sk := &soak{
		t: t, end: time.Now().Add(length),
		tr: newRouter(t, func(c *router.Config) {
			c.QueueBytes = 16 << 10
			c.WriteTimeout = 200 * time.Millisecond
			c.Flushers = 4
		}),
	}
	var wg sync.WaitGroup
	for i := range 24 {
		rnd := rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			for time.Now().Before(sk.end) && !t.Failed() {
				sk.life(rnd)
			}
		})
	}
	wg.Wait()

	realm := sk.tr.rt.Realm(testRealm)
	st := sk.tr.rt.Stats()
	for deadline := time.Now().Add(time.Minute); ; runtime.Gosched() {
		left := realm.Leftovers()
		st = sk.tr.rt.Stats()
		// The flushers stay.
		if n := runtime.NumGoroutine() - before; left == "" && st.Connections == 0 && n <= 4 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("left behind: %q, %d connections, %d goroutines", left, st.Connections, n)
		}
	}
	if st.Joined != st.Left {
		t.Errorf("%d sessions joined and %d left", st.Joined, st.Left)
	}
	ended := st.SlowConsumers + st.WriteTimeouts
	if lost := sk.unfinished.Load(); lost > 0 && ended == 0 {
		t.Errorf("%d sessions were ended by the router, but it owns up to none", lost)
	}
	if st.Violations != 0 {
		t.Errorf("%d protocol violations", st.Violations)
	}
	if st.Events == 0 || sk.answered.Load() == 0 {
		t.Error("nothing happened")
	}
	t.Logf("%d sessions, %d events, %d calls answered, %d slow consumers, %d write timeouts",
		st.Joined, st.Events, sk.answered.Load(), st.SlowConsumers, st.WriteTimeouts)
}

type soak struct {
	t          *testing.T
	tr         *testRouter
	end        time.Time
	nextPeer   atomic.Int64
	answered   atomic.Int64
	unfinished atomic.Int64

	mu sync.Mutex // guards tr.all
}

// A soaker is one peer in the course of one session.
type soaker struct {
	*soak
	c    *client
	rnd  *rand.Rand
	name int64
	next wamp.ID // request

	pendingSubs   map[wamp.ID]bool
	pendingUnsubs map[wamp.ID]wamp.ID
	subs          map[wamp.ID]map[string]int64 // subscription: publisher and topic: last number
	sent          map[string]int64             // topic: last number that we published
	calls         map[wamp.ID]bool
	regs          map[wamp.ID]bool
	pendingUnregs map[wamp.ID]wamp.ID
	invoked       wamp.ID // the last invocation
}

var soakTopics = []string{"soak.a", "soak.b", "soak.b.c", "soak.d.e.f"}

var soakPatterns = []string{
	`{},"soak.a"`, `{},"soak.b"`, `{},"soak.b.c"`, `{"match":"prefix"},"soak"`, `{"match":"prefix"},"soak.b"`,
	`{"match":"wildcard"},"soak."`, `{"match":"wildcard"},".b.c"`, `{"match":"wildcard"},"soak..e."`,
}

// life is one session from HELLO to its end.
func (sk *soak) life(rnd *rand.Rand) {
	sk.mu.Lock()
	c := sk.tr.connect()
	sk.tr.all = sk.tr.all[:0] // it ends by itself
	sk.mu.Unlock()
	p := &soaker{
		soak: sk, c: c, rnd: rnd, name: sk.nextPeer.Add(1),
		pendingSubs: map[wamp.ID]bool{}, pendingUnsubs: map[wamp.ID]wamp.ID{}, subs: map[wamp.ID]map[string]int64{}, sent: map[string]int64{}, calls: map[wamp.ID]bool{},
		regs: map[wamp.ID]bool{}, pendingUnregs: map[wamp.ID]wamp.ID{},
	}
	c.send(`[1,"realm1",{"roles":{"publisher":{},"subscriber":{},"caller":{},"callee":{"features":{"call_canceling":true}}}}]`)
	for range 20 + rnd.IntN(400) {
		if c.closed() {
			break
		}
		p.act()
		if rnd.IntN(3) == 0 {
			p.read()
		}
	}
	if c.closed() {
		sk.unfinished.Add(1)
		c.hangUp()
		return
	}
	c.link.setStalled(false)
	switch rnd.IntN(3) {
	case 0:
		c.hangUp() // breaks off
		return
	case 1: // waits for its answers, and leaves
		for wait := time.Now().Add(time.Minute); len(p.calls) > 0 && !c.closed() && time.Now().Before(wait); {
			p.read()
			runtime.Gosched()
		}
		if n := len(p.calls); n > 0 && !c.closed() {
			sk.t.Errorf("%d calls were not answered", n)
		}
	}
	c.send(`[6,{},"wamp.close.close_realm"]`)
	for wait := time.Now().Add(time.Minute); !c.closed(); runtime.Gosched() {
		p.read()
		if time.Now().After(wait) {
			sk.t.Error("GOODBYE was not answered")
			break
		}
	}
	c.hangUp()
}

func (p *soaker) request() wamp.ID { p.next++; return p.next }

// act does something at random.
func (p *soaker) act() {
	switch n := p.rnd.IntN(100); {
	case n < 45:
		topic := soakTopics[p.rnd.IntN(len(soakTopics))]
		p.sent[topic]++
		p.c.send(fmt.Sprintf(`[16,%d,{"exclude_me":false},%q,[%d,%q,%d]]`, p.request(), topic, p.name, topic, p.sent[topic]))
	case n < 57:
		id := p.request()
		p.pendingSubs[id] = true
		p.c.send(fmt.Sprintf(`[32,%d,%s]`, id, soakPatterns[p.rnd.IntN(len(soakPatterns))]))
	case n < 65:
		for sub := range p.subs {
			id := p.request()
			p.pendingUnsubs[id] = sub
			p.c.send(fmt.Sprintf(`[34,%d,%d]`, id, sub))
			break
		}
	case n < 70:
		p.c.send(fmt.Sprintf(`[64,%d,{},"soak.proc%d"]`, p.request(), p.rnd.IntN(6)))
	case n < 73:
		for reg := range p.regs {
			id := p.request()
			p.pendingUnregs[id] = reg
			p.c.send(fmt.Sprintf(`[66,%d,%d]`, id, reg))
			break
		}
	case n < 90:
		id := p.request()
		p.calls[id] = true
		options := []string{`{}`, `{"timeout":5}`, `{"receive_progress":true}`}[p.rnd.IntN(3)]
		p.c.send(fmt.Sprintf(`[48,%d,%s,"soak.proc%d",[%d]]`, id, options, p.rnd.IntN(6), id))
	case n < 93:
		for id := range p.calls {
			p.c.send(fmt.Sprintf(`[49,%d,{"mode":%q}]`, id, []string{"skip", "killnowait"}[p.rnd.IntN(2)]))
			break
		}
	case n < 95:
		p.c.link.setStalled(true)
	case n < 98:
		p.c.link.setStalled(false)
	default:
		runtime.Gosched()
	}
}

// read handles what the peer has got.
func (p *soaker) read() {
	for {
		msg, ok := p.c.next()
		if !ok {
			return
		}
		var m []json.RawMessage
		if err := json.Unmarshal(msg, &m); err != nil {
			p.t.Errorf("%s: %v", msg, err)
			return
		}
		id := func(i int) (n wamp.ID) { json.Unmarshal(m[i], &n); return n }
		switch string(m[0]) {
		case "33":
			if !p.pendingSubs[id(1)] {
				p.t.Errorf("SUBSCRIBED for no request: %s", msg)
			}
			delete(p.pendingSubs, id(1))
			if p.subs[id(2)] == nil {
				p.subs[id(2)] = map[string]int64{}
			}
		case "35":
			delete(p.subs, p.pendingUnsubs[id(1)])
			delete(p.pendingUnsubs, id(1))
		case "36":
			p.event(id(1), m[4], msg)
		case "50":
			p.answer(id(1), msg)
		case "8":
			if string(m[1]) == "48" {
				p.answer(id(2), msg)
			}
		case "65":
			p.regs[id(2)] = true
		case "67":
			delete(p.regs, p.pendingUnregs[id(1)])
		case "68":
			if !p.regs[id(2)] {
				p.t.Errorf("INVOCATION for registration %d, which the callee has not: %s", id(2), msg)
			}
			if p.invoked++; id(1) != p.invoked {
				p.t.Errorf("INVOCATION %d came where %d was due", id(1), p.invoked)
			}
			if p.rnd.IntN(10) == 0 {
				p.c.send(fmt.Sprintf(`[8,68,%d,{},"soak.error"]`, id(1)))
			} else {
				p.c.send(fmt.Sprintf(`[70,%d,{},%s]`, id(1), m[4]))
			}
		case "3":
			p.t.Errorf("ABORT: %s", msg)
		}
	}
}

func (p *soaker) event(sub wamp.ID, args json.RawMessage, msg []byte) {
	last, ok := p.subs[sub]
	if !ok {
		p.t.Errorf("an event outside its subscription: %s", msg)
		return
	}
	var a struct {
		publisher int64
		topic     string
		number    int64
	}
	if err := json.Unmarshal(args, &[]any{&a.publisher, &a.topic, &a.number}); err != nil {
		p.t.Errorf("%s: %v", msg, err)
		return
	}
	key := fmt.Sprint(a.publisher, a.topic)
	if had := last[key]; had != 0 && a.number != had+1 {
		p.t.Errorf("publisher %d on %s: event %d came after %d", a.publisher, a.topic, a.number, had)
	}
	last[key] = a.number
}

func (p *soaker) answer(id wamp.ID, msg []byte) {
	if !p.calls[id] {
		p.t.Errorf("a second answer, or one to no call: %s", msg)
	}
	delete(p.calls, id)
	p.answered.Add(1)
}
