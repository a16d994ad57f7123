package transport_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/wireroom/wireroom/router/transport"
)

// naiveRaw is WAMP's RawSocket as plainly as can be, one byte after the other:
// what a server must find in the stream of a client behind its greeting.
func naiveRaw(stream []byte, limit int, text bool) (out transport.Outcome) {
	for len(stream) > 0 {
		first := stream[0]
		if first >= 16 || first%8 > 2 {
			out.Code = 1002
			return out
		}
		if len(stream) < 4 {
			return out
		}
		length := int(stream[1])*65536 + int(stream[2])*256 + int(stream[3])
		if first >= 8 {
			if length > 0 {
				out.Code = 1002
				return out
			}
			length = 16777216
		}
		if length > limit {
			out.Code = 1009
			return out
		}
		if len(stream) < 4+length {
			return out
		}
		payload := stream[4 : 4+length]
		stream = stream[4+length:]
		kind := "binary"
		switch {
		case first%8 == 1:
			kind = "ping"
		case first%8 == 2:
			kind = "pong"
		case text:
			kind = "text"
			if !utf8.Valid(payload) {
				out.Code = 1007
				return out
			}
		}
		out.Events = append(out.Events, kind+":"+string(payload))
	}
	return out
}

// naiveGreeting is what four bytes must be answered with, by a server that
// takes messages of 256 KiB; nothing if they are no greeting.
func naiveGreeting(b [4]byte) string {
	serializer := int(b[1]) % 16
	switch {
	case b[0] != 127 || serializer == 0:
		return ""
	case b[2]+b[3] != 0 || b[2] != 0:
		return "\x7f\x30\x00\x00"
	case serializer > 3:
		return "\x7f\x10\x00\x00"
	case b[1] < 16:
		return "\x7f\x20\x00\x00"
	}
	return "\x7f" + string([]byte{byte(9*16 + serializer)}) + "\x00\x00"
}

// However a stream is cut into reads, the same comes out as by the naive
// parser, and memory stays near to what has arrived.
func FuzzRawFrames(f *testing.F) {
	for _, seed := range []string{
		greetJSON, raw(0, "a") + raw(1, "p") + raw(2, "q"), "\x08\x00\x00\x00", "\x08\x00\x00\x01", raw(0, "\xff"), raw(3, ""),
		"\x80", "\x00\x00\x07\xd1", "\x00\x00\x07\xd0", "\x00\xff\xff\xff", raw(0, "") + raw(0, "x") + "\x00",
	} {
		f.Add([]byte(seed), false, uint64(1))
		f.Add([]byte(seed), true, uint64(2))
	}
	const limit = 2000
	f.Fuzz(func(t *testing.T, stream []byte, binary bool, seed uint64) {
		if len(stream) >= 4 {
			b := [4]byte(stream)
			answer, takes := transport.Greet(b, 256<<10)
			if want := naiveGreeting(b); string(answer) != want {
				t.Fatalf("greeting %q answered with %q, want %q", b, answer, want)
			}
			if accepted := len(answer) > 0 && answer[1]%16 != 0; accepted != (takes >= 1024 && takes <= 1<<24) {
				t.Fatalf("greeting %q answered with %q, and the peer takes %d bytes", b, answer, takes)
			}
		}
		want := naiveRaw(stream, limit, !binary)
		r := rand.New(rand.NewPCG(seed, 0))
		for name, step := range map[string]func() int{
			"one byte":  func() int { return 1 },
			"all":       func() int { return len(stream) },
			"random":    func() int { return 1 + r.IntN(40) },
			"two sizes": func() int { return 1 + r.IntN(2)*1000 },
		} {
			got, held := transport.FeedRaw(stream, limit, binary, step)
			if got.Code != want.Code || !slices.Equal(got.Events, want.Events) {
				t.Fatalf("%s: found %q and %d; want %q and %d", name, got.Events, got.Code, want.Events, want.Code)
			}
			if held > max(512, 2*len(stream)) {
				t.Fatalf("%s: %d bytes held for %d that came", name, held, len(stream))
			}
		}
	})
}

// What is framed can be read back, at every length at which the header
// changes, and the frame is the header and the message.
func TestRawFraming(t *testing.T) {
	for _, tt := range []struct {
		n      int
		header string
	}{
		{0, "\x00\x00\x00\x00"},
		{1, "\x00\x00\x00\x01"},
		{255, "\x00\x00\x00\xff"},
		{256, "\x00\x00\x01\x00"},
		{65536, "\x00\x01\x00\x00"},
		{1<<24 - 1, "\x00\xff\xff\xff"},
		{1 << 24, "\x08\x00\x00\x00"},
	} {
		f := transport.RawSocket
		buf := make([]byte, f.Headroom+tt.n)
		for i := range buf {
			buf[i] = byte(i)
		}
		msg := slices.Clone(buf[f.Headroom:])
		frame := f.Seal(buf, 0)
		if len(frame) != 4+tt.n || string(frame[:4]) != tt.header || !slices.Equal(f.Open(frame), msg) {
			t.Errorf("%d bytes: a frame of %d with the header %q, want %q and the message", tt.n, len(frame), frame[:4], tt.header)
		}
	}
}

// The limit that is told is a power of two, the largest that is allowed.
func TestRawLimit(t *testing.T) {
	for _, tt := range []struct {
		limit int
		want  byte
	}{{1 << 10, 1}, {1<<11 - 1, 1}, {1 << 11, 2}, {1 << 20, 11}, {3 << 20, 12}, {1<<24 - 1, 14}, {1 << 24, 15}, {256 << 20, 15}} {
		if answer, _ := transport.Greet([4]byte([]byte(greetJSON)), tt.limit); len(answer) != 4 || answer[1] != tt.want<<4|1 {
			t.Errorf("limit %d: answer %q, want the exponent %d", tt.limit, answer, tt.want)
		}
	}
}

// A long message that trickles in costs memory for what came.
func TestMemoryOfPartialRawMessage(t *testing.T) {
	whole := []byte(raw(0, string(make([]byte, 1<<20))))
	for _, n := range []int{1, 100, 10_000, 1_000_000} {
		if _, held := transport.FeedRaw(whole[:n], 1<<20, false, func() int { return 1400 }); held > max(512, 2*n) {
			t.Errorf("holds %d bytes for %d of a message of 1 MiB", held, n)
		}
	}
}
