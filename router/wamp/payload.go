package wamp

// A Payload is the application's part of a message: positional and keyword
// arguments, as the encoded bytes that came from the wire.
//
// A Payload of a decoded message shares memory with the message's bytes and is
// valid as long as they are; [Payload.Clone] makes one that lasts.
type Payload struct {
	Serializer Serializer
	Args       []byte // an encoded list; nil: absent
	KwArgs     []byte // an encoded dictionary; nil: absent. Present only if Args is
	Opaque     []byte // payload passthru: one encoded binary (or string) in place of Args; nil: none
}

// Clone returns a copy of p that shares no memory with it.
func (p Payload) Clone() Payload {
	clone := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		return append(make([]byte, 0, len(b)), b...)
	}
	p.Args, p.KwArgs, p.Opaque = clone(p.Args), clone(p.KwArgs), clone(p.Opaque)
	return p
}

// Len returns the size of the encoded payload in bytes.
func (p Payload) Len() int { return len(p.Args) + len(p.KwArgs) + len(p.Opaque) }
