package transport_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/transport"
)

// trusting is a server that trusts the proxies 10.0.0.0/8, 127.0.0.1 and fd00::/8.
func trusting(t testing.TB, header transport.ForwardedHeader) *transport.Server {
	cfg := testConfig()
	cfg.PingInterval = 0
	cfg.Proxies = []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::/8"),
	}
	cfg.Forwarded = header
	s := transport.NewTestServer(nil, cfg, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := s.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return s
}

// resolved returns who a handler is told that the request is from.
func resolved(s *transport.Server, r *http.Request) (addr, scheme string) {
	s.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		addr, scheme = r.RemoteAddr, r.URL.Scheme
	})).ServeHTTP(httptest.NewRecorder(), r)
	return addr, scheme
}

func TestForwarded(t *testing.T) {
	const (
		proxy    = "10.0.0.1:4000"
		stranger = "192.0.2.1:4000"
	)
	for _, tt := range []struct {
		name   string
		header transport.ForwardedHeader
		from   string
		lines  []string // of the header, in order
		want   string   // address
		scheme string   // "http" if empty
		secure bool     // the connection has TLS
	}{
		{name: "nothing", header: transport.XForwarded, from: proxy, want: proxy},
		{name: "client", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: 192.0.2.7"}, want: "192.0.2.7:0"},
		{name: "a stranger says so", header: transport.XForwarded, from: stranger, lines: []string{"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"}, want: stranger},
		{name: "nobody is believed", header: transport.NoForwarded, from: proxy, lines: []string{"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"}, want: proxy},
		{name: "the other header", header: transport.XForwarded, from: proxy, lines: []string{"Forwarded: for=192.0.2.7;proto=https"}, want: proxy},
		{name: "the other header, too", header: transport.Forwarded, from: proxy, lines: []string{"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"}, want: proxy},
		{name: "spoofed", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: 198.51.100.1, 192.0.2.7"}, want: "192.0.2.7:0"},
		{name: "two proxies", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: 198.51.100.1, 192.0.2.7, 10.0.0.2"}, want: "192.0.2.7:0"},
		{name: "several lines", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: 198.51.100.1,192.0.2.7", "X-Forwarded-For: 10.0.0.3 , fd00::2", "X-Forwarded-For: 10.0.0.2"}, want: "192.0.2.7:0"},
		{name: "a spoofed proxy", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: 198.51.100.1, 10.0.0.9, 192.0.2.7"}, want: "192.0.2.7:0"},
		{name: "only proxies", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: 10.0.0.3, 10.0.0.2"}, want: "10.0.0.3:0"},
		{name: "with a port", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: 192.0.2.7:5000"}, want: "192.0.2.7:5000"},
		{name: "IPv6", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: 2001:db8::7"}, want: "[2001:db8::7]:0"},
		{name: "IPv6 in brackets", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: [2001:db8::7]"}, want: "[2001:db8::7]:0"},
		{name: "IPv6 with a port", header: transport.XForwarded, from: "[fd00::1]:1", lines: []string{"X-Forwarded-For: [2001:db8::7]:5000"}, want: "[2001:db8::7]:5000"},
		{name: "IPv4 as IPv6", header: transport.XForwarded, from: "[::ffff:10.0.0.1]:1", lines: []string{"X-Forwarded-For: ::ffff:192.0.2.7"}, want: "192.0.2.7:0"},
		{name: "garbage", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: 192.0.2.7, unknown"}, want: proxy},
		{name: "garbage further back", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: 192.0.2.7, <script>, 10.0.0.2"}, want: "10.0.0.2:0"},
		{name: "empty", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For:"}, want: proxy},
		{name: "empty at the end", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: 192.0.2.7,"}, want: proxy},
		{name: "too many", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: 192.0.2.7" + strings.Repeat(", 10.0.0.2", 32)}, want: "10.0.0.2:0"},
		{name: "no address", header: transport.XForwarded, from: "unix", lines: []string{"X-Forwarded-For: 192.0.2.7"}, want: "unix"},
		{name: "TLS", header: transport.XForwarded, from: proxy, secure: true, lines: []string{"X-Forwarded-For: 192.0.2.7"}, want: "192.0.2.7:0", scheme: "https"},
		{name: "TLS up to the proxy", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: HTTPS"}, want: "192.0.2.7:0", scheme: "https"},
		{name: "TLS from the proxy", header: transport.XForwarded, from: proxy, secure: true, lines: []string{"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: http"}, want: "192.0.2.7:0"},
		{name: "WebSocket scheme", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-Proto: wss"}, want: proxy, scheme: "https"},
		{name: "another scheme", header: transport.XForwarded, from: proxy, secure: true, lines: []string{"X-Forwarded-Proto: gopher"}, want: proxy, scheme: "https"},
		{name: "spoofed scheme", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-Proto: https, http"}, want: proxy},
		{name: "scheme by proxy", header: transport.XForwarded, from: proxy, lines: []string{"X-Forwarded-For: 198.51.100.1, 192.0.2.7, 10.0.0.2", "X-Forwarded-Proto: http,https,http"}, want: "192.0.2.7:0", scheme: "https"},

		{name: "client", header: transport.Forwarded, from: proxy, lines: []string{"Forwarded: for=192.0.2.7"}, want: "192.0.2.7:0"},
		{name: "all of it", header: transport.Forwarded, from: proxy, lines: []string{`Forwarded: By=10.0.0.1; FOR="192.0.2.7:5000" ;host="a;b,c";proto=https`}, want: "192.0.2.7:5000", scheme: "https"},
		{name: "IPv6", header: transport.Forwarded, from: proxy, lines: []string{`Forwarded: for="[2001:db8::7]:5000"`}, want: "[2001:db8::7]:5000"},
		{name: "hidden port", header: transport.Forwarded, from: proxy, lines: []string{`Forwarded: for="[2001:db8::7]:_http"`}, want: "[2001:db8::7]:0"},
		{name: "two proxies", header: transport.Forwarded, from: proxy, lines: []string{"Forwarded: for=198.51.100.1;proto=http, for=192.0.2.7;proto=https", "Forwarded: for=10.0.0.2;proto=http"}, want: "192.0.2.7:0", scheme: "https"},
		{name: "hidden", header: transport.Forwarded, from: proxy, lines: []string{"Forwarded: for=192.0.2.7, for=_gazonk"}, want: proxy},
		{name: "unknown", header: transport.Forwarded, from: proxy, lines: []string{"Forwarded: for=192.0.2.7, for=unknown;proto=https, for=10.0.0.2;proto=http"}, want: "10.0.0.2:0"},
		{name: "without for", header: transport.Forwarded, from: proxy, lines: []string{"Forwarded: proto=https"}, want: proxy},
		{name: "for twice", header: transport.Forwarded, from: proxy, lines: []string{"Forwarded: for=192.0.2.7;for=192.0.2.8"}, want: proxy},
		{name: "spoofed with a quote", header: transport.Forwarded, from: proxy, lines: []string{`Forwarded: for="192.0.2.9, for=192.0.2.7;proto=https`}, want: "192.0.2.7:0", scheme: "https"},
		{name: "spoofed with an escape", header: transport.Forwarded, from: proxy, lines: []string{`Forwarded: for="\, for="192.0.2.7"`}, want: "192.0.2.7:0"},
		{name: "escapes", header: transport.Forwarded, from: proxy, lines: []string{`Forwarded: for="192\.0.2.7";host="a\"b,for=192.0.2.9"`}, want: "192.0.2.7:0"},
		{name: "garbage", header: transport.Forwarded, from: proxy, lines: []string{"Forwarded: 192.0.2.7"}, want: proxy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(
				"GET https://evil.example/ HTTP/1.1\r\nHost: x\r\n" + strings.Join(append(tt.lines, "\r\n"), "\r\n"))))
			if err != nil {
				t.Fatal(err)
			}
			r.RemoteAddr = tt.from
			if tt.secure {
				r.TLS = new(tls.ConnectionState)
			}
			want := tt.scheme
			if want == "" {
				want = "http"
			}
			if addr, scheme := resolved(trusting(t, tt.header), r); addr != tt.want || scheme != want {
				t.Errorf("the request is from %s by %s, want %s by %s", addr, scheme, tt.want, want)
			}
		})
	}
}

// Whatever somebody has written into the header before, what a trusted proxy
// adds is what counts.
func FuzzForwarded(f *testing.F) {
	for _, s := range []string{"", "1.2.3.4", `for="`, `for="\`, `"`, `"\"`, ",", "10.0.0.1", `for=10.0.0.1, for="`, `\`, `for="a,b;c"`, ";", "for=a;;"} {
		f.Add(s)
	}
	x, std := trusting(f, transport.XForwarded), trusting(f, transport.Forwarded)
	f.Fuzz(func(t *testing.T, before string) {
		for _, tt := range []struct {
			srv              *transport.Server
			name, add, proto string
		}{
			{x, "X-Forwarded-For", "192.0.2.7", "https"},
			{std, "Forwarded", `for="192.0.2.7:0";host="a\\\",b";proto=https`, ""},
			{std, "Forwarded", "for=192.0.2.7;proto=https", ""},
		} {
			for _, lines := range [][]string{{before + "," + tt.add}, {before, tt.add}} {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.RemoteAddr = "10.0.0.1:1"
				r.Header[tt.name] = lines
				if tt.proto != "" {
					r.Header["X-Forwarded-Proto"] = []string{before + "," + tt.proto}
				}
				if addr, scheme := resolved(tt.srv, r); addr != "192.0.2.7:0" || scheme != "https" {
					t.Fatalf("%q: from %s by %s, want what the proxy has added", lines, addr, scheme)
				}
				r.RemoteAddr = "192.0.2.1:1"
				if addr, _ := resolved(tt.srv, r); addr != "192.0.2.1:1" {
					t.Fatalf("%q: from %s, though no proxy has sent it", lines, addr)
				}
			}
		}
		// Alone it may say anything, but what it says is an address.
		for name, srv := range map[string]*transport.Server{"X-Forwarded-For": x, "Forwarded": std} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = "10.0.0.1:1"
			r.Header[name] = []string{before}
			addr, _ := resolved(srv, r)
			if _, err := netip.ParseAddrPort(addr); err != nil {
				t.Fatalf("%q: from %q", before, addr)
			}
		}
	})
}

// An upgrade is treated alike in front of the HTTP server and behind it.
func TestForwardedUpgrade(t *testing.T) {
	for _, tt := range []struct {
		name, more string
		want       string // "" is the connection's own address
		secure     bool
	}{
		{name: "nothing"},
		{name: "client", more: "X-Forwarded-For: 198.51.100.1, 192.0.2.7\r\nX-Forwarded-Proto: https", want: "192.0.2.7:0", secure: true},
	} {
		for _, long := range []bool{false, true} { // what is long goes through the HTTP server
			t.Run(tt.name, func(t *testing.T) {
				cfg := testConfig()
				cfg.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
				cfg.Forwarded = transport.XForwarded
				cfg.Identify = func(r *http.Request) (any, error) { return r.URL.Scheme, nil }
				f := openFronted(t, cfg)
				conn := must(f.dial())(t)
				var more []string
				if tt.more != "" {
					more = append(more, tt.more)
				}
				if long {
					more = append(more, "X-Long: "+strings.Repeat("x", 9000))
				}
				io.WriteString(conn, change(more...))
				if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != 101 {
					t.Fatalf("got %v, %v", resp, err)
				}
				s := <-f.sessions
				want, scheme := tt.want, "http"
				if want == "" {
					want = conn.LocalAddr().String()
				}
				if tt.secure {
					scheme = "https"
				}
				if s.peer.RemoteAddr != want || s.peer.Secure != tt.secure || s.peer.Identity != scheme {
					t.Errorf("peer is %s, secure %v, by %v; want %s, %v, %s", s.peer.RemoteAddr, s.peer.Secure, s.peer.Identity, want, tt.secure, scheme)
				}
				if n := f.requests.Load(); n > 0 != long {
					t.Errorf("%d requests went through the HTTP server", n)
				}
			})
		}
	}
}

// One port has WebSocket, RawSocket and pages, and with TLS, too.
func TestOnePort(t *testing.T) {
	for name, l := range map[string]net.Listener{"tcp": listenTCP(t), "tls": listenTLS(t)} {
		t.Run(name, func(t *testing.T) {
			f := openFrontedOn(t, testConfig(), frontListener{l})
			secure := name == "tls"
			scheme := map[bool]string{false: "http", true: "https"}[secure]
			p := f.connect("wamp.2.json", "")
			if p.sess.peer.Transport != "websocket" || p.sess.peer.Secure != secure || p.sess.peer.RemoteAddr != p.conn.LocalAddr().String() {
				t.Errorf("peer is %+v", p.sess.peer)
			}
			r := f.connectRaw(greetJSON+raw(1, "p"), 1)
			if got, err := r.take(rawGreeting + 5); err != nil || got[rawGreeting:] != raw(2, "p") {
				t.Errorf("RawSocket answers %q, %v", got, err)
			}
			if s := <-f.sessions; s.peer.Transport != "rawsocket" || s.peer.Secure != secure || (s.peer.ChannelID != nil) != secure {
				t.Errorf("peer is %+v", s.peer)
			}
			if n := f.requests.Load(); n != 0 {
				t.Errorf("%d requests went through the HTTP server, want none", n)
			}
			tr := &http.Transport{TLSClientConfig: clientTLS()}
			defer tr.CloseIdleConnections()
			for _, body := range []string{"", "short", strings.Repeat("long", 100_000)} {
				resp, err := (&http.Client{Transport: tr}).Post(scheme+"://"+l.Addr().String()+"/echo", "text/plain", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(got) != body || (resp.TLS != nil) != secure {
					t.Errorf("echo of %d bytes: %d, %v", len(body), len(got), err)
				}
			}
		})
	}
}

// Who speaks HTTP where TLS is spoken is told so, as by any HTTP server.
func TestOnePortWithoutTLS(t *testing.T) {
	l := listenTLS(t)
	openFrontedOn(t, testConfig(), frontListener{l})
	conn := must(net.Dial("tcp", l.Addr().String()))(t)
	io.WriteString(conn, change())
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Fatalf("got %v, %v; want 400", resp, err)
	}
	if text, _ := io.ReadAll(resp.Body); !strings.Contains(string(text), "HTTPS") {
		t.Errorf("got %q", text)
	}
}
