package transport_test

import (
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// A mute session only says that something came.
type mute struct {
	link router.Link
	came chan struct{}
}

func (s *mute) Receive([]byte) error { s.came <- struct{}{}; return nil }
func (s *mute) Flush()               {}
func (s *mute) Detach(error)         {}
func (s *mute) SendControl([]byte)   {}
func (s *mute) End(*wamp.Error)      {}
func (s *mute) Busy() bool           { return false }

// muteHouse returns a server over TCP whose sessions are mute, and which
// compresses for who asks for it.
func muteHouse(t testing.TB) (*house, chan *mute) {
	h := &house{t: t}
	sessions := make(chan *mute, 1)
	cfg := testConfig()
	cfg.Deflate = true
	h.srv = transport.NewTestServer(func(link router.Link, _ router.Peer) transport.Session {
		s := &mute{link: link, came: make(chan struct{}, 64)}
		sessions <- s
		return s
	}, cfg, slog.New(slog.DiscardHandler))
	h.serve(h.srv, listenTCP(t))
	return h, sessions
}

// Reading and delivering a message allocates nothing, in however many pieces
// it comes; neither does writing.
func TestAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	h, sessions := muteHouse(t)
	p := h.connect("wamp.2.json", "")
	s := <-sessions

	small := []byte(mask(fin|text, strings.Repeat("m", 128)))
	large := []byte(mask(fin|text, strings.Repeat("m", 40_000)))
	parts := []byte(mask(text, "first half") + mask(fin|cont, "second half"))
	send := func(msg []byte, pieces int) func() {
		return func() {
			for rest := msg; len(rest) > 0; {
				n := (len(msg) + pieces - 1) / pieces
				n = min(n, len(rest))
				if _, err := p.conn.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
				runtime.Gosched()
			}
			<-s.came
		}
	}
	back := make([]byte, 1<<16)
	write := func(bufs ...[]byte) func() {
		size := 0
		for _, b := range bufs {
			size += len(b)
		}
		return func() {
			if n, err := s.link.TryWrite(bufs); n != size || err != nil {
				t.Fatalf("TryWrite = %d, %v; want %d, nil", n, err, size)
			}
			if _, err := io.ReadFull(p.br, back[:size]); err != nil {
				t.Fatal(err)
			}
		}
	}
	frame := make([]byte, 150)
	tests := []struct {
		name string
		f    func()
	}{
		{"read a small message", send(small, 1)},
		{"read a small message in two pieces", send(small, 2)},
		{"read a large message", send(large, 1)},
		{"read a fragmented message", send(parts, 1)},
		{"write one frame", write(frame)},
		{"write four frames", write(frame, frame, frame, frame)},
		{"write a gather too much", write(make([]byte, 9000), make([]byte, 9000))},
	}
	for _, tt := range tests {
		if n := testing.AllocsPerRun(200, tt.f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", tt.name, n)
		}
	}
}

// A reader that waits holds no buffer, and one that waits for the rest of a
// message holds one that fits what has come.
func TestParkedMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const n = 200
	message := mask(fin|text, "a whole message")
	tests := []struct {
		name string
		more string
		most int64 // bytes per connection: both ends and the client's read buffer
	}{
		{"nothing", "", 9 << 10},
		{"half a message", message[:10], 10 << 10},
		{"half a large message", mask(fin|text, strings.Repeat("m", 100_000))[:3000], 14 << 10},
	}
	h, sessions := muteHouse(t)
	for _, tt := range tests {
		before := heapInUse()
		for range n {
			p := h.connect("wamp.2.json", "")
			s := <-sessions
			p.send(message + tt.more)
			<-s.came
		}
		if each := (heapInUse() - before) / n; each > tt.most {
			t.Errorf("waiting with %s: %d bytes for each connection, want at most %d", tt.name, each, tt.most)
		}
	}
}

// heapInUse returns the bytes of living objects.
func heapInUse() int64 {
	for range 3 { // pools give up what they hold in two cycles
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
