package router_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A callee leaves in the middle of a re-routing: the call was refused by one,
// and waits for the other, or is run by it, when that goes. At the same moment
// the call may be canceled or time out, or others may take over. It is answered
// once, with what is true.
func TestCalleeLeavesWhileRerouting(t *testing.T) {
	const (
		nobody   = "wamp.error.no_available_callee"
		canceled = "wamp.error.canceled" // also: the callee left before it answered
		timeout  = "wamp.error.timeout"
		result   = "result"
	)
	ways := map[string]func(c *client, registration string){
		"unregisters": func(c *client, registration string) { c.send(`[66,9,` + registration + `]`) },
		"goes":        func(c *client, _ string) { c.send(`[6,{},"wamp.close.normal"]`) },
		"is lost":     func(c *client, _ string) { c.hangUp() },
	}
	for _, tt := range []struct {
		name      string
		timeout   time.Duration              // of the call
		meanwhile func(caller, next *client) // beside the leaving
		waiting   []string                   // how it may end where it waits; where it runs it is canceled, or one of these
	}{
		{name: "and nobody is left", waiting: []string{nobody}},
		{name: "and it is canceled", meanwhile: func(caller, _ *client) { caller.send(`[49,1,{}]`) }, waiting: []string{nobody, canceled}},
		{name: "and it times out", timeout: time.Second, waiting: []string{nobody, timeout}},
		{name: "and another joins", meanwhile: func(_, next *client) {
			next.send(`[64,1,{"invoke":"first"},"com.example.proc"]`)
		}, waiting: []string{nobody, result}},
		{name: "and another takes over", meanwhile: func(_, next *client) {
			next.send(`[64,1,{"invoke":"last","force_reregister":true},"com.example.proc"]`)
		}, waiting: []string{nobody, result}},
	} {
		for way, leave := range ways {
			for _, waits := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %s, waiting: %v", way, tt.name, waits), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						tr := newRouter(t)
						join := func() *client {
							c := tr.connect()
							c.send(`[1,"realm1",{"roles":{"caller":{},"callee":{"features":{"call_reroute":true}}}}]`)
							c.mustNext(t, 2)
							return c
						}
						refuser, other, next, busy, caller := join(), join(), join(), join(), join()
						other.send(`[64,1,{"invoke":"first","concurrency":1},"com.example.proc"]`)
						registration := string(other.mustNext(t, 65)[2])
						if waits {
							busy.send(`[48,1,{},"com.example.proc",["keeps it busy"]]`)
							other.mustNext(t, 68)
						}
						refuser.send(`[64,1,{"invoke":"first"},"com.example.proc"]`)
						refuser.mustNext(t, 65)
						if !waits { // let the first choice be the one that refuses
							other.send(`[66,2,` + registration + `]`)
							other.mustNext(t, 67)
							other.send(`[64,3,{"invoke":"first","concurrency":1},"com.example.proc"]`)
							registration = string(other.mustNext(t, 65)[2])
						}
						caller.send(fmt.Sprintf(`[48,1,{"timeout":%d},"com.example.proc",[1]]`, tt.timeout.Milliseconds()))
						refuser.mustNext(t, 68)
						refuser.send(`[8,68,1,{},"wamp.error.unavailable"]`)
						if !waits {
							other.mustNext(t, 68)
						}
						if tt.timeout > 0 {
							time.Sleep(tt.timeout - time.Nanosecond)
						}
						var wg sync.WaitGroup
						wg.Go(func() {
							if tt.timeout > 0 {
								time.Sleep(time.Nanosecond)
							}
							leave(other, registration)
						})
						if tt.meanwhile != nil {
							wg.Go(func() { tt.meanwhile(caller, next) })
						}
						wg.Wait()
						synctest.Wait()
						for _, m := range next.rest() {
							if strings.HasPrefix(m, "[68,1,") {
								next.send(`[70,1,{}]`)
							}
						}
						if way == "unregisters" && !waits {
							other.send(`[70,1,{}]`) // it runs it still
						}
						time.Sleep(time.Minute)
						synctest.Wait()
						want := tt.waiting
						if !waits {
							want = []string{canceled, timeout}
							if way == "unregisters" {
								want = []string{result, canceled, timeout}
							}
						}
						got := caller.rest()
						if len(got) != 1 || !slices.ContainsFunc(want, func(w string) bool {
							return w == result && strings.HasPrefix(got[0], "[50,1,") || strings.Contains(got[0], `"`+w+`"`)
						}) {
							t.Errorf("the call was answered with %q, want one of %v", got, want)
						}
						for _, c := range tr.all {
							c.hangUp()
						}
						synctest.Wait()
						if left := tr.rt.Realm(testRealm).Leftovers(); left != "" {
							t.Errorf("%s are left", left)
						}
					})
				})
			}
		}
	}
}
