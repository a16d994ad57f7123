package transport_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/wireroom/wireroom/router/transport"
)

// naive is RFC 6455 as plainly as can be, one byte after the other: what a
// server must find in the stream of a client.
func naive(stream []byte, limit int, data int, deflate bool) (out transport.Outcome) {
	var (
		names   = map[int]string{1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
		message []byte
		open    bool
		packed  bool
	)
	pos := 0
	next := func() (byte, bool) {
		if pos == len(stream) {
			return 0, false
		}
		pos++
		return stream[pos-1], true
	}
	bad := func(code uint16) transport.Outcome {
		out.Code = code
		return out
	}
	for {
		first, ok := next()
		if !ok {
			return out
		}
		op, final := int(first%16), first >= 128
		switch reserved := first / 16 % 8; {
		case reserved == 0:
		case reserved != 4 || !deflate || op != 1 && op != 2:
			return bad(1002)
		}
		switch op {
		case 8, 9, 10:
			if !final {
				return bad(1002)
			}
		case 0:
			if !open {
				return bad(1002)
			}
		case 1, 2:
			if open {
				return bad(1002)
			}
			if op != data {
				return bad(1003)
			}
			packed = first/64%2 == 1
		default:
			return bad(1002)
		}
		second, ok := next()
		if !ok {
			return out
		}
		if second < 128 {
			return bad(1002)
		}
		length, more := uint64(second-128), 0
		switch length {
		case 126:
			more = 2
		case 127:
			more = 8
		}
		if op >= 8 && more > 0 {
			return bad(1002)
		}
		if more > 0 {
			length = 0
			for range more {
				b, ok := next()
				if !ok {
					return out
				}
				length = length*256 + uint64(b)
			}
			if more == 2 && length < 126 || more == 8 && (length < 65536 || length >= 1<<63) {
				return bad(1002)
			}
		}
		var key [4]byte
		for i := range key {
			if key[i], ok = next(); !ok {
				return out
			}
		}
		if op < 8 && uint64(len(message))+length > uint64(limit) {
			return bad(1009)
		}
		var payload []byte
		for i := range length {
			b, ok := next()
			if !ok {
				return out
			}
			payload = append(payload, b^key[i%4])
		}
		if op >= 8 {
			out.Events = append(out.Events, names[op]+":"+string(payload))
			continue
		}
		message = append(message, payload...)
		open = !final
		if final {
			if packed {
				inflated, code := oracle(message, limit)
				if code != 0 {
					return bad(code)
				}
				message = inflated
			}
			if data == 1 && !utf8.Valid(message) {
				return bad(1007)
			}
			out.Events = append(out.Events, names[data]+":"+string(message))
			message = nil
		}
	}
}

// However a stream is cut into reads, the same comes out as by the naive
// parser, and memory stays near to what has arrived.
func FuzzFrames(f *testing.F) {
	for _, tt := range frameTests {
		if len(tt.send) < 4096 {
			f.Add([]byte(tt.send), tt.subprotocol != "" && tt.subprotocol != "wamp.2.json", false, uint64(len(tt.send)))
		}
	}
	for _, tt := range deflateTests {
		if len(tt.send) < 4096 {
			f.Add([]byte(tt.send), tt.subprotocol != "" && tt.subprotocol != "wamp.2.json", true, uint64(len(tt.send)))
		}
	}
	const limit = 2000
	f.Fuzz(func(t *testing.T, stream []byte, binary, deflate bool, seed uint64) {
		data := 1
		if binary {
			data = 2
		}
		want := naive(stream, limit, data, deflate)
		r := rand.New(rand.NewPCG(seed, 0))
		for name, step := range map[string]func() int{
			"one byte":  func() int { return 1 },
			"all":       func() int { return len(stream) },
			"random":    func() int { return 1 + r.IntN(40) },
			"two sizes": func() int { return 1 + r.IntN(2)*1000 },
		} {
			got, held := transport.Feed(append([]byte(nil), stream...), limit, binary, deflate, step)
			if got.Code != want.Code || !slices.Equal(got.Events, want.Events) {
				t.Fatalf("%s: found %q and %d; want %q and %d", name, got.Events, got.Code, want.Events, want.Code)
			}
			if held > max(512, 2*len(stream)) {
				t.Fatalf("%s: %d bytes held for %d that came", name, held, len(stream))
			}
		}
	})
}

// A message that trickles in costs memory for what came, not for what is
// announced.
func TestMemoryOfPartialMessage(t *testing.T) {
	whole := []byte(mask(fin|text, string(make([]byte, 1<<20))))
	for _, n := range []int{1, 100, 1000, 10_000, 100_000, 1_000_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			_, held := transport.Feed(slices.Clone(whole[:n]), 1<<20, false, false, func() int { return 1400 })
			if held > max(512, 2*n) {
				t.Errorf("holds %d bytes for %d of a message of 1 MiB", held, n)
			}
		})
	}
}
