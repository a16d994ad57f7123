//go:build linux

package bench

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// gathered is a receiver that keeps what comes.
type gathered struct{ messages []string }

func (g *gathered) receive(_ *peer, _ uint64, _, msg []byte, _ int64) {
	g.messages = append(g.messages, string(msg))
}

// What others compress we read: in one frame or several, in whatever pieces it
// arrives, between messages that are not compressed.
func TestCompressedFrames(t *testing.T) {
	long := `[36,1,2,{},["` + strings.Repeat("order shipped ", 2000) + `"]]`
	texts := []string{`[36,1]`, `[36,1,2,{}]`, long, `[36,1]`}
	var stream []byte
	for i, text := range texts {
		f := ws.NewTextFrame([]byte(text))
		if i != 1 {
			var err error
			if f, err = wsflate.CompressFrame(f); err != nil {
				t.Fatal(err)
			}
		}
		if i == 2 { // in three parts, with a ping between them
			p := f.Payload
			first := ws.NewFrame(ws.OpText, false, p[:3])
			first.Header.Rsv = f.Header.Rsv
			stream = append(stream, ws.MustCompileFrame(first)...)
			stream = append(stream, ws.MustCompileFrame(ws.NewPingFrame(nil))...)
			stream = append(stream, ws.MustCompileFrame(ws.NewFrame(ws.OpContinuation, false, p[3:9]))...)
			f = ws.NewFrame(ws.OpContinuation, true, p[9:])
		}
		stream = append(stream, ws.MustCompileFrame(f)...)
	}
	for _, step := range []int{1, 7, len(stream)} {
		l, err := newLoop()
		if err != nil {
			t.Fatal(err)
		}
		got := &gathered{}
		p := &peer{loop: l, framing: frameDeflate, ser: serJSON, to: got, waiting: true}
		for at := 0; at < len(stream); at += step {
			l.feed(p, stream[at:min(at+step, len(stream))], 0)
		}
		if strings.Join(got.messages, "\n") != strings.Join(texts, "\n") || l.packed != 3 || l.pings != 1 || p.closed {
			t.Errorf("in steps of %d: %d messages, %d compressed, %d pings, error %v", step, len(got.messages), l.packed, l.pings, p.err)
		}
		p.closed = true // it has no socket
		l.close()
	}
	// Without agreement, the bit has no meaning.
	f, _ := wsflate.CompressFrame(ws.NewTextFrame([]byte(texts[0])))
	if _, _, _, err := frameWebSocket.next(ws.MustCompileFrame(f)); err == nil || !strings.Contains(err.Error(), "reserved bits 0x40") {
		t.Errorf("error %v, want one about reserved bits", err)
	}
	// A control frame is never compressed.
	ping := ws.NewPingFrame([]byte("p"))
	ping.Header.Rsv = f.Header.Rsv
	if _, _, _, err := frameDeflate.next(ws.MustCompileFrame(ping)); err == nil {
		t.Error("a compressed ping was accepted")
	}
}

// What is remembered is what was inflated, whatever came between.
func TestInflater(t *testing.T) {
	var in inflater
	h := wsflate.DefaultHelper
	texts := [][]byte{[]byte("a"), {}, bytes.Repeat([]byte("bc"), 50_000), []byte("d")}
	for range 3 {
		for _, text := range texts {
			packed, err := h.Compress(text)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := in.inflate(packed); err != nil || !bytes.Equal(got, text) {
				t.Fatalf("inflate(%.20x) = %.20q, %v; want %.20q", packed, got, err, text)
			}
			if got, err := inflateOnce(packed); err != nil || !bytes.Equal(got, text) {
				t.Fatalf("inflateOnce(%.20x) = %.20q, %v; want %.20q", packed, got, err, text)
			}
		}
	}
	if _, err := in.inflate([]byte{0xff, 0xff, 0xff}); err == nil {
		t.Error("nonsense was inflated")
	}
	bomb, err := h.Compress(make([]byte, maxFrame+1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.inflate(bomb); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a bomb: %v", err)
	}
}

func TestCheckDeflate(t *testing.T) {
	tests := []struct{ agreed, want string }{
		{"", "did not agree"},
		{"foo; bar=1", "did not agree"},
		{"permessage-deflate", "without server_no_context_takeover"},
		{"permessage-deflate; server_no_context_takeover", ""},
		{"x, permessage-deflate; client_no_context_takeover; server_no_context_takeover", ""},
	}
	for _, tt := range tests {
		agreed, _ := httphead.ParseOptions([]byte(tt.agreed), nil)
		err := checkDeflate(agreed)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.agreed, err, tt.want)
		}
	}
}

// What repeats costs no allocation.
func TestInflateAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector changes the count")
	}
	packed, err := wsflate.DefaultHelper.Compress([]byte(strings.Repeat("to ship an order ", 20)))
	if err != nil {
		t.Fatal(err)
	}
	var in inflater
	if got := testing.AllocsPerRun(100, func() {
		if _, err := in.inflate(packed); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}
