//go:build !race

package sockio

import (
	"syscall"
	"unsafe"
)

// maxQuick is up to how many bytes a call is made without telling the Go
// scheduler.
const maxQuick = 32 << 10

// Read is [syscall.Read] for a socket that does not wait. The scheduler is not
// told of it: for calls that take a few microseconds it would only find the
// thread in a system call now and then, give its work to another thread, which
// has to be woken for that, and look again soon; that is a tenth of what a join
// costs. The price is that a collection may have to wait for the call to end, so
// long calls are made in the ordinary way.
func Read(fd int, b []byte) (int, error) {
	if len(b) == 0 || len(b) > maxQuick {
		return syscall.Read(fd, b)
	}
	return result(syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b))))
}

// Write is to [syscall.Write] what Read is to [syscall.Read].
func Write(fd int, b []byte) (int, error) {
	if len(b) == 0 || len(b) > maxQuick {
		return syscall.Write(fd, b)
	}
	return result(syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b))))
}

func result(n, _ uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
