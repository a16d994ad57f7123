//go:build !linux

package transport

import "net"

// forHTTP returns nc as the HTTP server gets it.
func forHTTP(nc *net.TCPConn, again replay) net.Conn { return &replayedTCP{nc, again} }
