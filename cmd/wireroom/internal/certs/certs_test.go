package certs_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/certs"
)

// An issuer makes certificates.
type issuer struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newIssuer(t testing.TB) *issuer {
	is := &issuer{t: t}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "issuer"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var key string
	is.pem, key = is.issue(template)
	pair, err := tls.X509KeyPair([]byte(is.pem), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	is.cert, is.key = pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)
	return is
}

// issue makes a certificate for an hour before and after now, unless the
// template says otherwise.
func (is *issuer) issue(template *x509.Certificate) (cert, key string) {
	is.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		is.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := is.cert, is.key
	if parent == nil {
		parent, signer = template, private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, signer)
	if err != nil {
		is.t.Fatal(err)
	}
	der8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		is.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der8}))
}

func (is *issuer) server(name string) (cert, key string) {
	return is.issue(&x509.Certificate{DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
}

func (is *issuer) client(template *x509.Certificate) tls.Certificate {
	is.t.Helper()
	if template.ExtKeyUsage == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	cert, key := is.issue(template)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		is.t.Fatal(err)
	}
	return pair
}

// shake shakes hands with a client, and returns what both sides know.
func shake(t testing.TB, server, client *tls.Config) (s, c tls.ConnectionState, err error) {
	t.Helper()
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	client = client.Clone()
	client.InsecureSkipVerify = true
	near, far := tls.Server(a, server), tls.Client(b, client)
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() {
		if failed = near.Handshake(); failed != nil {
			_ = a.Close()
			return
		}
		_, _ = near.Write([]byte("x")) // for the client to learn that it was let in
	})
	if err = far.Handshake(); err == nil {
		_, err = far.Read(make([]byte, 1))
	}
	if err != nil {
		_ = b.Close()
	}
	wg.Wait()
	if err == nil {
		err = failed
	}
	return near.ConnectionState(), far.ConnectionState(), err
}

// shown returns the name of the certificate that a client sees which asks for
// name.
func shown(t testing.TB, k *certs.Keeper, name string) string {
	t.Helper()
	_, c, err := shake(t, k.TLS(), &tls.Config{ServerName: name})
	if err != nil {
		t.Fatalf("handshake for %q: %v", name, err)
	}
	return c.PeerCertificates[0].DNSNames[0]
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func inline(cert, key string) certs.Pair {
	return certs.Pair{Cert: certs.PEM{Text: cert}, Key: certs.PEM{Text: key}}
}

// Clients get the certificate for the name that they ask for, and the first if
// there is none.
func TestNames(t *testing.T) {
	is := newIssuer(t)
	k, err := certs.New(certs.Config{Pairs: []certs.Pair{
		inline(is.server("a.example")), inline(is.server("*.b.example")), inline(is.server("c.example")),
	}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a.example": "a.example", "x.b.example": "*.b.example", "C.example": "c.example", "d.example": "a.example", "": "a.example",
	} {
		if got := shown(t, k, name); got != want {
			t.Errorf("a client that asks for %q gets the certificate of %s, want %s", name, got, want)
		}
	}
	if _, _, err := shake(t, k.TLS(), &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if s, _, err := shake(t, k.TLS("http/1.1"), &tls.Config{NextProtos: []string{"h2", "http/1.1"}}); err != nil || s.NegotiatedProtocol != "http/1.1" {
		t.Errorf("the protocol is %q, %v", s.NegotiatedProtocol, err)
	}
}

// What is no certificate is no keeper.
func TestNewRefuses(t *testing.T) {
	is := newIssuer(t)
	cert, _ := is.server("a.example")
	_, other := is.server("a.example")
	for name, cfg := range map[string]certs.Config{
		"another's key": {Pairs: []certs.Pair{inline(cert, other)}},
		"no key":        {Pairs: []certs.Pair{inline(cert, "")}},
		"no client CA":  {Pairs: []certs.Pair{inline(is.server("a.example"))}, ClientCA: certs.PEM{Text: "x"}},
	} {
		if _, err := certs.New(cfg, slog.New(slog.DiscardHandler)); err == nil || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v, want an error without the key", name, err)
		}
	}
}

// A logBuffer is a buffer for many goroutines.
type logBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Files are read again: a new certificate is taken when its key has come, too;
// what is none changes nothing and is logged once.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := newIssuer(t)
		dir := t.TempDir()
		certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		cert, key := is.server("one.example")
		write(t, certFile, cert)
		write(t, keyFile, key+"\n\n")
		var log logBuffer
		k, err := certs.New(certs.Config{Pairs: []certs.Pair{
			{Cert: certs.PEM{Text: cert, File: certFile}, Key: certs.PEM{Text: strings.TrimRight(key, "\n"), File: keyFile}},
			inline(is.server("fixed.example")),
		}}, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		now := make(chan os.Signal, 1)
		var wg sync.WaitGroup
		wg.Go(func() { k.Run(ctx, now) })
		expect := func(name string, lines int) {
			t.Helper()
			synctest.Wait()
			if got := shown(t, k, name); got != name {
				t.Errorf("the certificate is that of %s, want %s", got, name)
			}
			if got := strings.Count(log.String(), "\n"); got != lines {
				t.Errorf("%d lines are logged, want %d:\n%s", got, lines, log.String())
			}
		}
		time.Sleep(62 * time.Second) // never when the files are read
		expect("one.example", 0)

		cert, key = is.server("two.example")
		write(t, certFile, cert)
		time.Sleep(7 * time.Second) // the key comes later
		write(t, keyFile, key)
		time.Sleep(12 * time.Second)
		expect("two.example", 1)
		if !strings.Contains(log.String(), "two.example") || !strings.Contains(log.String(), certFile) {
			t.Errorf("the log is %q", log.String())
		}

		write(t, keyFile, "nothing")
		time.Sleep(time.Minute)
		expect("two.example", 2)
		if last := log.String(); !strings.Contains(last, "level=ERROR") || strings.Contains(last, "nothing") {
			t.Errorf("the log is %q", last)
		}
		if err := os.Remove(certFile); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		expect("two.example", 3)
		write(t, certFile, cert)
		write(t, keyFile, key)
		time.Sleep(time.Minute)
		expect("two.example", 3)
		write(t, keyFile, "nothing")
		time.Sleep(time.Minute)
		expect("two.example", 4) // it was right in between

		cert, key = is.server("three.example")
		write(t, certFile, cert)
		write(t, keyFile, key)
		now <- os.Interrupt // at once
		expect("three.example", 5)
		if got := shown(t, k, "fixed.example"); got != "fixed.example" {
			t.Errorf("the other certificate is that of %s", got)
		}
		stop()
		wg.Wait()
	})
}

// Certificates of clients are verified: who vouches, until when, what for; and
// a file of who vouches is read again.
func TestClientCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is, other := newIssuer(t), newIssuer(t)
		ca := filepath.Join(t.TempDir(), "ca.pem")
		write(t, ca, is.pem)
		good := is.client(&x509.Certificate{Subject: pkix.Name{CommonName: "robot"}})
		k := map[bool]*certs.Keeper{}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, required := range []bool{false, true} {
			var err error
			k[required], err = certs.New(certs.Config{
				Pairs: []certs.Pair{inline(is.server("a.example"))}, ClientCA: certs.PEM{Text: is.pem, File: ca}, RequireClient: required,
			}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			keeper := k[required]
			wg.Go(func() { keeper.Run(ctx, nil) })
		}
		check := func(name string, cert *tls.Certificate, optional, required bool) {
			t.Helper()
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				client := &tls.Config{MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1), ServerName: "a.example"}
				if cert != nil {
					// Shown whoever the server says that it takes.
					client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
				}
				for must, want := range map[bool]bool{false: optional, true: required} {
					s, _, err := shake(t, k[must].TLS(), client)
					if (err == nil) != want || want && cert != nil && len(s.VerifiedChains) == 0 || s.DidResume {
						t.Errorf("%s, TLS %#x, required %v: %v, want it let in: %v", name, version, must, err, want)
					}
				}
			}
		}
		check("none", nil, true, false)
		check("a good one", &good, true, true)
		check("another issuer's", new(other.client(&x509.Certificate{Subject: pkix.Name{CommonName: "robot"}})), false, false)
		check("one that has expired", new(is.client(&x509.Certificate{NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(-time.Minute)})), false, false)
		check("one that is not good yet", new(is.client(&x509.Certificate{NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(2 * time.Hour)})), false, false)
		check("a server's", new(is.client(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})), false, false)

		time.Sleep(2 * time.Second) // never when the file is read
		write(t, ca, other.pem)
		time.Sleep(time.Minute)
		check("one whose issuer is gone", &good, false, false)
		check("the new issuer's", new(other.client(&x509.Certificate{})), true, true)
		stop()
		wg.Wait()
	})
}
