package main

// heapFloorBytes is by how much a gateway's heap is taken for larger than it is.
// The runtime collects when the heap has doubled. That of a gateway with few
// clients has two or three megabytes, and doubles many times in a second; an
// eighth of the gateway's CPU time went there. With the floor, some 20 MB are
// allocated between two collections, at least.
const heapFloorBytes = 16 << 20

// heapFloor is never touched, so that the kernel gives it no memory, and has no
// pointers to look for.
var heapFloor []byte

// raiseHeap sets the floor, unless the operator has said how the heap is to be
// collected.
func raiseHeap(getenv func(string) string) {
	if heapFloor == nil && getenv("GOGC") == "" && getenv("GOMEMLIMIT") == "" {
		heapFloor = make([]byte, heapFloorBytes)
	}
}
