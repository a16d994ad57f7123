package router_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// ask sends a request and returns the answer.
func (c *client) ask(msg string) string {
	c.send(msg)
	m, _ := c.next()
	return string(m)
}

// A realm retains so many events of so many bytes. A publication that would be
// one too many is refused, whole; one that takes the place of another is not.
func TestRetentionLimits(t *testing.T) {
	for _, tt := range []struct {
		name string
		args string
		most int
		set  func(*router.Config)
	}{
		{"number", `[]`, 10_000, func(*router.Config) {}},
		{"bytes", `["` + strings.Repeat("x", 1<<20) + `"]`, 63, func(*router.Config) {}},
		{"configured number", `[]`, 3, func(c *router.Config) { c.MaxRetained = 3 }},
		{"configured bytes", `["` + strings.Repeat("x", 1000) + `"]`, 2, func(c *router.Config) { c.MaxRetainedBytes = 4000 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newRouter(t, tt.set)
				pub, sub := tr.joinAs(t), tr.joinAs(t)
				sub.ask(`[32,1,{"match":"prefix"},"com.example.one-more"]`)
				publish := func(request, topic any) string {
					return pub.ask(fmt.Sprintf(`[16,%v,{"acknowledge":true,"retain":true},"com.example.%v",%s]`, request, topic, tt.args))
				}
				for n := range tt.most {
					if m := publish(n+1, n); !strings.HasPrefix(m, "[17,") {
						t.Fatalf("publication %d is answered with %s", n, m)
					}
				}
				if m := publish(tt.most+1, "one-more"); !strings.Contains(m, "wireroom.error.limit") {
					t.Errorf("one too many is answered with %.200s", m)
				}
				if m, ok := sub.next(); ok {
					t.Errorf("what was refused is sent: %.200s", m)
				}
				if m := publish(tt.most+2, 0); !strings.HasPrefix(m, "[17,") {
					t.Errorf("a new event of a topic is answered with %.200s", m)
				}
				if n := tr.rt.Stats().NotRetained; n != 1 {
					t.Errorf("NotRetained = %d, want 1", n)
				}
			})
		})
	}
}

// Events that are over make room for others.
func TestRetainedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		pub := tr.joinAs(t)
		publish := func(n int, options string) string {
			return pub.ask(fmt.Sprintf(`[16,%d,{"acknowledge":true,"retain":true%s},"com.example.%d",[]]`, n+1, options, n))
		}
		for n := range 10_000 {
			options := `,"_retain_for":1500`
			switch n % 4 {
			case 0:
				options = ""
			case 1:
				options += `,"eligible":[1]`
			}
			if m := publish(n, options); !strings.HasPrefix(m, "[17,") {
				t.Fatalf("publication %d is answered with %s", n, m)
			}
		}
		for range 2 { // the second finds that it was looked already
			if m := publish(10_000, ""); !strings.Contains(m, "wireroom.error.limit") {
				t.Fatalf("one too many is answered with %s", m)
			}
		}
		time.Sleep(1500 * time.Millisecond)
		for n := range 7_500 {
			if m := publish(10_000+n, ""); !strings.HasPrefix(m, "[17,") {
				t.Fatalf("publication %d is answered with %s", 10_000+n, m)
			}
		}
		if m := publish(20_000, ""); !strings.Contains(m, "wireroom.error.limit") {
			t.Errorf("one too many is answered with %s", m)
		}
	})
}

// A subscriber gets the last event of a topic and all later ones, in order,
// whatever is published while it subscribes.
func TestRetainedThenLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		pub := tr.joinAs(t)
		const total = 2000
		var wg sync.WaitGroup
		subs := make([]*client, 50)
		for i := range subs {
			subs[i] = tr.joinAs(t)
		}
		wg.Go(func() {
			for n := range total {
				pub.send(fmt.Sprintf(`[16,%d,{"retain":true},"com.example.t",[%d]]`, n+1, n+1))
			}
		})
		wg.Go(func() {
			for _, c := range subs {
				c.send(`[32,1,{"get_retained":true},"com.example.t"]`)
				runtime.Gosched() // lets the publisher go on
			}
		})
		wg.Wait()
		synctest.Wait()
		for i, c := range subs {
			c.next() // SUBSCRIBED
			last := 0
			for m, ok := c.next(); ok; m, ok = c.next() {
				var parts []any
				if err := json.Unmarshal(m, &parts); err != nil {
					t.Fatal(err)
				}
				n := int(parts[4].([]any)[0].(float64))
				retained := parts[3].(map[string]any)["retained"] == true
				// An event may come twice: it is retained before it is sent.
				if n != last+1 && (n != last || retained) && (last != 0 || !retained) {
					t.Fatalf("subscriber %d gets event %d (retained: %v) after %d", i, n, retained, last)
				}
				last = n
			}
			if last != total {
				t.Errorf("subscriber %d has got event %d as the last, want %d", i, last, total)
			}
		}
	})
}

// Of the events of a topic that were for some, the oldest make room.
func TestRetainedForSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		pub := tr.joinAs(t)
		pub.ask(`[16,1,{"acknowledge":true,"retain":true},"com.example.t",["all"]]`)
		var subs []*client
		for n := range 12 {
			c := tr.joinAs(t)
			subs = append(subs, c)
			pub.ask(fmt.Sprintf(`[16,%d,{"acknowledge":true,"retain":true,"eligible":[%d]},"com.example.t",[%d]]`, n+2, c.s.ID(), n))
		}
		for n, c := range subs {
			c.ask(`[32,1,{"get_retained":true},"com.example.t"]`)
			want := fmt.Sprintf(`[%d]`, n)
			if n < 3 { // nine are kept, and the one for all
				want = `["all"]`
			}
			if m, _ := c.next(); !strings.HasSuffix(string(m), want+"]") {
				t.Errorf("session %d gets %s, want %s", n, m, want)
			}
		}
	})
}

// A pattern for which more is retained than the queue of the session should
// take at once is refused.
func TestRetainedTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		pub, sub := tr.joinAs(t), tr.connect()
		sub.ask(`[1,"realm1",{"roles":{"subscriber":{}},"authid":"limited"}]`)
		for n := range 4 {
			pub.ask(fmt.Sprintf(`[16,%d,{"acknowledge":true,"retain":true},"com.example.t%d",[%d]]`, n+1, n, n))
		}
		if m := sub.ask(`[32,1,{"match":"prefix","get_retained":true},"com.example"]`); !strings.Contains(m, "wireroom.error.limit") {
			t.Errorf("four topics are answered with %s", m)
		}
		if m := sub.ask(`[32,2,{"match":"prefix","get_retained":true},"com.example.t1"]`); !strings.HasPrefix(m, "[33,2,") {
			t.Errorf("one topic is answered with %s", m)
		}
		if m, _ := sub.next(); !strings.HasSuffix(string(m), "[1]]") {
			t.Errorf("got %s, want what is retained", m)
		}
	})
}

// Topics that a Governor rules have a log: nothing of them is retained here. A
// testament for one goes through the Governor.
func TestRetainGoverned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{}
		tr := newRouterGoverned(t, k)
		c, heir := tr.joinAs(t), tr.joinAs(t)
		for _, msg := range []string{
			`[16,1,{"acknowledge":true,"retain":true},"kept.topic",[1]]`,
			`[32,2,{"get_retained":true},"kept.topic"]`,
		} {
			if m := c.ask(msg); !strings.Contains(m, "wamp.error.option_not_allowed") {
				t.Errorf("%s is answered with %s", msg, m)
			}
		}
		heir.ask(`[32,1,{},"kept.topic"]`)
		c.ask(`[48,3,{},"wamp.session.add_testament",["kept.topic",["retained"],{}],{"publish_options":{"retain":true}}]`)
		c.ask(`[48,4,{},"wamp.session.add_testament",["kept.topic",["gone"],{}]]`)
		refused := tr.rt.Stats().Refused
		c.hangUp()
		synctest.Wait()
		if n := tr.rt.Stats().Refused - refused; n != 1 {
			t.Errorf("%d testaments are refused, want the one to be retained", n)
		}
		if m, ok := heir.next(); ok {
			t.Errorf("%s came without the Governor", m)
		}
		k.release()
		synctest.Wait()
		if m, _ := heir.next(); !strings.HasSuffix(string(m), `["gone"],{}]`) {
			t.Errorf("got %s, want the testament", m)
		}
	})
}

// A retained event is translated for whoever speaks another serializer.
func TestRetainedTranslated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		pub := tr.joinAs(t)
		pub.ask(`[16,1,{"acknowledge":true,"retain":true},"com.example.t",["x",1.5]]`)
		for ser := range wamp.Serializer(wamp.NumSerializers) {
			c := tr.connectWith(ser)
			c.sendAs(hello)
			c.next()
			c.sendAs(`[32,1,{"get_retained":true},"com.example.t"]`)
			c.next()
			raw, _ := c.next()
			var d wamp.Decoder
			m, err := d.Decode(ser, raw)
			e, ok := m.(*wamp.Event)
			if !ok || !e.Details.Retained {
				t.Fatalf("%v: got %q, %v", ser, raw, err)
			}
			args, err := e.Payload.DecodeArgs()
			if err != nil || fmt.Sprint(args) != "[x 1.5]" {
				t.Errorf("%v: got %v, %v", ser, args, err)
			}
		}
	})
}
