package transport_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// openRaw returns a server of RawSockets with fake sessions.
func openRaw(t testing.TB, cfg transport.Config, l net.Listener) *house {
	if f, ok := l.(frontListener); ok {
		return open(t, cfg, f)
	}
	h := &house{t: t, sessions: make(chan *fakeSession, 100)}
	h.srv = transport.NewTestServer(func(link router.Link, peer router.Peer) transport.Session {
		s := newFakeSession(link, peer)
		if h.receive != nil {
			s.receive = func(msg []byte) error { return h.receive(s, msg) }
		}
		h.sessions <- s
		return s
	}, cfg, slog.New(slog.DiscardHandler))
	h.serveRaw(l)
	return h
}

// serveRaw serves RawSocket on l until the end of the test.
func (h *house) serveRaw(l net.Listener) {
	if d, ok := l.(interface{ dial() (net.Conn, error) }); ok {
		h.dial = d.dial
	} else {
		h.dial = func() (net.Conn, error) { return net.Dial(l.Addr().Network(), l.Addr().String()) }
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := h.srv.ServeRawSocket(l); err != nil {
			h.t.Errorf("ServeRawSocket: %v", err)
		}
	})
	h.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := h.srv.Shutdown(ctx); err != nil {
			h.t.Errorf("Shutdown: %v", err)
		}
		wg.Wait()
	})
}

func listenUnix(t testing.TB) net.Listener {
	t.Helper()
	l, err := transport.ListenUnix(t.Context(), filepath.Join(t.TempDir(), "s"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// everyRaw runs f over TCP with a listener of its own and one that HTTP shares,
// over a Unix socket, with TLS, and over pipes in fake time.
func everyRaw(t *testing.T, f func(t *testing.T, l net.Listener)) {
	t.Run("tcp", func(t *testing.T) { f(t, listenTCP(t)) })
	t.Run("front", func(t *testing.T) { f(t, frontListener{listenTCP(t)}) })
	t.Run("unix", func(t *testing.T) { f(t, listenUnix(t)) })
	t.Run("tls", func(t *testing.T) { f(t, listenTLS(t)) })
	t.Run("pipe", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, newPipeListener()) })
	})
}

// connectRaw opens a connection, and sends the bytes in pieces.
func (h *house) connectRaw(bytes string, piece int) *rawPeer {
	h.t.Helper()
	conn, err := h.dial()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	p := &rawPeer{peer: &peer{t: h.t, conn: conn, br: bufio.NewReader(conn)}, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for len(bytes) > 0 {
			n := min(piece, len(bytes))
			if _, err := io.WriteString(conn, bytes[:n]); err != nil {
				return
			}
			bytes = bytes[n:]
		}
	}()
	return p
}

// A rawPeer is a client of RawSocket.
type rawPeer struct {
	*peer
	done chan struct{} // closed when everything was sent
}

// sent waits until everything was sent.
func (p *rawPeer) sent() { <-p.done }

// take reads n bytes.
func (p *rawPeer) take(n int) (string, error) {
	b := make([]byte, n)
	n, err := io.ReadFull(p.br, b)
	return string(b[:n]), err
}

// readRaw returns the next frame of the server.
func (p *rawPeer) readRaw() (frame, error) {
	var b [4]byte
	if _, err := io.ReadFull(p.br, b[:]); err != nil {
		return frame{}, err
	}
	payload := make([]byte, binary.BigEndian.Uint32(b[:])&0xffffff)
	_, err := io.ReadFull(p.br, payload)
	return frame{b[0], string(payload)}, err
}

// raw frames a payload. first is the type and whatever else is in its byte.
func raw(first byte, payload string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	b[0] |= first
	return string(b) + payload
}

const (
	rawGreeting  = 4 // bytes
	greetJSON    = "\x7f\xf1\x00\x00"
	greetMsgpack = "\x7f\xf2\x00\x00"
	greetCBOR    = "\x7f\xf3\x00\x00"
)

// Whatever bytes come, the server answers as WAMP's "RawSocket Transport" says,
// in whatever pieces they come.
func TestRawStreams(t *testing.T) {
	const limit = 256 << 10 // of testConfig, exponent 9
	big := strings.Repeat("b", limit)
	for _, tt := range []struct {
		name   string
		bytes  string
		answer string // to the greeting; "" if the connection is closed without one
		frames string // that follow
		got    string // messages, joined by commas
		why    wamp.URI
		text   string // part of the reason
	}{
		{name: "nothing", bytes: ""},
		{name: "one byte", bytes: "\x7f"},
		{name: "three bytes", bytes: greetJSON[:3]},
		{name: "no magic", bytes: "\x80\xf1\x00\x00"},
		{name: "zeros", bytes: "\x00\x00\x00\x00"},
		{name: "serializer 0", bytes: "\x7f\xf0\x00\x00"},
		{name: "serializer 0 and reserved bits", bytes: "\x7f\xf0\x00\x01"},
		{name: "UBJSON", bytes: "\x7f\xf4\x00\x00", answer: "\x7f\x10\x00\x00"},
		{name: "FlatBuffers", bytes: "\x7f\xf5\x00\x00", answer: "\x7f\x10\x00\x00"},
		{name: "serializer 15", bytes: "\x7f\xff\x00\x00", answer: "\x7f\x10\x00\x00"},
		{name: "too short messages", bytes: "\x7f\x01\x00\x00", answer: "\x7f\x20\x00\x00"},
		{name: "reserved bits in byte 3", bytes: "\x7f\xf1\x01\x00", answer: "\x7f\x30\x00\x00"},
		{name: "reserved bits in byte 4", bytes: "\x7f\xf1\x00\x80", answer: "\x7f\x30\x00\x00"},
		{name: "reserved bits and an unknown serializer", bytes: "\x7f\xf9\xff\xff", answer: "\x7f\x30\x00\x00"},
		{name: "bytes behind a refusal", bytes: "\x7f\xf9\x00\x00" + raw(0, "m"), answer: "\x7f\x10\x00\x00"},

		{name: "JSON", bytes: greetJSON, answer: "\x7f\x91\x00\x00"},
		{name: "MessagePack", bytes: greetMsgpack, answer: "\x7f\x92\x00\x00"},
		{name: "CBOR", bytes: greetCBOR, answer: "\x7f\x93\x00\x00"},
		{name: "short messages", bytes: "\x7f\x11\x00\x00", answer: "\x7f\x91\x00\x00"},
		{name: "message with the greeting", bytes: greetJSON + raw(0, "m"), answer: "\x7f\x91\x00\x00", got: "m"},
		{name: "messages", bytes: greetCBOR + raw(0, "a") + raw(0, "b") + raw(0, "c"), answer: "\x7f\x93\x00\x00", got: "a,b,c"},
		{name: "empty message", bytes: greetJSON + raw(0, "") + raw(0, "x"), answer: "\x7f\x91\x00\x00", got: ",x"},
		{name: "binary message", bytes: greetMsgpack + raw(0, "\xff\xfe"), answer: "\x7f\x92\x00\x00", got: "\xff\xfe"},
		{name: "the longest message", bytes: greetMsgpack + raw(0, big), answer: "\x7f\x92\x00\x00", got: big},
		{
			name: "longer", bytes: greetMsgpack + raw(0, "a") + "\x00\x04\x00\x01", answer: "\x7f\x92\x00\x00",
			got: "a", why: wamp.URIPayloadSize, text: "a frame has 262145 bytes, and at most 262144 are taken",
		},
		{
			name: "the longest of all", bytes: greetMsgpack + "\x00\xff\xff\xff", answer: "\x7f\x92\x00\x00",
			why: wamp.URIPayloadSize, text: "a frame has 16777215 bytes",
		},
		{
			name: "16 MiB", bytes: greetMsgpack + "\x08\x00\x00\x00", answer: "\x7f\x92\x00\x00",
			why: wamp.URIPayloadSize, text: "a frame has 16777216 bytes",
		},
		{
			name: "25 bits of length", bytes: greetMsgpack + "\x08\x00\x00\x01", answer: "\x7f\x92\x00\x00",
			why: wamp.URIProtocolViolation, text: "25th bit",
		},
		{
			name: "a PING that is too long", bytes: greetMsgpack + "\x01\x04\x00\x01", answer: "\x7f\x92\x00\x00",
			why: wamp.URIPayloadSize, text: "a frame has 262145 bytes",
		},
		{
			name: "a PING that cannot be answered", bytes: "\x7f\x12\x00\x00" + raw(1, big[:1025]), answer: "\x7f\x92\x00\x00",
			why: wamp.URIPayloadSize, text: "a PING of 1025 bytes cannot be answered to a peer that takes 1024",
		},
		{
			name: "text that is not UTF-8", bytes: greetJSON + raw(0, "a") + raw(0, "\xff"), answer: "\x7f\x91\x00\x00",
			got: "a", why: wamp.URIProtocolViolation, text: "not UTF-8",
		},
		{name: "reserved bit 7", bytes: greetJSON + "\x80", answer: "\x7f\x91\x00\x00", why: wamp.URIProtocolViolation, text: "reserved bits 0x80"},
		{name: "reserved bit 6", bytes: greetJSON + "\x40", answer: "\x7f\x91\x00\x00", why: wamp.URIProtocolViolation, text: "reserved bits 0x40"},
		{name: "reserved bit 5", bytes: greetJSON + "\x20", answer: "\x7f\x91\x00\x00", why: wamp.URIProtocolViolation, text: "reserved bits 0x20"},
		{name: "reserved bit 4", bytes: greetJSON + "\x10", answer: "\x7f\x91\x00\x00", why: wamp.URIProtocolViolation, text: "reserved bits 0x10"},
		{name: "frame type 3", bytes: greetJSON + "\x03", answer: "\x7f\x91\x00\x00", why: wamp.URIProtocolViolation, text: "reserved type 3"},
		{name: "frame type 7", bytes: greetJSON + raw(0, "m") + raw(7, ""), answer: "\x7f\x91\x00\x00", got: "m", why: wamp.URIProtocolViolation, text: "reserved type 7"},
		{name: "a greeting again", bytes: greetJSON + greetJSON, answer: "\x7f\x91\x00\x00", why: wamp.URIProtocolViolation, text: "reserved bits 0x70"},
		{name: "HTTP inside", bytes: greetJSON + "GET / HTTP/1.1\r\n\r\n", answer: "\x7f\x91\x00\x00", why: wamp.URIProtocolViolation, text: "reserved bits 0x40"},
		{name: "PING", bytes: greetJSON + raw(1, ""), answer: "\x7f\x91\x00\x00", frames: raw(2, "")},
		{
			name: "PINGs and messages", bytes: greetJSON + raw(1, "p1") + raw(0, "a") + raw(1, "p2") + raw(0, "b"),
			answer: "\x7f\x91\x00\x00", frames: raw(2, "p1") + raw(2, "p2"), got: "a,b",
		},
		{
			name: "many PINGs", bytes: greetJSON + strings.Repeat(raw(1, "p"), 40), answer: "\x7f\x91\x00\x00",
			frames: strings.Repeat(raw(2, "p"), 40),
		},
		{name: "a long PING", bytes: greetJSON + raw(1, big[:1000]), answer: "\x7f\x91\x00\x00", frames: raw(2, big[:1000])},
		{name: "PONGs nobody asked for", bytes: greetJSON + raw(2, "x") + raw(2, "") + raw(0, "m"), answer: "\x7f\x91\x00\x00", got: "m"},
		{name: "cut in a header", bytes: greetJSON + raw(0, "m") + "\x00\x00", answer: "\x7f\x91\x00\x00", got: "m"},
		{name: "cut in a message", bytes: greetJSON + "\x00\x00\x00\x05mess", answer: "\x7f\x91\x00\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			everyRaw(t, func(t *testing.T, l net.Listener) {
				if _, front := l.(frontListener); front && (tt.bytes == "" || tt.bytes[0] != 0x7f) {
					l.Close()
					return // not RawSocket, on a port that has HTTP, too
				}
				h := openRaw(t, testConfig(), l)
				for _, piece := range []int{len(tt.bytes), 1, 3} {
					if piece < 4 && len(tt.bytes) > 2000 {
						continue
					}
					row := rawRow{tt.bytes, tt.answer, tt.frames, tt.got, tt.why, tt.text, strings.HasPrefix(tt.name, "cut")}
					row.play(t, h, max(1, piece))
				}
			})
		})
	}
}

// A rawRow is a row of TestRawStreams.
type rawRow struct {
	bytes, answer, frames, got string
	why                        wamp.URI
	text                       string
	cut                        bool // the peer goes in the middle of a frame
}

func (r *rawRow) play(t *testing.T, h *house, piece int) {
	t.Helper()
	accepted := r.answer != "" && r.answer[1]&0x0f != 0
	if r.answer != "" && !accepted && len(r.bytes) > rawGreeting {
		piece = len(r.bytes) // what comes after the end may cost the answer
	}
	bytes, frames := r.bytes, r.frames
	if accepted && r.why == "" && !r.cut {
		bytes += raw(1, "the end")
		frames += raw(2, "the end")
	}
	p := h.connectRaw(bytes, piece)
	if len(r.bytes) < rawGreeting {
		return // it goes
	}
	if answer, err := p.take(len(r.answer)); err != nil || answer != r.answer {
		t.Fatalf("pieces of %d: answer %q, %v; want %q", piece, answer, err, r.answer)
	}
	if !accepted {
		if rest, _ := io.ReadAll(p.br); len(rest) > 0 {
			t.Errorf("pieces of %d: %q after the refusal, want the end", piece, rest)
		}
		return
	}
	s := <-h.sessions
	if got, err := p.take(len(frames)); err != nil || got != frames {
		t.Errorf("pieces of %d: frames %q, %v; want %q", piece, got, err, frames)
	}
	if r.why != "" {
		if rest, _ := io.ReadAll(p.br); len(rest) > 0 {
			t.Errorf("pieces of %d: %q after the violation, want the end", piece, rest)
		}
	}
	if r.cut {
		p.sent()
	}
	p.conn.Close()
	<-s.detached
	if got := strings.Join(s.got(), ","); got != r.got {
		t.Errorf("pieces of %d: messages %.80q, want %.80q", piece, got, r.got)
	}
	why, err := s.reason()
	switch {
	case r.why == "" && why != nil:
		t.Errorf("pieces of %d: ended with %v", piece, why)
	case r.why != "" && (why == nil || why.URI != r.why || !strings.HasPrefix(why.Text, "RawSocket: ") || !strings.Contains(why.Text, r.text)):
		t.Errorf("pieces of %d: ended with %v, want %s, %q", piece, why, r.why, r.text)
	case r.cut && !errors.Is(err, io.ErrUnexpectedEOF):
		t.Errorf("pieces of %d: detached with %v, want an unexpected end", piece, err)
	}
}
