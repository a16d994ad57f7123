package wamp

// A Serializer is a way to write messages as bytes.
type Serializer uint8

// The serializers, with their WebSocket subprotocols.
const (
	JSON        Serializer = iota // wamp.2.json
	MessagePack                   // wamp.2.msgpack
	CBOR                          // wamp.2.cbor

	NumSerializers = 3
)

var serializerNames = [NumSerializers]string{"json", "msgpack", "cbor"}

// String returns "json", "msgpack" or "cbor".
func (s Serializer) String() string { return serializerNames[s] }

// Subprotocol returns the WebSocket subprotocol, such as "wamp.2.json".
func (s Serializer) Subprotocol() string { return "wamp.2." + s.String() }

// Binary reports whether messages go in binary WebSocket frames.
func (s Serializer) Binary() bool { return s != JSON }

// SerializerOf returns the serializer of a WebSocket subprotocol.
func SerializerOf(subprotocol string) (Serializer, bool) {
	for s := range Serializer(NumSerializers) {
		if subprotocol == s.Subprotocol() {
			return s, true
		}
	}
	return 0, false
}
