package router_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router"
)

// What is kept of calls that may have to go to another callee, or wait for one,
// is bounded: by what may wait for the caller, options counted out.
func TestKeptCallsAreBounded(t *testing.T) {
	const hello = `[1,"realm1",{"roles":{"caller":{},"callee":{"features":{"call_canceling":true,"call_reroute":true}}}}]`
	for _, tt := range []struct {
		name, register, call string
		callees              int
	}{
		{"re-routing", `[64,1,{"invoke":"roundrobin"},"com.example.proc"]`, `[48,%d,{},"com.example.proc",["` + strings.Repeat("x", 1<<18) + `"]]`, 2},
		{"waiting", `[64,1,{"concurrency":1},"com.example.proc"]`, `[48,%d,{"_x":"` + strings.Repeat("x", 1<<18) + `"},"com.example.proc"]`, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := newRouter(t, func(c *router.Config) { c.QueueBytes = 512 << 10 })
			for range tt.callees {
				c := tr.connect()
				c.link.drop = true
				c.send(hello)
				c.send(tt.register)
			}
			caller := tr.connect()
			caller.send(hello)
			before := liveHeap()
			for i := range 100 {
				caller.send(fmt.Sprintf(tt.call, i+1))
			}
			if grown := liveHeap() - before; grown > 8<<20 {
				t.Errorf("100 calls of 256 KiB keep %d MiB", grown>>20)
			}
			runtime.KeepAlive(tr)
		})
	}
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // pools are emptied by the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
