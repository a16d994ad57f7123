package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gammazero/nexus/v3/client"
)

// startBehind serves testConfig with something in front of it.
func startBehind(t *testing.T, proxy string) *program {
	t.Helper()
	listen := fmt.Sprintf("listen: {http: 127.0.0.1:0, proxy: {%s}}", proxy)
	return startProgram(t, writeConfig(t, strings.Replace(testConfig, "listen: {http: 127.0.0.1:0}", listen, 1)))
}

// The cookie is for TLS only where a trusted proxy says that the client has it.
func TestForwardedCookie(t *testing.T) {
	for _, tt := range []struct {
		proxy, header string
		want          bool
	}{
		{"from: 127.0.0.1, headers: x-forwarded", "X-Forwarded-Proto: https", true},
		{"from: 127.0.0.1, headers: x-forwarded", "X-Forwarded-Proto: http", false},
		{"from: 127.0.0.1, headers: forwarded", "Forwarded: for=192.0.2.7;proto=https", true},
		{"from: 192.0.2.0/24, headers: x-forwarded", "X-Forwarded-Proto: https", false},
	} {
		t.Run(tt.proxy+", "+tt.header, func(t *testing.T) {
			p := startBehind(t, tt.proxy)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.base+"/session", nil)
			if err != nil {
				t.Fatal(err)
			}
			name, value, _ := strings.Cut(tt.header, ": ")
			r.Header.Set(name, value)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			if got := strings.Contains(resp.Header.Get("Set-Cookie"), "; Secure"); resp.StatusCode != http.StatusOK || got != tt.want {
				t.Errorf("status %d, cookie %q; want Secure: %v", resp.StatusCode, resp.Header.Get("Set-Cookie"), tt.want)
			}
		})
	}
}

// Behind a PROXY header everything of the port is there, and the log names the
// client; without one nothing is.
func TestProxyHeader(t *testing.T) {
	p := startBehind(t, "from: [127.0.0.1], protocol: true")
	say := func(bytes string) (*bufio.Reader, net.Conn) {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(p.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, bytes); err != nil {
			t.Fatal(err)
		}
		return bufio.NewReader(conn), conn
	}
	const get = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	br, _ := say("PROXY TCP4 192.0.2.7 10.0.0.1 5000 443\r\n" + get)
	if resp, err := http.ReadResponse(br, nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("behind a header: %v, %v", resp, err)
	}
	br, _ = say(get)
	if resp, err := http.ReadResponse(br, nil); err == nil {
		t.Errorf("without a header: %v", resp.Status)
	}
	// A HELLO that is refused, so that the log tells who it was.
	hello := `[1,"realm1",{"authmethods":["wampcra"],"roles":{"caller":{}}}]`
	br, _ = say("PROXY TCP6 2001:db8::7 ::1 5000 443\r\n\x7f\xf1\x00\x00" + fmt.Sprintf("\x00\x00\x00%c", len(hello)) + hello)
	if _, err := io.ReadAll(br); err != nil {
		t.Error(err)
	}
	p.stop() // then the log is whole
	if log := p.stderr.String(); !strings.Contains(log, `"peer":"[2001:db8::7]:5000"`) || !strings.Contains(log, "a proxy sends no proper PROXY header") {
		t.Error("the log does not name the client, or the proxy that said nothing")
	}
}

// With TLS, too, one port takes somebody else's clients over WebSocket and
// RawSocket, and HTTP.
func TestSecurePort(t *testing.T) {
	p, trust := startSecure(t, patience)
	addr := strings.TrimPrefix(p.base, "http://")
	raw := connectRaw(t, "tcp", addr, client.MSGPACK, trust)
	if _, err := raw.Call(t.Context(), "wireroom.class.list", nil, nil, nil, nil); err != nil {
		t.Errorf("call over RawSocket: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, err := client.ConnectNet(ctx, p.wss(), client.Config{Realm: "realm1", TlsCfg: trust, ResponseTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.Close() }()
	if _, err := ws.Call(ctx, "wireroom.class.list", nil, nil, nil, nil); err != nil {
		t.Errorf("call over WebSocket: %v", err)
	}
	tr := &http.Transport{TLSClientConfig: trust}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get("https://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET /healthz: %v", resp.Status)
	}
}
