package router_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
)

// A peer whose HELLO comes as its time runs out is either too late or in time,
// and not both.
func TestHelloAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = time.Second
		tr := newRouter(t, func(c *router.Config) { c.HelloTimeout = timeout })
		late := 0
		for range 500 {
			c := tr.connect()
			<-time.After(timeout)
			c.send(`[1,"realm1",{"roles":{"subscriber":{}}}]`)
			synctest.Wait()
			first, ok := c.next()
			if !ok {
				t.Fatal("no answer to HELLO")
			}
			if bytes.HasPrefix(first, []byte(`[3,`)) {
				late++
			} else if second, more := c.next(); more {
				t.Fatalf("%s follows %s", second, first)
			}
			c.hangUp()
		}
		t.Logf("%d of 500 were too late", late)
	})
}
