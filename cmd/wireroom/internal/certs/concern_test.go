package certs_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/certs"
)

// issuerAt returns an issuer whose certificate is good for a year, from half a year
// before a time on.
func issuerAt(t *testing.T, name string, now time.Time) *issuer {
	t.Helper()
	is := &issuer{t: t}
	var key string
	is.pem, key = is.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: now.AddDate(0, -6, 0), NotAfter: now.AddDate(0, 6, 0),
	})
	pair, err := tls.X509KeyPair([]byte(is.pem), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	is.cert, is.key = pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)
	return is
}

// What clients will not like is known before they come.
func TestConcerns(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2030, time.June, 1, 12, 0, 0, 0, time.UTC)
	one, other := issuerAt(t, "one", now), issuerAt(t, "other", now)
	pair := func(begins, ends time.Duration, template x509.Certificate) certs.Pair {
		template.NotBefore, template.NotAfter = now.Add(begins), now.Add(ends)
		return inline(one.issue(&template))
	}
	names := func(n ...string) x509.Certificate { return x509.Certificate{DNSNames: n} }
	good := pair(-60*day, 30*day, names("gw.example"))
	behind := func(p certs.Pair, more string) certs.Pair {
		p.Cert.Text += more
		return p
	}
	old, _ := one.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "old"}, IsCA: true, BasicConstraintsValid: true, NotBefore: now.Add(-9 * day), NotAfter: now.Add(-day)})
	ending, _ := one.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "ending"}, IsCA: true, BasicConstraintsValid: true, NotBefore: now.Add(-90 * day), NotAfter: now.Add(day)})

	for _, test := range []struct {
		name  string
		pairs []certs.Pair
		host  string
		ca    string
		acme  []string
		want  []string // those that every client refuses begin with "!"
	}{
		{name: "good", pairs: []certs.Pair{good}},
		{name: "good, with its issuer", pairs: []certs.Pair{behind(good, one.pem)}, ca: other.pem},
		{name: "expired", pairs: []certs.Pair{pair(-60*day, -time.Second, names("gw.example"))}, want: []string{
			"!0 the certificate of gw.example has expired at 2030-06-01T11:59:59Z: clients refuse it",
		}},
		{name: "not yet", pairs: []certs.Pair{good, pair(time.Second, 90*day, names("b.example"))}, want: []string{
			"!1 the certificate of b.example is not good before 2030-06-01T12:00:01Z: clients refuse it",
		}},
		{name: "soon", pairs: []certs.Pair{pair(-80*day, 6*day, names("a.example", "b.example", "c.example", "d.example"))}, want: []string{
			"0 the certificate of a.example, b.example, c.example and 1 more expires at 2030-06-07T12:00:00Z: replace it",
		}},
		{name: "soon, of a short time", pairs: []certs.Pair{pair(-4*time.Hour, time.Hour, names("gw.example"))}, want: []string{
			"0 the certificate of gw.example expires at 2030-06-01T13:00:00Z: replace it",
		}},
		{name: "new, of a short time", pairs: []certs.Pair{pair(-time.Hour, 4*time.Hour, names("gw.example"))}},

		{name: "no name but in the subject", pairs: []certs.Pair{pair(-day, 30*day, x509.Certificate{Subject: pkix.Name{CommonName: "gw.example"}})}, want: []string{
			`!0 expected the names or addresses of hosts in the certificate (subjectAltName), found none; clients do not look at its subject "CN=gw.example", and refuse it`,
		}},
		{name: "for clients", pairs: []certs.Pair{pair(-day, 30*day, x509.Certificate{DNSNames: []string{"gw.example"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})}, want: []string{
			"!0 expected a certificate for servers (serverAuth), found one for other uses: clients refuse it",
		}},
		{name: "for both", pairs: []certs.Pair{pair(-day, 30*day, x509.Certificate{DNSNames: []string{"gw.example"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}})}},

		{name: "another issuer behind it", pairs: []certs.Pair{behind(good, other.pem)}, want: []string{
			`0 expected who signed it, "CN=one", as the certificate 2 of the chain, found "CN=other": clients that do not know who signed it refuse it`,
		}},

		{name: "its host", pairs: []certs.Pair{good}, host: "gw.example"},
		{name: "an address", pairs: []certs.Pair{good}, host: "192.0.2.1"},
		{name: "another host", pairs: []certs.Pair{good, pair(-day, 30*day, names("*.example.com"))}, host: "example.com", want: []string{
			"0 expected a certificate for example.com, which is where listen.http is, found gw.example: clients that know the gateway by that name refuse it",
		}},
		{name: "a host of a wildcard", pairs: []certs.Pair{good, pair(-day, 30*day, names("*.example.com"))}, host: "x.example.com"},
		{name: "a host of ACME", pairs: []certs.Pair{good}, host: "x.example.com", acme: []string{"x.example.com"}},

		{name: "twice", pairs: []certs.Pair{pair(-day, 30*day, names("*.example", "example")), good}, want: []string{
			"1 no client gets the certificate of gw.example, as one before it has all of its names",
		}},
		{name: "twice, for clients that differ", pairs: []certs.Pair{good, rsaPair(t, now)}},
		{name: "in part", pairs: []certs.Pair{good, pair(-day, 30*day, names("gw.example", "b.example"))}},
		{name: "wider", pairs: []certs.Pair{good, pair(-day, 30*day, names("*.example"))}},

		{name: "who vouches for clients", pairs: []certs.Pair{good}, ca: one.pem + old + ending, want: []string{
			`-1 the certificate of "CN=old" has expired at 2030-05-31T12:00:00Z: clients that only it vouches for are refused`,
			`-1 the certificate of "CN=ending" expires at 2030-06-02T12:00:00Z: clients that only it vouches for are refused then`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := certs.Config{Pairs: test.pairs, ClientCA: certs.PEM{Text: test.ca}}
			if test.acme != nil {
				c.ACME = &certs.ACME{Hosts: test.acme}
			}
			var got []string
			for _, concern := range c.Concerns(now, test.host) {
				mark := map[bool]string{true: "!"}[concern.Refused]
				got = append(got, fmt.Sprintf("%s%d %s", mark, concern.Pair, concern.Text))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("the concerns are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// An intermediate certificate may expire before the one that it signed.
func TestConcernsOfChain(t *testing.T) {
	now := time.Date(2030, time.June, 1, 12, 0, 0, 0, time.UTC)
	middle := issuerAt(t, "middle", now.AddDate(0, -7, 0)) // expired a month ago
	cert, key := middle.issue(&x509.Certificate{DNSNames: []string{"gw.example"}, NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(0, 1, 0)})
	c := certs.Config{Pairs: []certs.Pair{inline(cert+middle.pem, key)}}
	got := c.Concerns(now, "")
	const want = `the certificate 2 of the chain, of "CN=middle", has expired at 2030-05-01T12:00:00Z: clients refuse it`
	if len(got) != 1 || got[0].Text != want || !got[0].Refused || got[0].Pair != 0 {
		t.Errorf("the concerns are %+v, want %s", got, want)
	}
}

// A key that is not the certificate's is told from one that cannot be read.
func TestAnothersKey(t *testing.T) {
	is := newIssuer(t)
	cert, _ := is.server("gw.example")
	_, key := is.server("other.example")
	pair := inline(cert, key)
	if err := pair.Check(); err == nil || err.Error() != "expected the certificate's own private key, found that of another one" {
		t.Errorf("Check of a certificate with the key of another: %v", err)
	}
}

// rsaPair returns a certificate of gw.example with an RSA key.
func rsaPair(t *testing.T, now time.Time) certs.Pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"gw.example"}, NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(0, 1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return inline(
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	)
}
