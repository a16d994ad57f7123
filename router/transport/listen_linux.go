package transport

import (
	"io/fs"
	"syscall"
)

// deferAccept has connections accepted when their first bytes are there. A
// system that cannot do that accepts them earlier.
func deferAccept(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, 1)
}

// restrict gives the file that a socket is about to be bound to its
// permissions.
func restrict(fd uintptr, mode fs.FileMode) { _ = syscall.Fchmod(int(fd), uint32(mode.Perm())) }
