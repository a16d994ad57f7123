package router_test

import (
	"testing"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// IDs of the global scope are drawn from the whole range from 1 to 2^53, evenly
// (WAMP "IDs").
func TestNewIDIsRandom(t *testing.T) {
	const n, parts = 16_000, 16
	var counts [parts]int
	seen := make(map[wamp.ID]bool, n)
	for range n {
		id := router.NewID()
		if id < 1 || id > wamp.MaxID {
			t.Fatalf("NewID = %d, want 1 to 2^53", id)
		}
		if seen[id] {
			t.Fatalf("NewID gave %d twice", id)
		}
		seen[id] = true
		counts[uint64(id-1)*parts>>53]++
	}
	for i, got := range counts { // of 1,000 each; seven standard deviations are 214
		if got < 786 || got > 1214 {
			t.Errorf("part %d of the range has %d of %d IDs, want about %d", i, got, n, n/parts)
		}
	}
}
