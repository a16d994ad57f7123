//go:build !linux

package transport

import "net"

// newWire returns how to read and write nc. Reading without a buffer and
// writing without waiting are built for Linux only.
func newWire(nc net.Conn) wire { return &plainWire{nc: nc} }

// A socket is what TLS can run over.
type socket interface{ net.Conn }

// A leanConn is a socket below TLS.
type leanConn struct{ socket }

func newLean(nc net.Conn) net.Conn { return &leanConn{nc} }

// socketOf returns what nc runs over.
func socketOf(nc net.Conn) net.Conn {
	nc = underTLS(nc)
	if lean, ok := nc.(*leanConn); ok {
		return lean.socket
	}
	return nc
}

// fillNow reads nothing: it cannot be seen whether something is there.
func fillNow(wire, *inbox) (int, error) { return 0, nil }
