// Package network says which addresses are one client's, for limits that hold for
// each client by where it comes from.
//
// It has no state, and starts no goroutine.
package network

import "net/netip"

// Of returns what a client has for itself that comes from an address with a port,
// as [net.Conn.RemoteAddr] writes it: an address of IPv4, however it is written;
// of IPv6 a network of 64 bits, of which a client can take any address. It is
// invalid for anything else, such as a socket in the file system.
func Of(remote string) netip.Prefix {
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr := from.Addr().Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr, bits).Masked()
}
