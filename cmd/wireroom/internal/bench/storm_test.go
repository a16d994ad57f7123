//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// All sessions come back to both routers, broken off and restarted; the pair
// that stayed loses nothing.
func TestStorm(t *testing.T) {
	needWireroom(t)
	r, err := bench(t.Context(), t, "storm", "--spawn", "wireroom", "--spawn", "nexus", "--sessions", "60", "--stay", "5", "--before", "200ms",
		"--mode", "reconnect,restart", "--rounds", "1", "--limit", "20s", "--serializer", "json,cbor", "--strict")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 4 {
		t.Fatalf("%d results, want 4", len(r.Results))
	}
	for _, res := range r.Results {
		need(t, res, "back_all_s", 0.001, 20)
		need(t, res, "joins_per_second", 1, 1e5)
		need(t, res, "server_cpu_us_per_join", 1, 1e6)
		if res.Case == stormReconnect {
			need(t, res, "pair_before_p50_ms", 0.001, 1000)
			need(t, res, "pair_max_ms", 0, 5000)
			need(t, res, "pair_lost", 0, 0)
		} else {
			need(t, res, "restart_s", 0.001, 20)
		}
	}
}

// A wireroom that admits few makes the others wait, and the report tells.
func TestStormAdmission(t *testing.T) {
	needWireroom(t)
	r, err := bench(t.Context(), t, "storm", "--spawn", "wireroom", "--sessions", "60", "--stay", "0", "--before", "0s",
		"--admission", "40", "--rounds", "1", "--limit", "20s", "--strict")
	if err != nil {
		t.Fatal(err)
	}
	// The burst of a second is used up when they come back.
	need(t, r.Results[0], "back_all_s", 0.4, 10)
	need(t, r.Results[0], "joins_per_second", 5, 200)
}

// Who is told when to come back comes back then; who fails waits longer each
// time; who ignores it tries much more often. Nobody is counted twice.
func TestComeback(t *testing.T) {
	tests := []struct {
		name         string
		ignore       bool
		open         func(attempt int) error
		least, most  time.Duration // until all are back
		attempts     float64       // of a session
		counted      string
		countedTimes float64
	}{
		{"at once", false, func(int) error { return nil }, 0, 0, 1, "failed_to_connect", 0},
		{
			"told by ABORT", false, fails(2, &refusedError{after: 3 * time.Second, told: true, err: errors.New("no")}),
			6 * time.Second, 6 * time.Second, 3, "refused_by_abort", 20,
		},
		{
			"told by HTTP", false, fails(1, &refusedError{status: 503, after: 3 * time.Second, told: true, err: errors.New("no")}),
			3 * time.Second, 3 * time.Second, 2, "refused_by_503", 10,
		},
		{
			"ignored", true, fails(1, fmt.Errorf("join: %w", &refusedError{after: time.Hour, told: true, err: errors.New("no")})),
			0, ignoredBackoff, 2, "refused_by_abort", 10,
		},
		{
			"not told", false, fails(1, &refusedError{status: 500, err: errors.New("no")}),
			firstBackoff / 2, firstBackoff, 2, "refused_otherwise", 10,
		},
		{"no answer", false, fails(3, errors.New("refused")), 7 * firstBackoff / 2, 7 * firstBackoff, 4, "failed_to_connect", 30},
	}
	const n = 10
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tries [n]atomic.Int64
				c := &comeback{ignore: tt.ignore}
				c.open = func(_ context.Context, i int) error { return tt.open(int(tries[i].Add(1))) }
				began := time.Now()
				c.run(t.Context(), n, n, began)
				if d := time.Since(began); d < tt.least || d > tt.most {
					t.Errorf("all are back after %v, want %v to %v", d, tt.least, tt.most)
				}
				s := sample{}
				c.addTo(s, n)
				if s["never_back"] != 0 || s["attempts_per_session"] != tt.attempts || s[tt.counted] != tt.countedTimes {
					t.Errorf("%v, want all back, %v attempts, %s %v", s, tt.attempts, tt.counted, tt.countedTimes)
				}
			})
		})
	}
}

// fails returns an open that fails so many times for each session.
func fails(times int, err error) func(attempt int) error {
	return func(attempt int) error {
		if attempt > times {
			return nil
		}
		return err
	}
}

// Who is not back in time is counted, and shares are of all.
func TestComebackLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		c := &comeback{}
		c.open = func(_ context.Context, i int) error {
			if i < 6 {
				time.Sleep(time.Duration(i+1) * time.Second)
				return nil
			}
			return errors.New("never")
		}
		c.run(ctx, 10, 10, time.Now())
		s := sample{}
		c.addTo(s, 10)
		if _, all := s["back_all_s"]; all || s["never_back"] != 4 || s["back_50_s"] != 5 || s["joins_per_second"] != 1 {
			t.Errorf("%v, want 4 never back, half after 5 s, 1 a second", s)
		}
		if _, most := s["back_95_s"]; most {
			t.Error("95 % are said to be back, and 60 % are")
		}
	})
}

// A pair whose server is gone says so.
func TestPairFails(t *testing.T) {
	p, err := startPair(pairConfig{URL: "ws://127.0.0.1:1/ws", Realm: "realm1", Topic: "t", Rate: 10, Size: 64})
	if err == nil {
		p.stop()
		t.Fatal("a pair without a server started")
	}
	if !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v, want connection refused", err)
	}
}
