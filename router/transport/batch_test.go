package transport_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// batch returns the messages as a batch of the subprotocol.
func batch(subprotocol string, msgs ...string) string {
	var b []byte
	for _, m := range msgs {
		if subprotocol == "wamp.2.json.batched" {
			b = append(append(b, m...), 0x1e)
		} else {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(m))), m...)
		}
	}
	return string(b)
}

// A WebSocket message of a batched subprotocol holds one or more messages of
// WAMP, each framed as WAMP's "Message Batching" says.
func TestBatches(t *testing.T) {
	const json, binary = "wamp.2.json.batched", "wamp.2.cbor.batched"
	for _, tt := range []struct {
		name, subprotocol, payload string
		got                        string // messages, joined by commas
		text                       string // of the violation; "" if there is none
	}{
		{"one", json, "a\x1e", "a", ""},
		{"three", json, "a\x1ebc\x1ed\x1e", "a,bc,d", ""},
		{"an empty one among them", json, "a\x1e\x1eb\x1e", "a,,b", ""},
		{"none", json, "", "", "a batch holds no message"},
		{"without an end", json, "abc", "", "does not end with the byte 0x1e"},
		{"the last without an end", json, "a\x1eb", "a", "does not end with the byte 0x1e"},
		{"binary one", binary, batch(binary, "a"), "a", ""},
		{"binary three", binary, batch(binary, "a", strings.Repeat("b", 300), "\xff"), "a," + strings.Repeat("b", 300) + ",\xff", ""},
		{"binary empty", binary, batch(binary, "", "x"), ",x", ""},
		{"binary none", binary, "", "", "a batch holds no message"},
		{"binary cut in a length", binary, batch(binary, "a") + "\x00\x00\x00", "a", "ends in the length"},
		{"binary cut in a message", binary, batch(binary, "a", "bcd")[:11], "a", "has 3 bytes, and only 2 are there"},
		{"binary length of 4 GiB", binary, "\xff\xff\xff\xffabc", "", "has 4294967295 bytes, and only 3 are there"},
		{"MessagePack", "wamp.2.msgpack.batched", batch(binary, "a", "b"), "a,b", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			both(t, func(t *testing.T, l net.Listener) {
				h := open(t, testConfig(), l)
				p := h.connect(tt.subprotocol, "")
				kind := byte(fin | text)
				if tt.subprotocol != json {
					kind = fin | bin
				}
				p.send(mask(kind, tt.payload))
				if tt.text == "" {
					p.send(mask(fin|ping, "end"))
					if f, err := p.read(); err != nil || f != (frame{fin | pong, "end"}) {
						t.Errorf("got %q, %v; want a pong", f, err)
					}
				} else if f, err := p.read(); err != nil || f.op() != clos || f.code() != 1002 || !strings.Contains(f.payload, tt.text) {
					t.Errorf("got %q, %v; want a close frame that says %q", f, err, tt.text)
				}
				if got := strings.Join(p.sess.got(), ","); got != tt.got {
					t.Errorf("messages %q, want %q", got, tt.got)
				}
				if p.sess.peer.Framing != transport.WebSocketBatched {
					t.Errorf("the peer's framing is %+v, want that of batches", p.sess.peer.Framing)
				}
			})
		})
	}
}

// Compression is not negotiated together with batches.
func TestBatchesAreNotDeflated(t *testing.T) {
	cfg := testConfig()
	cfg.Deflate = true
	h := open(t, cfg, listenTCP(t))
	h.offer = "permessage-deflate"
	h.connect("wamp.2.json.batched", "")
}

// What is framed is a batch of one, and can be read back.
func TestBatchFraming(t *testing.T) {
	f := transport.WebSocketBatched
	for _, s := range []wamp.Serializer{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
		name := s.Subprotocol() + ".batched"
		for _, n := range []int{0, 1, 120, 121, 122, 124, 125, 126, 300, 65530, 65531, 65535, 65536, 100_000} {
			msg := bytes.Repeat([]byte("m"), n)
			frame := f.Seal(append(make([]byte, f.Headroom), msg...), s)
			want := transport.WebSocket.Seal(append(make([]byte, transport.WebSocket.Headroom), batch(name, string(msg))...), s)
			if !bytes.Equal(frame, want) || !bytes.Equal(f.Open(frame), msg) {
				t.Errorf("%v: %d bytes are framed to %d, beginning with %.20q, want %d with %.20q", s, n, len(frame), frame, len(want), want)
			}
		}
	}
}

// A session joins, and hears what others publish, in batches.
func TestBatchesRouted(t *testing.T) {
	h, _ := routedWith(t, testConfig(), router.DefaultLimits(), listenTCP(t))
	const name = "wamp.2.json.batched"
	p := h.connect(name, mask(fin|text, batch(name, `[1,"realm1",{"roles":{"subscriber":{},"publisher":{}}}]`,
		`[32,7,{},"chat"]`, `[16,8,{"exclude_me":false},"chat",["hello"]]`)))
	for _, want := range []string{"[2,", "[33,7,", "[36,"} {
		f, err := p.read()
		if err != nil || f.first != fin|text || !strings.HasPrefix(f.payload, want) || !strings.HasSuffix(f.payload, "]\x1e") {
			t.Fatalf("got %.200q, %v; want a message that begins with %q, as a batch", f, err, want)
		}
	}
}

// Messages that are taken out of a batch, put together again, are the batch, or
// what it begins with before it breaks the rules.
func FuzzBatch(f *testing.F) {
	for _, s := range []string{"", "a\x1e", "a\x1e\x1eb", "\x00\x00\x00\x01a", "\x00\x00\x00\x00\x00\x00\x00\x02a", "\xff\xff\xff\xff"} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, binary bool) {
		name := "wamp.2.json.batched"
		if binary {
			name = "wamp.2.cbor.batched"
		}
		msgs, ok := transport.Unbatch(b, binary)
		again := batch(name, msgs...)
		if ok && (again != string(b) || len(msgs) == 0) || !strings.HasPrefix(string(b), again) {
			t.Fatalf("%q holds %q, %v", b, msgs, ok)
		}
		if rest := b[len(again):]; !ok && (binary && len(rest) >= 4 && uint64(len(rest)-4) >= uint64(rest[0])<<24|uint64(rest[1])<<16|uint64(rest[2])<<8|uint64(rest[3]) ||
			!binary && bytes.IndexByte(rest, 0x1e) >= 0) {
			t.Fatalf("%q holds %q and then no message, but does", b, msgs)
		}
	})
}
