package transport_test

import (
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/transport"
)

// However a stream of records is cut, TLS gets each that is whole, at once, and
// nothing of those that are not.
func TestRecordMeter(t *testing.T) {
	var stream []byte
	ends := []int{0}
	for _, n := range []int{1, 0, 5, 300, 16 << 10, 16<<10 + 2048, 2} {
		stream = append(stream, 23, 3, 3, byte(n>>8), byte(n))
		stream = append(stream, make([]byte, n)...)
		ends = append(ends, len(stream))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	check := func(n, end, size int) {
		pieces, left := transport.Cut(stream[:end], n, func() int { return 1 + rng.IntN(size) })
		at := n
		for _, p := range pieces {
			next := ends[slices.IndexFunc(ends, func(e int) bool { return e > at })]
			if at+len(p) != next {
				t.Fatalf("%d of %d bytes before the upgrade: a piece of %d at %d, want one that ends at %d", n, end, len(p), at, next)
			}
			at = next
		}
		if at+left != end || slices.ContainsFunc(ends, func(e int) bool { return e > at && e <= end }) {
			t.Fatalf("%d of %d bytes before the upgrade: %d come in whole records and %d are left", n, end, at-n, left)
		}
	}
	for end := range 400 {
		for n := range end + 1 {
			check(n, end, 3)
			check(n, end, 400)
		}
	}
	for range 2000 {
		end := rng.IntN(len(stream) + 1)
		check(rng.IntN(end+1), end, 20_000)
	}
	// What is too long is left to TLS, which refuses it by its header.
	if pieces, left := transport.Cut([]byte{23, 3, 3, 0xff, 0xff, 1}, 0, func() int { return 9 }); len(pieces) != 1 || left != 0 {
		t.Errorf("of a record that is too long TLS gets %q", pieces)
	}
}

func TestGroups(t *testing.T) {
	tests := []struct {
		n     int
		sizes []int
		want  int // groups if nothing is skipped
	}{
		{0, []int{1}, 0},
		{1, []int{1}, 1},
		{100, []int{10}, 1},
		{100, []int{0, 10, 0}, 1},
		{16 << 10, []int{16 << 10}, 1},
		{16<<10 + 1, []int{16<<10 + 1}, 2},
		{40_000, []int{100}, 3},
		{40_000, []int{40_000}, 3},
		{100_000, []int{10, 20_000, 16 << 10, 3}, 0}, // in as many as it takes
	}
	for _, tt := range tests {
		bufs, all := pieces(tt.n, tt.sizes...)
		for _, skip := range []int{0, 1, 99, 5000, 16 << 10, 39_999} {
			if skip > tt.n {
				continue
			}
			groups := transport.Groups(bufs, skip)
			if got := strings.Join(groups, ""); got != string(all[skip:]) {
				t.Errorf("%d bytes in %d, %d skipped: other bytes", tt.n, tt.sizes, skip)
			}
			if slices.ContainsFunc(groups, func(g string) bool { return len(g) > 16<<10 }) || skip == 0 && tt.want > 0 && len(groups) != tt.want {
				t.Errorf("%d bytes in %d, %d skipped: %d groups, want %d of at most 16 KiB", tt.n, tt.sizes, skip, len(groups), tt.want)
			}
		}
	}
}

// versions of TLS that are served.
var versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// A cutConn writes in pieces that end at the given place of the stream, and
// calls between there.
type cutConn struct {
	net.Conn
	cut     int // bytes until the cut; below zero: every byte is a piece
	between func()
}

func (c *cutConn) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := len(rest)
		switch {
		case c.cut < 0:
			n = 1
		case c.cut > 0 && c.cut < n:
			n = c.cut
		}
		if _, err := c.Conn.Write(rest[:n]); err != nil {
			return 0, err
		}
		if c.cut < 0 || c.cut == n {
			c.between()
		}
		if c.cut > 0 {
			c.cut -= n
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// Records that are cut at any byte, and a reader that is replaced there, lose
// nothing: crypto/tls keeps its state when a read fails for the time being.
func TestTLSCut(t *testing.T) {
	for _, version := range versions {
		l := listenTLS(t)
		l.client.MinVersion, l.client.MaxVersion = version, version
		h := open(t, testConfig(), l)
		var cc *cutConn
		h.dial = func() (net.Conn, error) {
			conn, err := net.Dial("tcp", l.Addr().String())
			cc = &cutConn{Conn: conn, between: runtime.Gosched}
			return tls.Client(cc, l.client), err
		}
		say := []string{mask(fin|text, "one"), mask(text, "tw"), mask(fin|cont, "o") + mask(fin|text, strings.Repeat("three", 40))}
		want := []string{"one", "two", strings.Repeat("three", 40)}
		const most = 350 // bytes that it all becomes, or more
		for cut := -1; cut <= most; cut++ {
			p := h.connect("wamp.2.json", "")
			cc.cut = cut
			cc.between = func() {
				for transport.Unread(p.sess.link) > 0 {
					runtime.Gosched()
				}
				transport.Nudge(p.sess.link)
			}
			for _, s := range say {
				p.send(s)
			}
			p.send(mask(fin|ping, "end"))
			if f, err := p.read(); err != nil || f.first != fin|pong {
				t.Fatalf("%s cut at %d: got %q, %v; want a pong", tls.VersionName(version), cut, f, err)
			}
			if got := p.sess.got(); !slices.Equal(got, want) {
				t.Fatalf("%s cut at %d: delivered %q", tls.VersionName(version), cut, got)
			}
			p.conn.Close()
			<-p.sess.detached
			if _, err := p.sess.reason(); err != io.EOF {
				t.Fatalf("%s cut at %d: detached with %v, want EOF", tls.VersionName(version), cut, err)
			}
		}
	}
}

// The upgrade request and what comes with it may be cut, too: the connection
// becomes lean wherever TLS is in a record.
func TestTLSCutUpgrade(t *testing.T) {
	large := strings.Repeat("m", 50_000)
	for _, version := range versions {
		l := listenTLS(t)
		l.client.MinVersion, l.client.MaxVersion = version, version
		h := open(t, testConfig(), l)
		for cut := 1; cut < 70_000; cut += 1 + cut/3 {
			h.dial = func() (net.Conn, error) {
				conn, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					return nil, err
				}
				cc := &cutConn{Conn: conn}
				secure := tls.Client(cc, l.client)
				err = secure.Handshake()
				cc.cut, cc.between = cut, func() {
					for range 50 {
						runtime.Gosched()
					}
				}
				return secure, err
			}
			p := h.connect("wamp.2.json", mask(fin|text, "m")+mask(fin|text, large)+mask(fin|ping, ""))
			if f, err := p.read(); err != nil || f.op() != pong {
				t.Fatalf("%s cut at %d: got %q, %v; want a pong", tls.VersionName(version), cut, f, err)
			}
			if got := p.sess.got(); !slices.Equal(got, []string{"m", large}) {
				t.Fatalf("%s cut at %d: delivered %.40q", tls.VersionName(version), cut, got)
			}
			p.conn.Close()
			<-p.sess.detached
		}
	}
}
