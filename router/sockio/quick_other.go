//go:build !linux

package sockio

import "net"

// Quick returns nc.
func Quick(nc net.Conn) net.Conn { return nc }
