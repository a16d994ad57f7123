package transport_test

import (
	"bytes"
	"compress/flate"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/transport"
)

// oracle inflates the payload of a compressed message with the standard
// library, and returns the close code if that fails.
//
// The decoder cannot say whether the data ends with a block. So the payload
// and its tail are followed by one last block, and then by another: if both
// are found, and nothing else changes, the end of the data is the end of a
// block. It must be the end of a stored block, as the tail is one: a source
// that notes how the last byte was taken tells.
func oracle(payload []byte, limit int) (msg []byte, code uint16) {
	whole := string(payload) + "\x00\x00\xff\xff"
	msg, code = inflateAll(whole, "\x01\x00\x00\xff\xff", limit)
	if code != 0 {
		return nil, code
	}
	more, code := inflateAll(whole, "\x01\x01\x00\xfe\xffZ", limit+1)
	if code != 0 || string(more) != string(msg)+"Z" {
		return nil, 1007
	}
	return msg, 0
}

// inflateAll inflates what may be several streams, of which the last must be
// all that is in end.
func inflateAll(s, end string, limit int) ([]byte, uint16) {
	src := &noted{Reader: strings.NewReader(s + end), last: len(end)}
	var msg bytes.Buffer
	for {
		left := src.Len()
		n, err := io.Copy(&msg, io.LimitReader(flate.NewReader(src), int64(limit+1-msg.Len())))
		switch {
		case msg.Len() > limit:
			return nil, 1009
		case err != nil:
			return nil, 1007
		case src.Len() == 0 && !src.stored:
			return nil, 1007
		case src.Len() == 0:
			return msg.Bytes(), 0
		case n == 0 && src.Len() == left:
			return nil, 1007
		}
	}
}

// A noted source knows how the byte before the last so many was taken.
type noted struct {
	*strings.Reader
	last   int
	stored bool
}

func (r *noted) ReadByte() (byte, error) {
	if r.Len() == r.last+1 {
		r.stored = false
	}
	return r.Reader.ReadByte()
}

func (r *noted) Read(p []byte) (int, error) {
	if r.Len() > r.last && r.Len()-len(p) <= r.last {
		r.stored = true
	}
	return r.Reader.Read(p)
}

// What is inflated is what the standard library inflates, and so is what
// cannot be; no more memory is used for a message than it may have.
func FuzzInflate(f *testing.F) {
	for _, s := range []string{
		helloRFC, "\x00", "", "\x00\x05\x00\xfa\xffHello\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
		"\x00\x04\x00\xfb\xff", "\x01\x04\x00\xfb\xff", "\x01\x09\x00\xf6\xff", "\x00\x09\x00\xf6\xff", "\x01",
		finished("a") + finished("b") + pack("c"), pack(string(sample(300))), pack(strings.Repeat("b", 3000)), pack("a", "b", "c"),
	} {
		f.Add([]byte(s), 2000)
	}
	f.Fuzz(func(t *testing.T, payload []byte, limit int) {
		if limit < 0 || limit > 1<<17 {
			return
		}
		want, wantCode := oracle(payload, limit)
		got, code, held := transport.Inflate(payload, limit)
		if code != int(wantCode) || !bytes.Equal(got, want) {
			t.Fatalf("inflate %x to at most %d bytes: %q, %d; want %q, %d", payload, limit, got, code, want, wantCode)
		}
		if held > max(512, 2*limit) {
			t.Fatalf("%d bytes held, of which a message may have %d", held, limit)
		}
	})
}

// A bomb costs no more memory than a message may have. As buffers double until
// then, that is at most three times as much in all.
func TestBombMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const limit = 1 << 20
	bomb := []byte(pack(strings.Repeat("b", 20<<20)))
	transport.Inflate(bomb, limit)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, code, _ := transport.Inflate(bomb, limit)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; code != 1009 || used > 3*limit {
		t.Errorf("a bomb of 20 MiB ends with %d and allocates %d bytes, want 1009 and at most 3 MiB", code, used)
	}
}
