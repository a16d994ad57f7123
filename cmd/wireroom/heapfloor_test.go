package main

import (
	"runtime"
	"runtime/metrics"
	"testing"
)

func TestHeapFloor(t *testing.T) {
	goal := func() uint64 {
		runtime.GC()
		s := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	had := heapFloor
	t.Cleanup(func() { heapFloor = had })
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		heapFloor = nil
		raiseHeap(func(asked string) string {
			if asked == name {
				return "50"
			}
			return ""
		})
		if heapFloor != nil {
			t.Errorf("the floor is set although %s says how to collect", name)
		}
	}
	before := goal()
	raiseHeap(func(string) string { return "" })
	if after := goal(); after < before+heapFloorBytes {
		t.Errorf("the heap is collected at %d bytes, before at %d: want %d more", after, before, heapFloorBytes)
	}
	raiseHeap(func(string) string { return "" })
	if len(heapFloor) != heapFloorBytes {
		t.Errorf("set twice, the floor has %d bytes", len(heapFloor))
	}
}
