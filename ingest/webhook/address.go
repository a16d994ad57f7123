package webhook

import (
	"fmt"
	"net/netip"
	"syscall"
)

// notPublic are the networks that no request goes to unless the operator allows
// it: those of IPv4 that are not of the public Internet (RFC 6890), besides
// what net/netip knows by name.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // shared address space of providers
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),

	// Of IPv6: parts of 2000::/3 that are special or carry an IPv4 address.
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"),
}

// globalUnicast is all of IPv6 that is public; what is not in it (loopback,
// link-local and unique local addresses, and those that stand for an IPv4
// address) is not.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// public reports whether a is an address of the public Internet.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if a.Is6() && !globalUnicast.Contains(a) ||
		a.IsLoopback() || a.IsPrivate() || a.IsUnspecified() || a.IsLinkLocalUnicast() || a.IsMulticast() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// A guard decides which addresses may be dialed.
type guard struct{ allow []netip.Prefix }

// check is the Control of a [net.Dialer]: it sees each address when the name
// has been resolved and nothing has been sent.
func (g guard) check(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("expected an address of IP, found %q", address)
	}
	a := ap.Addr().Unmap().WithZone("")
	if public(a) {
		return nil
	}
	for _, p := range g.allow {
		if p.Contains(a) {
			return nil
		}
	}
	return &addressError{a}
}

// An addressError is that an address is not public and not allowed.
type addressError struct{ addr netip.Addr }

func (e *addressError) Error() string {
	return fmt.Sprintf("%v is no public address, and its network is not allowed", e.addr)
}
