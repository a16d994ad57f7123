package transport_test

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/transport"
)

// pack compresses s as a sender must (RFC 7692, 7.2.1), with a flush wherever
// another part begins.
func pack(parts ...string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	for _, part := range parts {
		io.WriteString(w, part)
		w.Flush()
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// finished compresses s in blocks of which the last one says so.
func finished(s string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

// noise returns n bytes that do not compress.
func noise(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return string(b)
}

const (
	rsv1 = 0x40
	c    = fin | rsv1 | text // a compressed message in one frame

	helloRFC = "\xf2\x48\xcd\xc9\xc9\x07\x00" // RFC 7692, 7.2.3.1
)

var deflateTests = []frameTest{
	// RFC 7692, 7.2.3: the examples.
	{name: "one block (7.2.3.1)", send: mask(c, helloRFC) + bye, want: []string{"Hello"}, code: 1000},
	{name: "two fragments (7.2.3.1)", send: mask(rsv1|text, helloRFC[:3]) + mask(fin|cont, helloRFC[3:]) + bye, want: []string{"Hello"}, code: 1000},
	{name: "shared window, which is not negotiated (7.2.3.2)", send: mask(c, helloRFC) + mask(c, "\xf2\x00\x11\x00\x00"), want: []string{"Hello"}, code: 1007, reason: "inflated"},
	{name: "block without compression (7.2.3.3)", send: mask(c, "\x00\x05\x00\xfa\xffHello\x00") + bye, want: []string{"Hello"}, code: 1000},
	{name: "final block (7.2.3.4)", send: mask(c, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00") + bye, want: []string{"Hello"}, code: 1000},
	{name: "two blocks (7.2.3.5)", send: mask(c, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00") + bye, want: []string{"Hello"}, code: 1000},
	{name: "empty message (7.2.3.6)", send: mask(c, "\x00") + bye, want: []string{""}, code: 1000},

	// 6 and 7.2: messages, whole and in fragments, compressed and not.
	{name: "not compressed", send: mask(fin|text, "plain") + bye, want: []string{"plain"}, code: 1000},
	{name: "not compressed in fragments", send: mask(text, "pl") + mask(cont, "a") + mask(fin|cont, "in") + bye, want: []string{"plain"}, code: 1000},
	{name: "in turn", send: mask(c, helloRFC) + mask(fin|text, "plain") + mask(text, "f") + mask(fin|cont, "g") + mask(c, helloRFC) + mask(rsv1|text, helloRFC[:1]) + mask(fin|cont, helloRFC[1:]) + bye, want: []string{"Hello", "plain", "fg", "Hello", "Hello"}, code: 1000},
	{name: "one byte in a fragment", send: mask(rsv1|text, helloRFC[:1]) + mask(cont, helloRFC[1:2]) + mask(cont, helloRFC[2:3]) + mask(cont, helloRFC[3:4]) + mask(cont, helloRFC[4:5]) + mask(cont, helloRFC[5:6]) + mask(fin|cont, helloRFC[6:]) + bye, want: []string{"Hello"}, code: 1000},
	{name: "empty fragments", send: mask(rsv1|text, "") + mask(cont, helloRFC) + mask(cont, "") + mask(fin|cont, "") + bye, want: []string{"Hello"}, code: 1000},
	{name: "control frames between fragments", send: mask(rsv1|text, helloRFC[:4]) + mask(fin|ping, "p") + mask(cont, "") + mask(fin|pong, "") + mask(fin|cont, helloRFC[4:]) + bye, want: []string{"Hello"}, pongs: []string{"p"}, code: 1000},
	{name: "UTF-8 character across fragments", send: mask(rsv1|text, pack("€uro")[:2]) + mask(fin|cont, pack("€uro")[2:]) + bye, want: []string{"€uro"}, code: 1000},
	{name: "UTF-8 character across blocks", send: mask(c, pack("\xe2\x82", "\xac")) + bye, want: []string{"€"}, code: 1000},
	{name: "dynamic Huffman codes", send: mask(c, pack(string(sample(5000)))) + bye, want: []string{string(sample(5000))}, code: 1000},
	{name: "many blocks", send: mask(c, pack("a", "", "b", strings.Repeat("c", 70_000), "d")) + bye, want: []string{"ab" + strings.Repeat("c", 70_000) + "d"}, code: 1000},
	{name: "larger than the window", send: mask(c, pack(string(sample(200_000)))) + bye, want: []string{string(sample(200_000))}, code: 1000},
	{name: "binary message", subprotocol: "wamp.2.msgpack", send: mask(fin|rsv1|bin, pack("\x91\xff")) + bye, want: []string{"\x91\xff"}, code: 1000},
	{name: "blocks without compression", subprotocol: "wamp.2.cbor", send: mask(fin|rsv1|bin, pack(noise(100_000))) + bye, want: []string{noise(100_000)}, code: 1000},
	{name: "largest message", send: mask(c, pack(longest)) + mask(c, helloRFC) + bye, want: []string{longest, "Hello"}, code: 1000},
	{name: "final block, then others", send: mask(c, finished("Hello, ")+pack("world")) + bye, want: []string{"Hello, world"}, code: 1000},
	{name: "several final blocks", send: mask(c, finished("a")+finished("")+finished(longest[2:])+finished("b")+"\x00") + bye, want: []string{"a" + longest[2:] + "b"}, code: 1000},

	// 6: the bit RSV1.
	{name: "RSV1 in a continuation", send: mask(rsv1|text, helloRFC[:3]) + mask(fin|rsv1|cont, helloRFC[3:]), code: 1002, reason: "continuation frame"},
	{name: "RSV1 in a continuation of a plain message", send: mask(text, "a") + mask(fin|rsv1|cont, helloRFC), code: 1002, reason: "continuation frame"},
	{name: "RSV1 in a ping", send: mask(fin|rsv1|ping, helloRFC), code: 1002, reason: "ping frame"},
	{name: "RSV1 in a pong", send: mask(fin|rsv1|pong, ""), code: 1002, reason: "pong frame"},
	{name: "RSV1 in a close frame", send: mask(fin|rsv1|clos, status(1000, "")), code: 1002, reason: "close frame"},
	{name: "RSV1 in a reserved frame", send: mask(fin|rsv1|3, helloRFC), code: 1002, reason: "opcode 3"},
	{name: "RSV2", send: mask(fin|0x20|text, "x"), code: 1002, reason: "0x20"},
	{name: "RSV1 and RSV3", send: mask(fin|rsv1|0x10|text, helloRFC), code: 1002, reason: "0x50"},
	{name: "compressed message in a message", send: mask(rsv1|text, helloRFC[:2]) + mask(c, helloRFC), code: 1002, reason: "middle"},
	{name: "compressed binary for text", send: mask(fin|rsv1|bin, helloRFC), code: 1003, reason: "binary"},

	// What cannot be inflated, and what is no text when it is.
	{name: "bad UTF-8", send: mask(c, pack("a\xff")), code: 1007, reason: "UTF-8"},
	{name: "cut-off UTF-8", send: mask(c, pack("a\xe2\x82")), code: 1007, reason: "UTF-8"},
	{name: "no payload", send: mask(c, ""), code: 1007, reason: "inflated"},
	{name: "all fragments empty", send: mask(rsv1|text, "") + mask(fin|cont, ""), code: 1007, reason: "inflated"},
	{name: "plain text that says it is compressed", send: mask(c, `[16,1,{},"com.example"]`), code: 1007, reason: "inflated"},
	{name: "reserved kind of block", send: mask(c, "\x07\x00"), code: 1007, reason: "inflated"},
	{name: "cut off in a block", send: mask(c, pack(string(sample(5000)))[:1000]), code: 1007, reason: "inflated"},
	{name: "cut off in the codes", send: mask(c, pack(string(sample(5000)))[:20]), code: 1007, reason: "inflated"},
	{name: "cut off before the last byte", send: mask(c, helloRFC[:6]), code: 1007, reason: "inflated"},
	{name: "cut off in a stored block", send: mask(c, "\x00\x0a\x00\xf5\xffHello"), code: 1007, reason: "inflated"},
	{name: "cut off in a final stored block", send: mask(c, "\x01\x09\x00\xf6\xff"), code: 1007, reason: "inflated"},
	{name: "lengths of a stored block that do not match", send: mask(c, "\x00\x05\x00\xfb\xffHello\x00"), code: 1007, reason: "inflated"},
	{name: "reference to before the beginning", send: mask(c, "\x62\x00\x11\x00\x00"), code: 1007, reason: "inflated"},
	{name: "reference to before a final block", send: mask(c, finished("Hello")+"\xf2\x00\x11\x00\x00"), code: 1007, reason: "inflated"},
	{name: "tail that was not taken off", send: mask(c, helloRFC+"\x00\x00\xff\xff"), code: 1007, reason: "inflated"},
	{name: "final block without the byte that follows it", send: mask(c, "\xf3\x48\xcd\xc9\xc9\x07\x00"), code: 1007, reason: "inflated"},
	{name: "garbage behind a final block", send: mask(c, finished("Hello")+"\xff"), code: 1007, reason: "inflated"},
	{name: "garbage behind the last block", send: mask(c, helloRFC[:6]+"\x00\x00\x00\xff\xff\xff"), code: 1007, reason: "inflated"},
	{name: "good, then bad", send: mask(c, helloRFC) + mask(c, "\xff") + mask(c, helloRFC), want: []string{"Hello"}, code: 1007, reason: "inflated", reset: true},

	// Sizes: before and after inflating.
	{name: "one byte too large", send: mask(c, pack(longest+"y")), code: 1009, reason: "262144 bytes"},
	{name: "a bomb of 1000:1", send: mask(c, pack(strings.Repeat("b", 300_000))), code: 1009, reason: "262144 bytes"},
	{name: "a bomb of 10 MiB", send: mask(c, pack(strings.Repeat("b", 10<<20))), code: 1009, reason: "262144 bytes"},
	{name: "a bomb in fragments", send: mask(rsv1|text, pack(tooLong)[:100]) + mask(fin|ping, "") + mask(fin|cont, pack(tooLong)[100:]), pongs: []string{""}, code: 1009, reason: "262144 bytes"},
	{name: "a bomb of final blocks", send: mask(c, strings.Repeat(finished(strings.Repeat("b", 10_000)), 27)+"\x00"), code: 1009, reason: "262144 bytes"},
	{name: "a bomb that is no text", send: mask(c, pack(strings.Repeat("\xff", 300_000))), code: 1009, reason: "262144 bytes"},
	{name: "empty blocks", send: mask(c, strings.Repeat("\x03\x00", 1000)+"\x00") + bye, want: []string{""}, code: 1000},
	{name: "too large before inflating", send: mask(c, noise(256<<10+1))[:14], code: 1009, reason: "262144 bytes"},
	{name: "too large before inflating, in fragments", send: mask(rsv1|text, noise(200_000)) + mask(cont, noise(100_000))[:14], code: 1009, reason: "262144 bytes"},
}

// deflating is a configuration with permessage-deflate.
func (h *house) deflating() *house {
	h.offer, h.granted = "permessage-deflate; client_max_window_bits", plainAnswer
	return h
}

func TestDeflateFrames(t *testing.T) {
	both(t, func(t *testing.T, l net.Listener) {
		cfg := testConfig()
		cfg.Deflate = true
		h := open(t, cfg, l).deflating()
		h.play(t, deflateTests)
		var want transport.Stats
		for _, tt := range deflateTests {
			times := uint64(2) // that play sends the row
			if len(tt.send) < 1000 {
				times = 3
			}
			want.Upgraded += times
			for _, msg := range tt.want {
				want.MessagesIn += times
				want.InflatedTo += times * uint64(len(msg))
			}
			switch tt.code {
			case 1002:
				want.ProtocolErrors += times
			case 1007:
				want.BadData += times
			case 1009:
				want.TooBig += times
			}
		}
		const plain = 3 * uint64(len("plain"+"plain"+"plain"+"fg"))
		st := h.srv.Stats()
		if st.Upgraded != want.Upgraded || st.Deflating != want.Upgraded || st.MessagesIn != want.MessagesIn ||
			st.ProtocolErrors != want.ProtocolErrors || st.BadData != want.BadData || st.TooBig != want.TooBig ||
			st.Inflated != want.MessagesIn-3*4 || st.InflatedTo != want.InflatedTo-plain || st.InflatedFrom == 0 {
			t.Errorf("counted %+v, want %+v and 3 * 4 messages that were not compressed", st, want)
		}
	})
}

// Without compression all stays as it is for who negotiated it.
func TestFramesOfDeflatingPeers(t *testing.T) {
	var rows []frameTest
	for _, tt := range frameTests {
		if !strings.HasPrefix(tt.name, "reserved bit") {
			rows = append(rows, tt)
		}
	}
	both(t, func(t *testing.T, l net.Listener) {
		cfg := testConfig()
		cfg.Deflate = true
		open(t, cfg, l).deflating().play(t, rows)
	})
}
