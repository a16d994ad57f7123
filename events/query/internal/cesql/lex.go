package cesql

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A token is a word of an expression.
type token struct {
	kind tokenKind
	pos  int    // in bytes
	text string // as it is written; of words, see key
	key  string // of words, in upper case; of signs, the sign
}

type tokenKind uint8

const (
	tokenEnd     tokenKind = iota
	tokenWord              // keywords, and names of attributes and functions
	tokenInteger           // perhaps with a sign
	tokenString
	tokenSign
)

// A lexer cuts a text into tokens.
type lexer struct {
	text string
	pos  int
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// next returns the next token. In front of an operand, a sign and digits are an
// Integer; behind one, the sign is an operator.
func (l *lexer) next(operand bool) (token, *SyntaxError) {
	for l.pos < len(l.text) && strings.IndexByte(" \t\r\n", l.text[l.pos]) >= 0 {
		l.pos++
	}
	t := token{pos: l.pos}
	if l.pos == len(l.text) {
		return t, nil
	}
	rest := l.text[l.pos:]
	n := 0
	switch c := rest[0]; {
	case isLetter(c) || isDigit(c):
		n = l.word(rest)
		t.kind = tokenInteger
		if strings.ContainsFunc(rest[:n], func(r rune) bool { return !isDigit(byte(r)) }) {
			t.kind, t.key = tokenWord, strings.ToUpper(rest[:n])
		}
	case c == '"' || c == '\'':
		t.kind = tokenString
		if n = l.quoted(rest); n == 0 {
			return t, l.fail(len(l.text), "expected %c at the end of the string that begins at byte %d, found the end", c, l.pos)
		}
	case operand && (c == '-' || c == '+') && l.digits(rest[1:]) > 0:
		t.kind, n = tokenInteger, 1+l.digits(rest[1:])
	default:
		t.kind = tokenSign
		for _, sign := range []string{"!=", "<>", ">=", "<=", "=", ">", "<", "(", ")", ",", "*", "/", "%", "+", "-"} {
			if strings.HasPrefix(rest, sign) {
				n, t.key = len(sign), sign
				break
			}
		}
		if n == 0 {
			_, size := utf8.DecodeRuneInString(rest)
			return t, l.fail(l.pos, "expected an expression, found %q", rest[:size])
		}
	}
	t.text = rest[:n]
	l.pos += n
	return t, nil
}

// word returns how long the word is that a text begins with: letters and digits,
// or if it begins with letters and underscores, only these.
func (l *lexer) word(s string) int {
	plain, function := 0, 0
	for plain < len(s) && (isLetter(s[plain]) || isDigit(s[plain])) {
		plain++
	}
	for function < len(s) && (isLetter(s[function]) || s[function] == '_' && function > 0) {
		function++
	}
	return max(plain, function)
}

// digits returns how many digits a text begins with, and 0 if they are the
// beginning of a name.
func (l *lexer) digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	if n < len(s) && isLetter(s[n]) {
		return 0
	}
	return n
}

// quoted returns how long the string is that a text begins with, and 0 if it does
// not end. A backslash takes the next character with it, and two quotes are none.
func (l *lexer) quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' || s[i] == s[0] && i+1 < len(s) && s[i+1] == s[0]:
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return 0
}

// unquote returns what a string says: a quote that is escaped is the quote, and
// everything else is what is written, backslashes as well.
func unquote(s string) string {
	quote, s := s[0], s[1:len(s)-1]
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if s[i+1] != quote {
				b.WriteByte(s[i])
			}
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func (l *lexer) fail(at int, format string, args ...any) *SyntaxError {
	return &SyntaxError{Offset: at, Text: fmt.Sprintf(format, args...)}
}

// unexpected says that something else was expected than the token.
func (l *lexer) unexpected(t token, expected string) *SyntaxError {
	found := "the end"
	if t.kind != tokenEnd {
		if found = t.text; len(found) > 40 {
			found = strings.ToValidUTF8(found[:40], "") + "…"
		}
		found = strconv.Quote(found)
	}
	return l.fail(t.pos, "expected %s, found %s", expected, found)
}
