package interop_test

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// acmeHost is the name for which certificates are issued. The ACME server is
// told that it is on the loopback interface.
const acmeHost = "gw.wireroom.test"

// A pebble is Let's Encrypt's server for tests, running.
type pebble struct {
	directory string // URL
	ca        string // file with who vouches for the server
	roots     string // URL of who vouches for the certificates that it issues
	client    *http.Client
	stop      func() // ends it, if that has not been done
}

// startPebble runs an ACME server that looks for challenges at the given ports
// of the loopback interface.
func startPebble(t *testing.T, httpPort, tlsPort string) *pebble {
	t.Helper()
	program := need(t, cmp.Or(os.Getenv("PEBBLE"), "/usr/bin/pebble"))
	dir := t.TempDir()
	certFile, keyFile := writeCertificate(t, dir)
	listen, manage := freeAddr(t), freeAddr(t)
	var port [2]int
	for i, text := range []string{httpPort, tlsPort} {
		if _, err := fmt.Sscan(text, &port[i]); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": manage, "certificate": certFile, "privateKey": keyFile,
		"httpPort": port[0], "tlsPort": port[1], "ocspResponderURL": "", "externalAccountBindingRequired": false,
	}})
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-config", config, "-dnsserver", serveNames(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=10", "PEBBLE_AUTHZREUSE=0")
	log := new(logBuffer)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait() // which reports the signal
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("pebble said:\n%s", log.String())
		}
	})
	p := &pebble{stop: stop, directory: "https://" + listen + "/dir", ca: certFile, roots: "https://" + manage + "/roots/0"}
	p.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: poolOf(t, certFile)}}}
	t.Cleanup(p.client.CloseIdleConnections)
	await(t, "pebble", func(ctx context.Context) bool {
		_, err := p.get(ctx, p.directory)
		return err == nil
	})
	return p
}

// get returns what is at a URL of the server.
func (p *pebble) get(ctx context.Context, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// await waits until something is so.
func await(t *testing.T, what string, so func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientTime)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for !so(ctx) {
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatalf("%s: not so after %v", what, clientTime)
		}
	}
}

// writeCertificate writes a certificate for 127.0.0.1 with its key.
func writeCertificate(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: der8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func poolOf(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("%s has no certificate", file)
	}
	return pool
}

// serveNames answers every question for an IPv4 address with 127.0.0.1, and
// every other with nothing, over UDP and TCP, and returns where.
func serveNames(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := answerName(buf[:n]); answer != nil {
				conn.WriteTo(answer, from)
			}
		}
	})
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { answerStream(nc) })
		}
	})
	t.Cleanup(func() {
		conn.Close()
		l.Close()
		wg.Wait()
	})
	return addr
}

// answerStream answers questions that have their length in front (RFC 1035,
// 4.2.2).
func answerStream(nc net.Conn) {
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(clientTime))
	for {
		var size [2]byte
		if _, err := io.ReadFull(nc, size[:]); err != nil {
			return
		}
		q := make([]byte, int(size[0])<<8|int(size[1]))
		if _, err := io.ReadFull(nc, q); err != nil {
			return
		}
		answer := answerName(q)
		if _, err := nc.Write(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...)); err != nil {
			return
		}
	}
}

// answerName answers a question of DNS (RFC 1035, 4).
func answerName(q []byte) []byte {
	end := 12
	for end < len(q) && q[end] != 0 {
		end += int(q[end]) + 1
	}
	if end += 5; end > len(q) { // the end of the name, type, class
		return nil
	}
	a := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
	if q[end-3] == 1 { // type A
		a[7] = 1
		a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
	}
	return a
}

// The gateway gets a certificate by itself from an ACME server, by either
// challenge, on the port that WebSocket, RawSocket and HTTP share, also if it
// asks clients for certificates; and it has it still after a restart, when the
// server is gone.
func TestACME(t *testing.T) {
	for _, challenge := range []string{"TLS-ALPN-01", "HTTP-01"} {
		t.Run(challenge, func(t *testing.T) {
			dir := t.TempDir()
			g := &gateway{addr: freeAddr(t), config: filepath.Join(dir, "wireroom.yaml"), log: new(logBuffer)}
			plain := freeAddr(t)
			_, tlsPort, _ := net.SplitHostPort(g.addr)
			_, httpPort, _ := net.SplitHostPort(plain)
			// With one challenge the gateway asks clients for certificates,
			// which the ACME server has none of; with the other nobody
			// answers where that looks for the first.
			acme, more := "", "client_ca_file: ca.pem, client_cert: required"
			if challenge == "HTTP-01" {
				acme, more = "http: "+plain, ""
				_, tlsPort, _ = net.SplitHostPort(freeAddr(t))
			}
			p := startPebble(t, httpPort, tlsPort)
			ca, err := os.ReadFile(p.ca)
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf(`
listen:
  http: %s
  tls: {acme: {hosts: %s, directory: %q, directory_ca_file: ca.pem, accept_terms: true, email: ops@example.com, %s}, %s}
store: file:wireroom.db
roles: {anonymous: {subscribe: ["*"]}}
`, g.addr, acmeHost, p.directory, acme, more)
			for name, text := range map[string][]byte{g.config: []byte(text), filepath.Join(dir, "ca.pem"): ca} {
				if err := os.WriteFile(name, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var roots *x509.CertPool
			has := func(context.Context) bool {
				c, err := tls.Dial("tcp", g.addr, &tls.Config{ServerName: acmeHost, RootCAs: roots})
				if err != nil {
					return false
				}
				c.Close()
				return true
			}
			pemText, err := p.get(t.Context(), p.roots)
			if err != nil {
				t.Fatal(err)
			}
			if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(pemText) {
				t.Fatalf("pebble's root is %q", pemText)
			}
			g.probe = func(context.Context) bool { // it listens
				c, err := net.Dial("tcp", g.addr)
				if err != nil {
					return false
				}
				c.Close()
				return true
			}
			g.run(t, "serve", "--config", g.config)
			await(t, "the certificate is there", has)
			g.stop(t)
			if entries, err := os.ReadDir(filepath.Join(dir, "acme")); err != nil || len(entries) < 2 {
				t.Errorf("the cache has %v, %v", entries, err)
			}
			p.stop()
			g.run(t, "serve", "--config", g.config)
			await(t, "the certificate is there again", has)
		})
	}
}
