// Package sockio reads from sockets and writes to them by short system calls of
// which the Go scheduler is not told, on Linux; elsewhere in the ordinary way.
//
// It has no state but that of a connection, and starts no goroutine.
package sockio
