package certs_test

import (
	"crypto/tls"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

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
