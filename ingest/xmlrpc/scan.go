package xmlrpc

import (
	"bytes"
	"unicode/utf8"
)

// A token is what [scanner.next] found.
type token uint8

const (
	tokenEnd   token = iota // an end tag, or the end of an empty-element tag
	tokenStart              // a start tag
	tokenText               // character data with references
	tokenCDATA              // the inside of a CDATA section
	tokenEOF                // the end of the document
)

// maxAttributes is how many attributes an element may have. XML-RPC has none;
// some clients declare name spaces.
const maxAttributes = 8

// A scanner splits an XML document into tokens. It knows all of XML 1.0 that
// needs no document type: comments, processing instructions, CDATA,
// attributes, the five entities and character references. A document type
// declaration is refused, so there is nothing to expand and nothing to fetch.
//
// It allocates only errors. Tags need not match: its user checks that.
type scanner struct {
	src   []byte // UTF-8, with XML's characters only: see checkCharacters
	pos   int    // what next reads
	at    int    // where the token begins
	text  []byte // the name of a tag, the raw text of tokenText and tokenCDATA
	empty bool   // the tag was an empty-element tag: its end comes next
}

// fail returns a fault with the place in the document.
func (s *scanner) fail(at, code int, what string) error {
	line, column := position(s.src, at)
	return faultf(code, "line %d, column %d: %s", line, column, what)
}

// position returns the line and column, from 1 and in characters, of an offset.
func position(src []byte, at int) (line, column int) {
	before := src[:min(at, len(src))]
	line = bytes.Count(before, []byte{'\n'}) + 1
	column = utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return line, column
}

// next moves to the next token. Comments and processing instructions are
// skipped, so that one run of text may come as several tokens.
func (s *scanner) next() (token, error) {
	if s.empty {
		s.empty = false
		return tokenEnd, nil
	}
	for {
		s.at = s.pos
		if s.pos == len(s.src) {
			return tokenEOF, nil
		}
		if s.src[s.pos] != '<' {
			n := bytes.IndexByte(s.src[s.pos:], '<')
			if n < 0 {
				n = len(s.src) - s.pos
			}
			s.text = s.src[s.pos : s.pos+n]
			s.pos += n
			return tokenText, nil
		}
		rest := s.src[s.pos+1:]
		switch {
		case len(rest) > 0 && rest[0] == '/':
			return tokenEnd, s.endTag()
		case len(rest) > 0 && rest[0] == '?':
			if err := s.instruction(); err != nil {
				return 0, err
			}
		case bytes.HasPrefix(rest, []byte("!--")):
			if err := s.comment(); err != nil {
				return 0, err
			}
		case bytes.HasPrefix(rest, []byte("![CDATA[")):
			return tokenCDATA, s.cdata()
		case bytes.HasPrefix(rest, []byte("!DOCTYPE")):
			return 0, s.fail(s.at, CodeNotXMLRPC, "a document type declaration is refused")
		default:
			return tokenStart, s.startTag()
		}
	}
}

func (s *scanner) comment() error {
	body := s.src[s.pos+4:]
	n := bytes.Index(body, []byte("--"))
	if n < 0 {
		return s.fail(s.at, CodeNotWellFormed, "the comment does not end")
	}
	if n+2 == len(body) || body[n+2] != '>' {
		return s.fail(s.pos+4+n, CodeNotWellFormed, `"--" inside a comment`)
	}
	s.pos += 4 + n + 3
	return nil
}

func (s *scanner) cdata() error {
	const open = len("<![CDATA[")
	body := s.src[s.pos+open:]
	n := bytes.Index(body, []byte("]]>"))
	if n < 0 {
		return s.fail(s.at, CodeNotWellFormed, "the CDATA section does not end")
	}
	s.text = body[:n]
	s.pos += open + n + len("]]>")
	return nil
}

// instruction skips a processing instruction. What it says is for someone else.
func (s *scanner) instruction() error {
	s.pos += 2
	target := s.name()
	if len(target) == 0 || bytes.EqualFold(target, []byte("xml")) {
		return s.fail(s.at, CodeNotWellFormed, "an XML declaration anywhere but at the start, or an instruction without a name")
	}
	if !s.space() && !bytes.HasPrefix(s.src[s.pos:], []byte("?>")) {
		return s.fail(s.pos, CodeNotWellFormed, "expected white space or ?> after the name of a processing instruction")
	}
	n := bytes.Index(s.src[s.pos:], []byte("?>"))
	if n < 0 {
		return s.fail(s.at, CodeNotWellFormed, "the processing instruction does not end")
	}
	s.pos += n + 2
	return nil
}

func (s *scanner) startTag() error {
	s.pos++
	name := s.name()
	if len(name) == 0 {
		return s.fail(s.at, CodeNotWellFormed, `"<" that begins no tag; in text it is written &lt;`)
	}
	var seen [maxAttributes][]byte
	for n := 0; ; n++ {
		spaced := s.space()
		switch {
		case s.pos == len(s.src):
			return s.fail(s.at, CodeNotWellFormed, "the tag does not end")
		case s.src[s.pos] == '>':
			s.pos++
			s.text = name
			return nil
		case bytes.HasPrefix(s.src[s.pos:], []byte("/>")):
			s.pos += 2
			s.text, s.empty = name, true
			return nil
		case !spaced:
			return s.fail(s.pos, CodeNotWellFormed, "expected white space or > in the tag")
		case n == maxAttributes:
			return s.fail(s.pos, CodeNotXMLRPC, "more than 8 attributes in one tag")
		}
		at := s.pos
		attribute, _, err := s.attribute()
		if err != nil {
			return err
		}
		for _, other := range seen[:n] {
			if bytes.Equal(attribute, other) {
				return s.fail(at, CodeNotWellFormed, "the attribute "+quoted(attribute)+" occurs twice")
			}
		}
		seen[n] = attribute
	}
}

// attribute reads name="value", and checks the references in the value without
// resolving them.
func (s *scanner) attribute() (name, value []byte, err error) {
	if name = s.name(); len(name) == 0 {
		return nil, nil, s.fail(s.pos, CodeNotWellFormed, "expected the name of an attribute")
	}
	s.space()
	if s.pos == len(s.src) || s.src[s.pos] != '=' {
		return nil, nil, s.fail(s.pos, CodeNotWellFormed, "expected = after the name of an attribute")
	}
	s.pos++
	s.space()
	if s.pos == len(s.src) || s.src[s.pos] != '"' && s.src[s.pos] != '\'' {
		return nil, nil, s.fail(s.pos, CodeNotWellFormed, "expected the value of an attribute in quotes")
	}
	quote := s.src[s.pos]
	s.pos++
	n := bytes.IndexByte(s.src[s.pos:], quote)
	if n < 0 {
		return nil, nil, s.fail(s.pos, CodeNotWellFormed, "the value of an attribute does not end")
	}
	value = s.src[s.pos : s.pos+n]
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '<':
			return nil, nil, s.fail(s.pos+i, CodeNotWellFormed, `"<" in the value of an attribute`)
		case '&':
			if _, _, problem := reference(value[i:]); problem != "" {
				return nil, nil, s.fail(s.pos+i, CodeNotWellFormed, problem)
			}
		}
	}
	s.pos += n + 1
	return name, value, nil
}

func (s *scanner) endTag() error {
	s.pos += 2
	s.text = s.name()
	if len(s.text) == 0 {
		return s.fail(s.at, CodeNotWellFormed, "an end tag without a name")
	}
	s.space()
	if s.pos == len(s.src) || s.src[s.pos] != '>' {
		return s.fail(s.pos, CodeNotWellFormed, "expected > at the end of the end tag")
	}
	s.pos++
	return nil
}

// The bytes of XML names: those that can begin one, and those that can follow.
// All of UTF-8 beyond ASCII counts as such; names are compared, never kept.
var nameStart, namePart = nameBytes()

func nameBytes() (start, part [256]bool) {
	for c := range 256 {
		b := byte(c)
		start[c] = b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' || b == ':' || b >= utf8.RuneSelf
		part[c] = start[c] || b >= '0' && b <= '9' || b == '-' || b == '.'
	}
	return start, part
}

// name reads an XML name. It is empty when there is none.
func (s *scanner) name() []byte {
	rest := s.src[s.pos:]
	if len(rest) == 0 || !nameStart[rest[0]] {
		return nil
	}
	n := 1
	for n < len(rest) && namePart[rest[n]] {
		n++
	}
	s.pos += n
	return rest[:n]
}

// space skips white space and reports whether there was any.
func (s *scanner) space() bool {
	start := s.pos
	for s.pos < len(s.src) && isSpace(s.src[s.pos]) {
		s.pos++
	}
	return s.pos > start
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// isBlank reports whether text is white space only.
func isBlank(text []byte) bool {
	for _, c := range text {
		if !isSpace(c) {
			return false
		}
	}
	return true
}
