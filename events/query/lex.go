package query

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A token is a word of a query.
type token struct {
	kind  tokenKind
	start int // bytes of the text
	end   int
	value Value // of literals
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenValue // a number or a string
	tokenAnd
	tokenOr
	tokenNot
	tokenEqual
	tokenUnequal
	tokenLess
	tokenLessEqual
	tokenGreater
	tokenGreaterEqual
	tokenOpen
	tokenClose
	tokenOpenList
	tokenCloseList
	tokenComma
	tokenDot
	tokenMinus
)

// A lexer cuts a text into tokens.
type lexer struct {
	text   string
	pos    int
	limits *Limits
}

// describe says what a token is, for people.
func (l *lexer) describe(t token) string {
	if t.kind == tokenEnd {
		return "the end"
	}
	word := l.text[t.start:t.end]
	if len(word) > 40 {
		word = word[:cut(word, 40)] + "…"
	}
	return strconv.Quote(word)
}

// cut returns where to cut s so that at most n bytes and only whole characters
// are before.
func cut(s string, n int) int {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}

// next returns the next token.
func (l *lexer) next() (token, *Error) {
	l.skip()
	start := l.pos
	if start == len(l.text) {
		return token{kind: tokenEnd, start: start, end: start}, nil
	}
	c := l.text[start]
	switch {
	case c >= '0' && c <= '9', c == '.' && l.isDigit(start+1):
		return l.number()
	case c == '"' || c == '\'':
		return l.string(start, false)
	case isLetter(c):
		return l.word()
	}
	two := func(second byte, kind tokenKind) (token, bool) {
		if start+1 < len(l.text) && l.text[start+1] == second {
			l.pos = start + 2
			return token{kind: kind, start: start, end: l.pos}, true
		}
		return token{}, false
	}
	switch c {
	case '&':
		if t, ok := two('&', tokenAnd); ok {
			return t, nil
		}
		return token{}, errorAt(l.text, start, `expected &&, found a single "&"`)
	case '|':
		if t, ok := two('|', tokenOr); ok {
			return t, nil
		}
		return token{}, errorAt(l.text, start, `expected ||, found a single "|"`)
	case '=':
		if t, ok := two('=', tokenEqual); ok {
			return t, nil
		}
		return token{}, errorAt(l.text, start, `expected a comparison, found a single "="; equality is ==`)
	case '!':
		if t, ok := two('=', tokenUnequal); ok {
			return t, nil
		}
	case '<':
		if t, ok := two('=', tokenLessEqual); ok {
			return t, nil
		}
		if _, ok := two('>', 0); ok {
			return token{}, errorAt(l.text, start, `expected a comparison, found "<>"; inequality is !=`)
		}
	case '>':
		if t, ok := two('=', tokenGreaterEqual); ok {
			return t, nil
		}
	}
	if kind := punctuation[c]; kind != 0 {
		l.pos++
		return token{kind: kind, start: start, end: l.pos}, nil
	}
	return token{}, l.strange(start)
}

var punctuation = [256]tokenKind{
	'!': tokenNot, '<': tokenLess, '>': tokenGreater, '(': tokenOpen, ')': tokenClose,
	'[': tokenOpenList, ']': tokenCloseList, ',': tokenComma, '.': tokenDot, '-': tokenMinus,
}

// strange says what is wrong with a character that no query has.
func (l *lexer) strange(at int) *Error {
	r, size := utf8.DecodeRuneInString(l.text[at:])
	found := strconv.Quote(l.text[at : at+size])
	switch {
	case r == utf8.RuneError && size == 1:
		return errorAt(l.text, at, "expected UTF-8, found the byte 0x%02x", l.text[at])
	case strings.ContainsRune("+*/%?:", r):
		return errorAt(l.text, at, "expected a comparison, found %s: a query has no arithmetic and no ?:", found)
	case strings.ContainsRune("“”„‘’‚«»`", r):
		return errorAt(l.text, at, `expected " or ' around a string, found %s`, found)
	case strings.ContainsRune("{};", r):
		return errorAt(l.text, at, "expected a comparison, found %s: a query has no maps and no statements", found)
	}
	return errorAt(l.text, at, "expected a field, a value or an operator, found %s", found)
}

// skip passes over white space and comments.
func (l *lexer) skip() {
	for l.pos < len(l.text) {
		switch c := l.text[l.pos]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f':
			l.pos++
		case c == '/' && strings.HasPrefix(l.text[l.pos:], "//"):
			end := strings.IndexByte(l.text[l.pos:], '\n')
			if end < 0 {
				end = len(l.text) - l.pos
			}
			l.pos += end
		default:
			return
		}
	}
}

func isLetter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func (l *lexer) isDigit(at int) bool {
	return at < len(l.text) && l.text[at] >= '0' && l.text[at] <= '9'
}

// word returns a name, or a string with a prefix.
func (l *lexer) word() (token, *Error) {
	start := l.pos
	for l.pos < len(l.text) && (isLetter(l.text[l.pos]) || l.isDigit(l.pos)) {
		l.pos++
	}
	word := l.text[start:l.pos]
	if l.pos < len(l.text) && (l.text[l.pos] == '"' || l.text[l.pos] == '\'') {
		switch strings.ToLower(word) {
		case "r":
			return l.string(start, true)
		case "b", "br", "rb":
			return token{}, errorAt(l.text, start, "expected a string, found bytes (%s…): events have none", l.text[start:l.pos+1])
		}
	}
	return token{kind: tokenName, start: start, end: l.pos}, nil
}

// number returns a number without its sign.
func (l *lexer) number() (token, *Error) {
	start := l.pos
	digits := func() {
		for l.isDigit(l.pos) {
			l.pos++
		}
	}
	if strings.HasPrefix(l.text[start:], "0x") {
		return l.hexadecimal()
	}
	whole := true
	digits()
	if l.pos < len(l.text) && l.text[l.pos] == '.' && l.isDigit(l.pos+1) {
		whole = false
		l.pos++
		digits()
	}
	if l.pos < len(l.text) && (l.text[l.pos] == 'e' || l.text[l.pos] == 'E') {
		at := l.pos + 1
		if at < len(l.text) && (l.text[at] == '+' || l.text[at] == '-') {
			at++
		}
		if l.isDigit(at) {
			whole = false
			l.pos = at
			digits()
		}
	}
	word := l.text[start:l.pos]
	if whole {
		return l.integer(start, word, 10)
	}
	if err := l.bounded(start); err != nil {
		return token{}, err
	}
	f, err := strconv.ParseFloat(word, 64)
	if err != nil {
		return token{}, errorAt(l.text, start, "expected a number that a double can hold, found %s", word)
	}
	return token{kind: tokenValue, start: start, end: l.pos, value: DoubleValue(f)}, nil
}

func (l *lexer) hexadecimal() (token, *Error) {
	start := l.pos
	l.pos += 2
	for l.pos < len(l.text) && unhex(l.text[l.pos]) >= 0 {
		l.pos++
	}
	return l.integer(start, l.text[start+2:l.pos], 16)
}

// integer returns an Int or, with an u behind it, a Uint. 2^63 becomes a Uint
// as well: with a minus in front it is an Int again.
func (l *lexer) integer(start int, word string, base int) (token, *Error) {
	unsigned := l.pos < len(l.text) && (l.text[l.pos] == 'u' || l.text[l.pos] == 'U')
	if unsigned {
		l.pos++
	}
	if err := l.bounded(start); err != nil {
		return token{}, err
	}
	n, err := strconv.ParseUint(word, base, 64)
	switch {
	case err != nil && word == "":
		return token{}, errorAt(l.text, start, "expected hexadecimal digits behind 0x")
	case err != nil || !unsigned && n > 1<<63:
		return token{}, errorAt(l.text, start, "expected an integer of 64 bits, found %s; with .0 at its end it is a double", l.text[start:l.pos])
	}
	t := token{kind: tokenValue, start: start, end: l.pos}
	if unsigned || n > math.MaxInt64 {
		t.value = UintValue(n)
	} else {
		t.value = IntValue(int64(n))
	}
	return t, nil
}

// bounded checks that a number ends where it seems to, as 12ab does not. Only
// the operator in may follow at once.
func (l *lexer) bounded(start int) *Error {
	end := l.pos
	for end < len(l.text) && (isLetter(l.text[end]) || l.isDigit(end)) {
		end++
	}
	if end > l.pos && l.text[l.pos:end] != "in" {
		return errorAt(l.text, start, "expected a number, found %q", l.text[start:l.pos+1])
	}
	return nil
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
