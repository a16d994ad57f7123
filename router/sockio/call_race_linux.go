//go:build race

package sockio

import "syscall"

// The race detector has to see what the kernel reads and writes, and that who
// reads from a socket comes after who wrote.

// Read is [syscall.Read].
func Read(fd int, b []byte) (int, error) { return syscall.Read(fd, b) }

// Write is [syscall.Write].
func Write(fd int, b []byte) (int, error) { return syscall.Write(fd, b) }
