package router

import (
	"testing"
	"unsafe"
)

// A session of a peer that asked for nothing fits into the allocator's class of
// 576 bytes, of which it takes 8 itself, with all that few sessions need behind
// pointers that are nil.
func TestSessionSize(t *testing.T) {
	if size := unsafe.Sizeof(Session{}); size > 568 {
		t.Errorf("a session has %d bytes, want at most 568", size)
	}
	s := new(Session)
	if s.tied.Load() != nil || s.seat() != nil || s.lasting() != nil {
		t.Error("a session is tied to another from the beginning")
	}
}
