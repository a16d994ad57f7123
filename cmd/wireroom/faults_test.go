package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/wamp"
)

// dial opens a plain connection to the gateway.
func dial(t *testing.T, p *program) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(p.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// A peer that never ends its request, or never says HELLO, is gone in time,
// and costs nobody else anything.
func TestPeersThatTakeTooLong(t *testing.T) {
	quick := strings.Replace(testConfig, "timeouts: {", "timeouts: {upgrade: 50ms, hello: 50ms, ", 1)
	quick = strings.Replace(quick, "ingest:\n", "ingest:\n  timeout: 50ms\n", 1)
	p := startProgram(t, writeConfig(t, quick))
	tests := []struct{ name, say, want string }{
		{"no body for /session", "POST /session HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n", ""},
		{"no body for the page", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n", ""},
		{"no body for /ws", "POST /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n", ""},
		{"slow header", "GET /ws HTTP/1.1\r\nHost: x\r\nX-Slow: ", ""},
		{"no request", "", ""},
		{
			"no HELLO",
			"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
				"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: wamp.2.json\r\n\r\n",
			`[3,{"message":`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, p)
			if _, err := io.WriteString(c, tt.say); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(c) // until the gateway closes
			if err != nil {
				t.Fatalf("the connection is not closed: %v", err)
			}
			if !strings.Contains(string(got), tt.want) {
				t.Errorf("the gateway says %q, want %q", got, tt.want)
			}
		})
	}
}

// What is too large or not well formed is refused with a status or fault that
// says so, and the gateway goes on.
func TestBadRequests(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	bomb := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>` +
		`<methodCall><methodName>event.publish</methodName><params><param><value>&b;</value></param></params></methodCall>`
	tests := []struct {
		name, path, contentType, body string
		status                        int
		want                          string
	}{
		{"not JSON", "/events", "application/json", `{"class": "demo.message", `, 400, "application/problem+json"},
		{"not UTF-8", "/events", "application/json", "{\"class\": \"demo.message\", \"data\": {\"room\": \"\xff\"}}", 400, "UTF-8"},
		{"duplicate key", "/events", "application/json", `{"class": "chat.line", "data": {"n": 1, "n": 2}}`, 400, "n"},
		{"too deep", "/events", "application/json", `{"class": "chat.line", "data": ` + deep + `}`, 400, "at most 64 levels"},
		{"too large", "/events", "application/json", `{"class": "chat.line", "data": {"x": "` + strings.Repeat("x", 2<<20) + `"}}`, 413, "at most 1048576 bytes"},
		{"wrong type", "/events", "text/plain", `{}`, 415, "application/json"},
		{"entities", "/RPC2", "text/xml", bomb, 200, "<fault>"},
		{"not XML", "/RPC2", "text/xml", "<methodCall>", 200, "<fault>"},
		{"XML-RPC that is JSON", "/RPC2", "application/json", "{}", 415, "text/xml"},
		{"unknown path", "/nowhere", "application/json", "{}", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.base+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", tt.contentType)
			req.Header.Set("Authorization", "Bearer "+testKey)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if answer := resp.Header.Get("Content-Type") + "\n" + string(body); resp.StatusCode != tt.status || !strings.Contains(answer, tt.want) {
				t.Errorf("status %d, want %d; answer %s, want %q", resp.StatusCode, tt.status, answer, tt.want)
			}
		})
	}
	pub := must(newHTTPPublisher(p.base, testKey, patience))(t)
	defer pub.close()
	if _, err := pub.publish(t.Context(), publication{topic: "chat.line", value: map[string]any{"n": 1}}); err != nil {
		t.Errorf("after all this: %v", err)
	}
}

// A request that does not come to an end does not keep the goodbyes waiting.
func TestShutdownWithASlowRequest(t *testing.T) {
	p := startProgram(t, writeConfig(t, strings.Replace(testConfig, "shutdown: 5s", "shutdown: 1s", 1)))
	c := join(t, p, "")
	slow := dial(t, p)
	if _, err := fmt.Fprintf(slow, "POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n\r\n", testKey); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(slow).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("the gateway says %q, %v; want it to wait for the body", line, err)
	}
	var owned sync.WaitGroup
	owned.Go(func() { p.stop() })
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Error("the session is not ended")
	}
	if got := c.RouterGoodbye(); got == nil || got.Reason != "wamp.close.system_shutdown" {
		t.Errorf("goodbye = %+v, want wamp.close.system_shutdown", got)
	}
	owned.Wait()
	if !strings.Contains(p.stderr.String(), "not everybody left in time") {
		t.Errorf("the log does not say that a request was cut off:\n%s", p.stderr)
	}
}

// Strings of any characters reach every serializer. Those that begin with NUL
// are not among them: in WAMP they are how JSON writes binary values.
func TestOddStrings(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	odd := []string{"", "a\x00b", "\u2028\u0085", "𝄞", "\"\\/\b", strings.Repeat("é", 500)}
	readers := map[string]<-chan *wamp.Event{}
	for name := range serializations {
		f := wampFlags{url: p.ws(), realm: "realm1", serializer: name, timeout: patience}
		c, err := f.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		readers[name] = c.listen(t, "demo.message", nil)
	}
	pub := must(newHTTPPublisher(p.base, testKey, patience))(t)
	defer pub.close()
	for _, text := range odd {
		if _, err := pub.publish(t.Context(), publication{topic: "demo.message", value: map[string]any{"room": "r", "text": text}}); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		for name, events := range readers {
			if got := next(t, events).ArgumentsKw["text"]; got != text {
				t.Errorf("%s: %q arrives as %q", name, text, got)
			}
		}
	}
}

// With a certificate everything is encrypted, and the cookie says so.
func TestTLS(t *testing.T) {
	cert, key := selfSigned(t)
	config := strings.Replace(testConfig, "listen: {http: 127.0.0.1:0}",
		fmt.Sprintf("listen: {http: \"127.0.0.1:0\", tls: {cert: %q, key: %q}}", cert, key), 1)
	p := startProgram(t, writeConfig(t, config))
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(cert)) {
		t.Fatal("the certificate cannot be read")
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	base := strings.Replace(p.base, "http", "https", 1)
	resp, err := client.Post(base+"/session", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if c := resp.Cookies(); len(c) != 1 || !c[0].Secure || !c[0].HttpOnly || c[0].SameSite != http.SameSiteLaxMode {
		t.Errorf("cookies = %v, want one that is Secure, HttpOnly and SameSite=Lax", c)
	}
	if !strings.Contains(p.stdout.String(), base+"/\n") {
		t.Errorf("the greeting lacks %s:\n%s", base, p.stdout)
	}
}

func selfSigned(t *testing.T) (certPEM, keyPEM string) {
	t.Helper()
	return certificateOf(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	})
}

// A command that is interrupted ends with the code for that, unless it is one
// that people end so.
func TestInterrupted(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	callee := join(t, p, ticketFor(t, "ada", "member"))
	if err := callee.Register("app.slow", slowAnswer, nil); err != nil {
		t.Fatal(err)
	}
	ticket := ticketFor(t, "bob", "staff")
	tests := []struct {
		name string
		args []string
		code int
	}{
		{"subscribe", []string{"subscribe", "demo.message"}, exitOK},
		{"subscribe that counts", []string{"subscribe", "demo.message", "-n", "1"}, exitInterrupted},
		{"call", []string{"call", "app.slow", "--ticket", ticket}, exitInterrupted},
		{"publish of an input without end", []string{"publish", "demo.message", "-"}, exitInterrupted},
		{"the same over HTTP", []string{"publish", "demo.message", "-", "--http", p.base, "--key", testKey}, exitInterrupted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			var stdout, stderr bytes.Buffer
			stdin, unused := io.Pipe() // a person who types nothing
			defer func() { _ = unused.Close() }()
			code := run(ctx, append(tt.args, "--url", p.ws()), stdin, &stdout, &stderr)
			if code != tt.code {
				t.Errorf("code %d, want %d\n%s%s", code, tt.code, &stdout, &stderr)
			}
		})
	}
}

// A publisher whose gateway does not answer is interrupted at once.
func TestInterruptedPublish(t *testing.T) {
	inner := newFakePeer()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-inner.send // HELLO
		inner.recv <- &wamp.Welcome{ID: 1, Details: wamp.Dict{"roles": wamp.Dict{"broker": wamp.Dict{}}}}
		<-inner.send // PUBLISH, which nobody answers
		cancel()
	}()
	gate := newGate(inner)
	c, err := client.NewClient(gate, client.Config{Realm: "realm1", ResponseTimeout: patience, Logger: log.New(io.Discard, "", 0)})
	if err != nil {
		t.Fatal(err)
	}
	p := &wampPublisher{&wampClient{c, gate}}
	begin := time.Now()
	if _, err := p.publish(ctx, publication{topic: "a.b", value: "x"}); exitCode(err) != exitInterrupted {
		t.Errorf("publish: %v, want interrupted", err)
	}
	p.close()
	if d := time.Since(begin); d > patience/2 {
		t.Errorf("the interrupt took %v", d)
	}
}
