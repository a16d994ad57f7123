//go:build race

package transport

import "syscall"

// The race detector has to see what the kernel reads and writes, and that who
// reads from a socket comes after who wrote.

func readSocket(fd int, b []byte) (int, error) { return syscall.Read(fd, b) }

func writeSocket(fd int, b []byte) (int, error) { return syscall.Write(fd, b) }
