package wamp

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// defaultMaxDepth is how deep lists and dictionaries may nest, where nothing
// else is said. The message's own list is the first level.
const defaultMaxDepth = 64

// maxMaxDepth bounds what may be said: what a Decoder accepts must be possible
// to translate, which recurses.
const maxMaxDepth = 10_000

// maxKeptText is how large a buffer for decoded strings may be to be reused.
const maxKeptText = 64 << 10

// A kind is what a token is, in any serializer.
type kind uint8

const (
	kindNone kind = iota
	kindNil
	kindBool
	kindUint     // an integer from 0 up
	kindNegative // an integer below 0
	kindFloat
	kindString
	kindBinary
	kindList
	kindDict
	kindExt   // a MessagePack extension value
	kindOther // well formed, and nothing that WAMP knows
	kindTagged
)

var kindNames = [...]string{
	kindNone:     "nothing",
	kindNil:      "null",
	kindBool:     "bool",
	kindUint:     "integer",
	kindNegative: "integer",
	kindFloat:    "float",
	kindString:   "string",
	kindBinary:   "binary",
	kindList:     "list",
	kindDict:     "dict",
	kindExt:      "extension value",
	kindOther:    "value of another type",
	kindTagged:   "tagged value",
}

// A token is one scalar, or the head of a list or dictionary.
type token struct {
	kind kind

	open    bool   // list, dict: it ends where a closing mark stands, n is not known
	escaped bool   // string: JSON with escape sequences
	chunked bool   // string, binary: CBOR in chunks
	short   bool   // float: has at most 32 bits
	tags    uint16 // CBOR: the tags that stood in front; at most maxMaxDepth

	// n is the value of an integer from 0 up, a bool (1 or 0), the bits of a
	// float64, the number of elements of a list or entries of a dict, or the
	// type of an extension value. Of an integer below 0 it is -1-value.
	n uint64

	// b is the undecoded content of a string, binary or extension value, and
	// of a JSON float its literal, in place of n.
	b []byte
}

// A seq is a list or dictionary that is being read.
type seq struct {
	n     uint64 // elements or entries in all, unless open
	i     uint64 // those begun
	depth int    // levels of nesting that it is, with its tags
	open  bool
	done  bool // nothing is left
	close byte // JSON: the closing mark
}

// A scanner reads values of any serializer, one token at a time, and checks
// all that can be wrong with them. Its error sticks: after the first one
// nothing is read any more, and loops over more and key end.
type scanner struct {
	s     Serializer
	data  []byte
	pos   int // of the next unread byte
	depth int // lists and dicts that are open, with their tags
	max   int // bound of depth
	tok   token
	err   *Error

	text []byte // decoded content of an escaped or chunked string, reused

	// Where in a message the scanner is, for errors; see where.
	msg   Type
	part  string
	name  []byte // key within part; nil: none
	index int    // element of the list under name; -1: none
}

// reset begins a new input. It keeps what is reused, unless it became large.
func (c *scanner) reset(s Serializer, data []byte, maxDepth int) {
	if cap(c.text) > maxKeptText {
		c.text = nil
	}
	*c = scanner{s: s, data: data, max: maxDepth, text: c.text, index: -1}
}

// next reads a token and reports whether there was one.
func (c *scanner) next() bool {
	if c.err != nil {
		c.tok = token{}
		return false
	}
	c.tok = token{}
	switch c.s {
	case JSON:
		c.nextJSON()
	case MessagePack:
		c.nextMessagePack()
	default:
		c.nextCBOR()
	}
	if c.err != nil {
		c.tok = token{}
		return false
	}
	if c.tok.kind == kindList || c.tok.kind == kindDict {
		c.depth += 1 + int(c.tok.tags)
	}
	if c.depth > c.max {
		c.violation("nested deeper than %d", c.max)
		return false
	}
	return true
}

// typed is next for a place where the protocol asks for a type, which no tag
// may alter.
func (c *scanner) typed() kind {
	c.next()
	if c.tok.tags > 0 {
		c.tok.kind = kindTagged
	}
	return c.tok.kind
}

// entered returns the list or dict whose head was just read.
func (c *scanner) entered() seq {
	q := seq{n: c.tok.n, depth: 1 + int(c.tok.tags), open: c.tok.open, close: ']'}
	if c.tok.kind == kindDict {
		q.close = '}'
	}
	return q
}

// more reports whether q has another element, which then comes next. When it
// has none, q is left, and more goes on to report false.
func (c *scanner) more(q *seq) bool {
	if c.err != nil || q.done {
		return false
	}
	var ok bool
	switch {
	case c.s == JSON:
		ok = c.moreJSON(q)
	case q.open:
		ok = c.moreCBOR()
	default:
		ok = q.i < q.n
	}
	if !ok {
		c.depth -= q.depth
		q.done = true
		return false
	}
	q.i++
	return true
}

// key reads the next key of q into tok and reports whether there was one. The
// value comes next.
func (c *scanner) key(q *seq) bool {
	return c.more(q) && c.keyToken()
}

// keyToken reads a key into tok, and the colon after it.
func (c *scanner) keyToken() bool {
	if !c.next() {
		return false
	}
	if c.tok.kind != kindString || c.tok.tags > 0 {
		c.violation("expected a string as key of a dict, found %s", c.found())
		return false
	}
	if c.s == JSON {
		c.colon()
	}
	return c.err == nil
}

// null reads the value that comes next if it is null, and reports whether.
func (c *scanner) null() bool {
	if c.s == JSON {
		c.space()
	}
	if c.err != nil || c.pos >= len(c.data) {
		return false
	}
	rest, isNull := c.data[c.pos:], false
	switch c.s {
	case JSON:
		isNull = rest[0] == 'n'
	case MessagePack:
		isNull = rest[0] == 0xc0 || bytes.HasPrefix(rest, undefinedMessagePack)
	default:
		isNull = rest[0] == 0xf6 || rest[0] == 0xf7
	}
	return isNull && c.next()
}

// content returns the decoded content of the string or binary in tok. It is
// valid until the next call, or as long as data.
func (c *scanner) content() []byte {
	switch {
	case c.tok.escaped:
		c.text = appendUnescaped(c.text[:0], c.tok.b)
		return c.text
	case c.tok.chunked:
		c.text = appendChunks(c.text[:0], c.tok.b)
		return c.text
	}
	return c.tok.b
}

// end checks that nothing is left.
func (c *scanner) end() {
	if c.err != nil {
		return
	}
	if c.s == JSON {
		c.space()
	}
	if c.pos < len(c.data) {
		c.violation("%d bytes left over after the end", len(c.data)-c.pos)
	}
}

// where names the place in the message, as "PUBLISH.Options.exclude[2]: ".
func (c *scanner) where() string {
	if c.msg == 0 {
		if c.part == "" {
			return ""
		}
		return c.part + ": "
	}
	var b strings.Builder
	b.WriteString(c.msg.String())
	if c.part != "" {
		b.WriteByte('.')
		b.WriteString(c.part)
	}
	if c.name != nil {
		b.WriteByte('.')
		b.WriteString(shorten(c.name))
	}
	if c.index >= 0 {
		fmt.Fprintf(&b, "[%d]", c.index)
	}
	b.WriteString(": ")
	return b.String()
}

// found describes tok for an error.
func (c *scanner) found() string {
	switch name := kindNames[c.tok.kind]; c.tok.kind {
	case kindUint:
		return fmt.Sprintf("%s %d", name, c.tok.n)
	case kindNegative:
		return fmt.Sprintf("%s %d", name, -1-int64(c.tok.n))
	default:
		return name
	}
}

// expected fails because tok is not what was expected.
func (c *scanner) expected(what string) {
	c.violation("expected %s, found %s", what, c.found())
}

// violation fails with a protocol violation. The first failure counts.
func (c *scanner) violation(format string, args ...any) {
	c.fail(URIProtocolViolation, format, args...)
}

// unfit fails because of a value that is well formed but cannot be
// represented. Within a message that is a protocol violation too.
func (c *scanner) unfit(format string, args ...any) {
	if c.msg != 0 {
		c.violation(format, args...)
		return
	}
	c.fail(URIInvalidArgument, format, args...)
}

// malformed fails because the bytes are not well formed at pos.
func (c *scanner) malformed(what string) {
	c.violation("malformed %s at byte %d: %s", c.s, c.pos, what)
}

func (c *scanner) fail(uri URI, format string, args ...any) {
	if c.err == nil {
		c.err = Errorf(uri, "%s%s", c.where(), fmt.Sprintf(format, args...))
	}
}

// shorten returns at most 64 bytes of b as a string, for errors.
func shorten(b []byte) string {
	const most = 64
	if len(b) <= most {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	n := most
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return strings.ToValidUTF8(string(b[:n]), "\uFFFD") + "…"
}
