package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// A Concern is what somebody should know of certificates that can be used.
type Concern struct {
	Pair    int    // of [Config.Pairs]; -1: of ClientCA
	Text    string // what is wrong, and what follows from it
	Refused bool   // every client refuses the certificate; otherwise some do, or will soon
}

// Concerns says what is wrong with the certificates at a time, in their order, as far
// as it can be seen without their clients. host is where the listener is, if it
// is known by a name, or empty. Certificates from an ACME server are renewed, and
// are no concern.
func (c Config) Concerns(now time.Time, host string) (list []Concern) {
	leaves := make([]*x509.Certificate, len(c.Pairs))
	for i, p := range c.Pairs {
		pair, err := tls.X509KeyPair([]byte(p.Cert.Text), []byte(p.Key.Text))
		if err != nil {
			continue // Check says so
		}
		leaves[i] = pair.Leaf
		add := func(refused bool, format string, args ...any) {
			list = append(list, Concern{Pair: i, Text: fmt.Sprintf(format, args...), Refused: refused})
		}
		concernsOfChain(pair, now, add)
		concernsOfLeaf(pair.Leaf, add)
		if slices.ContainsFunc(leaves[:i], func(l *x509.Certificate) bool { return l != nil && hides(l, pair.Leaf) }) {
			add(false, "no client gets the certificate of %s, as one before it has all of its names", listed(namesOf(pair.Leaf)))
		}
	}
	list = append(list, c.concernsOfHost(leaves, host)...)
	for _, ca := range certificatesIn(c.ClientCA.Text) {
		is, then := concernOf(ca, now), ""
		if is == noConcern {
			continue
		}
		if is == expiresSoon {
			then = " then"
		}
		list = append(list, Concern{Pair: -1, Text: fmt.Sprintf("the certificate of %s %s: clients that only it vouches for are refused%s", subject(ca), is.text(ca), then)})
	}
	return list
}

// concernsOfChain looks at the time of each certificate of a chain, and whether
// each was signed by the next one.
func concernsOfChain(pair tls.Certificate, now time.Time, add func(refused bool, format string, args ...any)) {
	below := pair.Leaf
	for i, der := range pair.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			add(true, "expected certificates, found something else in the place %d of the chain: clients refuse it", i+1)
			return
		}
		who := "the certificate of " + listed(namesOf(c))
		if i > 0 {
			who = fmt.Sprintf("the certificate %d of the chain, of %s,", i+1, subject(c))
			if below.CheckSignatureFrom(c) != nil {
				add(false, "expected who signed it, %q, as the certificate %d of the chain, found %s: clients that do not know who signed it refuse it", below.Issuer.String(), i+1, subject(c))
				return
			}
		}
		switch is := concernOf(c, now); is {
		case hasExpired, notYet:
			add(true, "%s %s: clients refuse it", who, is.text(c))
		case expiresSoon:
			add(false, "%s %s: replace it", who, is.text(c))
		}
		below = c
	}
}

// text says what is wrong with the time of a certificate, or nothing.
func (is concern) text(c *x509.Certificate) string {
	switch is {
	case notYet:
		return "is not good before " + c.NotBefore.UTC().Format(time.RFC3339)
	case hasExpired:
		return "has expired at " + c.NotAfter.UTC().Format(time.RFC3339)
	case expiresSoon:
		return "expires at " + c.NotAfter.UTC().Format(time.RFC3339)
	}
	return ""
}

// concernsOfLeaf looks at what clients want of a server's certificate beside its
// time.
func concernsOfLeaf(c *x509.Certificate, add func(refused bool, format string, args ...any)) {
	if len(c.DNSNames) == 0 && len(c.IPAddresses) == 0 {
		add(true, "expected the names or addresses of hosts in the certificate (subjectAltName), found none; clients do not look at its subject %s, and refuse it", subject(c))
	}
	forServers := func(use x509.ExtKeyUsage) bool {
		return use == x509.ExtKeyUsageServerAuth || use == x509.ExtKeyUsageAny
	}
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0 && !slices.ContainsFunc(c.ExtKeyUsage, forServers) {
		add(true, "expected a certificate for servers (serverAuth), found one for other uses: clients refuse it")
	}
}

// hides reports whether the clients that may get a get b never, as it comes behind.
func hides(a, b *x509.Certificate) bool {
	if a.PublicKeyAlgorithm != b.PublicKeyAlgorithm {
		return false // they are for clients that can do different things
	}
	names := namesOf(b)
	return len(b.DNSNames)+len(b.IPAddresses) > 0 && !slices.ContainsFunc(names, func(name string) bool { return a.VerifyHostname(sample(name)) != nil })
}

// sample returns a name that a wildcard stands for.
func sample(name string) string {
	if rest, ok := strings.CutPrefix(name, "*."); ok {
		return "wireroom-sample." + rest
	}
	return name
}

// concernsOfHost says that no certificate is for the name of the listener.
func (c Config) concernsOfHost(leaves []*x509.Certificate, host string) []Concern {
	if host == "" || net.ParseIP(host) != nil || host == "localhost" {
		return nil // an address may be known by any name
	}
	if c.ACME != nil && slices.Contains(c.ACME.Hosts, strings.ToLower(host)) {
		return nil
	}
	first := -1
	for i, leaf := range leaves {
		if leaf == nil {
			continue
		}
		if leaf.VerifyHostname(host) == nil {
			return nil
		}
		if first < 0 {
			first = i
		}
	}
	if first < 0 {
		return nil
	}
	return []Concern{{Pair: first, Text: fmt.Sprintf("expected a certificate for %s, which is where listen.http is, found %s: clients that know the gateway by that name refuse it", host, listed(namesOf(leaves[first])))}}
}

// subject returns whose a certificate is, for people.
func subject(c *x509.Certificate) string {
	return fmt.Sprintf("%.120q", c.Subject.String())
}

// listed returns some names of a list, for people.
func listed(names []string) string {
	const most = 3
	switch {
	case len(names) == 0:
		return "nobody"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// certificatesIn returns the certificates of a text in PEM that can be read.
func certificatesIn(text string) (all []*x509.Certificate) {
	for rest := bytes.TrimSpace([]byte(text)); len(rest) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			all = append(all, c)
		}
	}
	return all
}
