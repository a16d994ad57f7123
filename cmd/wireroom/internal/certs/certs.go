// Package certs keeps the certificates of the gateway's TLS listeners: it
// chooses one for each handshake by the name that the client asks for, reads
// files again when they change, and asks clients for certificates of their own.
//
// [Keeper.Run] is its one goroutine. It replaces what handshakes read, a value
// that is never changed, so that handshakes take no lock. Connections that
// exist keep the certificate that they began with. What is read anew and is no
// certificate changes nothing and is logged once.
//
// With an [ACME] it gets certificates from a server, and renews them. Run then
// has one goroutine for each host.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/acme"
)

// A PEM is a text in PEM that stands in a configuration or in a file.
type PEM struct {
	Text string
	File string // where it was read, to be read again; empty: it does not change
}

// A Pair is a certificate chain with the private key of its first certificate.
type Pair struct{ Cert, Key PEM }

// A Config says what listeners show and ask for.
type Config struct {
	// Pairs are the certificates. A client gets the first that is good for
	// the name that it asks for and for what it can do, or else the first
	// of all.
	Pairs []Pair

	// ClientCA has the certificates of who vouches for clients. If it has a
	// text, clients are asked for a certificate, and those who show one that
	// none of these vouches for, or that has expired, or that is not meant
	// for clients, are refused. RequireClient refuses those who show none.
	ClientCA      PEM
	RequireClient bool

	ACME *ACME // where more certificates come from; may be nil
}

// A Keeper keeps the certificates of a [Config]. Its methods are safe for
// concurrent use, but for Run, which is called once.
type Keeper struct {
	// Fixed at construction.
	log     *slog.Logger
	asks    bool // for certificates of clients
	require bool

	issuing *issuing // nil without ACME

	files []*watched // owned by Run
	said  []told     // of each pair; likewise

	now atomic.Pointer[material]
}

// A material is what handshakes use. It is never changed once stored.
type material struct {
	pairs   []*tls.Certificate
	clients *x509.CertPool
	hosts   map[string]*tls.Certificate // from an ACME server
}

// New returns a keeper of cfg, or an error that says what cannot be used. It
// reads no file.
func New(cfg Config, log *slog.Logger) (*Keeper, error) {
	k := &Keeper{log: log, asks: cfg.ClientCA.Text != "", require: cfg.RequireClient}
	m := &material{pairs: make([]*tls.Certificate, len(cfg.Pairs)), hosts: map[string]*tls.Certificate{}}
	for i, p := range cfg.Pairs {
		w := watch([]PEM{p.Cert, p.Key}, func(texts []string) (change, error) { return pairOf(i, texts[0], texts[1]) })
		if err := k.begin(m, w); err != nil {
			return nil, err
		}
	}
	if k.asks {
		if err := k.begin(m, watch([]PEM{cfg.ClientCA}, clientsOf)); err != nil {
			return nil, err
		}
	}
	if cfg.ACME != nil {
		var err error
		if k.issuing, err = newIssuing(cfg.ACME, log); err != nil {
			return nil, err
		}
	}
	k.now.Store(m)
	return k, nil
}

// begin puts what w has into m, and has it watched.
func (k *Keeper) begin(m *material, w *watched) error {
	c, err := w.parse(w.texts)
	if err != nil {
		return err
	}
	c.apply(m)
	if w.texts = nil; w.names != nil {
		k.files = append(k.files, w)
	}
	return nil
}

// A change is what a file's contents make of a material.
type change struct {
	apply func(m *material) // of its own
	about []slog.Attr       // for the log
}

// pairOf reads the i-th pair.
func pairOf(i int, cert, key string) (change, error) {
	for _, m := range []struct{ text, what, file string }{{cert, "certificate", "cert_file"}, {key, "private key", "key_file"}} {
		if !strings.Contains(m.text, "-----BEGIN ") {
			return change{}, fmt.Errorf("expected a %s in PEM, which has a line that begins with -----BEGIN, found none; to name a file, use %s", m.what, m.file)
		}
	}
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil && strings.Contains(err.Error(), "does not match") {
		return change{}, errors.New("expected the certificate's own private key, found that of another one")
	}
	if err != nil {
		return change{}, fmt.Errorf("expected a certificate and its private key in PEM: %s", strings.TrimPrefix(err.Error(), "tls: "))
	}
	about := []slog.Attr{
		slog.Any("names", namesOf(pair.Leaf)), slog.Time("expires", pair.Leaf.NotAfter),
	}
	return change{func(m *material) { m.pairs[i] = &pair }, about}, nil
}

// namesOf returns for whom a certificate is.
func namesOf(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 && c.Subject.CommonName != "" {
		names = append(names, c.Subject.CommonName)
	}
	return names
}

// clientsOf reads the certificates of who vouches for clients.
func clientsOf(texts []string) (change, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(texts[0])) {
		return change{}, errors.New("expected one or more certificates in PEM, found none")
	}
	return change{func(m *material) { m.clients = pool }, nil}, nil
}

// Check reports what of a pair cannot be used.
func (p Pair) Check() error {
	_, err := pairOf(0, p.Cert.Text, p.Key.Text)
	return err
}

// CheckCA reports that a text has no certificates.
func CheckCA(text string) error {
	_, err := clientsOf([]string{text})
	return err
}

// TLS returns the configuration of a listener that offers protocols by name
// (ALPN), TLS 1.2 or later. If it offers any, it answers the challenges of an
// ACME server (TLS-ALPN-01); such a connection has negotiated "acme-tls/1", and
// is to be closed after the handshake.
func (k *Keeper) TLS(protocols ...string) *tls.Config {
	cfg := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     protocols,
		GetCertificate: k.certificate,
		// The wires gather what they write; smaller records would only be
		// more system calls.
		DynamicRecordSizingDisabled: true,
	}
	challenges := k.issuing != nil && len(protocols) > 0
	if challenges {
		cfg.NextProtos = append(slices.Clone(protocols), acme.ALPNProto)
	}
	if !k.asks {
		return cfg
	}
	cfg.ClientAuth = tls.VerifyClientCertIfGiven
	if k.require {
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	// A session that is taken up again would have a certificate that was
	// verified long ago, by somebody who may not vouch any more.
	cfg.SessionTicketsDisabled = true
	base := cfg.Clone()
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		cfg := base.Clone()
		if cfg.ClientCAs = k.now.Load().clients; challenges && challenged(hello) {
			cfg.ClientAuth = tls.NoClientCert // it has none, and gets nothing but the answer
		}
		return cfg, nil
	}
	return cfg
}

// certificate chooses the certificate for a handshake.
func (k *Keeper) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	m := k.now.Load()
	if k.issuing != nil {
		if challenged(hello) {
			return k.issuing.manager.GetCertificate(hello)
		}
		if c, missing := k.issued(m, hello.ServerName); c != nil {
			return c, nil
		} else if missing != "" && len(m.pairs) == 0 {
			return nil, errNoCertificate(missing)
		}
	}
	for _, c := range m.pairs {
		if hello.SupportsCertificate(c) == nil {
			return c, nil
		}
	}
	return m.pairs[0], nil
}
