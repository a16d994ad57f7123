package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/transport/serialize"
	"github.com/gammazero/nexus/v3/wamp"
	"github.com/gorilla/websocket"
)

// startSecure serves testConfig over TLS, with the write timeout, and returns
// what a client trusts.
func startSecure(t *testing.T, write time.Duration) (p *program, trust *tls.Config) {
	t.Helper()
	cert, key := selfSigned(t)
	text := strings.Replace(testConfig, "listen: {http: 127.0.0.1:0}",
		fmt.Sprintf("listen: {http: \"127.0.0.1:0\", tls: {cert: %q, key: %q}}", cert, key), 1)
	text = strings.Replace(text, "timeouts: {", fmt.Sprintf("queue: {bytes: 64MiB}\ntimeouts: {write: %v, ", write), 1)
	return startProgram(t, writeConfig(t, text)), trusting(t, cert)
}

// trusting returns what a client that trusts the certificate has.
func trusting(t *testing.T, cert string) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(cert)) {
		t.Fatal("the certificate cannot be read")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// wss returns the URL of the WebSocket over TLS.
func (p *program) wss() string { return strings.Replace(p.ws(), "ws:", "wss:", 1) }

// Clients of somebody else's make join, subscribe, publish and call over TLS,
// with messages larger than a record of TLS and than a socket holds, while one
// of them does not read, and is ended for it.
func TestSecureClients(t *testing.T) {
	const write = time.Second
	p, trust := startSecure(t, write)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	connect := func(ser serialize.Serialization) *client.Client {
		c, err := client.ConnectNet(ctx, p.wss(), client.Config{
			Realm: "realm1", Serialization: ser, TlsCfg: trust, ResponseTimeout: patience,
			Logger: log.New(io.Discard, "", 0),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}

	stalled, _, err := (&websocket.Dialer{TLSClientConfig: trust, Subprotocols: []string{"wamp.2.json"}}).DialContext(ctx, p.wss(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stalled.Close() }()
	for _, say := range []string{`[1,"realm1",{"roles":{"subscriber":{}}}]`, `[32,1,{},"plain.large"]`} {
		if err := stalled.WriteMessage(websocket.TextMessage, []byte(say)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := stalled.ReadMessage(); err != nil {
			t.Fatal(err)
		}
	}

	const subscribers, events = 5, 40
	body := strings.Repeat("wireroom", 60_000)
	var got sync.WaitGroup
	var clients []*client.Client
	for i := range subscribers {
		c := connect([]serialize.Serialization{client.JSON, client.MSGPACK, client.CBOR}[i%3])
		clients = append(clients, c)
		got.Add(events)
		n := int64(0)
		err := c.Subscribe("plain.large", func(e *wamp.Event) {
			if at, _ := wamp.AsInt64(e.Arguments[0]); at != n || e.Arguments[1] != body {
				t.Errorf("event %d came where %d was due, or with other data", at, n)
			}
			n++
			got.Done()
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	pub := connect(client.CBOR)
	for i := range events {
		if err := pub.Publish("plain.large", wamp.Dict{"acknowledge": true}, wamp.List{i, body}, nil); err != nil {
			t.Fatal(err)
		}
	}
	got.Wait()
	if _, err := clients[0].Call(ctx, "wireroom.class.list", nil, nil, nil, nil); err != nil {
		t.Errorf("call: %v", err)
	}

	// What it had not read when it was ended it can still read, and then the end.
	if err := stalled.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	<-time.After(3 * write / 2)
	for n := 0; err == nil; n++ {
		if n == events {
			t.Fatal("the client that did not read has got everything")
		}
		_, _, err = stalled.ReadMessage()
	}
	if strings.Contains(err.Error(), "timeout") {
		t.Errorf("the connection of the client that did not read is open: %v", err)
	}
}

// With HTTP/2 a page has as many event streams as it likes on one connection,
// which end in good order when the gateway does.
func TestSecureStreams(t *testing.T) {
	p, trust := startSecure(t, patience)
	base := strings.Replace(p.base, "http:", "https:", 1)
	var dialed atomic.Int32
	tr := &http.Transport{
		TLSClientConfig: trust, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialed.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	do := func(method, path, media, body string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", media)
		r.Header.Set("Authorization", "Bearer key-for-everything")
		if method == http.MethodGet {
			r.Header.Del("Authorization")
		}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.ProtoMajor != 2 || resp.StatusCode >= 300 {
			t.Fatalf("%s %s: %s %s", method, path, resp.Proto, resp.Status)
		}
		return resp
	}
	do("GET", "/", "", "").Body.Close()
	const streams = 30
	var bodies []io.Reader
	for range streams {
		resp := do("GET", "/events?topic=demo.message", "", "")
		defer resp.Body.Close()
		bodies = append(bodies, resp.Body)
	}
	do("POST", "/events", "application/json", `{"class":"demo.message","data":{"room":"r","text":"to all"}}`).Body.Close()
	var ended sync.WaitGroup
	for i, body := range bodies {
		lines := bufio.NewScanner(body)
		for lines.Scan() && !strings.Contains(lines.Text(), "to all") {
		}
		if err := lines.Err(); err != nil || lines.Text() == "" {
			t.Fatalf("stream %d ended before the event: %v", i, err)
		}
		ended.Go(func() {
			goodbye := false
			for lines.Scan() {
				goodbye = goodbye || strings.Contains(lines.Text(), "wamp.close.system_shutdown")
			}
			if err := lines.Err(); err != nil || !goodbye {
				t.Errorf("stream %d ended with %v, goodbye: %v", i, err, goodbye)
			}
		})
	}
	if n := dialed.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	if code := p.stop(); code != exitOK {
		t.Errorf("serve ends with code %d, want %d", code, exitOK)
	}
	ended.Wait()
}
