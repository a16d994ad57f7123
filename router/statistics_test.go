package router_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/router"
)

// What tells of traffic is no traffic: monitors do not keep each other busy,
// however many there are and however often they are told.
func TestStatisticsDoNotFeedThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.Statistics.Messages = 1 })
		caller := tr.connect()
		caller.send(hello)
		caller.mustNext(t, 2)
		monitors := make([]*client, 10)
		for i := range monitors {
			monitors[i] = tr.subscribed(t, hello, "wamp.session.on_stats")
		}
		drain := func(c *client) (n int) {
			synctest.Wait()
			for _, ok := c.next(); ok; _, ok = c.next() {
				n++
			}
			return n
		}
		for _, m := range monitors {
			drain(m)
		}
		const calls = 5
		for i := range calls {
			caller.send(fmt.Sprintf(`[48,%d,{},"wireroom.test.echo",[1]]`, i+1))
			caller.mustNext(t, 50)
		}
		for i, m := range monitors {
			if n := drain(m); n != 2*calls { // each CALL, each RESULT
				t.Errorf("monitor %d got %d events, want %d", i, n, 2*calls)
			}
		}
	})
}

// Nobody who wants to know: nothing is told, and what was counted is told when
// somebody does.
func TestStatisticsUnwatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.Statistics = router.Statistics{Messages: 5, RatedSize: 4096} })
		caller := tr.connect()
		caller.send(hello)
		caller.mustNext(t, 2)
		for i := range 5 {
			caller.send(fmt.Sprintf(`[48,%d,{},"wireroom.test.echo",[1]]`, i+1))
			caller.mustNext(t, 50)
		}
		monitor := tr.subscribed(t, hello, "wamp.session.on_stats")
		caller.send(`[48,6,{},"wireroom.test.echo",[1]]`)
		caller.mustNext(t, 50)
		args := monitor.mustNext(t, 36)[4]
		if got := field(t, args, "messages"); got != 13.0 {
			t.Errorf("told of %v messages, want HELLO, WELCOME, five calls with their results and a sixth call", got)
		}
	})
}

// field returns what the second argument of an event says.
func field(t *testing.T, args json.RawMessage, name string) any {
	t.Helper()
	var list []map[string]any
	if err := json.Unmarshal(args, &list); err != nil || len(list) != 2 {
		t.Fatalf("%s: %v", args, err)
	}
	return list[1][name]
}
