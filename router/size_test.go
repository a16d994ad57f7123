package router

import (
	"testing"
	"unsafe"
)

// A session of a peer that asked for nothing is of a size for which the
// allocator has a class, 576 bytes, with all that few sessions need behind
// pointers that are nil.
func TestSessionSize(t *testing.T) {
	if size := unsafe.Sizeof(Session{}); size > 576 {
		t.Errorf("a session has %d bytes, want at most 576", size)
	}
	s := new(Session)
	if s.tied.Load() != nil || s.seat() != nil || s.lasting() != nil {
		t.Error("a session is tied to another from the beginning")
	}
}
