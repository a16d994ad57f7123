package wamp

// Passthru describes an opaque payload (WAMP "Payload Passthru Mode", and
// enc_algo of older clients). Empty strings are absent.
type Passthru struct {
	Scheme, Serializer, Cipher, KeyID string // ppt_scheme, ppt_serializer, ppt_cipher, ppt_keyid
	EncAlgo, EncSerializer, EncKey    string // enc_algo, enc_serializer, enc_key
}

// Len returns the length of all values, in bytes.
func (p *Passthru) Len() int {
	return len(p.Scheme) + len(p.Serializer) + len(p.Cipher) + len(p.KeyID) + len(p.EncAlgo) + len(p.EncSerializer) + len(p.EncKey)
}

// given reports whether p announces an opaque payload.
func (p *Passthru) given() bool { return p.Scheme != "" || p.EncAlgo != "" }

// Check returns an [*Error] with [URIProtocolViolation] unless the payload is
// one that p can describe: one positional argument and no keyword arguments.
// The argument is binary if p.Serializer makes bytes, binary or a string if it
// may make text, and any value if it is the session's own ("native", or none).
func (p *Passthru) Check(payload *Payload) error {
	const expected = "payload passthru: expected one argument, as ppt_serializer %q makes it, and no keyword arguments, found %s"
	if payload.Opaque != nil {
		return Errorf(URIProtocolViolation, expected, shorten([]byte(p.Serializer)), "no list")
	}
	var c scanner
	c.reset(payload.Serializer, payload.KwArgs, maxMaxDepth)
	if payload.KwArgs != nil && c.next() {
		if q := c.entered(); c.more(&q) {
			return Errorf(URIProtocolViolation, expected, shorten([]byte(p.Serializer)), "keyword arguments")
		}
	}
	first, n := payload.kinds()
	switch {
	case n != 1:
		return Errorf(URIProtocolViolation, expected, shorten([]byte(p.Serializer)), countOf(n))
	case p.Serializer == "" || p.Serializer == "native" || first == kindBinary:
		return nil
	case first == kindString && !makesBytes(p.Serializer):
		return nil
	}
	return Errorf(URIProtocolViolation, expected, shorten([]byte(p.Serializer)), kindNames[first])
}

// kinds returns the kind of the first positional argument, and how many there
// are; 2 is more than one.
func (p *Payload) kinds() (first kind, n int) {
	if p.Args == nil {
		return kindNone, 0
	}
	var c scanner
	c.reset(p.Serializer, p.Args, maxMaxDepth)
	if !c.next() {
		return kindNone, 0
	}
	q := c.entered()
	if !c.more(&q) || !c.next() {
		return kindNone, 0
	}
	first = c.tok.kind
	if first == kindString && c.s == JSON {
		if _, ok := decodeBinary(nil, c.content()); ok {
			first = kindBinary
		}
	}
	if first == kindList || first == kindDict {
		c.skipRest()
	}
	if c.more(&q) {
		return first, 2
	}
	return first, 1
}

// makesBytes reports whether what the serializer of that name makes is no text.
func makesBytes(serializer string) bool {
	switch serializer {
	case "cbor", "msgpack", "flatbuffers", "ubjson":
		return true
	}
	return false
}

func countOf(n int) string {
	if n == 0 {
		return "none"
	}
	return "several"
}
