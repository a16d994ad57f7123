package router_test

import (
	"strings"
	"testing"
)

// A procedure whose callees are all about to leave can be registered anew, with
// whatever policy: who comes back must not wait for the old session's end.
func TestRegistrationGivenUp(t *testing.T) {
	tr := newRouter(t)
	for _, invoke := range []string{"single", "roundrobin", "last"} {
		old, anew := tr.connect(), tr.connect()
		for _, c := range []*client{old, anew} {
			c.send(`[1,"realm1",{"roles":{"callee":{}}}]`)
			c.next()
		}
		old.send(`[64,1,{"invoke":"roundrobin"},"com.example.proc"]`)
		old.next()
		leave := old.s.PretendToEnd()
		anew.send(`[64,1,{"invoke":"` + invoke + `"},"com.example.proc"]`)
		if msg, _ := anew.next(); !strings.HasPrefix(string(msg), "[65,1,") {
			t.Errorf("REGISTER with invoke %q was answered with %s", invoke, msg)
		}
		leave()
		old.hangUp()
		caller := tr.connect()
		caller.send(`[1,"realm1",{"roles":{"caller":{}}}]`)
		caller.send(`[48,1,{},"com.example.proc"]`)
		if msg, ok := anew.next(); !ok || !strings.HasPrefix(string(msg), "[68,1,") {
			t.Errorf("with invoke %q the new callee was sent %s, want INVOCATION", invoke, msg)
		}
		anew.hangUp()
		caller.hangUp()
	}
}
