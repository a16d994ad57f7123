//go:build !linux

package transport

import "net"

// leanSockets says whether TLS is served without waiting below it.
const leanSockets = false

// newWire returns how to read and write nc. Reading without a buffer and
// writing without waiting are built for Linux only.
func newWire(nc net.Conn) wire { return &plainWire{nc: nc} }

func newLean(nc net.Conn) net.Conn { return nc }

// socketOf returns what nc runs over.
func socketOf(nc net.Conn) net.Conn { return underTLS(nc) }

// fillNow reads nothing: it cannot be seen whether something is there.
func fillNow(wire, *inbox) (int, error) { return 0, nil }
