//go:build linux

package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"
)

// A certificate is what a spawned server with TLS shows, and what the
// generator trusts. The zero value is none.
type certificate struct {
	certFile, keyFile string
	roots             *x509.CertPool
}

// newCertificate makes a certificate for the loopback interface, good for a
// day, in files in dir. Its key is on the curve P-256, as most servers' are.
func newCertificate(dir string) (*certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	facts := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "wireroom bench"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, facts, facts, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	c := &certificate{
		certFile: filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem"), roots: x509.NewCertPool(),
	}
	c.roots.AddCert(made)
	if err := os.WriteFile(c.certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return nil, err
	}
	return c, os.WriteFile(c.keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
}

// addWire adds the flags for what is beneath WAMP.
func (o *options) addWire(f *pflag.FlagSet) {
	f.BoolVar(&o.tls, "tls", false, "started servers speak TLS, with a certificate made for the run")
	f.BoolVar(&o.login.deflate, "deflate", false, "sessions insist on permessage-deflate without context takeover")
	f.IntVar(&o.deflateMin, "deflate-min", 256, "bytes of a message from which on a started wireroom compresses, with --deflate")
}

// checkWire fails with a message about the first of these flags that is wrong.
func (o *options) checkWire() error {
	starts := func(names ...string) bool {
		return slices.ContainsFunc(o.spawns, func(s string) bool { return slices.Contains(names, s) })
	}
	switch {
	case o.tls && !starts(spawnWireroom, spawnNexus):
		return errors.New("--tls: is for servers that are started (--spawn wireroom, nexus); others are reached by TLS if their URL says wss")
	case o.linger < 0 || o.linger > time.Second:
		return fmt.Errorf("--linger %v: expected 0s to 1s", o.linger)
	case o.linger > 0 && !starts(spawnWireroom):
		return errors.New("--linger: is for a wireroom that is started (--spawn wireroom)")
	}
	return inRange("--deflate-min", o.deflateMin, 0, 1<<20)
}

// wireSettings adds these flags to what a report says about the load.
func (o *options) wireSettings(more map[string]any) map[string]any {
	more["tls"], more["deflate"], more["linger_seconds"] = o.tls, o.login.deflate, o.linger.Seconds()
	if o.login.deflate {
		more["deflate_min_bytes"] = o.deflateMin
	}
	return more
}

// wire says what the flags for what is beneath WAMP are, for the line above
// the tables.
func (o *options) wire() string {
	s := ""
	if o.tls {
		s += ", TLS"
	}
	if o.login.deflate {
		s += ", deflate"
	}
	if o.linger > 0 {
		s += ", linger " + o.linger.String()
	}
	return s
}
