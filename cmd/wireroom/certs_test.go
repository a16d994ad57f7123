package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Certificates are read again on SIGHUP: who connects then sees the new one,
// and who is connected stays.
func TestCertificateReload(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write := func() *tls.Config {
		cert, key := selfSigned(t)
		for name, text := range map[string]string{certFile: cert, keyFile: key} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return trusting(t, cert)
	}
	trust := write()
	p := startProgram(t, writeConfig(t, strings.Replace(testConfig, "listen: {http: 127.0.0.1:0}",
		fmt.Sprintf("listen: {http: \"127.0.0.1:0\", tls: {cert_file: %q, key_file: %q}}", certFile, keyFile), 1)))
	before := dialHello(t, p, trust, `{"roles":{"caller":{}}}`)
	trust = write()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; <-time.After(10 * time.Millisecond) {
		conn, _, err := (&websocket.Dialer{TLSClientConfig: trust, Subprotocols: []string{"wamp.2.json"}}).DialContext(t.Context(), p.wss(), nil)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the new certificate is not shown after %v: %v", patience, err)
		}
	}
	if err := before.WriteMessage(websocket.TextMessage, []byte(`[48,1,{},"wireroom.class.list"]`)); err != nil {
		t.Fatal(err)
	}
	if _, msg, err := before.ReadMessage(); err != nil || !strings.HasPrefix(string(msg), "[50,1,") {
		t.Errorf("who was connected before is answered %s, %v", msg, err)
	}
}

// dialHello joins realm1 over TLS and returns the connection.
func dialHello(t *testing.T, p *program, trust *tls.Config, details string) *websocket.Conn {
	t.Helper()
	conn, _, err := (&websocket.Dialer{TLSClientConfig: trust, Subprotocols: []string{"wamp.2.json"}}).DialContext(t.Context(), p.wss(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `[1,"realm1",%s]`, details)); err != nil {
		t.Fatal(err)
	}
	_, msg, err := conn.ReadMessage()
	if err != nil || !strings.HasPrefix(string(msg), "[2,") {
		t.Fatalf("HELLO is answered with %s, %v", msg, err)
	}
	return conn
}

// issued makes a certificate for a client that is signed with the key of cert.
func issued(t *testing.T, cert, key string, template *x509.Certificate) tls.Certificate {
	t.Helper()
	issuer, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.ExtKeyUsage = big.NewInt(2), []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.Leaf, &private.PublicKey, issuer.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

// A client's certificate says who it is, over WebSocket and over RawSocket on
// either port. One that is nobody's, somebody else's, or signed by somebody
// else does not let it in.
func TestClientCertificate(t *testing.T) {
	cert, key := selfSigned(t)
	otherCert, otherKey := selfSigned(t)
	listen := fmt.Sprintf("listen: {http: \"127.0.0.1:0\", rawsocket: \"127.0.0.1:0\", tls: {cert: %q, key: %q, client_ca: %q}}", cert, key, cert)
	text := strings.Replace(testConfig, "listen: {http: 127.0.0.1:0}", listen, 1)
	text = strings.Replace(text, "auth:\n", "auth:\n  users: {robot: {roles: [member], tls: [\"cn:robot\"]}, thumb: {roles: [member], tls: [\"dns:thumb.example\"]}}\n", 1)
	p := startProgram(t, writeConfig(t, text))
	rawAddr := ""
	for line := range strings.Lines(p.stdout.String()) {
		if _, after, ok := strings.Cut(line, "rss://"); ok {
			rawAddr = strings.Fields(after)[0]
		}
	}
	subject := func(name string) *x509.Certificate { return &x509.Certificate{Subject: pkix.Name{CommonName: name}} }
	expired := subject("robot")
	expired.NotAfter = time.Now().Add(-time.Minute)
	for _, tt := range []struct {
		name   string
		cert   *tls.Certificate
		authid string
		want   string // part of the answer to HELLO; "" if TLS refuses the certificate
	}{
		{"a user's", new(issued(t, cert, key, subject("robot"))), "", `"authid":"robot"`},
		{"a user's, by name", new(issued(t, cert, key, &x509.Certificate{DNSNames: []string{"thumb.example"}})), "thumb", `"authmethod":"tls"`},
		{"nobody's", new(issued(t, cert, key, subject("nobody"))), "", `wamp.error.authentication_failed`},
		{"another user's", new(issued(t, cert, key, subject("robot"))), "thumb", `wamp.error.authentication_failed`},
		{"a user's, with nobody's name", new(issued(t, cert, key, subject("robot"))), "nobody", `wamp.error.authentication_failed`},
		{"none", nil, "robot", `wamp.error.no_matching_auth_method`},
		{"a user's name signed by somebody else", new(issued(t, otherCert, otherKey, subject("robot"))), "robot", ""},
		{"one that has expired", new(issued(t, cert, key, expired)), "robot", ""},
	} {
		trust := trusting(t, cert)
		if tt.cert != nil {
			trust.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return tt.cert, nil }
		}
		hello := `[1,"realm1",{"authmethods":["tls"],"authid":"` + tt.authid + `","roles":{"caller":{}}}]`
		if tt.authid == "" {
			hello = `[1,"realm1",{"authmethods":["tls"],"roles":{"caller":{}}}]`
		}
		for wire, say := range map[string]func() (string, error){
			"WebSocket": func() (string, error) { return sayWebSocket(t.Context(), p.wss(), trust, hello) },
			"RawSocket": func() (string, error) { return sayRaw(t.Context(), rawAddr, trust, hello) },
			"RawSocket, port of HTTP's": func() (string, error) {
				return sayRaw(t.Context(), strings.TrimPrefix(p.base, "http://"), trust, hello)
			},
		} {
			got, err := say()
			if tt.want == "" && err == nil || tt.want != "" && (err != nil || !strings.Contains(got, tt.want)) {
				t.Errorf("%s, %s: HELLO is answered with %s, %v; want %q", tt.name, wire, got, err, tt.want)
			}
			var answer []json.RawMessage
			if strings.Contains(tt.want, "authentication_failed") && (json.Unmarshal([]byte(got), &answer) != nil || string(answer[1]) != `{"message":"authentication failed"}`) {
				t.Errorf("%s, %s: the answer %s says more than that it failed", tt.name, wire, got)
			}
		}
	}
}

// sayWebSocket says something and returns the answer.
func sayWebSocket(ctx context.Context, url string, trust *tls.Config, text string) (string, error) {
	conn, _, err := (&websocket.Dialer{TLSClientConfig: trust, Subprotocols: []string{"wamp.2.json"}}).DialContext(ctx, url, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		return "", err
	}
	_, msg, err := conn.ReadMessage()
	return string(msg), err
}

// sayRaw is sayWebSocket over RawSocket.
func sayRaw(ctx context.Context, addr string, trust *tls.Config, text string) (string, error) {
	conn, err := (&tls.Dialer{Config: trust}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "\x7f\xf1\x00\x00\x00\x00\x00%c%s", len(text), text); err != nil {
		return "", err
	}
	br := bufio.NewReader(conn)
	var head [8]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return "", err
	}
	msg := make([]byte, int(head[6])<<8|int(head[7]))
	_, err = io.ReadFull(br, msg)
	return string(msg), err
}
