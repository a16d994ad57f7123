package router_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// told returns the URI of an ABORT or GOODBYE and when to come back.
func told(t *testing.T, msg []byte) (uri string, after time.Duration) {
	t.Helper()
	var m []json.RawMessage
	var details struct {
		RetryAfter *float64 `json:"_retry_after"`
	}
	if err := json.Unmarshal(msg, &m); err != nil || len(m) != 3 {
		t.Fatalf("got %s, want ABORT or GOODBYE", msg)
	}
	if err := json.Unmarshal(m[1], &details); err != nil || details.RetryAfter == nil {
		t.Fatalf("got %s, want _retry_after in its details", msg)
	}
	if err := json.Unmarshal(m[2], &uri); err != nil {
		t.Fatal(err)
	}
	return uri, time.Duration(*details.RetryAfter * float64(time.Second))
}

// Of thousands who come at once, and come again when they are told to, all
// get in: at the rate and no faster, and in hardly more time than that takes.
func TestStormIsAdmittedAtTheRate(t *testing.T) {
	const peers, rate, burst = 4_000, 200, 100
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) {
			c.Admission = router.Admission{Rate: rate, Burst: burst, Wait: 2 * time.Second}
		})
		var (
			all      sync.WaitGroup
			mu       sync.Mutex // guards the following
			joined   []time.Duration
			attempts int
		)
		begin := time.Now()
		for range peers {
			all.Go(func() {
				for n := 1; ; n++ {
					if n > 20 {
						t.Error("a peer that came 20 times was never let in")
						return
					}
					mu.Lock()
					attempts++
					mu.Unlock()
					if after, ok := tr.rt.Admit(); !ok {
						time.Sleep(after.Truncate(time.Second) + time.Second) // as Retry-After says it
						continue
					}
					mu.Lock()
					c := tr.connect()
					mu.Unlock()
					c.send(hello)
					time.Sleep(time.Nanosecond) // of fake time: until everything has settled
					msg, ok := c.next()
					if !ok {
						t.Error("a HELLO was not answered")
						return
					}
					if strings.HasPrefix(string(msg), "[2,") {
						mu.Lock()
						joined = append(joined, time.Since(begin))
						mu.Unlock()
						return
					}
					_, after := told(t, msg)
					time.Sleep(after)
				}
			})
		}
		all.Wait()

		if len(joined) != peers {
			t.Fatalf("%d of %d joined", len(joined), peers)
		}
		slices.Sort(joined)
		for i := range joined {
			for _, n := range []int{burst + 1, burst + rate/10, burst + rate, burst + 10*rate} {
				least := time.Duration(n-burst) * time.Second / rate
				if i+n <= peers && joined[i+n-1]-joined[i] < least-time.Microsecond {
					t.Fatalf("%d joined within %v of %v, want a burst of %d and %d a second at most", n, joined[i+n-1]-joined[i], joined[i], burst, rate)
				}
			}
		}
		took, ideal := joined[peers-1], time.Duration(peers-burst)*time.Second/rate
		if took > ideal*5/4 {
			t.Errorf("the last one joined after %v, want hardly more than %v", took, ideal)
		}
		if attempts > 3*peers {
			t.Errorf("%d peers came %d times, want 3 times each at most", peers, attempts)
		}
		st := tr.rt.Stats()
		if st.Joined != peers || st.Waited == 0 || st.TurnedAway+st.UpgradesRefused != uint64(attempts-peers) {
			t.Errorf("counted %d joined, %d that waited, %d turned away and %d upgrades refused; want %d, some, and %d in all",
				st.Joined, st.Waited, st.TurnedAway, st.UpgradesRefused, peers, attempts-peers)
		}
	})
}

// Slots to come back at: each refused peer has its own, a tenth sooner or later,
// none is later than five minutes, and those for whom there is none until then
// are spread.
func TestSlots(t *testing.T) {
	tests := []struct {
		name    string
		cfg     router.Admission
		refused int
		last    time.Duration // about when the last one comes back
		most    int           // of them come in one second
	}{
		{"in the first minute", router.Admission{Rate: 100, Burst: 50, Wait: time.Second}, 5000, 52 * time.Second, 160},
		{"nobody may wait", router.Admission{Rate: 1000, Burst: 1}, 5000, 5 * time.Second, 1300},
		{"as many as in a second at once", router.Admission{Rate: 1000}, 5000, 5 * time.Second, 1300},
		{"more than five minutes have", router.Admission{Rate: 10, Burst: 1}, 10_000, 5 * time.Minute, 120},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newRouter(t, func(c *router.Config) { c.Admission = tt.cfg })
				var slots []time.Duration
				seconds := map[time.Duration]int{}
				for len(slots) < tt.refused {
					if after, ok := tr.rt.Admit(); !ok {
						slots = append(slots, after)
						seconds[after.Truncate(time.Second)]++
					}
				}
				slices.Sort(slots)
				least := 2 * tt.cfg.Wait * 9 / 10
				if slots[0] < least || slots[0] > 2*tt.cfg.Wait*11/10+10*time.Second/time.Duration(tt.cfg.Rate) {
					t.Errorf("the first one comes back after %v, want when those are through who are connected", slots[0])
				}
				if last := slots[len(slots)-1]; last > 5*time.Minute || last < tt.last*9/10 || last > tt.last*12/10 {
					t.Errorf("the last one comes back after %v, want about %v and at most 5m", last, tt.last)
				}
				for second, n := range seconds {
					if n > tt.most {
						t.Errorf("%d come back at %v, want at most %d", n, second, tt.most)
					}
				}
			})
		})
	}
}

// Without a rate nobody waits, and nobody is refused.
func TestAnyNumberMayJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		for range 1000 {
			if _, ok := tr.rt.Admit(); !ok {
				t.Fatal("an upgrade is refused")
			}
			c := tr.connect()
			c.send(hello)
			c.mustNext(t, 2)
		}
		if st := tr.rt.Stats(); st.Waited != 0 || st.TurnedAway != 0 || st.UpgradesRefused != 0 {
			t.Errorf("counted %d, %d, %d; want nobody", st.Waited, st.TurnedAway, st.UpgradesRefused)
		}
	})
}

// A session that ends while it waits for its turn, for whatever reason, waits no
// longer, and is not let in.
func TestEndWhileWaiting(t *testing.T) {
	tests := []struct {
		name string
		end  func(tr *testRouter, c *client)
		uri  string
	}{
		{"ended by others", func(_ *testRouter, c *client) {
			c.s.End(&wamp.Error{URI: wamp.URINetworkFailure, Details: map[string]any{"_retry_after": 1}})
		}, "wamp.error.network_failure"},
		{"shutdown", func(tr *testRouter, _ *client) {
			if err := tr.rt.Shutdown(context.Background()); err != nil {
				tr.t.Errorf("Shutdown: %v", err)
			}
		}, "wamp.close.system_shutdown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newRouter(t, func(c *router.Config) {
					c.Admission = router.Admission{Rate: 1, Burst: 1, Wait: 5 * time.Second}
				})
				first, c := tr.connect(), tr.connect()
				first.send(hello)
				var reader sync.WaitGroup
				reader.Go(func() { c.send(hello) })
				synctest.Wait()
				begin := time.Now()
				tt.end(tr, c)
				reader.Wait()
				synctest.Wait()
				if d := time.Since(begin); d != 0 {
					t.Errorf("it took %v until the session waited no longer", d)
				}
				msg, _ := c.next()
				if uri, _ := told(t, msg); uri != tt.uri || msg[1] != '3' {
					t.Errorf("the session got %s, want ABORT with %s", msg, tt.uri)
				}
				if st := tr.rt.Stats(); st.Joined != 1 {
					t.Errorf("%d joined, want the first one only", st.Joined)
				}
			})
		})
	}
}

// Everybody whom a shutdown sends away is told to come back at another time.
func TestShutdownSpreadsReturns(t *testing.T) {
	for _, tt := range []struct {
		rate int
		gap  time.Duration
		last time.Duration
	}{
		{0, time.Millisecond, 1999 * time.Millisecond},
		{100, 10 * time.Millisecond, 10990 * time.Millisecond},
		{2, 500 * time.Millisecond, 5 * time.Minute},
	} {
		t.Run(fmt.Sprint(tt.rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const sessions = 1000
				tr := newRouter(t, func(c *router.Config) {
					c.Admission = router.Admission{Rate: tt.rate, Burst: sessions}
				})
				for range sessions {
					c := tr.connect()
					c.send(hello)
					c.mustNext(t, 2)
				}
				if err := tr.rt.Shutdown(context.Background()); err != nil {
					t.Fatal(err)
				}
				var slots []time.Duration
				for _, c := range tr.all {
					msg, _ := c.next()
					uri, after := told(t, msg)
					if uri != "wamp.close.system_shutdown" {
						t.Fatalf("got %s, want wamp.close.system_shutdown", msg)
					}
					slots = append(slots, after.Round(time.Millisecond))
				}
				slices.Sort(slots)
				if slots[0] != time.Second || slots[1]-slots[0] != tt.gap {
					t.Errorf("the first two come back after %v and %v, want 1s and %v later", slots[0], slots[1], tt.gap)
				}
				if last := slots[sessions-1]; last > tt.last || last < tt.last*9/10 {
					t.Errorf("the last one comes back after %v, want %v", last, tt.last)
				}
			})
		})
	}
}
