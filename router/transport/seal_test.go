package transport_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// sealed frames msg as the router does.
func sealed(f *router.Framing, msg string, s wamp.Serializer) []byte {
	return f.Seal(append(make([]byte, f.Headroom), msg...), s)
}

// unframe takes the header off a frame of a server.
func unframe(t *testing.T, frame []byte) (first byte, payload []byte) {
	t.Helper()
	first, n, payload := frame[0], uint64(frame[1]), frame[2:]
	switch n {
	case 126:
		n, payload = uint64(binary.BigEndian.Uint16(payload)), payload[2:]
	case 127:
		n, payload = binary.BigEndian.Uint64(payload), payload[8:]
	}
	if n != uint64(len(payload)) {
		t.Fatalf("a frame of %d bytes says that it has %d", len(payload), n)
	}
	return first, payload
}

// checkSealed checks that a frame of msg is one, however it was sealed.
func checkSealed(t *testing.T, f *router.Framing, frame []byte, msg string, s wamp.Serializer) (compressed bool) {
	t.Helper()
	kind := byte(fin | text)
	if s.Binary() {
		kind = fin | bin
	}
	first, payload := unframe(t, frame)
	if compressed = first == kind|rsv1; compressed {
		if len(payload) > len(msg)-len(msg)/8 {
			t.Errorf("a message of %d bytes was compressed to %d", len(msg), len(payload))
		}
		inflated, code := oracle(payload, len(msg))
		if code != 0 {
			t.Fatalf("what was sealed cannot be inflated: %d", code)
		}
		payload = inflated
	} else if first != kind {
		t.Errorf("frame begins with %#x, want %#x", first, kind)
	}
	if string(payload) != msg {
		t.Errorf("frame has %.100q, want %.100q", payload, msg)
	}
	before := bytes.Clone(frame)
	if got := f.Open(frame); string(got) != msg || !bytes.Equal(frame, before) {
		t.Errorf("Open returns %.100q, want %.100q, and the frame as it was", got, msg)
	}
	return compressed
}

func TestSealDeflated(t *testing.T) {
	tests := []struct {
		name  string
		least int
		msg   string
		want  bool // compressed
	}{
		{"small", 256, string(sample(250))[:200], false},
		{"large enough", 256, string(sample(300)), true},
		{"one byte too small", 300, string(sample(300))[:299], false},
		{"just large enough", 300, string(sample(300))[:300], true},
		{"large", 256, string(sample(100_000)), true},
		{"beyond the window", 256, string(sample(70_000)) + strings.Repeat("é", 70_000), true},
		{"largest", 256, strings.Repeat("m", 1<<20), true},
		{"too large", 256, strings.Repeat("m", 1<<20+1), false},
		{"noise", 256, noise(10_000), false},
		{"much noise", 256, noise(1 << 20), false},
		{"empty", 0, "", false},
		{"one byte", 0, "m", false},
		{"repetition", 0, strings.Repeat("m", 100), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := transport.WebSocketDeflate(tt.least)
			for s := range wamp.Serializer(wamp.NumSerializers) {
				if got := checkSealed(t, f, sealed(f, tt.msg, s), tt.msg, s); got != tt.want {
					t.Errorf("%v: compressed %v, want %v", s, got, tt.want)
				}
			}
		})
	}
	if f := transport.WebSocketDeflate(0); f.Index == transport.WebSocket.Index || f.Index >= router.MaxFramings || f.Headroom > 16 {
		t.Errorf("framing has index %d and headroom %d", f.Index, f.Headroom)
	}
	if got := transport.WebSocketDeflate(0).Open([]byte("\xc1\x02\xff\xff")); got != nil {
		t.Errorf("Open of what was not sealed returns %q", got)
	}
}

// Whatever is sealed can be read, by the standard library and by Open, and is
// not longer than it would be without compression.
func FuzzSealDeflated(f *testing.F) {
	for _, s := range []string{"", "m", string(sample(300)), strings.Repeat("ab", 500), noise(400)} {
		f.Add([]byte(s), uint8(0), uint16(1))
		f.Add([]byte(s), uint8(1), uint16(100))
	}
	framing := transport.WebSocketDeflate(0)
	f.Fuzz(func(t *testing.T, part []byte, ser uint8, times uint16) {
		msg := strings.Repeat(string(part), min(int(times), 1<<17/max(1, len(part))))
		s := wamp.Serializer(ser % wamp.NumSerializers)
		frame := sealed(framing, msg, s)
		checkSealed(t, framing, frame, msg, s)
		if plain := sealed(transport.WebSocket, msg, s); len(frame) > len(plain) {
			t.Errorf("a frame has %d bytes, without compression %d", len(frame), len(plain))
		}
	})
}

// A compressed frame takes one allocation, one that is not none.
func TestSealAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	f := transport.WebSocketDeflate(256)
	tests := []struct {
		name string
		msg  string
		want float64
	}{
		{"small", strings.Repeat("m", 128), 0},
		{"not worth it", noise(1000), 0},
		{"1 KiB", string(sample(1 << 10)), 1},
		{"16 KiB", string(sample(16 << 10)), 1},
		{"100 KiB", string(sample(100 << 10)), 1},
	}
	for _, tt := range tests {
		buf := append(make([]byte, f.Headroom), tt.msg...)
		var frame []byte
		got := testing.AllocsPerRun(100, func() { frame = f.Seal(buf, wamp.JSON) })
		if got != tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.want)
		}
		// A queue counts the bytes of a frame, so it should hold no more.
		if tt.want > 0 && cap(frame) > len(frame)+len(frame)/4+64 {
			t.Errorf("%s: a frame of %d bytes holds %d", tt.name, len(frame), cap(frame))
		}
	}
}

// An idle connection that negotiated compression, and used it, holds nothing
// that one does not hold which did not.
func TestIdleDeflatingMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const n, rounds = 400, 4
	h, sessions := muteHouse(t)
	each := func(offer, granted, message string) int64 {
		h.offer, h.granted = offer, granted
		before := heapInUse()
		for range n {
			p := h.connect("wamp.2.json", "")
			s := <-sessions
			p.send(message)
			<-s.came
		}
		return (heapInUse() - before) / n
	}
	msg := string(sample(5000))
	plain, deflating := int64(1<<20), int64(1<<20)
	for range rounds { // tables of the test and of the server grow in steps
		plain = min(plain, each("", "", mask(fin|text, msg)))
		deflating = min(deflating, each("permessage-deflate", plainAnswer, mask(fin|rsv1|text, pack(msg))))
	}
	if deflating > plain+512 { // what the tables make of it; a window has 32 KiB
		t.Errorf("%d bytes for each connection that negotiated compression, %d without", deflating, plain)
	}
	if st := h.srv.Stats(); st.Inflated != rounds*n {
		t.Errorf("%d messages came compressed, want %d", st.Inflated, rounds*n)
	}
}

// BenchmarkSeal frames one EVENT, with and without compression.
func BenchmarkSeal(b *testing.B) {
	for _, bb := range []struct {
		name string
		f    *router.Framing
	}{{"plain", transport.WebSocket}, {"deflate", transport.WebSocketDeflate(256)}} {
		for _, size := range []int{128, 256, 1 << 10, 16 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("framing=%s/size=%d", bb.name, size), func(b *testing.B) {
				buf := append(make([]byte, bb.f.Headroom), sample(size)[:size]...)
				var frame []byte
				b.ReportAllocs()
				for b.Loop() {
					frame = bb.f.Seal(buf, wamp.JSON)
				}
				b.ReportMetric(float64(len(frame)), "B/frame")
			})
		}
	}
}
