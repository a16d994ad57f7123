package router_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Two may hang up at the same time while the reader waits for a decision: fake
// time goes on.
func TestTwoHangUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		c := tr.connect()
		c.send(`[1,"realm1",{"roles":{"subscriber":{}}}]`)
		begin := time.Now()
		var all sync.WaitGroup
		all.Go(func() { c.send(`[32,1,{},"asked.allowed"]`) })
		synctest.Wait() // the decision takes a second
		all.Go(c.hangUp)
		all.Go(c.hangUp)
		all.Wait()
		if took := time.Since(begin); took != time.Second || !c.closed() {
			t.Errorf("hanging up took %v, want the second that the decision takes", took)
		}
	})
}
