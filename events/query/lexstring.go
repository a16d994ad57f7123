package query

import (
	"strings"
	"unicode/utf8"
)

// isPlain reports whether a character of a string is only itself.
func isPlain(c byte) bool {
	return c < utf8.RuneSelf && c != '"' && c != '\'' && c != '\\' && c != '\n' && c != '\r'
}

// string returns a string literal, whose quote is at l.pos; start is where its
// prefix begins.
func (l *lexer) string(start int, raw bool) (token, *Error) {
	quote := l.text[l.pos : l.pos+1]
	if rest := l.text[l.pos:]; len(rest) >= 3 && rest[1] == rest[0] && rest[2] == rest[0] {
		quote = rest[:3]
	}
	l.pos += len(quote)
	var b []byte
	plain := l.pos // from here on nothing has been copied to b
	for {
		for l.pos < len(l.text) && isPlain(l.text[l.pos]) {
			l.pos++
		}
		switch {
		case l.pos >= len(l.text):
			return token{}, errorAt(l.text, start, "expected the end of the string (%s), found the end of the query", quote)
		case strings.HasPrefix(l.text[l.pos:], quote):
			s := l.text[plain:l.pos]
			if b != nil {
				s = string(append(b, s...))
			}
			l.pos += len(quote)
			if len(s) > l.limits.Literal {
				return token{}, limitAt(l.text, start, "expected a string of at most %d bytes, found %d", l.limits.Literal, len(s))
			}
			return token{kind: tokenValue, start: start, end: l.pos, value: StringValue(s)}, nil
		case l.text[l.pos] == '\\' && !raw:
			b = append(b, l.text[plain:l.pos]...)
			r, err := l.escape()
			if err != nil {
				return token{}, err
			}
			b = utf8.AppendRune(b, r)
			plain = l.pos
		case (l.text[l.pos] == '\n' || l.text[l.pos] == '\r') && len(quote) == 1:
			return token{}, errorAt(l.text, start, "expected the end of the string (%s), found the end of the line", quote)
		default:
			r, size := utf8.DecodeRuneInString(l.text[l.pos:])
			if r == utf8.RuneError && size == 1 {
				return token{}, l.strange(l.pos)
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
