// Package wamp holds the values of the WAMP v2 protocol: messages, the JSON,
// MessagePack and CBOR codecs, URIs, IDs and errors. It does no I/O, starts no
// goroutine and imports nothing of this module.
//
// Application payload travels as raw bytes. Decoding a message checks that its
// payload is well formed, within the limits and valid UTF-8 where it must be,
// and then keeps the bytes as they came ([Payload]); only [Payload.In]
// translates them to another serializer.
//
// Bad input of any kind yields an [*Error] with [URIProtocolViolation], and
// nothing is allocated by a number that came from the wire.
//
// Specification: https://wamp-proto.org/wamp_latest_ietf.html
package wamp
