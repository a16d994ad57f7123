package events

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"
)

// The methods below check a value that was read, from start to pos. Like those
// that read, they return false if nothing more is worth reading.

func (s *scanner) checkString(f *field, start int, text []byte) bool {
	switch f.kind {
	case String:
	case Time:
		// UnmarshalText is as strict as RFC 3339, unlike time.Parse.
		var t time.Time
		if t.UnmarshalText(text) != nil {
			return s.problem(CodeFormat, start, "", f.expected, quote(string(text)))
		}
		return true
	default:
		return s.mismatch(f, start)
	}
	if f.minLen > 0 || f.maxLen < math.MaxInt {
		if n := utf8.RuneCount(text); n < f.minLen || n > f.maxLen {
			return s.problem(CodeLength, start, "", f.expected, quote(string(text))+", which has "+strconv.Itoa(n))
		}
	}
	if f.enumStr != nil && !slices.Contains(f.enumStr, unsafeString(text)) {
		return s.problem(CodeEnum, start, "", f.expected, quote(string(text)))
	}
	if f.pattern != nil && !f.pattern.Match(text) {
		return s.problem(CodePattern, start, "", f.expected, quote(string(text)))
	}
	if f.keyed {
		s.latest = valueKey(text)
	}
	if f.channel {
		return s.setChannel(start, string(text))
	}
	return true
}

func (s *scanner) checkNumber(f *field, start int, integer bool) bool {
	text := s.data[start:s.pos]
	var n number
	switch f.kind {
	case Int:
		if !integer {
			what := "a fraction"
			if slices.Contains(text, 'e') || slices.Contains(text, 'E') {
				what = "an exponent"
			}
			return s.problem(CodeType, start, "", f.expected, cut(text)+", which is written with "+what)
		}
		i, err := strconv.ParseInt(unsafeString(text), 10, 64)
		if err != nil {
			return s.problem(CodeRange, start, "", f.expected, cut(text)+", which does not fit in 64 bits")
		}
		n.i = i
	case Number:
		if !f.ranged && f.enum == nil && surelyFits(text) {
			return true
		}
		x, err := strconv.ParseFloat(unsafeString(text), 64)
		if err != nil {
			return s.problem(CodeRange, start, "", f.expected, cut(text)+", which does not fit in a 64-bit float")
		}
		n.f = x
	default:
		return s.mismatch(f, start)
	}
	if f.ranged && (n.less(f.lo) || f.hi.less(n)) {
		return s.problem(CodeRange, start, "", f.expected, cut(text))
	}
	if f.enum != nil && !slices.Contains(f.enum, n) {
		return s.problem(CodeEnum, start, "", f.expected, cut(text))
	}
	if f.keyed {
		s.latest = intKey(n.i)
	}
	if f.channel {
		return s.setChannel(start, strconv.FormatInt(n.i, 10))
	}
	return true
}

// checkFits complains about a number of which nothing is declared, if it is
// beyond a 64-bit float: subscribers whose serializer is not JSON could not get
// it. An integer beyond 64 bits becomes a float for them.
func (s *scanner) checkFits(start int) bool {
	text := s.data[start:s.pos]
	if surelyFits(text) {
		return true
	}
	if _, err := strconv.ParseFloat(unsafeString(text), 64); err != nil {
		return s.problem(CodeRange, start, "", "a number", cut(text)+", which does not fit in a 64-bit float")
	}
	return true
}

// surelyFits reports whether a number fits in a 64-bit float without reading
// it: if there is no exponent, it takes more than 300 digits to be too large.
func surelyFits(text []byte) bool {
	return len(text) < 300 && bytes.IndexByte(text, 'e') < 0 && bytes.IndexByte(text, 'E') < 0
}

func (s *scanner) checkBool(f *field, start int) bool {
	if f.kind != Bool {
		return s.mismatch(f, start)
	}
	if f.keyed {
		s.latest = valueKey(s.data[start:s.pos])
	}
	if f.channel {
		return s.setChannel(start, string(s.data[start:s.pos]))
	}
	return true
}

// checkNull lets null pass for a field that need not be there. Items of an
// array have no name and must be what they are declared.
func (s *scanner) checkNull(f *field, start int) bool {
	switch {
	case f.required:
		return s.problem(CodeMissing, start, "", f.expected, "null")
	case f.name == "":
		return s.mismatch(f, start)
	}
	return true
}

// complete complains about each required field of o that was not seen.
func (s *scanner) complete(o *object, seen *bitset) bool {
	for w := range o.required {
		if o.required[w]&^seen[w] == 0 {
			continue
		}
		for i := w * 64; i < min(len(o.fields), (w+1)*64); i++ {
			f := &o.fields[i]
			if f.required && !seen.has(i) && !s.problem(CodeMissing, s.pos-1, f.name, f.expected, "nothing") {
				return false
			}
		}
	}
	return true
}

// setChannel notes the value of the field that names the channel.
func (s *scanner) setChannel(start int, value string) bool {
	s.channel = EncodeChannel(value)
	if len(s.channel) > maxChannelLen {
		return s.problem(CodeLength, start, "",
			"a value that has at most "+strconv.Itoa(maxChannelLen)+" bytes in a topic, as it names the channel",
			quote(value)+", which has "+strconv.Itoa(len(s.channel)))
	}
	return true
}

// find returns the index of the field with the name, or -1. Fields mostly come
// in the order in which they are declared, so it tries guess first.
func (o *object) find(name []byte, guess int) int {
	if o == nil {
		return -1
	}
	if guess < len(o.fields) && o.fields[guess].name == string(name) {
		return guess
	}
	if i, ok := o.index[string(name)]; ok {
		return i
	}
	return -1
}

// names says which fields there are, for people.
func (o *object) names() string {
	const most = 20
	if len(o.fields) == 0 {
		return "no fields"
	}
	var b strings.Builder
	b.WriteString("one of the fields ")
	for i := range o.fields {
		if i == most {
			b.WriteString(", …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(o.fields[i].name)
	}
	return b.String()
}

// mismatch complains that the value is of another type than f.
func (s *scanner) mismatch(f *field, start int) bool {
	return s.problem(CodeType, start, "", f.expected, s.found(start, s.pos))
}

func (s *scanner) duplicate(start int) bool {
	return s.problem(CodeDuplicate, start, "", "the field once", "it twice, again")
}

// duplicateKey complains about a key of the object that was just read.
func (s *scanner) duplicateKey(k key) bool {
	s.path = append(s.path, step{start: k.start, end: k.end})
	ok := s.duplicate(k.start - 1)
	s.path = s.path[:len(s.path)-1]
	return ok
}

// problem notes a problem with the value at start, or with the field of that
// name in it. It returns false if there are enough of them.
func (s *scanner) problem(code Code, start int, name, expected, found string) bool {
	s.problems = append(s.problems, Problem{
		Code: code, Field: s.where(name), Expected: expected, Found: found, Position: start,
	})
	return len(s.problems) < maxProblems
}

// fatal notes a problem at pos, after which nothing can be read. It returns
// false.
func (s *scanner) fatal(code Code, expected, found string) bool {
	s.problem(code, s.pos, "", expected, found)
	return false
}

// syntax complains that something else should be at pos. It returns false.
func (s *scanner) syntax(expected string) bool {
	if s.pos >= len(s.data) {
		s.pos = len(s.data)
		return s.fatal(CodeSyntax, expected, "the end of the data")
	}
	r, n := utf8.DecodeRune(s.data[s.pos:])
	found := strconv.QuoteRune(r)
	if r == utf8.RuneError && n == 1 {
		found = "the byte 0x" + strconv.FormatUint(uint64(s.data[s.pos]), 16)
	}
	return s.fatal(CodeSyntax, expected, found)
}

// where returns the path of the current value, or of the field of that name in
// it.
func (s *scanner) where(name string) string {
	const most = 256
	var b strings.Builder
	for _, st := range s.path {
		if st.end == 0 {
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(st.index))
			b.WriteByte(']')
			continue
		}
		if b.Len() > most {
			return b.String() + "…"
		}
		k := string(appendUnescaped(nil, s.data[st.start:st.end]))
		if checkFieldName(k) != nil {
			b.WriteByte('[')
			b.WriteString(quote(k))
			b.WriteByte(']')
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(k)
	}
	if name != "" && b.Len() > 0 {
		b.WriteByte('.')
	}
	b.WriteString(name)
	return b.String()
}

// found says in words what the value from start to end is.
func (s *scanner) found(start, end int) string {
	switch s.data[start] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "the string " + quote(string(appendUnescaped(nil, s.data[start+1:end-1])))
	default:
		return cut(s.data[start:end])
	}
}

// cut returns a number or literal for an error text.
func cut(text []byte) string {
	const most = 40
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}

// unsafeString returns b as a string without a copy, to be used before b
// changes.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
