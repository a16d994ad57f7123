package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/certs"
	"github.com/wireroom/wireroom/router/transport"
)

// A Listen is where the gateway listens.
type Listen struct {
	HTTP string // host:port; port 0 draws one

	// RawSocket are the addresses for RawSocket alone, besides the port for
	// everything.
	RawSocket  []Address
	SocketMode fs.FileMode // permissions of Unix sockets

	TLS *certs.Config // of all addresses but Unix sockets; nil: none

	// ACME is the host:port for challenges over plain HTTP; "": none.
	ACME string
}

// An Address is one to listen on.
type Address struct {
	Network string // "tcp" or "unix"
	Name    string // host:port, or the file of a Unix socket
}

// String returns the address as a configuration file has it.
func (a Address) String() string {
	if a.Network == "unix" {
		return "unix:" + a.Name
	}
	return a.Name
}

// maxSocketPath is how many bytes the name of a Unix socket may have, on every
// system.
const maxSocketPath = 103

func (c *Config) readListen(o *object) {
	o.string("http", &c.Listen.HTTP)
	if err := checkAddress(c.Listen.HTTP); err != nil {
		o.report("http", err)
	}
	o.oneOrMore("rawsocket", "host:port or unix:FILE", func(text string) error {
		a, err := o.d.address(text)
		c.Listen.RawSocket = append(c.Listen.RawSocket, a)
		return err
	})
	o.boolean("rawsocket_pings", &c.Transport.PingRawSockets)
	c.readSocketMode(o)
	o.sub("proxy", c.readProxy)
	tls := &certs.Config{}
	if o.sub("tls", func(o *object) { readTLS(o, tls, &c.Listen) }) {
		c.Listen.TLS = tls
	}
}

// forwardedHeaders are the kinds of headers by the names that they have in a
// file.
var forwardedHeaders = map[string]transport.ForwardedHeader{
	"none":        transport.NoForwarded,
	"x-forwarded": transport.XForwarded,
	"forwarded":   transport.Forwarded,
}

// readProxy reads whose word for who a client is is taken.
func (c *Config) readProxy(o *object) {
	t := &c.Transport
	o.oneOrMore("from", "address or network", func(text string) error {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(text); err == nil && a.Zone() == "" {
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		if err != nil || !p.IsValid() || p.Addr().Is4In6() {
			return fmt.Errorf("expected an address or a network, such as 192.0.2.7, 10.0.0.0/8 or fd00::/8, found %q", text)
		}
		t.Proxies = append(t.Proxies, p.Masked())
		return nil
	})
	o.boolean("protocol", &t.ProxyProtocol)
	headers := "none"
	o.oneOf("headers", &headers, "none", "x-forwarded", "forwarded")
	t.Forwarded = forwardedHeaders[headers]
	if !o.has("from") {
		o.report("from", errors.New("expected the addresses of the proxies, found none"))
	}
	if !t.ProxyProtocol && t.Forwarded == transport.NoForwarded && !o.d.describe {
		o.report("", errors.New("expected protocol: true, or headers that are believed, found neither"))
	}
}

// readSocketMode reads permissions, which people write with or without quotes.
func (c *Config) readSocketMode(o *object) {
	const expected = "permissions in octal, such as 0660"
	s, n, path := o.scalar("socket_mode", "permissions", fmt.Sprintf("%04o", c.Listen.SocketMode), expected, "!!str", "!!int")
	if n == nil {
		return
	}
	mode, err := strconv.ParseUint(strings.TrimPrefix(s, "0o"), 8, 32)
	if err != nil || mode > 0o777 {
		o.d.reportf(n, path, "expected %s, found %q", expected, s)
		return
	}
	c.Listen.SocketMode = fs.FileMode(mode)
}

// address reads host:port or unix:FILE.
func (d *decoder) address(text string) (Address, error) {
	file, unix := strings.CutPrefix(text, "unix:")
	switch {
	case !unix:
		return Address{Network: "tcp", Name: text}, checkAddress(text)
	case file == "":
		return Address{}, errors.New("expected unix: and the name of a file, found no name")
	}
	file = d.resolve(file)
	if len(file) > maxSocketPath {
		return Address{}, fmt.Errorf("expected a name of at most %d bytes for a Unix socket, found %d: %q", maxSocketPath, len(file), file)
	}
	return Address{Network: "unix", Name: file}, nil
}

// checkAddress says what is wrong with a host:port to listen on.
func checkAddress(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("expected host:port with a port in 0 to 65535, such as 127.0.0.1:8080, found %q", addr)
	}
	return nil
}

// oneOrMore reads a text, or a list of them, and calls each for every one.
func (o *object) oneOrMore(key, kind string, each func(text string) error) {
	n, path := o.take(key, kind+", or list of them", "")
	if n == nil || isNull(n) {
		return
	}
	one := func(n *yaml.Node, path string) {
		if !isScalar(n, "!!str") {
			o.d.reportf(n, path, "expected a text, found %s", describeNode(n))
			return
		}
		if err := each(n.Value); err != nil {
			o.d.reportf(n, path, "%v", err)
		}
	}
	if n.Kind != yaml.SequenceNode {
		one(n, path)
		return
	}
	for i, el := range n.Content {
		p := fmt.Sprintf("%s[%d]", path, i)
		if el, ok := o.d.visit(el, p); ok {
			one(el, p)
		}
	}
}
