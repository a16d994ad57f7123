package router_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

const raceEnabled = router.RaceEnabled

const hello = `[1,"realm1",{"roles":{"publisher":{},"subscriber":{},"caller":{},"callee":{}}}]`

// join connects a peer that has said HELLO and whose link forgets what it gets.
func (tr *testRouter) join(ser wamp.Serializer) *client {
	c := tr.connectWith(ser)
	c.sendAs(hello)
	c.link.mu.Lock()
	c.link.drop, c.link.got = true, nil
	c.link.mu.Unlock()
	return c
}

// sendAs sends a message given in JSON in the client's serializer.
func (c *client) sendAs(msg string) { c.send(string(c.encode(msg))) }

func (c *client) encode(msg string) []byte {
	var d wamp.Decoder
	m, err := d.Decode(wamp.JSON, []byte(msg))
	if err != nil {
		panic(err)
	}
	if c.ser == wamp.JSON {
		return []byte(msg)
	}
	switch m := m.(type) {
	case *wamp.Publish:
		m.Payload, err = m.Payload.In(c.ser)
	case *wamp.Call:
		m.Payload, err = m.Payload.In(c.ser)
	case *wamp.Yield:
		m.Payload, err = m.Payload.In(c.ser)
	}
	if err != nil {
		panic(err)
	}
	return m.Append(nil, c.ser)
}

// A publication needs memory for its frame, once for all subscribers.
func TestPublishAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for ser := range wamp.Serializer(wamp.NumSerializers) {
		for _, n := range []int{1, 10, 1000} {
			t.Run(fmt.Sprintf("%v/subscribers=%d", ser, n), func(t *testing.T) {
				tr := newRouter(t)
				subs := make([]*client, n)
				for i := range subs {
					subs[i] = tr.join(ser)
					subs[i].sendAs(`[32,1,{},"com.example.topic"]`)
				}
				pub := tr.join(ser)
				events := 2 // each peer got WELCOME and SUBSCRIBED
				msg := pub.encode(`[16,1,{},"com.example.topic",["hello",42]]`)
				buf := make([]byte, len(msg))
				got := testing.AllocsPerRun(200, func() {
					copy(buf, msg)
					if err := pub.s.Receive(buf); err != nil {
						t.Fatal(err)
					}
					pub.s.Flush()
					events++
					for _, c := range subs {
						for c.link.received() < events {
							runtime.Gosched()
						}
					}
				})
				if got > 1 {
					t.Errorf("publish to %d subscribers: %v allocations, want at most 1", n, got)
				}
			})
		}
	}
}

// A call needs memory for itself and for its INVOCATION and RESULT.
func TestCallAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for ser := range wamp.Serializer(wamp.NumSerializers) {
		t.Run(ser.String(), func(t *testing.T) {
			tr := newRouter(t)
			callee, caller := tr.join(ser), tr.join(ser)
			callee.sendAs(`[64,1,{},"com.example.echo"]`)
			call := caller.encode(`[48,1,{},"com.example.echo",["hello",42]]`)
			yields := make([][]byte, 500)
			for i := range yields {
				yields[i] = callee.encode(fmt.Sprintf(`[70,%d,{},["hello",42]]`, i+1))
			}
			buf := make([]byte, len(call))
			i := 0
			got := testing.AllocsPerRun(200, func() {
				copy(buf, call)
				if err := caller.s.Receive(buf); err != nil {
					t.Fatal(err)
				}
				caller.s.Flush()
				if err := callee.s.Receive(yields[i]); err != nil {
					t.Fatal(err)
				}
				callee.s.Flush()
				i++
			})
			if got > 3 {
				t.Errorf("a call: %v allocations, want at most 3", got)
			}
			if st := tr.rt.Stats(); st.StrayYields != 0 || st.Calls != uint64(i) {
				t.Errorf("%d calls and %d stray yields, want %d and 0", st.Calls, st.StrayYields, i)
			}
		})
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{1, 10, 1000, 20_000} {
		b.Run(fmt.Sprintf("subscribers=%d", n), func(b *testing.B) {
			tr := newRouter(b)
			for range n {
				tr.join(wamp.JSON).sendAs(`[32,1,{},"com.example.topic"]`)
			}
			pub := tr.join(wamp.JSON)
			msg := []byte(`[16,1,{},"com.example.topic",["` + string(make128()) + `"]]`)
			buf := make([]byte, len(msg))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, msg)
				pub.s.Receive(buf)
				pub.s.Flush()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/delivery")
		})
	}
}

func BenchmarkCall(b *testing.B) {
	tr := newRouter(b)
	callee, caller := tr.join(wamp.JSON), tr.join(wamp.JSON)
	callee.sendAs(`[64,1,{},"com.example.echo"]`)
	call := []byte(`[48,1,{},"com.example.echo",["` + string(make128()) + `"]]`)
	buf := make([]byte, len(call))
	b.ReportAllocs()
	for n := 1; b.Loop(); n++ {
		copy(buf, call)
		caller.s.Receive(buf)
		caller.s.Flush()
		callee.s.Receive(fmt.Appendf(nil, `[70,%d,{},["%s"]]`, n, make128()))
		callee.s.Flush()
	}
}

func make128() []byte {
	b := make([]byte, 128)
	for i := range b {
		b[i] = 'x'
	}
	return b
}

// A history of the topic needs memory for its copy of the payload, once.
func TestHistoryAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for topic, want := range map[string]float64{"kept.topic": 1, "other.topic": 0} {
		tr := newRouter(t)
		realm := tr.rt.Realm(testRealm)
		realm.KeepHistory([]router.HistoryConfig{
			{Topic: "other", Events: 100, Bytes: 1 << 20},
			{Topic: "kept.", Match: wamp.Prefix, Events: 100, Bytes: 1 << 20, For: time.Hour},
			{Topic: "kept..", Match: wamp.Wildcard, Events: 100, Bytes: 1 << 20},
		})
		pub := tr.join(wamp.JSON)
		msg := pub.encode(fmt.Sprintf(`[16,1,{},%q,["hello",42],{"a":1}]`, topic))
		buf := make([]byte, len(msg))
		publish := func() {
			copy(buf, msg)
			if err := pub.s.Receive(buf); err != nil {
				t.Fatal(err)
			}
			pub.s.Flush()
		}
		for range 200 { // until the history is full
			publish()
		}
		if got := testing.AllocsPerRun(200, publish); got > want {
			t.Errorf("publish to %s without subscribers: %v allocations, want at most %v", topic, got, want)
		}
	}
}
