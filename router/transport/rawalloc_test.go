package transport_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
)

// muteRaw returns a server of RawSockets over TCP whose sessions are mute.
func muteRaw(t *testing.T) (*house, chan *mute) {
	h := &house{t: t}
	sessions := make(chan *mute, 1)
	h.srv = transport.NewTestServer(func(link router.Link, _ router.Peer) transport.Session {
		s := &mute{link: link, came: make(chan struct{}, 64)}
		sessions <- s
		return s
	}, testConfig(), slog.New(slog.DiscardHandler))
	h.serveRaw(listenTCP(t))
	return h, sessions
}

// Reading and delivering a message over RawSocket allocates nothing, in however
// many pieces it comes.
func TestRawAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	h, sessions := muteRaw(t)
	p := h.connectRaw(greetJSON, 4)
	if _, err := p.take(4); err != nil {
		t.Fatal(err)
	}
	s := <-sessions
	for name, msg := range map[string][]byte{
		"small": []byte(raw(0, strings.Repeat("m", 128))), "large": []byte(raw(0, strings.Repeat("m", 40_000))),
		"a PONG before it": []byte(raw(2, "x") + raw(0, "m")),
	} {
		for _, pieces := range []int{1, 2} {
			n := testing.AllocsPerRun(200, func() {
				half := len(msg) / pieces
				for _, part := range [][]byte{msg[:half], msg[half:]} {
					if _, err := p.conn.Write(part); err != nil {
						t.Fatal(err)
					}
				}
				<-s.came
			})
			if n != 0 {
				t.Errorf("a message, %s, in %d pieces: %v allocations, want 0", name, pieces, n)
			}
		}
	}
}

// A reader that waits holds no buffer, and one that waits for the rest of a
// message holds one that fits what has come.
func TestParkedRawMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const n = 200
	h, sessions := muteRaw(t)
	for _, tt := range []struct {
		name, more string
		most       int64 // bytes per connection: both ends and the client's read buffer
	}{
		{"nothing", "", 9 << 10},
		{"half a message", raw(0, "a whole message")[:10], 10 << 10},
		{"half a large message", raw(0, strings.Repeat("m", 100_000))[:3000], 14 << 10},
	} {
		before := heapInUse()
		for range n {
			p := h.connectRaw(greetJSON+raw(0, "m")+tt.more, 1<<20)
			if _, err := p.take(4); err != nil {
				t.Fatal(err)
			}
			<-(<-sessions).came
		}
		if each := (heapInUse() - before) / n; each > tt.most {
			t.Errorf("waiting with %s: %d bytes for each connection, want at most %d", tt.name, each, tt.most)
		}
	}
}
