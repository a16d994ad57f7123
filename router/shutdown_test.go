package router_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
)

// A router that shuts down while calls wait for their timeouts stops the timers,
// or they find nothing to do: nobody is answered twice, and no goroutine is
// left. The timeouts are before, at and after the moment of the shutdown.
func TestShutdownWithPendingCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t, nil, nil)
		callee, caller := s.connect(0), s.connect(1)
		callee.send(`[1,"realm1",{"roles":{"callee":{"features":{"call_canceling":true}}}}]`)
		callee.send(`[64,1,{},"com.example.slow"]`)
		caller.send(joining)
		synctest.Wait()
		for i := range 100 {
			caller.send(fmt.Sprintf(`[48,%d,{"timeout":%d},"com.example.slow"]`, i+1, i+1))
		}
		time.Sleep(50 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.rt.rt.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		time.Sleep(time.Second) // the other timeouts pass
		synctest.Wait()
		answers := map[string]int{}
		goodbyes := 0
		for msg, ok := caller.next(); ok; msg, ok = caller.next() {
			switch {
			case strings.HasPrefix(string(msg), "[8,48,"):
				answers[strings.Split(string(msg), ",")[2]]++
			case strings.HasPrefix(string(msg), "[6,"):
				goodbyes++
			}
		}
		for request, n := range answers {
			if n != 1 {
				t.Errorf("call %s was answered %d times", request, n)
			}
		}
		if len(answers) < 49 || len(answers) > 100 || goodbyes != 1 {
			t.Errorf("%d calls were answered and %d goodbyes said, want at least the 49 that had timed out, and 1", len(answers), goodbyes)
		}
		if left := s.rt.rt.Realm(testRealm).Leftovers(); left != "" {
			t.Errorf("%s are left", left)
		}
	})
}

// Goodbyes to many are said in steps, which take no longer than a third of the
// time that there is; those who have not been told yet are served.
func TestShutdownSpreadsGoodbyes(t *testing.T) {
	for _, tt := range []struct {
		name     string
		sessions int
		deadline time.Duration
		told     []int // after each step
	}{
		{"few", 200, time.Minute, []int{200}},
		{"many", 1000, time.Minute, []int{200, 400, 600, 800, 1000}},
		{"more than fit into the window", 1000, 300 * time.Millisecond, []int{500, 1000}},
		{"no time", 1000, time.Millisecond, []int{1000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newRouter(t)
				for range tt.sessions {
					tr.connect().send(joining)
				}
				for _, c := range tr.all {
					c.mustNext(t, 2)
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- tr.rt.Shutdown(ctx) }()
				for step, want := range tt.told {
					if step > 0 {
						time.Sleep(50 * time.Millisecond)
					}
					synctest.Wait()
					told := 0
					for _, c := range tr.all {
						c.link.mu.Lock()
						bye := len(c.link.got) > 0
						c.link.mu.Unlock()
						if bye {
							told++
						} else if step == 0 {
							c.send(`[48,1,{},"wireroom.test.echo"]`)
							c.mustNext(t, 50)
						}
					}
					if told != want {
						t.Errorf("after step %d goodbye was said to %d, want %d", step, told, want)
					}
				}
				if err := <-done; err != nil {
					t.Errorf("Shutdown: %v", err)
				}
				for _, c := range tr.all {
					if got := c.rest(); len(got) != 1 || !strings.Contains(got[0], "wamp.close.system_shutdown") {
						t.Fatalf("a client was told %q", got)
					}
				}
			})
		})
	}
}

// A shutdown whose time is over does not go on to spread goodbyes.
func TestShutdownOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		for range 1000 {
			tr.connect().send(joining)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(120 * time.Millisecond)
			cancel()
		}()
		began := time.Now()
		_ = tr.rt.Shutdown(ctx) // connections may have to be cut
		if d := time.Since(began); d != 120*time.Millisecond {
			t.Errorf("Shutdown took %v, want the 120ms after which it was told to stop", d)
		}
		if st := tr.rt.Stats(); st.Connections != 0 {
			t.Errorf("%d connections are left", st.Connections)
		}
	})
}

// A caller that does not read its progressive results delays no other caller of
// the same callee at all, and is ended.
func TestStalledCallerDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t, func(c *router.Config) { c.QueueBytes = 16 << 10 }, nil)
		callee, stalled, other := s.connect(0), s.connect(0), s.connect(2)
		callee.send(`[1,"realm1",{"roles":{"callee":{"features":{"call_canceling":true,"progressive_call_results":true}}}}]`)
		callee.send(`[64,1,{},"com.example.count"]`)
		stalled.send(joining)
		other.send(joining)
		synctest.Wait()
		stalled.act("stall")
		stalled.send(`[48,1,{"receive_progress":true},"com.example.count"]`)
		synctest.Wait()
		began := time.Now()
		filling := strings.Repeat("x", 1000)
		for i := range 100 {
			callee.send(fmt.Sprintf(`[70,1,{"progress":true},[%d,%q]]`, i, filling))
			other.send(fmt.Sprintf(`[48,%d,{},"com.example.count"]`, i+1))
			synctest.Wait()
			callee.send(fmt.Sprintf(`[70,%d,{},[%d]]`, i+2, i))
			synctest.Wait()
			if i == 0 {
				other.next() // WELCOME
			}
			if msg, ok := other.next(); !ok || !strings.HasPrefix(string(msg), fmt.Sprintf("[50,%d,{},[%d]", i+1, i)) {
				t.Fatalf("call %d was answered with %s", i+1, msg)
			}
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("100 calls took %v, want no time", d)
		}
		st := s.rt.rt.Stats()
		if st.SlowConsumers != 1 {
			t.Errorf("%d sessions were ended as slow, want the stalled caller", st.SlowConsumers)
		}
		time.Sleep(router.DefaultConfig().WriteTimeout)
		synctest.Wait()
		if !stalled.closed() {
			t.Error("the stalled caller is still connected after the write timeout")
		}
		// The callee learns that nobody waits for its results any more.
		interrupted := false
		for msg, ok := callee.next(); ok; msg, ok = callee.next() {
			interrupted = interrupted || strings.HasPrefix(string(msg), "[69,1,")
		}
		if !interrupted {
			t.Error("the callee was not interrupted")
		}
	})
}

// A router that shuts down has connections turned away before they are
// upgraded.
func TestNoUpgradeAfterShutdown(t *testing.T) {
	tr := newRouter(t)
	if _, ok := tr.rt.Admit(); !ok {
		t.Error("an upgrade was refused before")
	}
	if err := tr.rt.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after, ok := tr.rt.Admit(); ok || after <= 0 {
		t.Errorf("Admit after Shutdown = %v, %v; want a time and false", after, ok)
	}
}
