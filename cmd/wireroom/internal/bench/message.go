package bench

import (
	"bytes"
	"fmt"
)

// The type codes of the messages that the generator sends or receives.
const (
	codeHello        = 1
	codeWelcome      = 2
	codeAbort        = 3
	codeChallenge    = 4
	codeAuthenticate = 5
	codeGoodbye      = 6
	codeError        = 8
	codePublish      = 16
	codePublished    = 17
	codeSubscribe    = 32
	codeSubscribed   = 33
	codeEvent        = 36
	codeCall         = 48
	codeResult       = 50
	codeRegister     = 64
	codeRegistered   = 65
	codeInvocation   = 68
	codeInterrupt    = 69
	codeYield        = 70
)

// newMessage returns a message: a type code and the elements after it.
func newMessage(s serializer, code uint64, rest ...any) []byte {
	return s.appendValue(nil, append(list{code}, rest...))
}

// A template is a message of which only the request id and the payload vary:
// [code, id, …, [payload]], or with the payload elsewhere.
type template struct {
	ser            serializer
	prefix, suffix []byte // before and after the id
	payloadAt      int    // in suffix
	payloadLen     int
}

// newTemplate returns the template of a message [code, id, rest…, [payload]]
// for payloads as long as the given one.
func newTemplate(s serializer, payload []byte, code uint64, rest ...any) *template {
	return templateOf(s, payload, code, append(rest, list{string(payload)})...)
}

// templateOf is newTemplate for a message that has the payload somewhere in rest.
func templateOf(s serializer, payload []byte, code uint64, rest ...any) *template {
	t := &template{ser: s, payloadLen: len(payload)}
	t.prefix = s.appendValue(s.appendListHead(nil, 2+len(rest)), code)
	t.prefix = s.appendComma(t.prefix, 1)
	for _, v := range rest {
		t.suffix = s.appendValue(s.appendComma(t.suffix, 1), v)
	}
	t.suffix = s.appendEnd(t.suffix, ']')
	t.payloadAt = bytes.Index(t.suffix, payload)
	return t
}

// append appends the message with this id and payload, which must be as long
// as the one that the template was made with.
func (t *template) append(dst []byte, id uint64, payload []byte) []byte {
	dst = append(dst, t.prefix...)
	dst = t.ser.appendUint(dst, id)
	at := len(dst) + t.payloadAt
	dst = append(dst, t.suffix...)
	copy(dst[at:at+t.payloadLen], payload)
	return dst
}

// An unexpectedError is a message from a router that ends a conversation or
// has no place in it.
type unexpectedError struct {
	code uint64 // type code; 0 if it has none
	text string // the message, as far as a person can read it
}

func (e *unexpectedError) Error() string {
	name := map[uint64]string{
		codeAbort: "ABORT", codeGoodbye: "GOODBYE", codeError: "ERROR", codeChallenge: "CHALLENGE",
	}[e.code]
	if name == "" {
		name = "an unexpected message"
	}
	return fmt.Sprintf("the server sent %s: %s", name, e.text)
}

// unexpected returns msg as an error, with as much of it as fits a line.
func unexpected(s serializer, msg []byte) error {
	code, _, _ := s.readCode(msg)
	short := msg[:min(len(msg), 300)]
	text := string(short)
	if s != serJSON {
		text = fmt.Sprintf("%q", short)
	}
	if len(short) < len(msg) {
		text += "…"
	}
	return &unexpectedError{code: code, text: text}
}
