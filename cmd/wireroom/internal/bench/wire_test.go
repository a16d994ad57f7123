//go:build linux

package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/gobwas/ws"
	"github.com/vmihailenco/msgpack/v5"
)

var serializers = []serializer{serJSON, serMsgpack, serCBOR}

// decode decodes with somebody else's decoder, numbers as float64.
func decode(t *testing.T, s serializer, b []byte) any {
	t.Helper()
	var v any
	var err error
	switch s {
	case serJSON:
		err = json.Unmarshal(b, &v)
	case serMsgpack:
		err = msgpack.Unmarshal(b, &v)
	case serCBOR:
		err = cbor.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatalf("%s: others can't decode %q: %v", s, b, err)
	}
	return normal(v)
}

func normal(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = normal(v[k])
		}
	case map[any]any:
		m := make(map[string]any)
		for k, e := range v {
			m[k.(string)] = normal(e)
		}
		return m
	case string, bool, float64, nil:
	default:
		return reflect.ValueOf(v).Convert(reflect.TypeFor[float64]()).Float()
	}
	return v
}

// numbers are at the edges of the encodings.
var numbers = []uint64{0, 1, 23, 24, 127, 128, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, 1 << 53}

// What we write others read.
func TestEncodings(t *testing.T) {
	for _, s := range serializers {
		for _, n := range numbers {
			text := strings.Repeat("t", int(min(n, 70000)))
			got := decode(t, s, newMessage(s, codeHello, n, text, true, false, dict{"b": n, "a": dict{}, "c": list{}}))
			want := []any{1.0, float64(n), text, true, false, map[string]any{
				"a": map[string]any{}, "b": float64(n), "c": []any{},
			}}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %.200v, want %.200v", s, got, want)
			}
		}
	}
}

// A template gives the same bytes as the message written at once.
func TestTemplate(t *testing.T) {
	for _, s := range serializers {
		for _, size := range []int{minPayload, 128, 300, 70000} {
			payload := newPayload(size)
			tm := newTemplate(s, payload, codeCall, dict{"acknowledge": true}, "a.b")
			for _, id := range numbers {
				stampPayload(payload, phaseMeasured, id&(1<<40-1), int64(id))
				got := tm.append(nil, id, payload)
				want := newMessage(s, codeCall, id, dict{"acknowledge": true}, "a.b", list{string(payload)})
				if !bytes.Equal(got, want) {
					t.Fatalf("%s, id %d, %d bytes: template %.80q, want %.80q", s, id, size, got, want)
				}
				if found := findPayload(got, size); !bytes.Equal(found, payload) {
					t.Fatalf("%s, %d bytes: findPayload = %.80q", s, size, found)
				}
				phase, number, at, ok := readPayload(got)
				if phase != phaseMeasured || number != id&(1<<40-1) || at != int64(id) || !ok {
					t.Fatalf("readPayload = %c, %d, %d, %v; want m, %d, %d", phase, number, at, ok, id&(1<<40-1), id)
				}
			}
		}
	}
}

// What others write we read: the type code and two numbers.
func TestReadNumbers(t *testing.T) {
	for _, n := range numbers {
		v := []any{8, 48, n, map[string]any{}}
		encoded := make(map[serializer][]byte)
		encoded[serJSON], _ = json.Marshal(v)
		encoded[serMsgpack], _ = msgpack.Marshal(v)
		encoded[serCBOR], _ = cbor.Marshal(v)
		for s, b := range encoded {
			code, rest, ok1 := s.readCode(b)
			kind, rest, ok2 := s.readUint(rest)
			id, _, ok3 := s.readUint(rest)
			if code != 8 || kind != 48 || id != n || !ok1 || !ok2 || !ok3 {
				t.Errorf("%s %q: read %d, %d, %d (%v %v %v), want 8, 48, %d", s, b, code, kind, id, ok1, ok2, ok3, n)
			}
		}
	}
	// As Python's json writes it.
	_, rest, _ := serJSON.readCode([]byte(`[17, 12, 345]`))
	if id, _, ok := serJSON.readUint(rest); id != 12 || !ok {
		t.Errorf("with spaces: id %d, %v; want 12", id, ok)
	}
}

// The readers take any bytes: what follows a number is the end of the input.
func FuzzReaders(f *testing.F) {
	for _, s := range serializers {
		f.Add(byte(s), newMessage(s, codeError, uint64(48), uint64(1<<40), dict{}, "x"))
	}
	f.Fuzz(func(t *testing.T, ser byte, msg []byte) {
		s := serializer(ser % 3)
		_, rest, ok := s.readCode(msg)
		for ok {
			if !bytes.HasSuffix(msg, rest) {
				t.Fatalf("%s: what follows in %q is %q", s, msg, rest)
			}
			before := len(rest)
			if _, rest, ok = s.readUint(rest); ok && len(rest) >= before {
				t.Fatalf("%s: a number of no bytes in %q", s, msg)
			}
		}
		readPayload(msg)
		if unexpected(s, msg).Error() == "" {
			t.Fatal("no text")
		}
	})
}

// What we send is what a server of others reads.
func TestClientFrames(t *testing.T) {
	mask := [4]byte{1, 0xff, 0x7f, 9}
	for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
		body := bytes.Repeat([]byte("b"), size)
		in := bytes.NewBuffer(frameWebSocket.append(nil, serJSON, kindMessage, body, mask))
		head, err := ws.ReadHeader(in)
		if err != nil {
			t.Fatal(err)
		}
		got := in.Bytes()
		ws.Cipher(got, head.Mask, 0)
		if head.OpCode != ws.OpText || !head.Fin || !head.Masked || head.Length != int64(size) || !bytes.Equal(got, body) {
			t.Errorf("%d bytes: read %+v with %d bytes", size, head, len(got))
		}
	}
	b := frameWebSocket.append(nil, serCBOR, kindMessage, []byte("x"), mask)
	p := frameWebSocket.append(nil, serCBOR, kindPong, []byte("x"), mask)
	if b[0] != 0x82 || p[0] != 0x8a {
		t.Errorf("a CBOR message begins with %#x, a pong with %#x; want 0x82, 0x8a", b[0], p[0])
	}
}

// What a server of others sends we read, in whatever pieces it comes.
func TestServerFrames(t *testing.T) {
	frames := []struct {
		frame ws.Frame
		kind  frameKind
	}{
		{ws.NewTextFrame([]byte(`[36,1]`)), kindMessage},
		{ws.NewBinaryFrame(bytes.Repeat([]byte("b"), 200)), kindMessage},
		{ws.NewFrame(ws.OpText, false, []byte("a")), kindFragment},
		{ws.NewFrame(ws.OpContinuation, false, []byte("b")), kindFragment},
		{ws.NewFrame(ws.OpContinuation, true, []byte("c")), kindLast},
		{ws.NewPingFrame([]byte("p")), kindPing},
		{ws.NewPongFrame(nil), kindPong},
		{ws.NewTextFrame(bytes.Repeat([]byte("t"), 70000)), kindMessage},
		{ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusGoingAway, "bye")), kindClose},
	}
	var stream []byte
	for _, f := range frames {
		stream = append(stream, ws.MustCompileFrame(f.frame)...)
	}
	for _, f := range frames {
		for cut := range min(len(ws.MustCompileFrame(f.frame)), 300) {
			if _, _, n, err := frameWebSocket.next(stream[:cut]); n != 0 || err != nil {
				t.Fatalf("%v: %d of its bytes gave %d, %v", f.frame.Header, cut, n, err)
			}
		}
		kind, body, n, err := frameWebSocket.next(stream)
		if kind != f.kind || !bytes.Equal(body, f.frame.Payload) || err != nil {
			t.Fatalf("%v: next = %v, %.40q, %v", f.frame.Header, kind, body, err)
		}
		if kind == kindClose && closedError(body).Error() != "the server closed the connection: 1001 bye" {
			t.Errorf("close frame: %v", closedError(body))
		}
		stream = stream[n:]
	}
}

func TestBadFrames(t *testing.T) {
	tests := []struct {
		name    string
		framing framing
		bytes   string
		want    string
	}{
		{"masked", frameWebSocket, "\x81\x81abcd", "masked"},
		{"reserved bit", frameWebSocket, "\xc1\x00", "reserved bits 0x40"},
		{"unknown opcode", frameWebSocket, "\x83\x00", "opcode 3"},
		{"too long", frameWebSocket, "\x81\x7f\x00\x00\x00\x01\x00\x00\x00\x00", "4294967296 bytes"},
		{"length with the top bit", frameWebSocket, "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "expected at most"},
		{"RawSocket type", frameRaw, "\x03\x00\x00\x00", "unknown type 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, _, err := tt.framing.next([]byte(tt.bytes)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("next(%q): error %v, want one with %q", tt.bytes, err, tt.want)
			}
		})
	}
}

// A frame lies within its input, and a shorter input never gives another one.
func FuzzFrame(f *testing.F) {
	f.Add(false, []byte("\x81\x02hi\x8a\x00"), 3)
	f.Add(true, frameRaw.append(nil, serJSON, kindMessage, []byte("[1]"), [4]byte{}), 2)
	f.Fuzz(func(t *testing.T, raw bool, b []byte, cut int) {
		fr := frameWebSocket
		if raw {
			fr = frameRaw
		}
		kind, body, n, err := fr.next(b)
		if err != nil || n == 0 {
			return
		}
		if n > len(b) || !bytes.HasSuffix(b[:n], body) {
			t.Fatalf("next(%q) = %q, %d", b, body, n)
		}
		if cut < 0 || cut >= n {
			return
		}
		if kind2, _, n2, err := fr.next(b[:cut]); n2 != 0 || (err != nil && n > 0) {
			t.Fatalf("next(%q) = %v, %d, %v; all of it was %v, %d", b[:cut], kind2, n2, err, kind, n)
		}
	})
}

func TestUnexpected(t *testing.T) {
	err := unexpected(serJSON, []byte(`[3,{},"wamp.error.no_such_realm"]`))
	if want := `the server sent ABORT: [3,{},"wamp.error.no_such_realm"]`; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if e, ok := errors.AsType[*unexpectedError](err); !ok || e.code != codeAbort {
		t.Errorf("code of %v, want %d", err, codeAbort)
	}
	if err := unexpected(serMsgpack, bytes.Repeat([]byte{0x99}, 5000)); len(err.Error()) > 2000 {
		t.Errorf("a message of 5000 bytes gives %d bytes of error", len(err.Error()))
	}
}
