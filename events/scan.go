package events

import (
	"bytes"
	"hash/maphash"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"
)

// MaxDepth is how deeply arrays and objects may nest in the data of an event.
const MaxDepth = 64

// A scanner reads the data of one event once, from left to right, as strict
// JSON (RFC 8259, and RFC 7493 in that strings are whole Unicode and keys
// unique), and checks it against a class on the way.
type scanner struct {
	data     []byte
	class    *Class
	pos      int
	start    int    // of the object
	end      int    // of the object, once it is read
	path     []step // from the top to the current value
	keys     []key  // of the objects around pos, the innermost last; only undeclared ones
	text     []byte // the last string that had escapes, without them
	problems []Problem
	channel  string
	latest   uint64 // as valueKey returns it; 0: the event has no key
}

// A step leads from a value to one in it.
type step struct {
	start, end int // of the key, without quotation marks; 0, 0: an item
	index      int // of the item
}

// A key is one of an object, for finding it twice.
type key struct {
	hash       uint64
	start, end int
}

// The hash is seeded, so that nobody can send keys that collide.
var seed = maphash.MakeSeed()

var scanners = sync.Pool{New: func() any { return new(scanner) }}

func getScanner(data []byte, c *Class) *scanner {
	s := scanners.Get().(*scanner)
	s.data, s.class, s.pos, s.channel, s.latest = data, c, 0, "", 0
	s.path, s.keys, s.text = s.path[:0], s.keys[:0], s.text[:0]
	return s
}

func (s *scanner) release() {
	clear(s.problems)
	s.problems = s.problems[:0]
	s.data, s.class = nil, nil
	if cap(s.keys) <= 1<<10 && cap(s.text) <= 1<<16 { // keep no monsters
		scanners.Put(s)
	}
}

// event reads the whole data and reports whether all is well.
func (s *scanner) event() bool {
	s.space()
	s.start = s.pos
	if s.peek() != '{' {
		if s.value(nil, 0) {
			s.problem(CodeType, s.start, "", "a JSON object", s.found(s.start, s.pos))
		}
		return false
	}
	if !s.object(s.class.data, 1) {
		return false
	}
	s.end = s.pos
	s.space()
	if s.pos < len(s.data) {
		s.syntax("the end of the data")
	}
	return len(s.problems) == 0
}

// The methods below read what begins at pos, and leave pos behind it. They
// return false if nothing more can be read.

// value reads any value, which must be what f says unless f is nil. depth is
// how many arrays and objects are around it.
func (s *scanner) value(f *field, depth int) bool {
	start := s.pos
	switch c := s.peek(); c {
	case '{', '[':
		if depth == MaxDepth {
			return s.fatal(CodeDepth, "at most "+strconv.Itoa(MaxDepth)+" arrays and objects in one another", "one more")
		}
		return s.container(c, f, depth+1)
	case '"':
		raw, escapes, ok := s.str()
		if !ok || f == nil {
			return ok
		}
		text := raw
		if escapes {
			text = s.unescape(raw)
		}
		return s.checkString(f, start, text)
	case 't':
		return s.literal("true") && (f == nil || s.checkBool(f, start))
	case 'f':
		return s.literal("false") && (f == nil || s.checkBool(f, start))
	case 'n':
		return s.literal("null") && (f == nil || s.checkNull(f, start))
	default:
		if c != '-' && (c < '0' || c > '9') {
			return s.syntax("a value")
		}
		integer, ok := s.number()
		switch {
		case !ok:
			return false
		case f == nil:
			return s.checkFits(start)
		}
		return s.checkNumber(f, start, integer)
	}
}

// container reads an array or object. One of the wrong type is read all the
// same, to see whether it is JSON.
func (s *scanner) container(c byte, f *field, depth int) bool {
	switch {
	case f == nil && c == '{':
		return s.object(nil, depth)
	case f == nil:
		return s.array(nil, depth)
	case c == '{' && f.kind == Object:
		return s.object(f.object, depth)
	case c == '[' && f.kind == Array:
		return s.array(f, depth)
	}
	start := s.pos
	return s.container(c, nil, depth) && s.mismatch(f, start)
}

// object reads an object; o has the fields that are declared, nil if none are.
func (s *scanner) object(o *object, depth int) bool {
	s.pos++
	var seen bitset
	base, next := len(s.keys), 0
	s.space()
	for first := true; s.peek() != '}'; first = false {
		if !first {
			if s.peek() != ',' {
				return s.syntax("a comma or '}'")
			}
			s.pos++
			s.space()
		}
		if s.peek() != '"' {
			return s.syntax("a key in quotation marks")
		}
		start := s.pos
		name, escapes, ok := s.str()
		if !ok {
			return false
		}
		s.path = append(s.path, step{start: start + 1, end: s.pos - 1})
		if escapes {
			name = s.unescape(name)
		}
		var f *field
		if i := o.find(name, next); i >= 0 {
			if seen.has(i) && !s.duplicate(start) {
				return false
			}
			seen.set(i)
			f, next = &o.fields[i], i+1
		} else {
			s.keys = append(s.keys, key{maphash.Bytes(seed, name), start + 1, s.pos - 1})
			if o != nil && o.reject && !s.problem(CodeUnknown, start, "", o.names(), quote(string(name))) {
				return false
			}
		}
		s.space()
		if s.peek() != ':' {
			return s.syntax("a colon")
		}
		s.pos++
		s.space()
		if !s.value(f, depth) {
			return false
		}
		s.path = s.path[:len(s.path)-1]
		s.space()
	}
	s.pos++
	if !s.unique(base) {
		return false
	}
	s.keys = s.keys[:base]
	return o == nil || s.complete(o, &seen)
}

// array reads an array; f is nil if nothing is declared of it.
func (s *scanner) array(f *field, depth int) bool {
	start := s.pos
	var items *field
	if f != nil {
		items = f.items
	}
	s.pos++
	n := 0
	s.space()
	for ; s.peek() != ']'; n++ {
		if n > 0 {
			if s.peek() != ',' {
				return s.syntax("a comma or ']'")
			}
			s.pos++
			s.space()
		}
		s.path = append(s.path, step{index: n})
		if !s.value(items, depth) {
			return false
		}
		s.path = s.path[:len(s.path)-1]
		s.space()
	}
	s.pos++
	if f != nil && (n < f.minLen || n > f.maxLen) {
		return s.problem(CodeLength, start, "", f.expected, "an array of "+strconv.Itoa(n))
	}
	return true
}

// str reads a string and returns what is between its quotation marks.
func (s *scanner) str() (raw []byte, escapes, ok bool) {
	start := s.pos + 1
	for s.pos = start; ; {
		i := s.pos
		for data := s.data; i < len(data) && plain[data[i]]; {
			i++
		}
		s.pos = i
		if i == len(s.data) {
			return nil, false, s.syntax("the end of a string")
		}
		switch c := s.data[i]; {
		case c == '"':
			s.pos++
			return s.data[start:i], escapes, true
		case c == '\\':
			escapes = true
			if !s.escape() {
				return nil, false, false
			}
		case c < ' ':
			return nil, false, s.syntax("an escape sequence in place of a control character")
		default:
			r, n := utf8.DecodeRune(s.data[i:])
			if r == utf8.RuneError && n == 1 {
				return nil, false, s.fatal(CodeEncoding, "UTF-8", "the byte 0x"+strconv.FormatUint(uint64(c), 16))
			}
			s.pos += n
		}
	}
}

// plain has the bytes that stand for themselves in a string.
var plain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// escape reads one escape sequence, or two that are a surrogate pair.
func (s *scanner) escape() bool {
	s.pos++
	switch c := s.peek(); c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return true
	case 'u':
	default:
		return s.syntax(`one of " \ / b f n r t u after a backslash`)
	}
	r, ok := hex4(s.data[s.pos+1:])
	if !ok {
		return s.syntax("four hexadecimal digits after \\u")
	}
	if r >= 0xD800 && r < 0xE000 { // a surrogate
		low := rune(-1)
		if rest := s.data[s.pos+5:]; r < 0xDC00 && len(rest) > 1 && rest[0] == '\\' && rest[1] == 'u' {
			low, _ = hex4(rest[2:])
		}
		if low < 0xDC00 || low >= 0xE000 {
			s.pos--
			return s.fatal(CodeEncoding, "a surrogate pair", "half of one")
		}
		s.pos += 6
	}
	s.pos += 5
	return true
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return -1, false
	}
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// number reads a number and reports whether it has neither fraction nor
// exponent.
func (s *scanner) number() (integer, ok bool) {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return false, s.syntax("a digit")
	}
	integer = true
	if s.peek() == '.' {
		integer = false
		s.pos++
		if !s.digits() {
			return false, s.syntax("a digit")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		integer = false
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return false, s.syntax("a digit")
		}
	}
	return integer, true
}

// digits reads digits and reports whether there was one.
func (s *scanner) digits() bool {
	start := s.pos
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) literal(want string) bool {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(want)) {
		return s.syntax("a value")
	}
	s.pos += len(want)
	return true
}

func (s *scanner) space() {
	for s.pos < len(s.data) && s.data[s.pos] <= ' ' {
		switch s.data[s.pos] {
		case ' ', '\n', '\r', '\t':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the byte at pos, or 0 at the end: a byte that may stand nowhere
// outside of strings, nor in them.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

// unescape returns the text of a string, given what is between its quotation
// marks. It is valid until the next call.
func (s *scanner) unescape(raw []byte) []byte {
	s.text = appendUnescaped(s.text[:0], raw)
	return s.text
}

// appendUnescaped appends the text of a valid string to dst.
func appendUnescaped(dst, raw []byte) []byte {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			dst = append(dst, c)
			continue
		}
		i++
		switch c = raw[i]; c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, _ := hex4(raw[i+1:])
			i += 4
			if r >= 0xD800 && r < 0xE000 {
				low, _ := hex4(raw[i+3:])
				r = (r-0xD800)<<10 | (low - 0xDC00) + 0x10000
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// unique complains if two of the keys from base on are the same.
func (s *scanner) unique(base int) bool {
	keys := s.keys[base:]
	const few = 12
	if len(keys) <= few {
		for i := range keys {
			for j := range i {
				if keys[i].hash == keys[j].hash && s.same(keys[i], keys[j]) && !s.duplicateKey(keys[i]) {
					return false
				}
			}
		}
		return true
	}
	slices.SortFunc(keys, func(a, b key) int {
		switch {
		case a.hash < b.hash:
			return -1
		case a.hash > b.hash:
			return 1
		}
		return a.start - b.start
	})
	for i := 1; i < len(keys); i++ {
		if keys[i].hash == keys[i-1].hash && s.same(keys[i], keys[i-1]) && !s.duplicateKey(keys[i]) {
			return false
		}
	}
	return true
}

// same reports whether two keys are the same text.
func (s *scanner) same(a, b key) bool {
	x, y := s.data[a.start:a.end], s.data[b.start:b.end]
	if bytes.IndexByte(x, '\\') < 0 && bytes.IndexByte(y, '\\') < 0 {
		return bytes.Equal(x, y)
	}
	return bytes.Equal(appendUnescaped(nil, x), appendUnescaped(nil, y))
}
