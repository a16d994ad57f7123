package presence_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/wamp"
)

// fill has so many members come to a topic, from another gateway.
func fill(k *presence.Keeper, topic wamp.URI, n int) {
	for i := range n {
		k.There("node", presence.Attendee{Topic: topic, AuthID: fmt.Sprintf("user-%d", i), AuthRole: "guest", Present: true, Sessions: 1, Since: time.Now()})
	}
}

// Pages have each member once, in the order in which they came, whatever their
// length.
func TestListPages(t *testing.T) {
	_, k := open(t, nil)
	const all = 257
	fill(k, "room.a", all)
	fill(k, "room.b", 3)
	for _, limit := range []int{1, 2, 100, all - 1, all, all + 1, 1000} {
		got, after := 0, uint64(0)
		for {
			members, _, more := k.List("room.a", after, limit, false)
			for _, m := range members {
				if want := fmt.Sprintf("user-%d", got); m.AuthID != want || m.ID <= after {
					t.Fatalf("in pages of %d: member %d is %s with the ID %d after %d, want %s", limit, got, m.AuthID, m.ID, after, want)
				}
				got, after = got+1, m.ID
			}
			if len(members) > limit || more && len(members) < limit || more != (got < all) {
				t.Fatalf("in pages of %d: after %d members %d more in a page, and more is %v", limit, got, len(members), more)
			}
			if !more {
				break
			}
		}
		if got != all {
			t.Errorf("in pages of %d: %d members, want %d", limit, got, all)
		}
	}
}

// Who asks for one member of very many makes the gateway allocate for one.
func TestListMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	_, k := open(t, nil)
	fill(k, "room.a", 10_000)
	var before, after runtime.MemStats
	const calls = 10
	runtime.ReadMemStats(&before)
	for range calls {
		k.List("room.a", 5000, 1, false)
	}
	runtime.ReadMemStats(&after)
	if bytes := (after.TotalAlloc - before.TotalAlloc) / calls; bytes > 4096 {
		t.Errorf("a list of one member of 10,000 allocates %d bytes", bytes)
	}
}
