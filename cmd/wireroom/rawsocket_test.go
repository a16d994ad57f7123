package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/transport"
	"github.com/gammazero/nexus/v3/transport/serialize"
	"github.com/gammazero/nexus/v3/wamp"
)

// startRaw serves testConfig with listeners for RawSocket, and returns their
// addresses. tlsPart is what stands beside them, if anything.
func startRaw(t *testing.T, tlsPart string) (p *program, tcp, unix string) {
	t.Helper()
	unix = filepath.Join(t.TempDir(), "s")
	listen := fmt.Sprintf("listen: {http: 127.0.0.1:0, rawsocket: [127.0.0.1:0, %q], socket_mode: 0600%s}", "unix:"+unix, tlsPart)
	p = startProgram(t, writeConfig(t, strings.Replace(testConfig, "listen: {http: 127.0.0.1:0}", listen, 1)))
	m := regexp.MustCompile(`rss?://(\S+) \(RawSocket\)`).FindStringSubmatch(p.stdout.String())
	if m == nil || !strings.Contains(p.stdout.String(), "unix:"+unix+" (RawSocket)") {
		t.Fatalf("the greeting does not name the RawSockets:\n%s", p.stdout)
	}
	return p, m[1], unix
}

// connectRaw joins by nexus's RawSocket.
func connectRaw(t *testing.T, network, addr string, s serialize.Serialization, trust *tls.Config) *client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	quiet := log.New(io.Discard, "", 0)
	peer, err := transport.ConnectRawSocketPeer(ctx, network, addr, s, trust, quiet, 0)
	if err != nil {
		t.Fatalf("%s %s: %v", network, addr, err)
	}
	c, err := client.NewClient(peer, client.Config{Realm: "realm1", ResponseTimeout: patience, Logger: quiet})
	if err != nil {
		t.Fatalf("%s %s: %v", network, addr, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Somebody else's client subscribes, publishes and calls over RawSocket: on the
// port of HTTP, on a port of its own, and on a Unix socket.
func TestRawSocketClients(t *testing.T) {
	p, tcp, unix := startRaw(t, "")
	if info, err := os.Stat(unix); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v; want permissions 0600", info, err)
	}
	places := []struct{ network, addr string }{{"tcp", tcp}, {"unix", unix}}
	if runtime.GOOS == "linux" {
		places = append(places, struct{ network, addr string }{"tcp", strings.TrimPrefix(p.base, "http://")})
	}
	for _, place := range places {
		for name, s := range map[string]serialize.Serialization{"json": client.JSON, "msgpack": client.MSGPACK, "cbor": client.CBOR} {
			t.Run(place.network+" "+name, func(t *testing.T) {
				c := connectRaw(t, place.network, place.addr, s, nil)
				round(t, c)
			})
		}
	}
}

// round has a client hear itself, and be answered.
func round(t *testing.T, c *client.Client) {
	t.Helper()
	body := strings.Repeat("wireroom", 50_000)
	came := make(chan string, 1)
	if err := c.Subscribe("plain.raw", func(e *wamp.Event) { came <- fmt.Sprint(e.Arguments...) }, nil); err != nil {
		t.Fatal(err)
	}
	options := wamp.Dict{"exclude_me": false, "acknowledge": true}
	if err := c.Publish("plain.raw", options, wamp.List{body}, nil); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-came:
		if got != body {
			t.Errorf("an event of %d bytes came, want %d", len(got), len(body))
		}
	case <-t.Context().Done():
	}
	if err := c.Unsubscribe("plain.raw"); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := c.Call(ctx, "wireroom.class.list", nil, nil, nil, nil); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// With a certificate the port speaks TLS; the Unix socket does not.
func TestRawSocketTLS(t *testing.T) {
	cert, key := selfSigned(t)
	_, tcp, unix := startRaw(t, fmt.Sprintf(", tls: {cert: %q, key: %q}", cert, key))
	for _, s := range []serialize.Serialization{client.JSON, client.CBOR} {
		round(t, connectRaw(t, "tcp", tcp, s, trusting(t, cert)))
	}
	round(t, connectRaw(t, "unix", unix, client.MSGPACK, nil))
}

// The command line speaks RawSocket.
func TestRawSocketCommands(t *testing.T) {
	_, tcp, unix := startRaw(t, "")
	for _, url := range []string{"rs://" + tcp, "tcp://" + tcp + "/", "unix:" + unix, "unix://" + unix} {
		if code, out, errs := runCommand(t, "", "call", "wireroom.class.list", "--url", url); code != exitOK || !strings.Contains(out, "demo.message") {
			t.Errorf("call at %s: code %d, %q, %q; want the classes", url, code, out, errs)
		}
	}
	for _, tt := range []struct {
		url, want string
		code      int
	}{
		{"rs://127.0.0.1", "a host and a port", exitUsage},
		{"rs://" + tcp + "/ws", "no path", exitUsage},
		{"unix:", "the name of a file", exitUsage},
		{"unix:" + unix + "x", "no such file", exitUnreachable},
	} {
		if code, _, errs := runCommand(t, "", "call", "wireroom.class.list", "--url", tt.url); code != tt.code || !strings.Contains(errs, tt.want) {
			t.Errorf("call at %s: code %d, %q; want %d, %q", tt.url, code, errs, tt.code, tt.want)
		}
	}
}

// A socket that is in use, or no socket, keeps the gateway from starting.
func TestRawSocketInUse(t *testing.T) {
	_, _, unix := startRaw(t, "")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for addr, want := range map[string]string{
		"unix:" + unix: "address already in use", "unix:" + file: "no socket", taken.Addr().String(): "address already in use",
	} {
		listen := fmt.Sprintf("listen: {http: 127.0.0.1:0, rawsocket: %q}", addr)
		config := writeConfig(t, strings.Replace(testConfig, "listen: {http: 127.0.0.1:0}", listen, 1))
		code, _, errs := runCommand(t, "", "serve", "--config", config)
		if code != exitFailure || !strings.Contains(errs, "listen.rawsocket") || !strings.Contains(errs, want) {
			t.Errorf("serve at %s: code %d, %q; want %d, %q", addr, code, errs, exitFailure, want)
		}
	}
}
