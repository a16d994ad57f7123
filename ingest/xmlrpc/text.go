package xmlrpc

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/wireroom/wireroom/ingest"
)

// special has the bytes of character data that cannot be copied as they are,
// to plain text or to the inside of a JSON string.
var special = [256]bool{'"': true, '\\': true, '\n': true, '\r': true, '\t': true, '&': true, ']': true}

// appendText appends the character data of a token: with references resolved
// and line ends made "\n", as XML asks; and, if quote is set, with JSON's
// escapes.
func (s *scanner) appendText(dst []byte, tok token, quote bool) ([]byte, error) {
	raw := s.text
	base := s.pos - len(raw) // for messages
	if tok == tokenCDATA {
		base -= len("]]>")
	}
	for {
		n := 0
		for n < len(raw) && !special[raw[n]] {
			n++
		}
		dst = append(dst, raw[:n]...)
		if n == len(raw) {
			return dst, nil
		}
		c, size := rune(raw[n]), 1
		switch {
		case c == '\r':
			if c = '\n'; n+1 < len(raw) && raw[n+1] == '\n' {
				size = 2
			}
		case c == '&' && tok == tokenText:
			var problem string
			if c, size, problem = reference(raw[n:]); problem != "" {
				return dst, s.fail(base+n, CodeNotWellFormed, problem)
			}
		case c == ']' && tok == tokenText && bytes.HasPrefix(raw[n:], []byte("]]>")):
			return dst, s.fail(base+n, CodeNotWellFormed, `"]]>" in text; it is written ]]&gt;`)
		}
		if quote {
			dst = appendJSONRune(dst, c)
		} else {
			dst = utf8.AppendRune(dst, c)
		}
		raw = raw[n+size:]
		base += n + size
	}
}

// appendJSONRune appends a character of XML to the inside of a JSON string.
func appendJSONRune(dst []byte, c rune) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', byte(c))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return utf8.AppendRune(dst, c)
}

// reference resolves the reference that begins raw, and returns its length in
// bytes, or what is wrong with it.
func reference(raw []byte) (c rune, size int, problem string) {
	// The longest is &#x10FFFF; apart from leading zeros.
	end := bytes.IndexByte(raw[:min(len(raw), 32)], ';')
	if end < 0 {
		return 0, 0, `"&" that begins no reference; in text it is written &amp;`
	}
	size = end + 1
	switch name := string(raw[1:end]); name {
	case "amp":
		return '&', size, ""
	case "lt":
		return '<', size, ""
	case "gt":
		return '>', size, ""
	case "quot":
		return '"', size, ""
	case "apos":
		return '\'', size, ""
	default:
		if name == "" || name[0] != '#' {
			return 0, 0, "the entity &" + ingest.Clip(name) + "; is not defined: only amp, lt, gt, quot and apos are"
		}
		digits, base := name[1:], 10
		if len(digits) > 1 && digits[0] == 'x' {
			digits, base = digits[1:], 16
		}
		n, err := strconv.ParseUint(digits, base, 32)
		if err != nil || !isXML(rune(n)) || n > utf8.MaxRune {
			return 0, 0, "the reference &" + ingest.Clip(name) + "; names no character of XML"
		}
		return rune(n), size, ""
	}
}

// isXML reports whether c is a character of XML 1.0 (its section 2.2).
func isXML(c rune) bool {
	return c >= 0x20 && c <= 0xD7FF || c == '\n' || c == '\t' || c == '\r' ||
		c >= 0xE000 && c <= 0xFFFD || c >= 0x10000 && c <= utf8.MaxRune
}

// quoted returns a name of the document for a message.
func quoted(name []byte) string { return strconv.Quote(ingest.Clip(string(name))) }
