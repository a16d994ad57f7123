package transport_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/wireroom/wireroom/router/transport"
)

const proxyV2 = "\r\n\r\n\x00\r\nQUIT\n"

// v2 returns a header of version 2.
func v2(command, family byte, block string) string {
	return proxyV2 + string([]byte{command, family, byte(len(block) >> 8), byte(len(block))}) + block
}

var (
	block4    = "\xc0\x00\x02\x07" + "\x0a\x00\x00\x01" + "\xdd\xd5" + "\x01\xbb" // 192.0.2.7:56789 to 10.0.0.1:443
	block6    = "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x07" + strings.Repeat("\x00", 15) + "\x01" + "\xdd\xd5" + "\x01\xbb"
	mapped    = strings.Repeat("\x00", 10) + "\xff\xff\xc0\x00\x02\x07" + strings.Repeat("\x00", 16) + "\xdd\xd5" + "\x01\xbb"
	blockUnix = "/run/client" + strings.Repeat("\x00", 205)
	tlvs      = "\x01\x00\x02h2" + "\x04\x00\x03\x00\x00\x00"
)

var proxyHeaders = []struct {
	name, header string
	want         string // the client
	err          string // part of the error
}{
	{name: "v1 TCP4", header: "PROXY TCP4 192.0.2.7 10.0.0.1 56789 443\r\n", want: "192.0.2.7:56789"},
	{name: "v1 TCP4, shortest", header: "PROXY TCP4 1.1.1.1 2.2.2.2 0 0\r\n", want: "1.1.1.1:0"},
	{name: "v1 TCP6", header: "PROXY TCP6 2001:db8::7 ::1 56789 443\r\n", want: "[2001:db8::7]:56789"},
	{name: "v1 TCP6, longest", header: "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", want: "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	{name: "v1 TCP6, mapped", header: "PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", want: "192.0.2.7:1"},
	{name: "v1 UNKNOWN", header: "PROXY UNKNOWN\r\n"},
	{name: "v1 UNKNOWN, with more", header: "PROXY UNKNOWN ffff::1 ffff::2 65535 x\r\n"},
	{name: "v1 UDP", header: "PROXY UDP4 192.0.2.7 10.0.0.1 1 2\r\n", err: `expected TCP4, TCP6 or UNKNOWN, found "UDP4"`},
	{name: "v1 too few words", header: "PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n", err: "expected 6 words, found 5"},
	{name: "v1 too many words", header: "PROXY TCP4 192.0.2.7 10.0.0.1 1 2 3\r\n", err: "expected 6 words, found 7"},
	{name: "v1 two spaces", header: "PROXY TCP4  192.0.2.7 10.0.0.1 1 2\r\n", err: "expected 6 words"},
	{name: "v1 address of the other family", header: "PROXY TCP4 2001:db8::7 ::1 1 2\r\n", err: `expected an address of TCP4, found "2001:db8::7"`},
	{name: "v1 destination of the other family", header: "PROXY TCP6 ::1 1.2.3.4 1 2\r\n", err: `expected an address of TCP6, found "1.2.3.4"`},
	{name: "v1 zone", header: "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", err: "expected an address"},
	{name: "v1 port too high", header: "PROXY TCP4 1.1.1.1 2.2.2.2 65536 1\r\n", err: `expected a port, found "65536"`},
	{name: "v1 port with zeros", header: "PROXY TCP4 1.1.1.1 2.2.2.2 1 080\r\n", err: `expected a port, found "080"`},
	{name: "v1 LF alone", header: "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n", err: "found LF alone"},
	{name: "v1 too long", header: "PROXY UNKNOWN " + strings.Repeat("x", 93), err: "expected at most 107 bytes"},
	{name: "v1 cut", header: "PROXY TCP4 1.1.1.1 2.2", err: "found that of the connection"},
	{name: "v1 small letters", header: "proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n", err: "found something else"},

	{name: "v2 TCP4", header: v2(0x21, 0x11, block4), want: "192.0.2.7:56789"},
	{name: "v2 TCP6", header: v2(0x21, 0x21, block6), want: "[2001:db8::7]:56789"},
	{name: "v2 TCP6, mapped", header: v2(0x21, 0x21, mapped), want: "192.0.2.7:56789"},
	{name: "v2 UDP4", header: v2(0x21, 0x12, block4), want: "192.0.2.7:56789"},
	{name: "v2 TCP4 with TLVs", header: v2(0x21, 0x11, block4+tlvs), want: "192.0.2.7:56789"},
	{name: "v2 TCP4 with the longest TLVs", header: v2(0x21, 0x11, block4+strings.Repeat("\xea", 65535-12)), want: "192.0.2.7:56789"},
	{name: "v2 Unix", header: v2(0x21, 0x31, blockUnix), want: "unix"},
	{name: "v2 unspecified", header: v2(0x21, 0x00, "")},
	{name: "v2 unspecified with TLVs", header: v2(0x21, 0x00, tlvs)},
	{name: "v2 LOCAL", header: v2(0x20, 0x00, "")},
	{name: "v2 LOCAL with addresses", header: v2(0x20, 0x11, block4)},
	{name: "v2 LOCAL of any family", header: v2(0x20, 0xff, tlvs)},
	{name: "v2 other version", header: v2(0x11, 0x11, block4), err: "expected version 2 and LOCAL or PROXY, found 0x11"},
	{name: "v2 other command", header: v2(0x22, 0x11, block4), err: "found 0x22"},
	{name: "v2 other family", header: v2(0x21, 0x41, block4), err: "expected a family and protocol of version 2, found 0x41"},
	{name: "v2 other protocol", header: v2(0x21, 0x13, block4), err: "found 0x13"},
	{name: "v2 too short for addresses", header: v2(0x21, 0x21, block4), err: "expected 36 bytes of addresses, found 12"},
	{name: "v2 cut in the addresses", header: v2(0x21, 0x11, block4)[:20], err: "expected 12 bytes behind its length"},
	{name: "v2 cut in the TLVs", header: v2(0x21, 0x11, block4+tlvs)[:30], err: "expected 23 bytes behind its length"},
	{name: "v2 cut in the length", header: v2(0x21, 0x11, block4)[:14], err: "expected its length"},

	{name: "nothing", header: "", err: "found the end after 0 bytes"},
	{name: "cut in the signature", header: proxyV2[:7], err: "found the end after 7 bytes"},
	{name: "HTTP", header: "GET / HTTP/1.1\r\n", err: "found something else"},
	{name: "nearly version 2", header: proxyV2[:11] + "\r" + v2(0x21, 0, "")[12:], err: "found something else"},
}

// The whole header is read and not one byte of what comes behind, however the
// bytes come in.
func TestReadProxyHeader(t *testing.T) {
	const behind = "GET /"
	for _, tt := range proxyHeaders {
		t.Run(tt.name, func(t *testing.T) {
			stream := tt.header
			if tt.err == "" {
				stream += behind
			}
			rest := strings.NewReader(stream)
			for _, r := range []io.Reader{rest, iotest.OneByteReader(rest)} {
				rest.Reset(stream)
				got, err := transport.ReadProxyHeader(r)
				if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %q, %v; want %q, %q", got, err, tt.want, tt.err)
				}
				if err == nil && rest.Len() != len(behind) {
					t.Errorf("%d bytes are left, want %d", rest.Len(), len(behind))
				}
			}
		})
	}
}

// Whatever is read as a header, another implementation reads alike, to the
// same length.
func FuzzProxyHeader(f *testing.F) {
	for _, tt := range proxyHeaders {
		f.Add([]byte(tt.header + "behind"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		got, err := transport.ReadProxyHeader(r)
		if used := len(data) - r.Len(); used > 16+65535 || used > 107 && !bytes.HasPrefix(data, []byte(proxyV2)) {
			t.Fatalf("%d bytes are read", used)
		}
		if err != nil {
			if got != "" {
				t.Fatalf("client %q with %v", got, err)
			}
			return
		}
		if bytes.HasPrefix(data, []byte(proxyV2)) && (data[12] == 0x20 || data[13] == 0) {
			if got != "" {
				t.Fatalf("client %q of a header without one", got)
			}
			return // the other one wants a known family, and none without LOCAL
		}
		br := bufio.NewReaderSize(bytes.NewReader(data), 1<<17)
		h, err := proxyproto.Read(br)
		if err != nil {
			t.Fatalf("client %q, but go-proxyproto says %v", got, err)
		}
		if rest, _ := io.ReadAll(br); len(rest) != r.Len() {
			t.Errorf("%d bytes are left, go-proxyproto leaves %d", r.Len(), len(rest))
		}
		want := ""
		switch a := h.SourceAddr.(type) {
		case *net.TCPAddr:
			want = canonical(a.AddrPort())
		case *net.UDPAddr:
			want = canonical(a.AddrPort())
		case *net.UnixAddr:
			want = "unix"
		}
		if got != want {
			t.Errorf("client %q, go-proxyproto says %q", got, want)
		}
	})
}

func canonical(a netip.AddrPort) string {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
}

// behindProxy is a configuration that trusts what PROXY headers say.
func behindProxy() transport.Config {
	cfg := testConfig()
	cfg.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	cfg.ProxyProtocol = true
	return cfg
}

// introducing has clients of h send a header before everything else, TLS
// included.
func (h *house) introducing(l net.Listener, header string) {
	if f, ok := l.(frontListener); ok {
		l = f.Listener
	}
	_, secure := l.(*secureListener)
	h.dial = func() (net.Conn, error) {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		if secure {
			return tls.Client(&saying{nc, header}, clientTLS()), nil
		}
		return &saying{nc, header}, nil
	}
}

// A saying sends something together with what is written first.
type saying struct {
	net.Conn
	first string
}

func (s *saying) Write(b []byte) (int, error) {
	first := s.first
	s.first = ""
	n, err := s.Conn.Write(append([]byte(first), b...))
	return max(0, n-len(first)), err
}

// proxied are the listeners on which a PROXY header is looked for.
func proxied(t *testing.T, f func(t *testing.T, l net.Listener, wire string)) {
	t.Run("tcp", func(t *testing.T) { f(t, frontListener{listenTCP(t)}, "raw") })
	t.Run("tls", func(t *testing.T) { f(t, frontListener{listenTLS(t)}, "tls") })
}

// A client behind a PROXY header is who the header says, on every kind of
// connection.
func TestProxyProtocol(t *testing.T) {
	for name, tt := range map[string]struct{ header, want string }{
		"v1":      {"PROXY TCP4 192.0.2.7 10.0.0.1 56789 443\r\n", "192.0.2.7:56789"},
		"v2":      {v2(0x21, 0x21, block6+tlvs), "[2001:db8::7]:56789"},
		"Unix":    {v2(0x21, 0x31, blockUnix), "unix"},
		"LOCAL":   {v2(0x20, 0x00, ""), ""},
		"UNKNOWN": {"PROXY UNKNOWN\r\n", ""},
	} {
		check := func(t *testing.T, got string, conn net.Conn) {
			t.Helper()
			want := tt.want
			if want == "" {
				want = conn.LocalAddr().String()
			}
			if got != want {
				t.Errorf("the peer is %s, want %s", got, want)
			}
		}
		t.Run(name, func(t *testing.T) {
			proxied(t, func(t *testing.T, l net.Listener, _ string) {
				h := open(t, behindProxy(), l)
				h.introducing(l, tt.header)
				p := h.connect("wamp.2.json", mask(fin|text, "m")+bye)
				if f, err := p.read(); err != nil || f.code() != 1000 {
					t.Errorf("got %q, %v; want the echo of the close frame", f, err)
				}
				check(t, p.sess.peer.RemoteAddr, p.conn)
				<-p.sess.detached
				if got := p.sess.got(); len(got) != 1 || got[0] != "m" {
					t.Errorf("delivered %q, want m", got)
				}
				// And on the way through the HTTP server, upgraded or not.
				r := must(h.dial())(t)
				io.WriteString(r, change("X-Long: "+strings.Repeat("x", 9000)))
				if resp, err := http.ReadResponse(bufio.NewReader(r), nil); err != nil || resp.StatusCode != 101 {
					t.Fatalf("got %v, %v", resp, err)
				}
				check(t, (<-h.sessions).peer.RemoteAddr, r)
			})
			for wire, l := range map[string]net.Listener{
				"RawSocket": listenTCP(t), "RawSocket, TLS": listenTLS(t),
				"RawSocket, shared": frontListener{listenTCP(t)}, "RawSocket, shared, TLS": frontListener{listenTLS(t)},
			} {
				t.Run(wire, func(t *testing.T) {
					h := openRaw(t, behindProxy(), l)
					h.introducing(l, tt.header)
					p := h.connectRaw(greetJSON+raw(0, "m")+raw(1, "p"), 1000)
					if got, err := p.take(rawGreeting + 5); err != nil || got != "\x7f\x91\x00\x00"+raw(2, "p") {
						t.Fatalf("got %q, %v", got, err)
					}
					check(t, (<-h.sessions).peer.RemoteAddr, p.conn)
				})
			}
		})
	}
}

// Whoever must send a header and sends none, or a bad one, gets no answer; so
// does who sends one without being trusted.
func TestProxyProtocolRefused(t *testing.T) {
	trusting := behindProxy()
	other := behindProxy()
	other.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("::1/128")}
	for _, tt := range []struct {
		name   string
		cfg    transport.Config
		header string
		want   int // status of the answer to an upgrade; 0: none
	}{
		{"none where it must be", trusting, "", 0},
		{"a bad one", trusting, "PROXY TCP4 1.1.1.1\r\n", 0},
		{"two", trusting, "PROXY UNKNOWN\r\nPROXY UNKNOWN\r\n", 400},
		{"none of a stranger", other, "", 101},
		{"one of a stranger", other, "PROXY UNKNOWN\r\n", 400},
		{"one where none is expected", testConfig(), "PROXY UNKNOWN\r\n", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := frontListener{listenTCP(t)}
			h := open(t, tt.cfg, l)
			h.introducing(l, tt.header)
			conn := must(h.dial())(t)
			io.WriteString(conn, change())
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			switch {
			case tt.want == 0 && err == nil:
				t.Errorf("answered with %v, want no answer", resp.Status)
			case tt.want != 0 && (err != nil || resp.StatusCode != tt.want):
				t.Errorf("answered with %v, %v; want %d", resp, err, tt.want)
			}
		})
		if tt.want == 101 {
			continue
		}
		t.Run(tt.name+", RawSocket", func(t *testing.T) {
			l := listenTCP(t)
			h := openRaw(t, tt.cfg, l)
			h.introducing(l, tt.header)
			p := h.connectRaw(greetJSON, 4)
			if got, _ := io.ReadAll(p.br); len(got) > 0 {
				t.Errorf("answered with %q", got)
			}
		})
	}
}

// A proxy that sends part of a header, or nothing, is not waited for for long;
// nor is one whose client does the same behind it.
func TestProxyProtocolSilence(t *testing.T) {
	cfg := behindProxy()
	cfg.UpgradeTimeout = 30 * time.Millisecond
	for _, begin := range []string{"", "PROXY", "PROXY TCP4 1.1.1.1 ", proxyV2, v2(0x21, 0x11, block4)[:20], "PROXY UNKNOWN\r\n"} {
		for name, l := range map[string]net.Listener{
			"front": frontListener{listenTCP(t)}, "front, TLS": frontListener{listenTLS(t)},
			"RawSocket": listenTCP(t), "RawSocket, TLS": listenTLS(t),
		} {
			t.Run(fmt.Sprintf("%q, %s", begin, name), func(t *testing.T) {
				openRaw(t, cfg, l)
				conn := must(net.Dial("tcp", l.Addr().String()))(t)
				io.WriteString(conn, begin)
				if n, err := conn.Read(make([]byte, 1)); n != 0 || errors.Is(err, io.ErrNoProgress) || err == nil {
					t.Errorf("got %d bytes, %v; want the end", n, err)
				}
			})
		}
	}
}
