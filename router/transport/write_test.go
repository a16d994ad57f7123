package transport_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// pieces divides n bytes, whose values tell their place, into buffers of the
// sizes in turn.
func pieces(n int, sizes ...int) (bufs [][]byte, all []byte) {
	all = make([]byte, n)
	for i := range all {
		all[i] = byte(i * 7 / 5)
	}
	rest := all
	for i := 0; len(rest) > 0; i++ {
		size := min(sizes[i%len(sizes)], len(rest))
		bufs = append(bufs, rest[:size:size])
		rest = rest[size:]
	}
	return bufs, all
}

// What TryWrite leaves, Write writes: the peer sees all bytes in order,
// however they are divided and however slowly it reads.
func TestWriteAll(t *testing.T) {
	tests := []struct {
		name  string
		n     int
		sizes []int
	}{
		{"one small", 100, []int{100}},
		{"one large", 8 << 20, []int{8 << 20}},
		{"few small", 1000, []int{100}},
		{"empty among them", 1000, []int{0, 100, 0, 0, 50}},
		{"all empty but one", 10, []int{0, 0, 10}},
		{"first fills the gather buffer", 20_000, []int{16_384, 0, 3616}},
		{"first is large", 20_010, []int{20_000, 10}},
		{"as much as is gathered", 16_384, []int{256}},
		{"a byte more", 16_385, []int{256}},
		{"more buffers than one writev takes", 300_000, []int{100}},
		{"many, and more than the socket takes", 6 << 20, []int{1, 150, 3000, 40_000, 0}},
	}
	both(t, func(t *testing.T, l net.Listener) {
		h := open(t, testConfig(), l)
		for _, tt := range tests {
			p := h.connect("wamp.2.json", "")
			bufs, all := pieces(tt.n, tt.sizes...)
			kept := slices.Clone(bufs)
			var wg sync.WaitGroup
			got := make([]byte, len(all))
			begin := make(chan struct{})
			wg.Go(func() {
				<-begin // so that the first attempt meets a socket that fills up
				if _, err := io.ReadFull(p.br, got); err != nil {
					t.Errorf("%s: read: %v", tt.name, err)
				}
			})
			n, err := p.sess.link.TryWrite(bufs)
			if err != nil || n > len(all) {
				t.Errorf("%s: TryWrite = %d, %v", tt.name, n, err)
			}
			for i := range bufs {
				if len(bufs[i]) != len(kept[i]) {
					t.Errorf("%s: TryWrite changed buffer %d", tt.name, i)
				}
			}
			close(begin)
			if rest := skip(bufs, n); len(rest) > 0 {
				if err := p.sess.link.Write(rest, time.Now().Add(time.Minute)); err != nil {
					t.Errorf("%s: Write: %v", tt.name, err)
				}
			}
			wg.Wait()
			if !bytes.Equal(got, all) {
				t.Errorf("%s: the peer got other bytes", tt.name)
			}
		}
	})
}

// skip returns bufs without the first n bytes.
func skip(bufs [][]byte, n int) [][]byte {
	for len(bufs) > 0 && n >= len(bufs[0]) {
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	if n > 0 {
		bufs[0] = bufs[0][n:]
	}
	return bufs
}

// A Write that has met its deadline leaves TryWrite usable, and one that
// succeeded leaves no deadline behind.
func TestWriteDeadline(t *testing.T) {
	both(t, func(t *testing.T, l net.Listener) {
		h := open(t, testConfig(), l)
		p := h.connect("wamp.2.json", "")
		link := p.sess.link
		go io.Copy(io.Discard, io.LimitReader(p.br, 1<<20))
		if err := link.Write([][]byte{make([]byte, 1<<20)}, time.Now().Add(50*time.Millisecond)); err != nil {
			t.Fatalf("Write = %v", err)
		}
		<-time.After(100 * time.Millisecond)
		if _, err := link.TryWrite([][]byte{{1}}); err != nil {
			t.Errorf("TryWrite after the deadline of an earlier Write: %v", err)
		}
		start := time.Now()
		err := link.Write([][]byte{make([]byte, 16<<20)}, start.Add(100*time.Millisecond))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) < 100*time.Millisecond {
			t.Errorf("Write to a peer that does not read = %v after %v, want the deadline after 100ms", err, time.Since(start))
		}
	})
}

func TestCloseUnblocksWrite(t *testing.T) {
	both(t, func(t *testing.T, l net.Listener) {
		h := open(t, testConfig(), l)
		p := h.connect("wamp.2.json", "")
		link := p.sess.link
		time.AfterFunc(20*time.Millisecond, func() { link.Close() })
		if err := link.Write([][]byte{make([]byte, 16<<20)}, time.Now().Add(time.Hour)); err == nil {
			t.Error("Write = nil on a closed link")
		}
		if _, err := link.TryWrite([][]byte{{1}}); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("TryWrite = %v on a closed link", err)
		}
		if err := link.Close(); err != nil {
			t.Errorf("second Close = %v", err)
		}
		link.Finish(time.Hour) // must not matter any more
		<-p.sess.detached
		if _, err := p.sess.reason(); !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("detached with %v", err)
		}
	})
}

// A peer that has gone makes writing fail.
func TestWriteToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, testConfig(), newPipeListener())
		p := h.connect("wamp.2.json", "")
		p.conn.Close()
		if err := p.sess.link.Write([][]byte{{1}, {2}}, time.Now().Add(time.Second)); err == nil {
			t.Error("Write to a closed pipe = nil")
		}
	})
}

func TestUnixSocket(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	h := open(t, testConfig(), l)
	p := h.connect("wamp.2.json", mask(fin|text, "m"))
	p.send(mask(fin|ping, "p"))
	if f, err := p.read(); err != nil || f.first != fin|pong || f.payload != "p" {
		t.Errorf("got %q, %v; want a pong", f, err)
	}
	if got := p.sess.got(); len(got) != 1 {
		t.Errorf("delivered %q, want one message", got)
	}
	if n, err := p.sess.link.TryWrite([][]byte{[]byte("raw")}); n != 3 || err != nil {
		t.Errorf("TryWrite on a Unix socket = %d, %v; want 3, nil", n, err)
	}
}

func TestSeal(t *testing.T) {
	tests := []struct {
		n    int
		ser  wamp.Serializer
		want string // header
	}{
		{0, wamp.JSON, "\x81\x00"},
		{1, wamp.JSON, "\x81\x01"},
		{125, wamp.MessagePack, "\x82\x7d"},
		{126, wamp.CBOR, "\x82\x7e\x00\x7e"},
		{65535, wamp.JSON, "\x81\x7e\xff\xff"},
		{65536, wamp.JSON, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
	}
	for _, tt := range tests {
		room := transport.WebSocket.Headroom
		buf := make([]byte, room, room+tt.n)
		message := strings.Repeat("m", tt.n)
		buf = append(buf, message...)
		got := transport.WebSocket.Seal(buf, tt.ser)
		if string(got) != tt.want+message {
			t.Errorf("%d bytes of %v: header %q, want %q", tt.n, tt.ser, got[:min(len(got), 12)], tt.want)
		}
		if n := testing.AllocsPerRun(10, func() { transport.WebSocket.Seal(buf, tt.ser) }); n != 0 {
			t.Errorf("Seal allocates %v times", n)
		}
	}
}

func ExampleWebSocket() {
	buf := append(make([]byte, transport.WebSocket.Headroom), `[33,1,2]`...)
	fmt.Printf("%q\n", transport.WebSocket.Seal(buf, wamp.JSON))
	// Output: "\x81\b[33,1,2]"
}
