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
			if first, full := m.Admit(n); !first || full {
				t.Fatalf("request %d: %t, %t", n, first, full)
			}
		}
		if first, full := m.Admit(bridge.MaxRemembered); first || !full {
			t.Errorf("one more: first %t, full %t; want it refused", first, full)
		}
		if first, full := m.Admit(7); first || full {
			t.Errorf("one of them again: first %t, full %t; want it known", first, full)
		}
		time.Sleep(2 * skew)
		if first, full := m.Admit(bridge.MaxRemembered); !first || full {
			t.Errorf("after twice the skew: first %t, full %t; want room", first, full)
		}
		time.Sleep(2 * skew)
		if first, _ := m.Admit(bridge.MaxRemembered + 1); !first || m.Len() != 2 {
			t.Errorf("after twice the skew again, %d are remembered, want 2", m.Len())
		}
		time.Sleep(100 * skew)
		if first, _ := m.Admit(1); !first || m.Len() != 1 {
			t.Errorf("after a long rest, %d are remembered, want 1", m.Len())
		}
	})
}
