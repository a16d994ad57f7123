package wamp

import (
	"encoding/base64"
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// The parts of a message that a payload makes.
const (
	partArgs   = "Arguments"
	partKwArgs = "ArgumentsKw"
)

// Encoded is a value that is encoded already, in the serializer of whatever it
// becomes part of. Nothing checks that it is.
type Encoded []byte

// AppendValue appends v, encoded in s, to dst and returns the extended buffer.
// It writes nil, bool, every integer and float type of Go, string, []byte,
// [URI], [ID], []string, []ID, []any, map[string]any, whose keys it sorts, and
// [Encoded]. Strings are made valid UTF-8. Floats stay floats: 1.0 is written as
// "1.0".
//
// The error is an [*Error] with [URIInvalidArgument]: v holds a value of
// another type, a NaN or infinity for JSON, or nests deeper than 64. dst is
// then returned as it was.
func AppendValue(dst []byte, s Serializer, v any) ([]byte, error) {
	e := newEncoder(dst, s)
	if err := e.value(v, defaultMaxDepth); err != nil {
		return dst, err
	}
	return e.b, nil
}

// value writes v, which may nest depth levels deep. When it fails it has
// written part of it.
func (e *encoder) value(v any, depth int) *Error {
	switch v := v.(type) {
	case nil:
		e.null()
	case bool:
		e.bool(v)
	case int:
		e.int(int64(v))
	case int8:
		e.int(int64(v))
	case int16:
		e.int(int64(v))
	case int32:
		e.int(int64(v))
	case int64:
		e.int(v)
	case uint:
		e.uint(uint64(v))
	case uint8:
		e.uint(uint64(v))
	case uint16:
		e.uint(uint64(v))
	case uint32:
		e.uint(uint64(v))
	case uint64:
		e.uint(v)
	case ID:
		e.uint(uint64(v))
	case float32:
		return e.floatValue(float64(v), true)
	case float64:
		return e.floatValue(v, false)
	case string:
		e.str(v)
	case URI:
		e.str(string(v))
	case []byte:
		e.binary(v)
	case Encoded:
		e.raw(v)
	case []string:
		e.strings(v)
	case []ID:
		e.ids(v)
	case []any:
		if depth == 0 {
			return errDeepValue
		}
		at := e.openList()
		for _, item := range v {
			if err := e.value(item, depth-1); err != nil {
				return err
			}
		}
		e.closeList(at, len(v))
	case map[string]any:
		if depth == 0 {
			return errDeepValue
		}
		at := e.openDict()
		for _, key := range slices.Sorted(maps.Keys(v)) {
			e.key(key)
			if err := e.value(v[key], depth-1); err != nil {
				return err
			}
		}
		e.closeDict(at, len(v))
	default:
		return Errorf(URIInvalidArgument, "cannot encode a %T", v)
	}
	return nil
}

var errDeepValue = Errorf(URIInvalidArgument, "nested deeper than %d", defaultMaxDepth)

func (e *encoder) floatValue(v float64, short bool) *Error {
	if !e.float(v, short) {
		return Errorf(URIInvalidArgument, "%v has no representation in %s", v, e.s)
	}
	return nil
}

func (e *encoder) strings(list []string) {
	at := e.openList()
	for _, s := range list {
		e.str(s)
	}
	e.closeList(at, len(list))
}

func (e *encoder) ids(list []ID) {
	at := e.openList()
	for _, id := range list {
		e.uint(uint64(id))
	}
	e.closeList(at, len(list))
}

// safeValue writes v, or null if it cannot be written. Message.Append, which
// cannot fail, uses it for details that only the router itself puts in.
func (e *encoder) safeValue(v any) {
	mark := len(e.b)
	if err := e.value(v, defaultMaxDepth); err != nil {
		e.b = e.b[:mark]
		e.null()
	}
}

// ParseValue returns the value that data, encoded in s, stands for: nil, bool,
// int64, uint64 (only beyond the range of int64), float64, string, []byte,
// []any or map[string]any. It shares no memory with data. Integers that do not
// fit into 64 bits become float64, MessagePack timestamps RFC 3339 strings,
// and CBOR tags are dropped.
//
// The error is an [*Error]: with [URIProtocolViolation] if data is malformed,
// has bytes left over or nests deeper than 64; with [URIInvalidArgument] if it
// is well formed but holds what WAMP has no value for, such as a MessagePack
// extension, or a key twice in one dictionary.
func ParseValue(s Serializer, data []byte) (any, error) {
	return parseValue("", s, data, defaultMaxDepth)
}

// parseValue is ParseValue for the part of that name.
func parseValue(part string, s Serializer, data []byte, maxDepth int) (any, error) {
	var c scanner
	c.reset(s, data, maxDepth)
	c.part = part
	v := c.value()
	c.end()
	if c.err != nil {
		return nil, c.err
	}
	return v, nil
}

// value reads one value.
func (c *scanner) value() any {
	if !c.next() {
		return nil
	}
	return c.valueRest()
}

// valueRest returns the value that begins with the token just read.
func (c *scanner) valueRest() any {
	switch c.tok.kind {
	case kindNil:
		return nil
	case kindBool:
		return c.tok.n == 1
	case kindUint:
		if c.tok.n > math.MaxInt64 {
			return c.tok.n
		}
		return int64(c.tok.n)
	case kindNegative:
		return -1 - int64(c.tok.n)
	case kindFloat:
		v, _ := c.float()
		return v
	case kindString:
		b := c.content()
		if c.s == JSON {
			if v, ok := decodeBinary(nil, b); ok {
				return v
			}
		}
		return string(b)
	case kindBinary:
		return append([]byte{}, c.content()...)
	case kindList:
		q := c.entered()
		list := make([]any, 0, min(q.n, 16))
		for c.more(&q) {
			list = append(list, c.value())
		}
		return list
	case kindDict:
		return c.dictRest()
	case kindExt:
		if text, ok := c.timestamp(nil); ok {
			return string(text)
		}
	default:
		c.unfit("expected a value that WAMP knows, found %s", c.found())
	}
	return nil
}

// dictRest returns the dict whose head was just read.
func (c *scanner) dictRest() map[string]any {
	q := c.entered()
	dict := make(map[string]any, min(q.n, 16))
	for c.key(&q) {
		key := string(c.content())
		if _, ok := dict[key]; ok {
			c.unfit("key %q stands twice in a dict", shorten([]byte(key)))
			break
		}
		dict[key] = c.value()
	}
	return dict
}

// float returns the value of the float in tok.
func (c *scanner) float() (float64, bool) {
	if c.s != JSON {
		return math.Float64frombits(c.tok.n), true
	}
	v, err := strconv.ParseFloat(string(c.tok.b), 64)
	if err != nil {
		c.unfit("number %s is out of the range of a double", shorten(c.tok.b))
		return 0, false
	}
	return v, true
}

// decodeBinary appends the binary that a JSON string stands for, if it stands
// for one: a NUL character and then base64.
func decodeBinary(dst, content []byte) ([]byte, bool) {
	if len(content) == 0 || content[0] != 0 {
		return dst, false
	}
	for _, b := range content {
		if b == '\n' || b == '\r' { // which the decoder would overlook
			return dst, false
		}
	}
	out, err := base64.StdEncoding.Strict().AppendDecode(dst, content[1:])
	if err != nil {
		return dst, false
	}
	if out == nil {
		out = []byte{}
	}
	return out, true
}

// timestamp appends the MessagePack timestamp in tok as RFC 3339 has it.
func (c *scanner) timestamp(dst []byte) ([]byte, bool) {
	b := c.tok.b
	var sec int64
	var nsec uint32
	switch code := int64(c.tok.n); {
	case code != -1:
		c.unfit("MessagePack extension of type %d, of which only timestamps are known", code)
		return dst, false
	case len(b) == 4:
		sec = int64(binary.BigEndian.Uint32(b))
	case len(b) == 8:
		n := binary.BigEndian.Uint64(b)
		sec, nsec = int64(n&(1<<34-1)), uint32(n>>34)
	case len(b) == 12:
		nsec, sec = binary.BigEndian.Uint32(b), int64(binary.BigEndian.Uint64(b[4:]))
	default:
		c.unfit("MessagePack timestamp of %d bytes", len(b))
		return dst, false
	}
	const first, last = -62167219200, 253402300799 // the years 0 to 9999
	if nsec >= 1e9 || sec < first || sec > last {
		c.unfit("MessagePack timestamp is out of range")
		return dst, false
	}
	return time.Unix(sec, int64(nsec)).UTC().AppendFormat(dst, time.RFC3339Nano), true
}

// DecodeArgs returns the positional arguments with the types and errors of
// [ParseValue], but nested as deep as a [Decoder] let them; nil if there are
// none. An opaque payload is the only argument.
func (p Payload) DecodeArgs() ([]any, error) {
	switch {
	case p.Opaque != nil:
		v, err := parseValue(partArgs, p.Serializer, p.Opaque, maxMaxDepth)
		if err != nil {
			return nil, err
		}
		return []any{v}, nil
	case p.Args == nil:
		return nil, nil
	}
	v, err := parseValue(partArgs, p.Serializer, p.Args, maxMaxDepth)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, Errorf(URIProtocolViolation, "%s: expected list, found %s", partArgs, kindOf(v))
	}
	return list, nil
}

// DecodeKwArgs returns the keyword arguments as [Payload.DecodeArgs] does the
// positional ones; nil if there are none.
func (p Payload) DecodeKwArgs() (map[string]any, error) {
	if p.KwArgs == nil {
		return nil, nil
	}
	v, err := parseValue(partKwArgs, p.Serializer, p.KwArgs, maxMaxDepth)
	if err != nil {
		return nil, err
	}
	dict, ok := v.(map[string]any)
	if !ok {
		return nil, Errorf(URIProtocolViolation, "%s: expected dict, found %s", partKwArgs, kindOf(v))
	}
	return dict, nil
}

// NewPayload returns a payload encoded in s. Arguments that are nil are absent,
// except that keyword arguments bring an empty list with them. Errors are those
// of [AppendValue].
func NewPayload(s Serializer, args []any, kwargs map[string]any) (Payload, error) {
	p := Payload{Serializer: s}
	if args == nil && kwargs == nil {
		return p, nil
	}
	var err error
	if p.Args, err = AppendValue(nil, s, args); err != nil {
		return Payload{}, Errorf(URIInvalidArgument, "%s: %s", partArgs, AsError(err).Text)
	}
	if kwargs != nil {
		if p.KwArgs, err = AppendValue(nil, s, kwargs); err != nil {
			return Payload{}, Errorf(URIInvalidArgument, "%s: %s", partKwArgs, AsError(err).Text)
		}
	}
	return p, nil
}
