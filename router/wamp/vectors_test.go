package wamp_test

import (
	"bufio"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

// A vector is one line of testdata/vectors.txt.
type vector struct {
	line int
	what string // want, json, msgpack, cbor, accept or reject
	word string // what follows it
	data string
}

// readVectors returns the test vectors.
func readVectors(t testing.TB) (vectors []vector) {
	t.Helper()
	f, err := os.Open("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for line := 1; sc.Scan(); line++ {
		if sc.Text() == "" || strings.HasPrefix(sc.Text(), "#") {
			continue
		}
		head, data, ok := strings.Cut(sc.Text(), "\t")
		if !ok {
			t.Fatalf("vectors.txt:%d: no tab", line)
		}
		what, word, _ := strings.Cut(head, " ")
		vectors = append(vectors, vector{line, what, word, data})
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return vectors
}

// wire returns the encoding of a vector, and its serializer.
func (v vector) wire(t testing.TB) (wamp.Serializer, []byte) {
	t.Helper()
	if v.what == "json" {
		return wamp.JSON, []byte(v.data)
	}
	b, err := hex.DecodeString(v.data)
	if err != nil {
		t.Fatalf("vectors.txt:%d: %v", v.line, err)
	}
	if v.what == "msgpack" {
		return wamp.MessagePack, b
	}
	return wamp.CBOR, b
}

// recode returns the value that data holds in from, encoded in to.
func recode(t testing.TB, to, from wamp.Serializer, data []byte) []byte {
	t.Helper()
	p, err := wamp.Payload{Serializer: from, Args: data}.In(to)
	if err != nil {
		t.Fatalf("%s to %s: %v", from, to, err)
	}
	return p.Args
}

func parse(t testing.TB, s wamp.Serializer, data []byte) any {
	t.Helper()
	v, err := wamp.ParseValue(s, data)
	if err != nil {
		t.Fatalf("ParseValue(%s, %q): %v", s, data, err)
	}
	return v
}

// normal returns a decoded message without what a router need not keep:
// the trace of other routers; and with the mode of INTERRUPT, which ours
// always writes.
func normal(message any) any {
	list := message.([]any)
	for _, v := range list {
		if dict, ok := v.(map[string]any); ok {
			delete(dict, "forward_for")
			if list[0] == int64(wamp.TypeInterrupt) && dict["mode"] == nil {
				dict["mode"] = "killnowait"
			}
		}
	}
	return list
}

// WAMP test suite, serialization samples: every encoding of a message decodes
// to what the sample says, and so does what we write of it, in every
// serializer.
func TestVectorsSerialization(t *testing.T) {
	var want vector
	n := 0
	for _, v := range readVectors(t) {
		switch v.what {
		case "want":
			want = v
			continue
		case "accept", "reject":
			continue
		}
		n++
		s, data := v.wire(t)
		var d wamp.Decoder
		m, err := d.Decode(s, data)
		if err != nil {
			t.Errorf("vectors.txt:%d: %v", v.line, err)
			continue
		}
		if got := m.Type().String(); got != want.word {
			t.Errorf("vectors.txt:%d: type %s, want %s", v.line, got, want.word)
		}
		expected := normal(parse(t, wamp.JSON, []byte(want.data)))
		again := m.Append(nil, s)
		if got := normal(parse(t, s, again)); !reflect.DeepEqual(got, expected) {
			t.Errorf("vectors.txt:%d: encoded again %#v, want %#v", v.line, got, expected)
		}
		for to := range wamp.Serializer(wamp.NumSerializers) {
			var d wamp.Decoder
			m, err := d.Decode(to, recode(t, to, s, data))
			if err != nil {
				t.Errorf("vectors.txt:%d in %s: %v", v.line, to, err)
				continue
			}
			if got := normal(parse(t, to, m.Append(nil, to))); !reflect.DeepEqual(got, expected) {
				t.Errorf("vectors.txt:%d in %s: %#v, want %#v", v.line, to, got, expected)
			}
		}
	}
	if n < 3*35 {
		t.Errorf("played %d encodings, want at least three of each of 35 samples", n)
	}
}

// WAMP test suite, validation samples, in every serializer.
func TestVectorsValidation(t *testing.T) {
	accepted, rejected := 0, 0
	for _, v := range readVectors(t) {
		if v.what != "accept" && v.what != "reject" {
			continue
		}
		for s := range wamp.Serializer(wamp.NumSerializers) {
			var d wamp.Decoder
			_, err := d.Decode(s, recode(t, s, wamp.JSON, []byte(v.data)))
			if v.what == "accept" {
				if err != nil {
					t.Errorf("vectors.txt:%d in %s: %v", v.line, s, err)
				}
				continue
			}
			e, ok := errors.AsType[*wamp.Error](err)
			if !ok || e.URI != wamp.URIProtocolViolation || !strings.Contains(e.Text, v.word) {
				t.Errorf("vectors.txt:%d in %s: error %v, want a protocol violation that names %s", v.line, s, err, v.word)
			}
		}
		if v.what == "accept" {
			accepted++
		} else {
			rejected++
		}
	}
	if accepted != 39 || rejected != 28 {
		t.Errorf("played %d samples to accept and %d to reject, want 39 and 28", accepted, rejected)
	}
}
