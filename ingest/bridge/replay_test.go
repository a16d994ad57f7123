package bridge_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/ingest/bridge"
)

// What is remembered is bounded, and what can be repeated no more is forgotten.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const skew = time.Minute
		m := bridge.NewMemory(skew)
		for n := range uint64(bridge.MaxRemembered) {
			if got := m.Admit(n); got != bridge.Admitted {
				t.Fatalf("request %d: %d", n, got)
			}
		}
		if got := m.Admit(bridge.MaxRemembered); got != bridge.Crowded {
			t.Errorf("one more: %d; want it refused", got)
		}
		if got := m.Admit(7); got != bridge.Repeated {
			t.Errorf("one of them again: %d; want it known", got)
		}
		time.Sleep(2 * skew)
		if got := m.Admit(bridge.MaxRemembered); got != bridge.Admitted {
			t.Errorf("after twice the skew: %d; want room", got)
		}
		time.Sleep(2 * skew)
		if got := m.Admit(bridge.MaxRemembered + 1); got != bridge.Admitted || m.Len() != 2 {
			t.Errorf("after twice the skew again: %d, and %d are remembered, want 2", got, m.Len())
		}
		time.Sleep(100 * skew)
		if got := m.Admit(1); got != bridge.Admitted || m.Len() != 1 {
			t.Errorf("after a long rest: %d, and %d are remembered, want 1", got, m.Len())
		}
	})
}

// When the clock is set back, no request is good again that has been forgotten.
// Time goes on as it does; what a clock that was set back changes is which
// times of requests are good.
func TestMemoryWhenTheClockIsSetBack(t *testing.T) {
	const skew = time.Minute
	for _, tt := range []struct {
		name  string
		rests []time.Duration // between the first request and the last, each with a request at its end
	}{
		{"at once", nil},
		{"one generation later", []time.Duration{2 * skew}},
		{"two generations later", []time.Duration{2 * skew, 2 * skew}},
		{"many generations later", []time.Duration{2 * skew, 3 * skew, 2 * skew, 2 * skew}},
		{"after a long rest", []time.Duration{100 * skew}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := bridge.NewMemory(skew)
				signed := time.Now().Add(skew) // by somebody whose clock is fast
				if got := m.AdmitAt(1, signed); got != bridge.Admitted {
					t.Fatalf("the first is %d", got)
				}
				for i, rest := range tt.rests {
					time.Sleep(rest)
					// As old as can be: the memory must not take it for one that was forgotten.
					if got := m.AdmitAt(uint64(i+2), time.Now().Add(-skew+1)); got != bridge.Admitted {
						t.Fatalf("request %d is %d", i+2, got)
					}
				}
				if got := m.AdmitAt(1, signed); got != bridge.Repeated && got != bridge.Untelling {
					t.Errorf("once more is %d, want it refused", got)
				}
				if got := m.AdmitAt(100, time.Now().Add(skew)); got != bridge.Admitted {
					t.Errorf("a new one is %d", got)
				}
			})
		})
	}
}
