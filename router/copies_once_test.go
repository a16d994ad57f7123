package router

import (
	"sync"
	"testing"
)

// Feeds that make the same frame at the same time send the same one, and it is
// kept once.
func TestCopiesKeepOnce(t *testing.T) {
	const feeds, rounds = 8, 500
	m := &member{sub: new(subscription), session: new(Session)}
	for range rounds {
		var (
			c     Copies
			sent  [feeds]*byte
			start = make(chan struct{})
			wg    sync.WaitGroup
		)
		for i := range feeds {
			wg.Go(func() {
				frame := []byte{1}
				<-start
				sent[i] = &c.add(m, frame)[0]
			})
		}
		close(start)
		wg.Wait()
		if len(c.list) != 1 {
			t.Fatalf("%d frames are kept, want 1", len(c.list))
		}
		for i := range sent {
			if sent[i] != &c.list[0].frame[0] {
				t.Fatalf("feed %d sends a frame of its own", i)
			}
		}
	}
}
