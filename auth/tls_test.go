package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"math/big"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// verified returns what TLS knows of a client with the certificate.
func verified(t testing.TB, template *x509.Certificate) *tls.ConnectionState {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template.SerialNumber = big.NewInt(1)
	c := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))(t)))(t)
	return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}, VerifiedChains: [][]*x509.Certificate{{c, c}}}
}

func fingerprint(state *tls.ConnectionState) string {
	sum := sha256.Sum256(state.PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}

func join(t testing.TB, a *auth.Auth, methods, name string, id *auth.Identity) (*auth.Grant, error) {
	t.Helper()
	g, ch, err := a.Begin(t.Context(), "open", auth.Hello{AuthMethods: strings.Fields(methods), AuthID: name}, id)
	if ch != nil {
		t.Fatalf("Begin(%s) for %q asks for %s", methods, name, ch.Method)
	}
	return g, err
}

func TestTLS(t *testing.T) {
	thumb := verified(t, &x509.Certificate{Subject: pkix.Name{CommonName: "thumb"}})
	digits := strings.ToUpper(fingerprint(thumb))
	for i := 62; i > 0; i -= 2 {
		digits = digits[:i] + ":" + digits[i:] // as openssl writes it
	}
	spiffe := must(url.Parse("spiffe://example.org/robot"))(t)
	a := authOf(t, auth.UsersConfig{
		{Name: "thea", Roles: []string{"member"}, TLS: []string{"sha256:" + digits}},
		{Name: "robot", Roles: []string{"editor"}, TLS: []string{"cn:Robot 7", "dns:Robot.example.org", "uri:spiffe://example.org/robot"}},
		{Name: "mail", Roles: []string{"member"}, TLS: []string{"email:a@example.org", "dns:*.example.org"}},
		{Name: "lost", Roles: []string{"unknown"}, TLS: []string{"cn:lost"}},
	}, decoyKey)
	both := &x509.Certificate{Subject: pkix.Name{CommonName: "Robot 7"}, EmailAddresses: []string{"a@example.org"}}
	unverified := verified(t, &x509.Certificate{Subject: pkix.Name{CommonName: "Robot 7"}})
	unverified.VerifiedChains = nil
	for _, tt := range []struct {
		name, methods, authid string
		state                 *tls.ConnectionState
		want                  string // authid
		uri                   wamp.URI
	}{
		{"fingerprint", "tls", "", thumb, "thea", ""},
		{"fingerprint, authid", "tls", "thea", thumb, "thea", ""},
		{"common name", "tls", "", verified(t, &x509.Certificate{Subject: pkix.Name{CommonName: "Robot 7"}}), "robot", ""},
		{"DNS name", "tls", "robot", verified(t, &x509.Certificate{DNSNames: []string{"x", "ROBOT.example.org"}}), "robot", ""},
		{"URI", "tls", "", verified(t, &x509.Certificate{URIs: []*url.URL{spiffe}}), "robot", ""},
		{"email", "tls", "", verified(t, &x509.Certificate{EmailAddresses: []string{"a@example.org"}}), "mail", ""},
		{"wildcard name", "tls", "", verified(t, &x509.Certificate{DNSNames: []string{"*.example.org"}}), "mail", ""},
		{"two names of one user", "tls", "", verified(t, &x509.Certificate{Subject: pkix.Name{CommonName: "Robot 7"}, DNSNames: []string{"robot.example.org"}}), "robot", ""},
		{"two users, authid", "tls", "mail", verified(t, both), "mail", ""},
		{"among other methods", "cookie tls anonymous", "", thumb, "thea", ""},
		{"not verified, another method", "tls anonymous", "", unverified, "*", ""},

		{"two users", "tls", "", verified(t, both), "", wamp.URIAuthenticationFail},
		{"another's name", "tls", "robot", thumb, "", wamp.URIAuthenticationFail},
		{"nobody's name", "tls", "nobody", thumb, "", wamp.URIAuthenticationFail},
		{"a user without a role here", "tls", "lost", verified(t, &x509.Certificate{Subject: pkix.Name{CommonName: "lost"}}), "", wamp.URIAuthenticationFail},
		{"nobody's certificate", "tls anonymous", "", verified(t, &x509.Certificate{Subject: pkix.Name{CommonName: "x"}}), "", wamp.URIAuthenticationFail},
		{"a name that only looks alike", "tls", "", verified(t, &x509.Certificate{Subject: pkix.Name{CommonName: "robot.example.org"}}), "", wamp.URIAuthenticationFail},
		{"a name below a wildcard", "tls", "", verified(t, &x509.Certificate{DNSNames: []string{"b.example.org"}}), "", wamp.URIAuthenticationFail},
		{"not verified", "tls", "robot", unverified, "", wamp.URINoAuthMethod},
		{"no certificate", "tls", "thea", new(tls.ConnectionState), "", wamp.URINoAuthMethod},
		{"no TLS", "tls", "thea", nil, "", wamp.URINoAuthMethod},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := join(t, a, tt.methods, tt.authid, auth.IdentifyTLS(tt.state))
			if tt.uri == wamp.URIAuthenticationFail {
				refused(t, tt.name, g, err)
				return
			}
			if e, ok := errors.AsType[*wamp.Error](err); tt.uri != "" && (!ok || e.URI != tt.uri) || tt.uri == "" && err != nil {
				t.Fatalf("got %+v, %v; want %s", g, err, tt.uri)
			}
			switch tt.want {
			case "":
			case "*":
				if g.AuthMethod != "anonymous" {
					t.Errorf("got %+v, want an anonymous client", g)
				}
			default:
				if g.AuthID != tt.want || g.AuthMethod != "tls" || g.Provider != "static" {
					t.Errorf("got %+v, want %s by tls", g, tt.want)
				}
			}
		})
	}
}

// A realm without such users does not offer the method, and one with says so.
func TestTLSOffered(t *testing.T) {
	state := verified(t, &x509.Certificate{Subject: pkix.Name{CommonName: "x"}})
	_, err := join(t, authOf(t, nil, decoyKey), "tls", "", auth.IdentifyTLS(state))
	if e, ok := errors.AsType[*wamp.Error](err); !ok || e.URI != wamp.URINoAuthMethod || strings.Contains(e.Text, "tls") {
		t.Errorf("got %v", err)
	}
	a := authOf(t, auth.UsersConfig{{Name: "u", Roles: []string{"member"}, TLS: []string{"cn:x"}}}, decoyKey)
	_, err = join(t, a, "tls", "", nil)
	if e, ok := errors.AsType[*wamp.Error](err); !ok || e.URI != wamp.URINoAuthMethod || !strings.Contains(e.Text, "tls; no certificate that is verified came") {
		t.Errorf("got %v", err)
	}
}

// A browser shows the certificate for pages of every origin; it counts for
// those that are trusted only.
func TestTLSOrigins(t *testing.T) {
	a := authOf(t, auth.UsersConfig{{Name: "u", Roles: []string{"member"}, TLS: []string{"cn:x"}}}, decoyKey)
	s := newSessions(t, newMemStore())
	for origin, want := range map[string]bool{"": true, "https://gw.example": true, "https://evil.example": false} {
		r := httptest.NewRequest("GET", "https://gw.example/ws", nil)
		r.TLS = verified(t, &x509.Certificate{Subject: pkix.Name{CommonName: "x"}})
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if _, err := join(t, a, "tls", "u", must(s.Identify(r))(t)); (err == nil) != want {
			t.Errorf("origin %q: %v, want it let in: %v", origin, err, want)
		}
	}
}
