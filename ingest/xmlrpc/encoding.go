package xmlrpc

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/wireroom/wireroom/ingest"
)

// prolog prepares the scanner for a document: it reads the byte order mark and
// the XML declaration, makes the rest UTF-8 if it is not, and checks that the
// document has no character that XML does not allow.
//
// charset is what the HTTP header says, and counts more than the declaration
// (RFC 7303, section 3.2); it may be empty. wide is memory for a document that
// is not UTF-8; it is returned, perhaps grown.
func (s *scanner) prolog(src []byte, charset string, wide []byte) ([]byte, error) {
	*s = scanner{src: src}
	if bytes.HasPrefix(src, []byte("\xFE\xFF")) || bytes.HasPrefix(src, []byte("\xFF\xFE")) ||
		len(src) > 1 && (src[0] == 0 || src[1] == 0) {
		return wide, faultf(CodeEncoding, "the request is in UTF-16 or UTF-32; send UTF-8")
	}
	marked := bytes.HasPrefix(src, []byte("\xEF\xBB\xBF"))
	if marked {
		s.pos = 3
	}
	declared, err := s.declaration()
	if err != nil {
		return wide, err
	}
	if charset == "" {
		charset = declared
	}
	switch strings.ToLower(charset) {
	case "", "utf-8", "utf8":
	case "us-ascii", "ascii":
		for i, c := range src {
			if c >= utf8.RuneSelf {
				return wide, s.fail(i, CodeCharacter, "a byte that is not US-ASCII, in which the request says to be")
			}
		}
	case "iso-8859-1", "latin1", "latin-1":
		if marked {
			return wide, faultf(CodeEncoding, "the request has the byte order mark of UTF-8 and says to be in ISO-8859-1")
		}
		wide = wide[:0]
		for _, c := range src {
			wide = utf8.AppendRune(wide, rune(c))
		}
		s.src = wide // pos still holds: a declaration is ASCII
	default:
		return wide, faultf(CodeEncoding, "the encoding %q is not supported; send UTF-8", ingest.Clip(charset))
	}
	return wide, s.checkCharacters()
}

// declaration reads the XML declaration, if there is one, and returns the
// encoding that it names.
func (s *scanner) declaration() (encoding string, err error) {
	rest := s.src[s.pos:]
	if !bytes.HasPrefix(rest, []byte("<?xml")) || len(rest) == 5 || !isSpace(rest[5]) {
		return "", nil
	}
	s.at = s.pos
	s.pos += 5
	for _, want := range []string{"version", "encoding", "standalone"} {
		mark := s.pos
		spaced := s.space()
		if !bytes.HasPrefix(s.src[s.pos:], []byte(want)) {
			if want == "version" {
				return "", s.fail(s.pos, CodeNotWellFormed, "expected version in the XML declaration")
			}
			s.pos = mark
			continue
		}
		if !spaced {
			return "", s.fail(s.pos, CodeNotWellFormed, "expected white space in the XML declaration")
		}
		_, value, err := s.attribute()
		if err != nil {
			return "", err
		}
		switch {
		case want == "version" && string(value) != "1.0":
			return "", s.fail(s.at, CodeNotWellFormed, "expected XML 1.0, found version "+quoted(value))
		case want == "encoding":
			encoding = string(value)
		}
	}
	s.space()
	if !bytes.HasPrefix(s.src[s.pos:], []byte("?>")) {
		return "", s.fail(s.pos, CodeNotWellFormed, "expected ?> at the end of the XML declaration")
	}
	s.pos += 2
	return encoding, nil
}

// checkCharacters makes sure that the document is UTF-8 and that all its
// characters are XML's, so that nothing after it has to look again.
func (s *scanner) checkCharacters() error {
	if !utf8.Valid(s.src) {
		for i := 0; i < len(s.src); {
			c, size := utf8.DecodeRune(s.src[i:])
			if c == utf8.RuneError && size == 1 {
				return s.fail(i, CodeCharacter, "invalid UTF-8")
			}
			i += size
		}
	}
	for i, c := range s.src {
		if c >= 0x20 && c != 0xEF {
			continue
		}
		if c < 0x20 && !isSpace(c) {
			return s.fail(i, CodeCharacter, "the control character "+hex(c)+", which XML does not allow; base64 can carry it")
		}
		// U+FFFE and U+FFFF are EF BF BE and EF BF BF.
		if c == 0xEF && s.src[i+1] == 0xBF && s.src[i+2] >= 0xBE {
			return s.fail(i, CodeCharacter, "U+FFFE or U+FFFF, which XML does not allow")
		}
	}
	return nil
}

func hex(c byte) string {
	const digits = "0123456789ABCDEF"
	return "0x" + string([]byte{digits[c>>4], digits[c&15]})
}
