//go:build unix

package transport_test

import "syscall"

// smallBuffers has the system hold little that a client did not read.
func smallBuffers(_, _ string, c syscall.RawConn) error {
	var err error
	if cerr := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10)
	}); cerr != nil {
		return cerr
	}
	return err
}
