package transport_test

import (
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
)

// muteTLS returns a server over TLS whose sessions are mute.
func muteTLS(t testing.TB) (*house, chan *mute, *secureListener) {
	h := &house{t: t}
	sessions := make(chan *mute, 1)
	h.srv = transport.NewTestServer(func(link router.Link, _ router.Peer) transport.Session {
		s := &mute{link: link, came: make(chan struct{}, 64)}
		sessions <- s
		return s
	}, testConfig(), slog.New(slog.DiscardHandler))
	l := listenTLS(t)
	h.serve(h.srv, l)
	return h, sessions, l
}

// sealedSize returns what n bytes become that are written at once.
func sealedSize(n int) int {
	const group, overhead = 16 << 10, 5 + 1 + 16 // header, type, tag
	return n + (n+group-1)/group*overhead
}

// Over TLS, writing allocates nothing. Reading allocates only in crypto/tls:
// a reader of 24 bytes for each record that fits the buffer that the connection
// has, and another, with a larger buffer once, for those that do not.
func TestTLSAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	h, sessions, l := muteTLS(t)
	p := h.connectSealed(l) // whose own TLS must not count
	s := <-sessions

	small := mask(fin|text, strings.Repeat("m", 128))
	large := mask(fin|text, strings.Repeat("m", 16_000))
	const runs = 200
	// The records are made before the allocations are counted.
	read := func(pieces int, contents ...string) func() {
		var records [][]byte
		for range runs + 1 {
			for _, c := range contents {
				records = append(records, []byte(p.out.seal(contentData, c)))
			}
		}
		return func() {
			for range contents {
				for rest := records[0]; len(rest) > 0; {
					n := min((len(records[0])+pieces-1)/pieces, len(rest))
					if _, err := p.raw.Write(rest[:n]); err != nil {
						t.Fatal(err)
					}
					rest = rest[n:]
					runtime.Gosched()
				}
				records = records[1:]
			}
			<-s.came
		}
	}
	back := make([]byte, 1<<17)
	write := func(bufs ...[]byte) func() {
		size := 0
		for _, b := range bufs {
			size += len(b)
		}
		raw := sealedSize(size)
		return func() {
			if n, err := s.link.TryWrite(bufs); n != size || err != nil {
				t.Fatalf("TryWrite = %d, %v; want %d, nil", n, err, size)
			}
			if _, err := io.ReadFull(p.raw, back[:raw]); err != nil {
				t.Fatal(err)
			}
		}
	}
	frame := make([]byte, 150)
	tests := []struct {
		name string
		f    func() func()
		want float64
	}{
		{"write one frame", func() func() { return write(frame) }, 0},
		{"write four frames", func() func() { return write(frame, frame, frame, frame) }, 0},
		{"write a large frame", func() func() { return write(make([]byte, 40_000)) }, 0},
		{"write large frames", func() func() { return write(make([]byte, 9000), make([]byte, 9000)) }, 0},
		{"read a small message", func() func() { return read(1, small) }, 1},
		{"read a small message in three pieces", func() func() { return read(3, small) }, 1},
		{"read a message in two records", func() func() { return read(1, small[:50], small[50:]) }, 2},
		{"read a large message", func() func() { return read(1, large) }, 2},
		{"read a large message in three pieces", func() func() { return read(3, large) }, 2},
	}
	for _, tt := range tests {
		f := tt.f()
		if n := testing.AllocsPerRun(runs, f); n > tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, n, tt.want)
		}
	}
}
