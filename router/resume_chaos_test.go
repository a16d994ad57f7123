package router_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// A lossyConn is a client's end of a connection that goes dead after so many
// bytes: what is written then gets lost, what comes is not shown, and nobody is
// told.
type lossyConn struct {
	net.Conn

	mu      sync.Mutex // guards the following
	armed   bool
	in, out int // bytes until it goes dead
}

// arm has the connection go dead after so many bytes in either direction.
func (c *lossyConn) arm(in, out int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed, c.in, c.out = true, in, out
}

func (c *lossyConn) pass(budget *int, n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.armed {
		return n
	}
	n = min(n, *budget)
	*budget -= n
	return n
}

func (c *lossyConn) Write(p []byte) (int, error) {
	if n := c.pass(&c.out, len(p)); n > 0 {
		if _, err := c.Conn.Write(p[:n]); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (c *lossyConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err != nil {
			return 0, err
		}
		if n = c.pass(&c.in, n); n > 0 {
			return n, nil
		}
	}
}

func (c *lossyConn) dead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.armed && (c.in == 0 || c.out == 0)
}

// A roamer is a client that keeps losing its connection and resumes its
// session: it subscribes, publishes, calls and is called.
type roamer struct {
	t    *testing.T
	s    *stack
	rnd  *rand.Rand
	name int
	ser  wamp.Serializer

	b     *browser
	lossy *lossyConn
	away  time.Time // when the loss will be noticed; zero: it is not lost yet

	session  json.Number
	token    string
	joined   bool     // on this connection
	received int      // messages since WELCOME
	handled  int      // of its own that the router is known to have handled
	unsure   []string // its own after those

	requests  int
	published map[int]bool   // requests that are not answered
	calls     map[int]string // the same, with what must come
	events    map[int]int    // the last event of each publisher
	invoked   map[string]bool
	ready     int // answers to SUBSCRIBE and REGISTER
	resumed   int
	repeated  int // messages that were sent again
}

func (r *roamer) connect() {
	r.b = r.s.connectWith(r.ser, r.rnd.IntN(2) == 0)
	r.lossy = r.b.conn.(*lossyConn)
	r.joined, r.away = false, time.Time{}
	if r.session == "" {
		r.b.send(`[1,"realm1",{"roles":{"caller":{},"callee":{},"publisher":{},"subscriber":{}},"resumable":true}]`)
		return
	}
	r.b.send(fmt.Sprintf(`[1,"realm1",{"roles":{"caller":{},"callee":{},"publisher":{},"subscriber":{}},"resume-session":%s,"resume-token":%q,"_received":%d}]`,
		r.session, r.token, r.received))
	r.lossy.arm(r.rnd.IntN(6000), 200+r.rnd.IntN(4000))
}

// say sends a message that counts.
func (r *roamer) say(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	r.unsure = append(r.unsure, msg)
	if r.joined {
		r.b.send(msg)
	}
}

// step does what is due.
func (r *roamer) step() {
	if r.lossy.dead() {
		switch {
		case r.away.IsZero():
			r.away = time.Now().Add(time.Duration(r.rnd.IntN(5000)) * time.Millisecond)
			return
		case time.Now().Before(r.away):
			return
		}
		r.hear() // a client that answers pings must have what came before them
		if r.rnd.IntN(3) > 0 {
			r.b.hangUp() // or the router does not know
		}
		r.connect()
		return
	}
	r.hear()
}

// hear handles what has come.
func (r *roamer) hear() {
	for {
		msg, ok := r.b.next()
		if !ok {
			return
		}
		v, err := decodeJSON(msg)
		if err != nil {
			r.t.Fatal(err)
		}
		m := v.([]any)
		if r.joined {
			r.received++
		}
		r.handle(intOf(m[0]), m, string(msg))
	}
}

func (r *roamer) handle(kind int, m []any, msg string) {
	switch kind {
	case 2:
		d := m[2].(map[string]any)
		again := r.session != ""
		if again && (d["resumed"] != true || m[1].(json.Number) != r.session) {
			r.t.Fatalf("%d could not resume %s: %s", r.name, r.session, msg)
		}
		r.session, r.token, r.joined = m[1].(json.Number), d["resume_token"].(string), true
		if again {
			r.resumed++
			n := intOf(d["_received"])
			if n < r.handled || n > r.handled+len(r.unsure) {
				r.t.Fatalf("%d is told that %d of its messages were handled, of %d to %d", r.name, n, r.handled, r.handled+len(r.unsure))
			}
			r.unsure = r.unsure[n-r.handled:]
			r.handled = n
		}
		r.repeated += len(r.unsure)
		for _, msg := range r.unsure {
			r.b.send(msg)
		}
	case 33, 65:
		r.ready++
	case 17:
		request := intOf(m[1])
		if !r.published[request] {
			r.t.Errorf("%d: %s was not asked for, or came before", r.name, msg)
		}
		delete(r.published, request)
	case 36:
		args := m[4].([]any)
		from, n := intOf(args[0]), intOf(args[1])
		if r.events[from]++; r.events[from] != n {
			r.t.Fatalf("%d got event %d of %d where %d was expected", r.name, n, from, r.events[from])
		}
	case 50:
		request := intOf(m[1])
		want, ok := r.calls[request]
		if got := m[3].([]any)[0]; !ok || got != want {
			r.t.Errorf("%d: %s for a call that wants %q (known: %v)", r.name, msg, want, ok)
		}
		delete(r.calls, request)
	case 68:
		arg := m[4].([]any)[0].(string)
		if r.invoked[arg] {
			r.t.Errorf("%d was asked %q once more: %s", r.name, arg, msg)
		}
		r.invoked[arg] = true
		r.say(`[70,%d,{},[%q]]`, intOf(m[1]), arg)
	default:
		r.t.Fatalf("%d got %s", r.name, msg)
	}
}

// TestResumeChaos has clients lose their connections at any byte, in both
// directions, with and without the router's knowing, and resume: each event
// comes once and in order to each, and each request and call is handled and
// answered once.
func TestResumeChaos(t *testing.T) {
	for _, seed := range []uint64{1, rand.Uint64()} {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { roam(t, seed) })
		})
	}
}

func roam(t *testing.T, seed uint64) {
	const roamers, each = 4, 30
	rnd := rand.New(rand.NewPCG(seed, 0))
	s := newStack(t, func(c *router.Config) { c.Resume.Bytes = 64 << 10 }, func(c *transport.Config) { c.Deflate, c.DeflateMin = true, 0 })
	s.wrap = func(c net.Conn) net.Conn { return &lossyConn{Conn: c} }
	var all []*roamer
	for i := range roamers {
		r := &roamer{
			t: t, s: s, name: i, rnd: rand.New(rand.NewPCG(seed, uint64(i+1))), ser: wamp.Serializer(rnd.IntN(int(wamp.NumSerializers))),
			published: map[int]bool{}, calls: map[int]string{}, events: map[int]int{}, invoked: map[string]bool{},
		}
		all = append(all, r)
		r.connect()
		r.say(`[32,1,{},"com.example.topic"]`)
		r.say(`[64,2,{},"com.example.proc%d"]`, i)
		r.requests = 2
	}
	rounds := func(done func() bool, do func(r *roamer)) {
		t.Helper()
		for deadline := time.Now().Add(time.Hour); !done(); {
			if time.Now().After(deadline) {
				for _, r := range all {
					t.Logf("%d: publications %v, calls %v not answered; events %v; %d resumptions, dead: %v", r.name, r.published, r.calls, r.events, r.resumed, r.lossy.dead())
				}
				t.Fatal("it does not come to an end")
			}
			for _, r := range all {
				r.step()
				do(r)
			}
			synctest.Wait()
			time.Sleep(time.Duration(rnd.IntN(50)) * time.Millisecond)
		}
	}
	every := func(is func(r *roamer) bool) func() bool {
		return func() bool {
			for _, r := range all {
				if !is(r) {
					return false
				}
			}
			return true
		}
	}
	rounds(every(func(r *roamer) bool { return r.ready == 2 }), func(*roamer) {})
	for _, r := range all {
		r.lossy.arm(r.rnd.IntN(3000), r.rnd.IntN(3000))
	}
	published, called := make([]int, roamers), make([]int, roamers)
	rounds(every(func(r *roamer) bool {
		for i := range roamers {
			if r.events[i] < each {
				return false
			}
		}
		return called[r.name] == each && len(r.calls)+len(r.published) == 0
	}), func(r *roamer) {
		if r.rnd.IntN(3) == 0 && published[r.name] < each {
			published[r.name]++
			r.requests++
			r.published[r.requests] = true
			r.say(`[16,%d,{"acknowledge":true,"exclude_me":false},"com.example.topic",[%d,%d,%q]]`, r.requests, r.name, published[r.name], padding(r.rnd))
		}
		if r.rnd.IntN(3) == 0 && called[r.name] < each {
			called[r.name]++
			r.requests++
			arg := fmt.Sprintf("%d calls for the %dth time", r.name, called[r.name])
			r.calls[r.requests] = arg
			r.say(`[48,%d,{},"com.example.proc%d",[%q]]`, r.requests, r.rnd.IntN(roamers), arg)
		}
	})
	resumed, repeated := 0, 0
	for _, r := range all {
		resumed += r.resumed
		repeated += r.repeated
		r.b.hangUp()
	}
	stats := s.rt.rt.Stats()
	if resumed < roamers || stats.Resumption.Resumed < uint64(resumed) {
		t.Errorf("%d resumptions are known, the router counts %+v", resumed, stats.Resumption)
	}
	t.Logf("%d resumptions, %d messages sent again, %+v", resumed, repeated, stats.Resumption)
	time.Sleep(time.Minute)
	synctest.Wait()
	if n := s.rt.rt.Realm(testRealm).SessionCount(); n > 0 {
		t.Errorf("%d sessions are left", n)
	}
	if stats := s.rt.rt.Stats(); stats.Resumption.Away != 0 || stats.Joined != stats.Left {
		t.Errorf("counters say that something is left: %+v", stats)
	}
	if left := s.rt.rt.Realm(testRealm).Leftovers(); left != "" {
		t.Errorf("%s are left", left)
	}
}

// padding is text that makes frames of different sizes.
func padding(rnd *rand.Rand) string {
	b := make([]byte, rnd.IntN(300))
	for i := range b {
		b[i] = byte('a' + rnd.IntN(26))
	}
	return string(b)
}
