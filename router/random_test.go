package router_test

import (
	"fmt"
	"strings"
	"testing"
)

// With "random" every callee has its share of the calls (WAMP "Shared
// Registration"), and a call that one refuses goes to another one ("Call
// Re-Routing").
func TestRandomCallees(t *testing.T) {
	tr := newRouter(t)
	caller := tr.connect()
	caller.send(`[1,"realm1",{"roles":{"caller":{}}}]`)
	callees := make([]*client, 3)
	for i := range callees {
		callees[i] = tr.connect()
		callees[i].send(`[1,"realm1",{"roles":{"callee":{"features":{"call_reroute":true}}}}]`)
		callees[i].send(`[64,1,{"invoke":"random"},"com.example.proc"]`)
		callees[i].next() // WELCOME
		callees[i].next() // REGISTERED
	}
	var shares [3]int
	invoked := func() (callee int, request int) {
		for i, c := range callees {
			if msg, ok := c.next(); ok {
				if _, err := fmt.Sscanf(string(msg), "[68,%d,", &request); err != nil {
					t.Fatalf("callee %d got %s, want INVOCATION", i, msg)
				}
				shares[i]++
				return i, request
			}
		}
		t.Fatal("nobody was called")
		return 0, 0
	}
	caller.next()
	for call := range 300 {
		caller.send(fmt.Sprintf(`[48,%d,{},"com.example.proc"]`, call+1))
		first, request := invoked()
		callees[first].send(fmt.Sprintf(`[8,68,%d,{},"wamp.error.unavailable"]`, request))
		second, request := invoked()
		if second == first {
			t.Fatalf("call %d came back to callee %d, which had refused it", call, first)
		}
		callees[second].send(fmt.Sprintf(`[70,%d,{}]`, request))
		if msg, _ := caller.next(); !strings.HasPrefix(string(msg), "[50,") {
			t.Fatalf("call %d was answered with %s", call, msg)
		}
	}
	for i, n := range shares { // of 600; six standard deviations are 69
		if n < 120 || n > 280 {
			t.Errorf("callee %d had %d of 600 invocations, want about 200", i, n)
		}
	}
}
