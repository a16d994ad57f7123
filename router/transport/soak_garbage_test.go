package transport_test

import (
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A nonsense is something that no client may send.
type nonsense struct {
	name  string
	bytes func(p *soaker) string // all that is sent
}

// framed returns a whole data frame.
func (p *soaker) framed(msg string) string {
	if p.wire.bare {
		return bareFrame(fin|p.wire.data(), msg)
	}
	return mask(fin|p.wire.data(), msg)
}

// messageNonsense is nonsense in whole frames.
var messageNonsense = []nonsense{
	{"no list", func(p *soaker) string { return p.framed("7") }},
	{"nothing", func(p *soaker) string { return p.framed("") }},
	{"noise", func(p *soaker) string {
		b := make([]byte, 1+p.rnd.IntN(200))
		for i := range b {
			b[i] = byte(p.rnd.IntN(256))
		}
		return p.framed("\xff" + string(b))
	}},
	{"unknown type", func(p *soaker) string { return p.framed(p.encoded(999, 1)) }},
	{"message of a router", func(p *soaker) string { return p.framed(p.encoded(36, 1, 1, map[string]any{})) }},
	{"ID of 0", func(p *soaker) string { return p.framed(p.encoded(32, 0, map[string]any{}, "soak.a")) }},
	{"option of the wrong type", func(p *soaker) string {
		return p.framed(p.encoded(16, 1, map[string]any{"acknowledge": "yes"}, "soak.a"))
	}},
	{"too few elements", func(p *soaker) string { return p.framed(p.encoded(48, 1)) }},
	{"deep nesting", func(p *soaker) string { return p.framed(p.deeplyEncoded(80)) }},
	{"HELLO twice", func(p *soaker) string {
		hello := p.framed(p.encoded(1, "realm1", map[string]any{"roles": map[string]any{"caller": map[string]any{}}}))
		return hello + hello
	}},
}

// frameNonsense breaks RFC 6455, or a limit.
var frameNonsense = []nonsense{
	{"unmasked frame", func(p *soaker) string { return string([]byte{fin | p.wire.data(), 3}) + "abc" }},
	{"reserved bits", func(p *soaker) string { return mask(fin|0x30|p.wire.data(), "x") }},
	{"reserved opcode", func(p *soaker) string { return mask(fin|5, "x") }},
	{"continuation of nothing", func(p *soaker) string { return mask(fin|cont, "x") }},
	{"a message in a message", func(p *soaker) string { return mask(p.wire.data(), "x") + mask(fin|p.wire.data(), "x") }},
	{"wrong kind of frame", func(p *soaker) string { return mask(fin|(text+bin-p.wire.data()), "[]") }},
	{"large ping", func(p *soaker) string { return mask(fin|ping, strings.Repeat("p", 126)) }},
	{"ping in fragments", func(*soaker) string { return mask(ping, "p") }},
	{"close code that must not be sent", func(*soaker) string { return mask(fin|clos, status(1006, "")) }},
	{"too large", func(p *soaker) string {
		return mask(p.wire.data(), strings.Repeat("x", soakMaxMessage)) + mask(fin|cont, "x")
	}},
	{"announced too large", func(p *soaker) string {
		return string([]byte{fin | p.wire.data(), 0x80 | 127, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4})
	}},
}

// bareNonsense is what a RawSocket must not carry.
var bareNonsense = []nonsense{
	{"reserved bits", func(*soaker) string { return "\x80\x00\x00\x01x" }},
	{"reserved type", func(*soaker) string { return "\x03\x00\x00\x01x" }},
	{"too large", func(*soaker) string { return "\x00\xff\xff\xff" + strings.Repeat("x", 1000) }},
	{"larger than 16 MiB", func(*soaker) string { return "\x08\x00\x00\x00x" }},
}

// encoded returns a list in the session's serializer.
func (p *soaker) encoded(list ...any) string {
	b, err := wamp.AppendValue(nil, p.ser, list)
	if err != nil {
		p.complain("encode: %v", err)
	}
	return string(b)
}

// deeplyEncoded returns a PUBLISH whose arguments nest deeply.
func (p *soaker) deeplyEncoded(depth int) string {
	head := map[wamp.Serializer]string{wamp.JSON: "[", wamp.MessagePack: "\x91", wamp.CBOR: "\x81"}[p.ser]
	tail := map[wamp.Serializer]string{wamp.JSON: "]"}[p.ser]
	zero := map[wamp.Serializer]string{wamp.JSON: "0", wamp.MessagePack: "\x00", wamp.CBOR: "\x00"}[p.ser]
	deep := strings.Repeat(head, depth) + zero + strings.Repeat(tail, depth)
	outer := p.encoded(16, 1, map[string]any{}, "soak.nobody", []any{})
	// The last element is an empty list: one byte, or two in JSON.
	switch p.ser {
	case wamp.JSON:
		return strings.TrimSuffix(outer, "[]]") + deep + "]"
	default:
		return outer[:len(outer)-1] + deep
	}
}

// garbage breaks the protocol, and wants to be told so.
func (p *soaker) garbage() {
	list := slices.Concat(messageNonsense, frameNonsense)
	if p.wire.bare {
		list = slices.Concat(messageNonsense, bareNonsense)
	}
	g := &list[p.rnd.IntN(len(list))]
	p.mu.Lock()
	p.end.violated = true
	if p.id == 0 {
		p.roam = nil // it has not asked for that
	}
	if p.end.ours == "" {
		p.end.ours = endGarbage
	}
	p.trace.remark("%s", "breaks the protocol: "+g.name)
	p.mu.Unlock()
	p.sk.tally.garbage.Add(1)
	p.wire.queueRaw(g.bytes(p))
	select {
	case <-p.gone:
	case <-time.After(patientlyWaited):
		p.complain("the connection is still open after nonsense: %s", g.name)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.end.abort == wamp.URIProtocolViolation || p.end.abort == wamp.URIPayloadSize || p.id != 0 && p.end.goodbye == wamp.URIPayloadSize:
		p.sk.tally.told.Add(1)
	case p.excused():
	default:
		p.fail("nonsense was not answered with ABORT: %s", g.name)
	}
}
