package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

const (
	proxyStart = 12  // bytes: the signature of version 2, and less than any header of version 1
	proxyFixed = 16  // bytes of version 2 in front of the addresses
	proxyLine  = 107 // bytes of the longest line of version 1, CR LF included
	proxyAddrs = 216 // bytes of the longest addresses of version 2, those of Unix sockets
)

var proxySignature = [proxyStart]byte{'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'}

// unixPeer stands for the address of a peer on a Unix socket, which has none.
const unixPeer = "unix"

// readProxyHeader reads the header that a proxy sends before the client's
// bytes (the PROXY protocol of HAProxy, versions 1 and 2), and not one byte
// more. It returns the client's address, or "" if the connection is the
// proxy's own or the proxy does not tell. Whatever the header announces, it
// takes no more memory than a header of addresses.
func readProxyHeader(r io.Reader) (client string, err error) {
	var buf [proxyAddrs]byte
	if n, err := io.ReadFull(r, buf[:proxyStart]); err != nil {
		return "", fmt.Errorf("expected a PROXY header, found the end after %d bytes: %w", n, err)
	}
	if [proxyStart]byte(buf[:]) == proxySignature {
		return readProxyV2(r, &buf)
	}
	line := buf[:proxyStart]
	if string(line[:6]) != "PROXY " {
		return "", errors.New("expected a PROXY header, found something else")
	}
	for line[len(line)-1] != '\n' {
		if len(line) == proxyLine {
			return "", fmt.Errorf("PROXY header: expected at most %d bytes with the end of the line, found none", proxyLine)
		}
		line = line[:len(line)+1]
		if _, err := io.ReadFull(r, line[len(line)-1:]); err != nil {
			return "", fmt.Errorf("PROXY header: expected the end of the line, found that of the connection: %w", err)
		}
	}
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok {
		return "", errors.New("PROXY header: expected CR LF at the end of the line, found LF alone")
	}
	return parseProxyV1(text)
}

// parseProxyV1 reads a line of version 1, without its end.
func parseProxyV1(line string) (client string, err error) {
	fields := strings.Split(line, " ")
	var fits func(netip.Addr) bool
	switch fields[1] {
	case "UNKNOWN":
		return "", nil // whatever follows is to be ignored
	case "TCP4":
		fits = netip.Addr.Is4
	case "TCP6":
		fits = func(a netip.Addr) bool { return a.Is6() && a.Zone() == "" }
	default:
		return "", fmt.Errorf("PROXY header: expected TCP4, TCP6 or UNKNOWN, found %q", fields[1])
	}
	if len(fields) != 6 {
		return "", fmt.Errorf("PROXY header: expected 6 words, found %d", len(fields))
	}
	var ends [2]netip.AddrPort
	for i := range ends {
		addr, err := netip.ParseAddr(fields[2+i])
		if err != nil || !fits(addr) {
			return "", fmt.Errorf("PROXY header: expected an address of %s, found %q", fields[1], fields[2+i])
		}
		text := fields[4+i]
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || strconv.FormatUint(port, 10) != text {
			return "", fmt.Errorf("PROXY header: expected a port, found %q", text)
		}
		ends[i] = netip.AddrPortFrom(addr.Unmap(), uint16(port))
	}
	return ends[0].String(), nil
}

// readProxyV2 reads what follows the signature of version 2.
func readProxyV2(r io.Reader, buf *[proxyAddrs]byte) (client string, err error) {
	fixed := buf[:proxyFixed-proxyStart]
	if _, err := io.ReadFull(r, fixed); err != nil {
		return "", fmt.Errorf("PROXY header: expected its length, found the end: %w", err)
	}
	command, family := fixed[0], fixed[1]
	size := int(binary.BigEndian.Uint16(fixed[2:]))
	var addresses int
	switch {
	case command == 0x20: // LOCAL: what follows means nothing
		family = 0
	case command != 0x21:
		return "", fmt.Errorf("PROXY header: expected version 2 and LOCAL or PROXY, found %#02x", command)
	}
	switch family {
	case 0x00:
	case 0x11, 0x12:
		addresses = 12
	case 0x21, 0x22:
		addresses = 36
	case 0x31, 0x32:
		addresses = proxyAddrs
	default:
		return "", fmt.Errorf("PROXY header: expected a family and protocol of version 2, found %#02x", family)
	}
	if size < addresses {
		return "", fmt.Errorf("PROXY header: expected %d bytes of addresses, found %d", addresses, size)
	}
	if _, err = io.ReadFull(r, buf[:addresses]); err == nil {
		_, err = io.CopyN(io.Discard, r, int64(size-addresses)) // what else proxies tell, in TLVs
	}
	if err != nil {
		return "", fmt.Errorf("PROXY header: expected %d bytes behind its length, found the end: %w", size, err)
	}
	var from netip.AddrPort
	switch family >> 4 {
	case 0:
		return "", nil
	case 1:
		from = netip.AddrPortFrom(netip.AddrFrom4([4]byte(buf[:4])), binary.BigEndian.Uint16(buf[8:]))
	case 2:
		from = netip.AddrPortFrom(netip.AddrFrom16([16]byte(buf[:16])).Unmap(), binary.BigEndian.Uint16(buf[32:]))
	default:
		return unixPeer, nil
	}
	return from.String(), nil
}

// A clientAddr is the address of a client as a proxy told it.
type clientAddr string

// Network implements [net.Addr].
func (clientAddr) Network() string { return "tcp" }

// String implements [net.Addr].
func (a clientAddr) String() string { return string(a) }

// trusts reports whether a is the address of one of the proxies.
func (s *Server) trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range s.cfg.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// introduced reports whether a connection begins with a PROXY header.
func (s *Server) introduced(nc net.Conn) bool {
	if !s.cfg.ProxyProtocol {
		return false
	}
	tcp, ok := nc.RemoteAddr().(*net.TCPAddr)
	return ok && s.trusts(tcp.AddrPort().Addr())
}

// introduce reads the PROXY header of a connection that begins with one, below
// TLS, and returns the client's address; "" if it is that of the connection.
// The caller has set a deadline.
func (s *Server) introduce(nc net.Conn) (client string, err error) {
	if !s.introduced(nc) {
		return "", nil
	}
	client, err = readProxyHeader(socketOf(nc))
	if err != nil && !errors.Is(err, io.EOF) { // proxies look whether somebody listens
		s.log.Warn("a proxy sends no proper PROXY header", "proxy", remoteAddr(nc), "err", err)
	}
	return client, err
}
