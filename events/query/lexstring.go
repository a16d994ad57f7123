package query

import (
	"strings"
	"unicode/utf8"
)

// plain are the characters of a string that are only themselves.
var plain = func() (list [256]bool) {
	for c := range utf8.RuneSelf {
		list[c] = !strings.ContainsRune("\"'\\\n\r", rune(c))
	}
	return list
}()

// string reads a string literal, whose quote is at l.pos; its prefix begins where
// the token does.
func (l *lexer) string(t *token, raw bool) *Error {
	start := t.start
	quote := l.text[l.pos : l.pos+1]
	if rest := l.text[l.pos:]; len(rest) >= 3 && rest[1] == rest[0] && rest[2] == rest[0] {
		quote = rest[:3]
	}
	l.pos += len(quote)
	var b []byte
	copied := l.pos // from here on nothing has been copied to b
	for {
		text, pos := l.text, l.pos
		for pos < len(text) && plain[text[pos]] {
			pos++
		}
		l.pos = pos
		switch {
		case l.pos >= len(l.text):
			return errorAt(l.text, start, "expected the end of the string (%s), found the end of the query", quote)
		case strings.HasPrefix(l.text[l.pos:], quote):
			s := l.text[copied:l.pos]
			if b != nil {
				s = string(append(b, s...))
			}
			l.pos += len(quote)
			if len(s) > l.limits.Literal {
				return limitAt(l.text, start, "expected a string of at most %d bytes, found %d", l.limits.Literal, len(s))
			}
			t.kind, t.end, t.value = tokenValue, l.pos, StringValue(s)
			return nil
		case l.text[l.pos] == '\\' && !raw:
			b = append(b, l.text[copied:l.pos]...)
			r, err := l.escape()
			if err != nil {
				return err
			}
			b = utf8.AppendRune(b, r)
			copied = l.pos
		case (l.text[l.pos] == '\n' || l.text[l.pos] == '\r') && len(quote) == 1:
			return errorAt(l.text, start, "expected the end of the string (%s), found the end of the line", quote)
		case l.text[l.pos] == '\r': // as cel-go has it, all ends of lines are the same, in raw strings, too
			b = append(append(b, l.text[copied:l.pos]...), '\n')
			l.pos += len("\r")
			if strings.HasPrefix(l.text[l.pos:], "\n") {
				l.pos++
			}
			copied = l.pos
		default:
			r, size := utf8.DecodeRuneInString(l.text[l.pos:])
			if r == utf8.RuneError && size == 1 {
				return l.strange(l.pos)
			}
			l.pos += size
		}
	}
}

var escapes = map[byte]rune{
	'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
	'\\': '\\', '?': '?', '"': '"', '\'': '\'', '`': '`',
}

// escape returns the character of the escape sequence at l.pos, and passes
// over it.
func (l *lexer) escape() (rune, *Error) {
	at := l.pos
	if at+1 >= len(l.text) {
		l.pos++
		return '\\', nil // the string has no end, which is said then
	}
	c := l.text[at+1]
	if r, ok := escapes[c]; ok {
		l.pos += 2
		return r, nil
	}
	digits, base, skip := 0, 16, 2
	switch {
	case c == 'x' || c == 'X':
		digits = 2
	case c == 'u':
		digits = 4
	case c == 'U':
		digits = 8
	case c >= '0' && c <= '3':
		digits, base, skip = 3, 8, 1
	default:
		r, size := utf8.DecodeRuneInString(l.text[at+1:])
		if r == utf8.RuneError && size == 1 {
			return 0, l.strange(at + 1)
		}
		return 0, errorAt(l.text, at, `expected an escape sequence, found "\%c"; a backslash is \\, or write r"…"`, r)
	}
	n := 0
	for i := range digits {
		d := -1
		if p := at + skip + i; p < len(l.text) {
			d = unhex(l.text[p])
		}
		if d < 0 || d >= base {
			return 0, errorAt(l.text, at, `expected %d digits behind "\%c"`, digits, c)
		}
		n = n*base + d
	}
	if n > utf8.MaxRune || n >= 0xd800 && n < 0xe000 {
		return 0, errorAt(l.text, at, "expected a character of Unicode, found U+%X", n)
	}
	l.pos = at + skip + digits
	return rune(n), nil
}
