package transport_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/transport"
)

// listenHTTP2 is listenTLS for clients that offer HTTP/2, too, and show a
// certificate.
func listenHTTP2(t *testing.T) *secureListener {
	t.Helper()
	server, client := serverTLS(), clientTLS()
	server.NextProtos, server.ClientAuth = []string{"h2", "http/1.1"}, tls.RequireAnyClientCert
	client.NextProtos, client.Certificates = []string{"h2", "http/1.1"}, server.Certificates
	return &secureListener{tls.NewListener(transport.NewListener(listenTCP(t)), server), client}
}

// A client of HTTP/2 gets to the HTTP server, which knows all about it that it
// knows of others; and others get what they want on the same port.
func TestFrontHTTP2(t *testing.T) {
	for name, header := range map[string]string{"direct": "", "proxied": "PROXY TCP4 192.0.2.7 10.0.0.1 56789 443\r\n"} {
		t.Run(name, func(t *testing.T) {
			l := listenHTTP2(t)
			cfg := testConfig()
			if header != "" {
				cfg = behindProxy()
			}
			f := openFrontedOn(t, cfg, frontListener{l})
			dial := func(protocols ...string) (net.Conn, error) {
				nc, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					return nil, err
				}
				c := l.client.Clone()
				c.NextProtos = protocols
				return tls.Client(&saying{nc, header}, c), nil
			}
			client := http.Client{Transport: &http.Transport{
				DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					nc, err := dial("h2", "http/1.1")
					if err != nil {
						return nil, err
					}
					return nc, nc.(*tls.Conn).HandshakeContext(ctx)
				},
				ForceAttemptHTTP2: true,
			}}
			defer client.CloseIdleConnections()
			for _, body := range []string{"", "short", strings.Repeat("long", 50_000)} {
				resp, err := client.Post("https://localhost/echo", "text/plain", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(got) != body || resp.ProtoMajor != 2 {
					t.Errorf("%d bytes are echoed as %d by %s, %v", len(body), len(got), resp.Proto, err)
				}
			}
			who := func(path string, want int) string {
				t.Helper()
				resp, err := client.Get("https://localhost" + path)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != want || resp.Header.Get("Upgrade") != "" {
					t.Errorf("%s is answered with %d %q %v, want %d", path, resp.StatusCode, resp.Header, err, want)
				}
				return string(body)
			}
			peer := who("/who", 200)
			if host, _, ok := strings.Cut(peer, ":"); !ok || (host == "192.0.2.7") != (header != "") {
				t.Errorf("the client is %s", peer)
			}
			if text := who("/ws", http.StatusHTTPVersionNotSupported); !strings.Contains(text, "HTTP/1.1") {
				t.Errorf("a WebSocket over HTTP/2 is answered with %q", text)
			}

			// A WebSocket and a RawSocket on the same port.
			f.dial = func() (net.Conn, error) { return dial("http/1.1") }
			p := f.connect("wamp.2.json", mask(fin|text, "m")+bye)
			if frame, err := p.read(); err != nil || frame.code() != 1000 {
				t.Errorf("WebSocket: got %q, %v", frame, err)
			}
			f.dial = func() (net.Conn, error) { return dial() }
			r := must(f.dial())(t)
			io.WriteString(r, greetJSON)
			greeting := make([]byte, 4)
			if _, err := io.ReadFull(r, greeting); err != nil || greeting[0] != 0x7f {
				t.Errorf("RawSocket: got %x, %v", greeting, err)
			}
		})
	}
}
