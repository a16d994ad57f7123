package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/certs"
)

// Until a certificate has come, handshakes for its name fail at once or get
// another one; they never wait for a server, and a challenge that nobody has
// asked for is not answered.
func TestACMEBefore(t *testing.T) {
	is := newIssuer(t)
	for _, pairs := range [][]certs.Pair{nil, {inline(is.server("other.example"))}} {
		k, err := certs.New(certs.Config{
			Pairs: pairs, ClientCA: certs.PEM{Text: is.pem},
			ACME: &certs.ACME{Hosts: []string{"gw.example"}, Directory: "https://127.0.0.1:1/", Cache: t.TempDir(), HTTP01: true},
		}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"gw.example", "", "other.example"} {
			_, _, err := shake(t, k.TLS("http/1.1"), &tls.Config{ServerName: name})
			if (err == nil) != (pairs != nil) {
				t.Errorf("%d pairs, name %q: %v", len(pairs), name, err)
			}
		}
		if _, _, err := shake(t, k.TLS("http/1.1"), &tls.Config{ServerName: "gw.example", NextProtos: []string{"acme-tls/1"}}); err == nil {
			t.Error("a challenge is answered that nobody has asked for")
		}
		if got := strings.Join(k.TLS().NextProtos, ","); got != "" {
			t.Errorf("a listener without protocols offers %s", got)
		}
		// Whoever has no challenge is sent to TLS, under the name alone.
		w := httptest.NewRecorder()
		k.Challenges().ServeHTTP(w, httptest.NewRequest("GET", "http://gw.example:8080/page?x=1", nil))
		if w.Code != 302 || w.Header().Get("Location") != "https://gw.example/page?x=1" {
			t.Errorf("GET is answered with %d, %q", w.Code, w.Header().Get("Location"))
		}
	}
	if _, err := certs.New(certs.Config{ACME: &certs.ACME{CA: "none"}}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a CA without certificates is taken")
	}
}

// Where nothing can be negotiated nobody would close the connection after the
// answer to a challenge, so that it would be a way around certificates of
// clients.
func TestACMENeedsProtocols(t *testing.T) {
	is := newIssuer(t)
	cache := t.TempDir()
	cert, key := is.server("gw.example")
	write(t, filepath.Join(cache, "gw.example+token"), key+cert)
	k, err := certs.New(certs.Config{
		Pairs: []certs.Pair{inline(is.server("gw.example"))}, ClientCA: certs.PEM{Text: is.pem}, RequireClient: true,
		ACME: &certs.ACME{Hosts: []string{"gw.example"}, Directory: "https://127.0.0.1:1/", Cache: cache},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	challenge := &tls.Config{ServerName: "gw.example", NextProtos: []string{"acme-tls/1"}}
	if s, _, err := shake(t, k.TLS("http/1.1"), challenge); err != nil || s.NegotiatedProtocol != "acme-tls/1" {
		t.Errorf("a challenge is answered with %q, %v", s.NegotiatedProtocol, err)
	}
	if _, _, err := shake(t, k.TLS(), challenge); err == nil {
		t.Error("a listener without protocols lets in who claims to challenge it, and shows no certificate")
	}
}

// A certificate that is there is looked at again and again, and taken once.
func TestACMEKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		cert, key := newIssuer(t).issue(&x509.Certificate{DNSNames: []string{"gw.example"}, NotAfter: time.Now().Add(90 * 24 * time.Hour)})
		write(t, filepath.Join(dir, "gw.example"), key+cert) // as the manager keeps it
		log := new(logBuffer)
		k, err := certs.New(certs.Config{
			ACME: &certs.ACME{Hosts: []string{"gw.example"}, Directory: "https://127.0.0.1:1/", Cache: dir},
		}, slog.New(slog.NewTextHandler(log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { k.Run(ctx, nil) })
		time.Sleep(time.Hour)
		cancel()
		running.Wait()
		if n := strings.Count(log.String(), "certificate from the ACME server"); n != 1 {
			t.Errorf("the certificate is said to have come %d times, want once:\n%s", n, log)
		}
	})
}
