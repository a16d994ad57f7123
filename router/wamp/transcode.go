package wamp

// In returns the payload encoded in s: p itself if it is in s already, and
// otherwise a translation that shares no memory with p.
//
// Integers within 64 bits stay the integers they are, floats stay floats (1.0
// in MessagePack becomes "1.0" in JSON, never "1"), and binary becomes in JSON
// a string of NUL and base64, and such a string binary (WAMP "Binary conversion
// of JSON strings"). Integers of JSON beyond 64 bits become floats, MessagePack
// timestamps RFC 3339 strings, CBOR's undefined null. CBOR tags are dropped,
// except that bignums of up to 64 bits become integers.
//
// The error is an [*Error]: with [URIInvalidArgument] if p holds a value that s
// has none for (a NaN or infinity for JSON, a MessagePack extension, a bignum
// beyond 64 bits), and with [URIProtocolViolation] if p is malformed, which it
// is not if it comes from a [Decoder].
func (p Payload) In(s Serializer) (Payload, error) {
	if p.Serializer == s {
		return p, nil
	}
	out := Payload{Serializer: s}
	b := make([]byte, 0, p.Len()+p.Len()/4+16)
	var err *Error
	if b, out.Args, err = transcode(b, s, p.Serializer, p.Args); err != nil {
		return Payload{}, err
	}
	if b, out.KwArgs, err = transcode(b, s, p.Serializer, p.KwArgs); err != nil {
		return Payload{}, err
	}
	if _, out.Opaque, err = transcode(b, s, p.Serializer, p.Opaque); err != nil {
		return Payload{}, err
	}
	return out, nil
}

// transcode appends the value that data holds in from, encoded in to. It
// returns the extended buffer and the part of it that it appended; nil for nil.
func transcode(dst []byte, to, from Serializer, data []byte) (b, part []byte, err *Error) {
	if data == nil {
		return dst, nil, nil
	}
	var c scanner
	c.reset(from, data, maxMaxDepth)
	e := newEncoder(dst, to)
	e.copyValue(&c)
	c.end()
	return e.b, e.b[len(dst):len(e.b):len(e.b)], c.err
}

// copyValue writes the next value of c.
func (e *encoder) copyValue(c *scanner) {
	if !c.next() {
		return
	}
	switch c.tok.kind {
	case kindNil:
		e.null()
	case kindBool:
		e.bool(c.tok.n == 1)
	case kindUint:
		e.uint(c.tok.n)
	case kindNegative:
		e.negative(c.tok.n)
	case kindFloat:
		v, ok := c.float()
		if ok && !e.float(v, c.tok.short) {
			c.unfit("%v has no representation in %s", v, e.s)
		}
	case kindString:
		e.copyString(c)
	case kindBinary:
		e.binary(c.content())
	case kindList:
		at, n := e.openList(), 0
		for q := c.entered(); c.more(&q); n++ {
			e.copyValue(c)
		}
		e.closeList(at, n)
	case kindDict:
		at, n := e.openDict(), 0
		for q := c.entered(); c.key(&q); n++ {
			e.copyText(c)
			if e.s == JSON {
				e.b = append(e.b, ':')
			}
			e.copyValue(c)
		}
		e.closeDict(at, n)
	case kindExt:
		if text, ok := c.timestamp(c.text[:0]); ok {
			c.text = text
			e.comma()
			e.copyBytes(text)
		}
	default:
		c.unfit("expected a value that WAMP knows, found %s", c.found())
	}
}

// copyString writes the string in c's token, or the binary that it stands for.
func (e *encoder) copyString(c *scanner) {
	if c.s != JSON || len(c.tok.b) < len(jsonBinary) || string(c.tok.b[:len(jsonBinary)]) != jsonBinary {
		e.copyText(c)
		return
	}
	text := c.content()
	both, ok := decodeBinary(text, text)
	if !ok {
		e.copyText(c)
		return
	}
	c.text = both
	e.binary(both[len(text):])
}

// copyText writes the string in c's token.
func (e *encoder) copyText(c *scanner) {
	e.comma()
	e.copyBytes(c.content())
}

// copyBytes writes a string that is known to be valid UTF-8.
func (e *encoder) copyBytes(b []byte) {
	if e.s == JSON {
		e.b = append(e.b, '"')
		e.b = appendEscaped(e.b, b)
		e.b = append(e.b, '"')
		return
	}
	e.stringHead(len(b))
	e.b = append(e.b, b...)
}
