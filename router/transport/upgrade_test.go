package transport_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// upgradeRequest is a proper one; tests take lines out of it or replace them.
var upgradeRequest = []string{
	"GET /ws HTTP/1.1",
	"Host: example.com:8080",
	"Upgrade: websocket",
	"Connection: Upgrade",
	"Sec-WebSocket-Version: 13",
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	"Sec-WebSocket-Protocol: wamp.2.json",
}

// change returns upgradeRequest with each line in place of the one that begins
// like it up to the colon or the first space, or at the end. A line that is
// only a name and a colon takes the header out.
func change(lines ...string) string {
	req := append([]string(nil), upgradeRequest...)
	for _, line := range lines {
		name := line[:strings.IndexAny(line, ": ")]
		found := false
		for i, old := range req {
			if strings.HasPrefix(old, name) || i == 0 && strings.Contains(line, "HTTP/") {
				req[i], found = line, true
				break
			}
		}
		if !found {
			req = append(req, line)
		}
	}
	var b strings.Builder
	for _, line := range req {
		if !strings.HasSuffix(line, ":") {
			b.WriteString(line + "\r\n")
		}
	}
	return b.String() + "\r\n"
}

type upgradeTest struct {
	name   string
	send   string
	status int
	text   string    // part of the body
	header [2]string // of the answer
}

func TestUpgrade(t *testing.T) {
	tests := []upgradeTest{
		{name: "proper", send: change(), status: 101, header: [2]string{"Sec-Websocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}},
		{name: "tokens in any case, among others", send: change("Upgrade: h2c, WebSocket", "Connection: keep-alive, upgrade"), status: 101},
		{name: "client's order of subprotocols", send: change("Sec-WebSocket-Protocol: soap, wamp.2.cbor ,wamp.2.json"), status: 101, header: [2]string{"Sec-Websocket-Protocol", "wamp.2.cbor"}},
		{name: "subprotocols in two headers", send: change("Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Protocol: wamp.2.msgpack, wamp.2.json"), status: 101, header: [2]string{"Sec-Websocket-Protocol", "wamp.2.msgpack"}},
		{name: "extension that we do not have", send: change("Sec-WebSocket-Extensions: permessage-deflate"), status: 101, header: [2]string{"Sec-Websocket-Extensions", ""}},
		{name: "malformed extensions", send: change("Sec-WebSocket-Extensions: permessage-deflate;"), status: 400, text: "RFC 6455, section 9.1"},
		{name: "no subprotocol", send: change("Sec-WebSocket-Protocol:"), status: 400, text: "wamp.2.json, wamp.2.msgpack, wamp.2.cbor"},
		{name: "no subprotocol of ours", send: change("Sec-WebSocket-Protocol: wamp.2.ubjson"), status: 400, text: `not "wamp.2.ubjson"`},
		{name: "subprotocol in another case", send: change("Sec-WebSocket-Protocol: WAMP.2.JSON"), status: 400, text: "WAMP.2.JSON"},
		{name: "not an upgrade", send: change("Upgrade:", "Connection:"), status: 426, text: "WAMP client", header: [2]string{"Upgrade", "websocket"}},
		{name: "upgrade to something else", send: change("Upgrade: h2c"), status: 426},
		{name: "Connection lacks the token", send: change("Connection: keep-alive"), status: 426},
		{name: "POST", send: change("POST /ws HTTP/1.1", "Content-Length: 0"), status: 405, text: "POST", header: [2]string{"Allow", "GET"}},
		{name: "HTTP/1.0", send: change("GET /ws HTTP/1.0"), status: 505, text: "HTTP/1.0"},
		{name: "body", send: change("Content-Length: 2") + "hi", status: 400, text: "body"},
		{name: "chunked body", send: change("Transfer-Encoding: chunked") + "0\r\n\r\n", status: 400, text: "body"},
		{name: "no version", send: change("Sec-WebSocket-Version:"), status: 426, text: "must be 13", header: [2]string{"Sec-Websocket-Version", "13"}},
		{name: "old version", send: change("Sec-WebSocket-Version: 8"), status: 426, text: `not "8"`, header: [2]string{"Sec-Websocket-Version", "13"}},
		{name: "no key", send: change("Sec-WebSocket-Key:"), status: 400, text: "16 bytes"},
		{name: "short key", send: change("Sec-WebSocket-Key: c2hvcnQ="), status: 400, text: "16 bytes"},
		{name: "key that is not base64", send: change("Sec-WebSocket-Key: ????????????????????????"), status: 400, text: "16 bytes"},
		{name: "two keys", send: change("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), status: 400, text: "16 bytes"},
		{name: "page of the same host", send: change("Origin: http://example.com:8080"), status: 101},
		{name: "page of another host", send: change("Origin: https://evil.example"), status: 403, text: "https://evil.example"},
	}
	t.Run("tcp", func(t *testing.T) { testUpgrade(t, listenTCP(t), tests) })
	t.Run("front", func(t *testing.T) { testUpgrade(t, frontListener{listenTCP(t)}, tests) })
}

func testUpgrade(t *testing.T, l net.Listener, tests []upgradeTest) {
	h := open(t, testConfig(), l)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := h.dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.send); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			var body []byte
			if resp.StatusCode != 101 {
				body, _ = io.ReadAll(resp.Body)
			}
			if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.text) || tt.header[0] != "" && resp.Header.Get(tt.header[0]) != tt.header[1] {
				t.Errorf("got %d %v %q; want %d, %q and %q", resp.StatusCode, resp.Header, body, tt.status, tt.header, tt.text)
			}
		})
	}
	for _, tt := range tests {
		if tt.status == 101 {
			<-h.sessions // it is counted by now
		}
	}
	st := h.srv.Stats()
	if st.Upgraded+st.Refused != uint64(len(tests)) || st.BadOrigin != 1 {
		t.Errorf("counted %d granted, %d refused, %d for their origin; want %d in all and 1", st.Upgraded, st.Refused, st.BadOrigin, len(tests))
	}
}

func TestOrigin(t *testing.T) {
	tests := []struct {
		origin string // "": no header
		host   string
		allow  []string
		want   bool
	}{
		{"", "example.com", nil, true},
		{"", "example.com", []string{"https://other.example"}, true},
		{"https://example.com", "example.com", nil, true},
		{"http://example.com", "example.com", nil, true},
		{"https://EXAMPLE.com", "Example.COM", nil, true},
		{"https://example.com:443", "example.com", nil, true},
		{"https://example.com", "example.com:443", nil, true},
		{"http://localhost:8080", "localhost:8080", nil, true},
		{"http://[::1]:8080", "[::1]:8080", nil, true},
		{"http://[::1]", "[::1]", nil, true},
		{"http://localhost:3000", "localhost:8080", nil, false},
		{"https://example.com", "example.com:8443", nil, false},
		{"https://example.com.evil.example", "example.com", nil, false},
		{"https://evilexample.com", "example.com", nil, false},
		{"null", "example.com", nil, false},
		{"example.com", "example.com", nil, false},
		{"https://example.com/path", "example.com", nil, false},
		{"https://user@example.com", "example.com", nil, false},
		{"", "example.com", []string{}, true},

		{"https://app.example", "api.example", []string{"https://app.example"}, true},
		{"https://app.example:443", "api.example", []string{"https://app.example"}, true},
		{"http://app.example", "api.example", []string{"https://app.example"}, false},
		{"https://app.example:8443", "api.example", []string{"https://app.example"}, false},
		{"https://api.example", "api.example", []string{"https://app.example"}, false},
		{"https://a.app.example", "api.example", []string{"https://*.app.example"}, true},
		{"https://a.b.app.example", "api.example", []string{"https://*.app.example"}, true},
		{"https://app.example", "api.example", []string{"https://*.app.example"}, false},
		{"https://evilapp.example", "api.example", []string{"https://*.app.example"}, false},
		{"https://app.example", "api.example", []string{"http://localhost:3000", "https://app.example"}, true},
		{"https://anything.example", "api.example", []string{"*"}, true},
		{"null", "api.example", []string{"*"}, true},
		{"null", "api.example", []string{"null"}, true},
		{"https://app.example", "api.example", []string{"null"}, false},
		{"null", "api.example", []string{"https://app.example"}, false},
		{"garbage", "api.example", []string{"*"}, false},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("GET", "/ws", nil)
		r.Host = tt.host
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		allowed, err := transport.ParseOrigins(tt.allow...)
		if err != nil {
			t.Fatal(err)
		}
		if why := transport.CheckOrigin(r, allowed); (why == "") != tt.want {
			t.Errorf("page of %q at %q, allowed %q: refused with %q, want allowed %v", tt.origin, tt.host, tt.allow, why, tt.want)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*transport.Config)
		want   string // "": valid
	}{
		{"default", func(*transport.Config) {}, ""},
		{"no pings", func(c *transport.Config) { c.PingInterval, c.PingTimeout = 0, 0 }, ""},
		{"smallest message", func(c *transport.Config) { c.MaxMessage = 1024 }, ""},
		{"too small", func(c *transport.Config) { c.MaxMessage = 1023 }, "max_message: must be in 1024 to 268435456 bytes, not 1023"},
		{"too large", func(c *transport.Config) { c.MaxMessage = 1 << 30 }, "max_message: must be in 1024 to 268435456 bytes, not 1073741824"},
		{"pings too often", func(c *transport.Config) { c.PingInterval = time.Millisecond }, "ping_interval: must be 0 (no pings) or at least 10ms, not 1ms"},
		{"negative", func(c *transport.Config) { c.PingInterval = -1 }, "ping_interval: must be 0 (no pings) or at least 10ms, not -1ns"},
		{"no time to answer", func(c *transport.Config) { c.PingTimeout = 0 }, "ping_timeout: must be at least 10ms, not 0s"},
		{"no time to close", func(c *transport.Config) { c.CloseTimeout = 0 }, "close_timeout: must be at least 1ms, not 0s"},
		{"no time to upgrade", func(c *transport.Config) { c.UpgradeTimeout = -1 }, "upgrade_timeout: must be at least 1ms, not -1ns"},
		{"deflate everything", func(c *transport.Config) { c.Deflate, c.DeflateMin = true, 0 }, ""},
		{"negative size to deflate", func(c *transport.Config) { c.DeflateMin = -1 }, "deflate_min: must be in 0 to 1048576 bytes, not -1"},
		{"too large a size to deflate", func(c *transport.Config) { c.DeflateMin = 1<<20 + 1 }, "deflate_min: must be in 0 to 1048576 bytes, not 1048577"},
		{"origins", func(c *transport.Config) {
			c.Origins = []string{"*", "null", "https://*.example.com", "http://localhost:1"}
		}, ""},
		{"origin without scheme", func(c *transport.Config) { c.Origins = []string{"*", "example.com"} }, `origins[1]: must be "*", "null", or scheme://host or scheme://host:port, where host may begin with "*.", not "example.com"`},
		{"origin with a path", func(c *transport.Config) { c.Origins = []string{"https://example.com/"} }, `origins[0]: must be "*", "null", or scheme://host or scheme://host:port, where host may begin with "*.", not "https://example.com/"`},
		{"star in the middle", func(c *transport.Config) { c.Origins = []string{"https://a.*.com"} }, `origins[0]: must be "*", "null", or scheme://host or scheme://host:port, where host may begin with "*.", not "https://a.*.com"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := transport.DefaultConfig()
			tt.change(&cfg)
			var got []string
			cfg.Validate(func(field string, err error) { got = append(got, field+": "+err.Error()) })
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestIdentify(t *testing.T) {
	t.Run("tcp", func(t *testing.T) { testIdentify(t, listenTCP(t)) })
	t.Run("front", func(t *testing.T) { testIdentify(t, frontListener{listenTCP(t)}) })
}

func testIdentify(t *testing.T, l net.Listener) {
	cfg := testConfig()
	cfg.Identify = func(r *http.Request) (any, error) {
		switch who := r.Header.Get("Cookie"); who {
		case "stranger":
			return nil, fmt.Errorf("look up: %w", wamp.Errorf(wamp.URINotAuthorized, "the token is revoked"))
		case "broken":
			return nil, errors.New("disk /secret failed")
		default:
			return "client " + who, nil
		}
	}
	h := open(t, cfg, l)
	tests := []struct {
		cookie string
		status int
		body   string
	}{
		{"joe", 101, ""},
		{"stranger", 403, "the token is revoked\n"},
		{"broken", 500, "internal error\n"},
	}
	for _, tt := range tests {
		conn, err := h.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, change("Cookie: "+tt.cookie))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		var body []byte
		if tt.status != 101 {
			body, _ = io.ReadAll(resp.Body)
		}
		if resp.StatusCode != tt.status || string(body) != tt.body {
			t.Errorf("%s: got %d %q, want %d %q", tt.cookie, resp.StatusCode, body, tt.status, tt.body)
		}
	}
	s := <-h.sessions
	if p := s.peer; p.Identity != "client joe" || p.Transport != "websocket" || p.Framing != transport.WebSocket || p.Secure || p.Serializer != wamp.JSON {
		t.Errorf("peer is %+v", p)
	}
	if _, port, err := net.SplitHostPort(s.peer.RemoteAddr); err != nil || port == "" {
		t.Errorf("remote address is %q", s.peer.RemoteAddr)
	}
}

// Cookies that a handler in front has set travel with the answer; what they
// hold cannot break out of its line.
func TestUpgradeSetsCookies(t *testing.T) {
	h := &house{t: t}
	h.srv = transport.NewTestServer(func(link router.Link, p router.Peer) transport.Session {
		return newFakeSession(link, p)
	}, testConfig(), slog.New(slog.DiscardHandler))
	h.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "a=1; HttpOnly")
		w.Header().Add("Set-Cookie", "b=2\r\nX-Evil: 1")
		h.srv.ServeHTTP(w, r)
	}), listenTCP(t))
	conn, err := h.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, change())
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header["Set-Cookie"]; len(got) != 2 || got[0] != "a=1; HttpOnly" || resp.Header.Get("X-Evil") != "" {
		t.Errorf("headers are %v", resp.Header)
	}
}

// What the HTTP server timed must not time the WebSocket.
func TestDeadlinesOfHTTPServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.PingInterval = 0
		l := newPipeListener()
		h := open(t, cfg, l)
		p := h.connect("wamp.2.json", "")
		<-time.After(time.Hour)
		p.send(mask(fin|text, "late"))
		synctest.Wait()
		if got := p.sess.got(); len(got) != 1 {
			t.Errorf("delivered %q an hour later, want one message", got)
		}
	})
}

// A client that takes its time over the request is the HTTP server's business,
// and one that does not take the answer is ours: neither holds a goroutine.
func TestSlowUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, testConfig(), newPipeListener())
		start := time.Now()
		conn, err := h.dial()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nX-")
		io.Copy(io.Discard, conn)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("a request that never ends was cut off after %v, want 5s", took)
		}

		conn, err = h.dial()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, change())
		<-time.After(6 * time.Second)
		synctest.Wait()
		if st := h.srv.Stats(); st.Open != 0 || st.Refused != 1 {
			t.Errorf("a peer that did not take the answer: %+v, want it refused", st)
		}
	})
}
