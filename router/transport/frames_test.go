package transport_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
)

var (
	bye     = mask(fin|clos, status(1000, ""))
	tooLong = strings.Repeat("x", 256<<10+1)
	longest = strings.Repeat("y", 256<<10)
)

// Each row is what a client sends after the upgrade, and what must come of it.
// The status is that of the server's close frame; rows with 1000 end in a
// close frame of the client, which the server echoes.
type frameTest struct {
	name        string
	subprotocol string // "": wamp.2.json
	send        string
	want        []string // messages delivered
	pongs       []string // payloads of the server's pongs
	code        int      // 0: the close frame has no status
	reason      string   // part of the close frame's reason
	reset       bool     // sends after its close frame, so that the end may be a reset
}

var frameTests = []frameTest{
	// RFC 6455, 5.6 and 5.4: messages, whole and in fragments.
	{name: "text message", send: mask(fin|text, "[1]") + bye, want: []string{"[1]"}, code: 1000},
	{name: "binary message", subprotocol: "wamp.2.msgpack", send: mask(fin|bin, "\x91\xff") + bye, want: []string{"\x91\xff"}, code: 1000},
	{name: "binary message of cbor", subprotocol: "wamp.2.cbor", send: mask(fin|bin, "\x81\x01") + bye, want: []string{"\x81\x01"}, code: 1000},
	{name: "empty message", send: mask(fin|text, "") + bye, want: []string{""}, code: 1000},
	{name: "several messages at once", send: mask(fin|text, "a") + mask(fin|text, "b") + mask(fin|text, "c") + bye, want: []string{"a", "b", "c"}, code: 1000},
	{name: "16-bit length", send: mask(fin|text, strings.Repeat("a", 126)) + bye, want: []string{strings.Repeat("a", 126)}, code: 1000},
	{name: "longest 16-bit length", send: mask(fin|text, strings.Repeat("a", 1<<16-1)) + bye, want: []string{strings.Repeat("a", 1<<16-1)}, code: 1000},
	{name: "64-bit length", send: mask(fin|text, strings.Repeat("a", 1<<16)) + bye, want: []string{strings.Repeat("a", 1<<16)}, code: 1000},
	{name: "largest message", send: mask(fin|text, longest) + mask(fin|text, "z") + bye, want: []string{longest, "z"}, code: 1000},
	{name: "two fragments", send: mask(text, "he") + mask(fin|cont, "llo") + bye, want: []string{"hello"}, code: 1000},
	{name: "empty fragments", send: mask(text, "") + mask(cont, "") + mask(cont, "x") + mask(fin|cont, "") + bye, want: []string{"x"}, code: 1000},
	{name: "all fragments empty", send: mask(text, "") + mask(fin|cont, "") + bye, want: []string{""}, code: 1000},
	{name: "fragments of growing size", send: mask(text, "a") + mask(cont, strings.Repeat("b", 1000)) + mask(fin|cont, strings.Repeat("c", 100_000)) + bye, want: []string{"a" + strings.Repeat("b", 1000) + strings.Repeat("c", 100_000)}, code: 1000},
	{name: "largest message in fragments", send: mask(text, longest[:100_000]) + mask(fin|cont, longest[100_000:]) + mask(fin|text, "z") + bye, want: []string{longest, "z"}, code: 1000},
	{name: "two fragmented messages", send: mask(text, "a") + mask(fin|cont, "b") + mask(text, "c") + mask(fin|cont, "d") + bye, want: []string{"ab", "cd"}, code: 1000},
	{name: "control frames between fragments", send: mask(text, "he") + mask(fin|ping, "p") + mask(cont, "l") + mask(fin|pong, "") + mask(fin|cont, "lo") + bye, want: []string{"hello"}, pongs: []string{"p"}, code: 1000},
	{name: "UTF-8 character across fragments", send: mask(text, "\xe2\x82") + mask(fin|ping, "") + mask(fin|cont, "\xac") + bye, want: []string{"€"}, pongs: []string{""}, code: 1000},

	// 5.5: control frames.
	{name: "ping", send: mask(fin|ping, "hello") + bye, pongs: []string{"hello"}, code: 1000},
	{name: "empty ping", send: mask(fin|ping, "") + bye, pongs: []string{""}, code: 1000},
	{name: "largest ping", send: mask(fin|ping, strings.Repeat("p", 125)) + bye, pongs: []string{strings.Repeat("p", 125)}, code: 1000},
	{name: "ten pings", send: strings.Repeat(mask(fin|ping, "p"), 10) + bye, pongs: slices.Repeat([]string{"p"}, 10), code: 1000},
	{name: "pong that nobody asked for", send: mask(fin|pong, "x") + mask(fin|text, "m") + bye, want: []string{"m"}, code: 1000},
	{name: "oversized ping", send: mask(fin|ping, strings.Repeat("p", 126)), code: 1002, reason: "125 bytes"},
	{name: "oversized pong", send: mask(fin|pong, strings.Repeat("p", 70_000)), code: 1002, reason: "125 bytes"},
	{name: "oversized close", send: mask(fin|clos, status(1000, strings.Repeat("p", 124))), code: 1002, reason: "125 bytes"},
	{name: "fragmented ping", send: mask(ping, "a") + mask(fin|cont, "b"), code: 1002, reason: "ping frame is fragmented"},
	{name: "fragmented close", send: mask(clos, status(1000, "")), code: 1002, reason: "close frame is fragmented"},

	{name: "fragmented pong", send: mask(pong, "a"), code: 1002, reason: "pong frame is fragmented"},
	{name: "oversized ping between fragments", send: mask(text, "a") + mask(fin|ping, strings.Repeat("p", 126)), code: 1002, reason: "125 bytes"},
	{name: "ping whose length is in 16 bits", send: "\x89\xfe\x00\x05\x00\x00\x00\x00hello", code: 1002, reason: "125 bytes"},
	{name: "ping whose length is in 64 bits", send: "\x89\xff\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00hello", code: 1002, reason: "125 bytes"},
	{name: "ping after a close frame", send: bye + mask(fin|ping, "late"), code: 1000, reset: true},

	// 5.2: the bits of the header.
	{name: "reserved bit 1", send: mask(fin|0x40|text, "x"), code: 1002, reason: "0x40"},
	{name: "reserved bit 2", send: mask(fin|0x20|text, "x"), code: 1002, reason: "0x20"},
	{name: "reserved bit 3", send: mask(fin|0x10|text, "x"), code: 1002, reason: "0x10"},
	{name: "all reserved bits", send: mask(fin|0x70|text, "x"), code: 1002, reason: "0x70"},
	{name: "reserved bit in a close", send: mask(fin|0x20|clos, status(1000, "")), code: 1002, reason: "0x20"},
	{name: "reserved bit in a first fragment", send: mask(0x10|text, "x"), code: 1002, reason: "0x10"},
	{name: "reserved bit in a ping", send: mask(fin|0x40|ping, "x"), code: 1002, reason: "0x40"},
	{name: "reserved bit in a continuation", send: mask(text, "x") + mask(fin|0x40|cont, "x"), code: 1002, reason: "0x40"},
	{name: "reserved opcode 3", send: mask(fin|3, "x"), code: 1002, reason: "opcode 3"},
	{name: "reserved opcode 4", send: mask(fin|4, ""), code: 1002, reason: "opcode 4"},
	{name: "reserved opcode 5", send: mask(fin|5, ""), code: 1002, reason: "opcode 5"},
	{name: "reserved opcode 6", send: mask(fin|6, ""), code: 1002, reason: "opcode 6"},
	{name: "reserved opcode 7", send: mask(fin|7, ""), code: 1002, reason: "opcode 7"},
	{name: "reserved opcode 11", send: mask(fin|11, "x"), code: 1002, reason: "opcode 11"},
	{name: "reserved opcode 12", send: mask(fin|12, "x"), code: 1002, reason: "opcode 12"},
	{name: "reserved opcode 13", send: mask(fin|13, "x"), code: 1002, reason: "opcode 13"},
	{name: "reserved opcode 14", send: mask(fin|14, "x"), code: 1002, reason: "opcode 14"},
	{name: "reserved opcode between fragments", send: mask(text, "a") + mask(fin|3, "x"), code: 1002, reason: "opcode 3"},
	{name: "reserved opcode 15", send: mask(fin|15, "x"), code: 1002, reason: "opcode 15"},
	{name: "reserved opcode after a message", send: mask(fin|text, "m") + mask(fin|4, "x"), want: []string{"m"}, code: 1002, reason: "opcode 4"},
	{name: "unmasked message", send: "\x81\x01x", code: 1002, reason: "not masked"},
	{name: "unmasked continuation", send: mask(text, "a") + "\x80\x01b", code: 1002, reason: "not masked"},
	{name: "unmasked close", send: "\x88\x02\x03\xe8", code: 1002, reason: "not masked"},
	{name: "unmasked after masked", send: mask(fin|text, "m") + "\x81\x01x", want: []string{"m"}, code: 1002, reason: "not masked"},
	{name: "masked with zeros", send: "\x81\x83\x00\x00\x00\x00[1]" + bye, want: []string{"[1]"}, code: 1000},
	{name: "unmasked ping", send: "\x89\x00", code: 1002, reason: "not masked"},
	{name: "16-bit length that fits 7 bits", send: "\x81\xfe\x00\x7d" + strings.Repeat("\x00", 4+125), code: 1002, reason: "125"},
	{name: "64-bit length that fits 7 bits", send: "\x81\xff\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00x", code: 1002, reason: "64 bits"},
	{name: "64-bit length that fits 16 bits", send: "\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00", code: 1002, reason: "64 bits"},
	{name: "64-bit length with the first bit", send: "\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", code: 1002, reason: "first bit"},

	// 5.4: the order of fragments.
	{name: "continuation of nothing", send: mask(fin|cont, "x"), code: 1002, reason: "no message had begun"},
	{name: "continuation after the end", send: mask(text, "a") + mask(fin|cont, "b") + mask(fin|cont, "c"), want: []string{"ab"}, code: 1002, reason: "no message had begun"},
	{name: "message in a message", send: mask(text, "a") + mask(fin|text, "b"), code: 1002, reason: "middle"},
	{name: "first fragment twice", send: mask(text, "a") + mask(text, "b"), code: 1002, reason: "middle"},
	{name: "binary in a text message", send: mask(text, "a") + mask(fin|bin, "b"), code: 1002, reason: "middle"},

	// 8.1 and 7.4.1: UTF-8, types, sizes.
	{name: "bad UTF-8", send: mask(fin|text, "a\xffb"), code: 1007, reason: "UTF-8"},
	{name: "surrogate in UTF-8", send: mask(fin|text, "\xed\xa0\x80"), code: 1007, reason: "UTF-8"},
	{name: "overlong UTF-8", send: mask(fin|text, "\xc0\xaf"), code: 1007, reason: "UTF-8"},
	{name: "UTF-8 beyond Unicode", send: mask(fin|text, "\xf4\x90\x80\x80"), code: 1007, reason: "UTF-8"},
	{name: "UTF-8 that ends too early", send: mask(fin|text, "a\xe2\x82"), code: 1007, reason: "UTF-8"},
	{name: "bad UTF-8 across fragments", send: mask(text, "\xe2") + mask(cont, "\x28") + mask(fin|cont, "\xa1"), code: 1007, reason: "UTF-8"},
	{name: "bad UTF-8 after a good fragment", send: mask(text, "good") + mask(fin|cont, "\xff"), code: 1007, reason: "UTF-8"},
	{name: "UTF-8 of four bytes in four fragments", send: mask(text, "\xf0") + mask(cont, "\x9f") + mask(cont, "\x98") + mask(fin|cont, "\x80") + bye, want: []string{"😀"}, code: 1000},
	{name: "UTF-8 that ends too early across fragments", send: mask(text, "\xf0\x9f") + mask(fin|cont, "\x98"), code: 1007, reason: "UTF-8"},
	{name: "surrogate across fragments", send: mask(text, "\xed") + mask(fin|cont, "\xa0\x80"), code: 1007, reason: "UTF-8"},
	{name: "bad UTF-8 in a ping", send: mask(fin|ping, "\xff\xfe") + bye, pongs: []string{"\xff\xfe"}, code: 1000},
	{name: "no UTF-8 asked of binary", subprotocol: "wamp.2.cbor", send: mask(fin|bin, "\xff\xc0") + bye, want: []string{"\xff\xc0"}, code: 1000},
	{name: "binary for json", send: mask(fin|bin, "[1]"), code: 1003, reason: "binary message"},
	{name: "text for msgpack", subprotocol: "wamp.2.msgpack", send: mask(fin|text, "[1]"), code: 1003, reason: "text message"},
	{name: "fragmented text for cbor", subprotocol: "wamp.2.cbor", send: mask(text, "[1]"), code: 1003, reason: "text message"},
	{name: "too large", send: mask(fin|text, tooLong), code: 1009, reason: "262144 bytes"},
	{name: "announced too large", send: mask(fin|text, tooLong)[:14], code: 1009, reason: "262144 bytes"},
	{name: "announced enormous", send: "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", code: 1009, reason: "262144 bytes"},
	{name: "too large in fragments", send: mask(text, longest) + mask(fin|cont, "1"), code: 1009, reason: "262144 bytes"},
	{name: "announced too large in a fragment", send: mask(text, "a") + mask(cont, longest)[:14], code: 1009, reason: "262144 bytes"},

	// 5.5.1 and 7.4: close frames.
	{name: "close without status", send: mask(fin|clos, ""), code: 0},
	{name: "close with a reason", send: mask(fin|clos, status(1000, "good night")), code: 1000},
	{name: "close in the middle of a message", send: mask(text, "a") + bye, code: 1000},
	{name: "close 1001", send: mask(fin|clos, status(1001, "")), code: 1001},
	{name: "close 1002", send: mask(fin|clos, status(1002, "")), code: 1002},
	{name: "close 1003", send: mask(fin|clos, status(1003, "")), code: 1003},
	{name: "close 1007", send: mask(fin|clos, status(1007, "")), code: 1007},
	{name: "close 1010", send: mask(fin|clos, status(1010, "")), code: 1010},
	{name: "close 1013", send: mask(fin|clos, status(1013, "")), code: 1013},
	{name: "close 3999", send: mask(fin|clos, status(3999, "")), code: 3999},
	{name: "close with the longest reason", send: mask(fin|clos, status(1000, strings.Repeat("r", 123))), code: 1000},
	{name: "close 1011", send: mask(fin|clos, status(1011, "")), code: 1011},
	{name: "close 1014", send: mask(fin|clos, status(1014, "")), code: 1014},
	{name: "close 3000", send: mask(fin|clos, status(3000, "")), code: 3000},
	{name: "close 4999", send: mask(fin|clos, status(4999, "")), code: 4999},
	{name: "close with one byte", send: mask(fin|clos, "\x03"), code: 1002, reason: "1 byte"},
	{name: "close 0", send: mask(fin|clos, status(0, "")), code: 1002, reason: "status code 0"},
	{name: "close 999", send: mask(fin|clos, status(999, "")), code: 1002, reason: "status code 999"},
	{name: "close 1004", send: mask(fin|clos, status(1004, "")), code: 1002, reason: "status code 1004"},
	{name: "close 1005", send: mask(fin|clos, status(1005, "")), code: 1002, reason: "status code 1005"},
	{name: "close 1006", send: mask(fin|clos, status(1006, "")), code: 1002, reason: "status code 1006"},
	{name: "close 1015", send: mask(fin|clos, status(1015, "")), code: 1002, reason: "status code 1015"},
	{name: "close 1016", send: mask(fin|clos, status(1016, "")), code: 1002, reason: "status code 1016"},
	{name: "close 65535", send: mask(fin|clos, status(65535, "")), code: 1002, reason: "status code 65535"},
	{name: "close 2999", send: mask(fin|clos, status(2999, "")), code: 1002, reason: "status code 2999"},
	{name: "close 5000", send: mask(fin|clos, status(5000, "")), code: 1002, reason: "status code 5000"},
	{name: "close with bad UTF-8", send: mask(fin|clos, status(1000, "a\xff")), code: 1007, reason: "UTF-8"},
	{name: "message after close", send: bye + mask(fin|text, "late"), code: 1000, reset: true},
	{name: "garbage after close", send: bye + "\xff\xff\xff\xff", code: 1000, reset: true},
}

// Frames that come at once, together with the upgrade request, or byte by byte
// must have the same outcome.
func TestFrames(t *testing.T) {
	both(t, func(t *testing.T, l net.Listener) {
		open(t, testConfig(), l).play(t, frameTests)
	})
}

// play sends what the rows say and checks what comes of it.
func (h *house) play(t *testing.T, rows []frameTest) {
	for _, tt := range rows {
		subprotocol := tt.subprotocol
		if subprotocol == "" {
			subprotocol = "wamp.2.json"
		}
		check := func(t *testing.T, p *peer) {
			t.Helper()
			var pongs []string
			f, err := p.read()
			for ; err == nil && f.op() == pong; f, err = p.read() {
				pongs = append(pongs, f.payload)
			}
			if err != nil || f.first != fin|clos || f.code() != tt.code || !strings.Contains(f.payload, tt.reason) {
				t.Errorf("after %d pongs got frame %q, error %v; want a close frame with %d and %q", len(pongs), f, err, tt.code, tt.reason)
			}
			if f, err := p.read(); err != io.EOF && (err == nil || !tt.reset) {
				t.Errorf("after the close frame: %q, %v, want the end", f, err)
			}
			p.conn.Close()
			<-p.sess.detached
			if got := p.sess.got(); !slices.Equal(got, tt.want) {
				t.Errorf("delivered %.100q, want %.100q", got, tt.want)
			}
			if !slices.Equal(pongs, tt.pongs) {
				t.Errorf("pongs %q, want %q", pongs, tt.pongs)
			}
		}
		// Not by t.Run, which a bubble does not allow.
		p := h.connect(subprotocol, "")
		p.t = t
		p.sendAway(tt.send, len(tt.send))
		check(t, p)
		if len(tt.send) < 1000 {
			p = h.connect(subprotocol, "")
			p.sendAway(tt.send, 1)
			check(t, p)
			check(t, h.connect(subprotocol, tt.send))
		} else {
			p = h.connect(subprotocol, tt.send[:1000])
			p.sendAway(tt.send[1000:], 4099)
			check(t, p)
		}
		if t.Failed() {
			t.Fatalf("in %q", tt.name)
		}
	}
}

// A peer that goes without a close frame.
func TestAbruptEnd(t *testing.T) {
	tests := []struct {
		name string
		send string
		want error
	}{
		{"between messages", mask(fin|text, "m"), io.EOF},
		{"in a header", mask(fin|text, "m") + "\x81", io.ErrUnexpectedEOF},
		{"in a payload", mask(fin|text, "mmmm")[:8], io.ErrUnexpectedEOF},
	}
	both(t, func(t *testing.T, l net.Listener) {
		h := open(t, testConfig(), l)
		for _, tt := range tests {
			p := h.connect("wamp.2.json", "")
			p.send(tt.send)
			p.conn.Close()
			<-p.sess.detached
			if why, err := p.sess.reason(); why != nil || !errors.Is(err, tt.want) {
				t.Errorf("%s: session ended by %v, detached with %v; want nil and %v", tt.name, why, err, tt.want)
			}
		}
	})
}
