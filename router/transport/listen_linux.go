package transport

import "syscall"

// deferAccept has connections accepted when their first bytes are there. A
// system that cannot do that accepts them earlier.
func deferAccept(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, 1)
}
