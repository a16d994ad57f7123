package bench

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// A serializer is one of WAMP's serializations, as far as the generator needs
// it: it writes the few kinds of values that the generator sends, and reads
// the numbers that a message begins with.
type serializer uint8

const (
	serJSON serializer = iota
	serMsgpack
	serCBOR
)

var serializerNames = [...]string{"json", "msgpack", "cbor"}

// parseSerializer returns the serializer of a name as in a WebSocket
// subprotocol: json, msgpack or cbor.
func parseSerializer(name string) (serializer, error) {
	if i := slices.Index(serializerNames[:], name); i >= 0 {
		return serializer(i), nil
	}
	return 0, fmt.Errorf("unknown serializer %q, expected json, msgpack or cbor", name)
}

// String returns the name, such as "json".
func (s serializer) String() string { return serializerNames[s] }

// subprotocol returns the name of the WebSocket subprotocol.
func (s serializer) subprotocol() string { return "wamp.2." + s.String() }

// rawID returns the number of the serializer in a RawSocket handshake.
func (s serializer) rawID() byte { return byte(s) + 1 }

// A list is an array to be written.
type list []any

// A dict is a map to be written.
type dict map[string]any

// appendValue appends v: a uint64, string, bool, list or dict. A string must
// not need escapes in JSON; those of the generator are plain ASCII, and what
// a user names was checked.
func (s serializer) appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case uint64:
		return s.appendUint(dst, v)
	case string:
		return append(s.appendStringHead(dst, len(v)), s.quoted(v)...)
	case bool:
		return s.appendBool(dst, v)
	case list:
		dst = s.appendListHead(dst, len(v))
		for i, e := range v {
			dst = s.appendValue(s.appendComma(dst, i), e)
		}
		return s.appendEnd(dst, ']')
	case dict:
		dst = s.appendDictHead(dst, len(v))
		for i, k := range slices.Sorted(maps.Keys(v)) {
			dst = s.appendValue(s.appendComma(dst, i), k)
			if s == serJSON {
				dst = append(dst, ':')
			}
			dst = s.appendValue(dst, v[k])
		}
		return s.appendEnd(dst, '}')
	}
	panic(fmt.Sprintf("bench: no encoding for a %T", v)) // a mistake in this package
}

// quoted returns text with its closing quote, where there is one.
func (s serializer) quoted(text string) string {
	if s == serJSON {
		return text + `"`
	}
	return text
}

// appendComma appends what stands before element i of a list or dict.
func (s serializer) appendComma(dst []byte, i int) []byte {
	if s == serJSON && i > 0 {
		return append(dst, ',')
	}
	return dst
}

// appendEnd appends the end of a list or dict.
func (s serializer) appendEnd(dst []byte, end byte) []byte {
	if s == serJSON {
		return append(dst, end)
	}
	return dst
}

func (s serializer) appendBool(dst []byte, v bool) []byte {
	switch {
	case s == serJSON:
		return strconv.AppendBool(dst, v)
	case s == serMsgpack && v:
		return append(dst, 0xc3)
	case s == serMsgpack:
		return append(dst, 0xc2)
	case v:
		return append(dst, 0xf5)
	}
	return append(dst, 0xf4)
}

func (s serializer) appendUint(dst []byte, v uint64) []byte {
	switch s {
	case serJSON:
		return strconv.AppendUint(dst, v, 10)
	case serCBOR:
		return appendCBORHead(dst, 0, v)
	}
	switch {
	case v < 128:
		return append(dst, byte(v))
	case v <= math.MaxUint8:
		return append(dst, 0xcc, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), v)
}

func (s serializer) appendStringHead(dst []byte, n int) []byte {
	switch s {
	case serJSON:
		return append(dst, '"')
	case serCBOR:
		return appendCBORHead(dst, 3, uint64(n))
	}
	switch {
	case n < 32:
		return append(dst, 0xa0|byte(n))
	case n <= math.MaxUint8:
		return append(dst, 0xd9, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n))
}

// appendListHead appends the start of a list of n elements, at most 15.
func (s serializer) appendListHead(dst []byte, n int) []byte {
	switch s {
	case serJSON:
		return append(dst, '[')
	case serCBOR:
		return appendCBORHead(dst, 4, uint64(n))
	}
	return append(dst, 0x90|byte(n))
}

// appendDictHead appends the start of a dict of n pairs, at most 15.
func (s serializer) appendDictHead(dst []byte, n int) []byte {
	switch s {
	case serJSON:
		return append(dst, '{')
	case serCBOR:
		return appendCBORHead(dst, 5, uint64(n))
	}
	return append(dst, 0x80|byte(n))
}

func appendCBORHead(dst []byte, major byte, v uint64) []byte {
	major <<= 5
	switch {
	case v < 24:
		return append(dst, major|byte(v))
	case v <= math.MaxUint8:
		return append(dst, major|24, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), v)
}

// readCode reads the start of a message and returns its type code and what
// follows that.
func (s serializer) readCode(msg []byte) (code uint64, rest []byte, ok bool) {
	if len(msg) == 0 {
		return 0, nil, false
	}
	switch first := msg[0]; s {
	case serJSON:
		if first != '[' {
			return 0, nil, false
		}
	case serMsgpack:
		if first&0xf0 != 0x90 {
			return 0, nil, false
		}
	case serCBOR:
		// 0x9f begins an array of unstated length.
		if (first < 0x80 || first > 0x97) && first != 0x9f {
			return 0, nil, false
		}
	}
	return s.readUint(msg[1:])
}

// readUint reads a number that is the next element and returns what follows.
func (s serializer) readUint(b []byte) (v uint64, rest []byte, ok bool) {
	switch s {
	case serJSON:
		return readJSONUint(b)
	case serMsgpack:
		return readMsgpackUint(b)
	}
	if len(b) == 0 || b[0] > 27 {
		return 0, nil, false
	}
	if b[0] < 24 {
		return uint64(b[0]), b[1:], true
	}
	return readBigEndian(b[1:], 1<<(b[0]-24))
}

func readJSONUint(b []byte) (v uint64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && (b[i] == ',' || b[i] == ' ') {
		i++
	}
	start := i
	// IDs have at most 16 digits.
	for ; i < len(b) && i-start < 18 && '0' <= b[i] && b[i] <= '9'; i++ {
		v = v*10 + uint64(b[i]-'0')
	}
	return v, b[i:], i > start
}

func readMsgpackUint(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	switch c := b[0]; {
	case c < 128:
		return uint64(c), b[1:], true
	case c >= 0xcc && c <= 0xcf: // unsigned
		return readBigEndian(b[1:], 1<<(c-0xcc))
	case c >= 0xd1 && c <= 0xd3: // signed; some encoders write IDs so
		return readBigEndian(b[1:], 1<<(c-0xd0))
	}
	return 0, nil, false
}

// readBigEndian reads a number of n bytes.
func readBigEndian(b []byte, n int) (v uint64, rest []byte, ok bool) {
	if len(b) < n {
		return 0, nil, false
	}
	for _, c := range b[:n] {
		v = v<<8 | uint64(c)
	}
	return v, b[n:], true
}
