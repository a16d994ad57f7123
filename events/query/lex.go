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
	limits Limits
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

// next reads the next token into t.
func (l *lexer) next(t *token) *Error {
	text, start := l.text, l.pos
	for start < len(text) && text[start] == ' ' { // seldom is there anything else
		start++
	}
	l.pos = start
	if start < len(text) && (text[start] < ' ' || text[start] == '/') {
		l.skip()
		start = l.pos
	}
	t.start = start
	if start == len(text) {
		t.kind, t.end = tokenEnd, start
		return nil
	}
	c := text[start]
	switch classes[c] {
	case classLetter:
		return l.word(t)
	case classDigit:
		return l.number(t)
	case classQuote:
		return l.string(t, false)
	}
	if c == '.' && l.isDigit(start+1) {
		return l.number(t)
	}
	second := byte(0)
	if start+1 < len(l.text) {
		second = l.text[start+1]
	}
	switch {
	case second == '=' && followed[c] != 0:
		t.kind, l.pos = followed[c], start+2
	case c == '&' && second == '&':
		t.kind, l.pos = tokenAnd, start+2
	case c == '|' && second == '|':
		t.kind, l.pos = tokenOr, start+2
	case c == '<' && second == '>':
		return errorAt(l.text, start, `expected a comparison, found "<>"; inequality is !=`)
	case punctuation[c] != 0:
		t.kind, l.pos = punctuation[c], start+1
	case c == '&':
		return errorAt(l.text, start, `expected &&, found a single "&"`)
	case c == '|':
		return errorAt(l.text, start, `expected ||, found a single "|"`)
	case c == '=':
		return errorAt(l.text, start, `expected a comparison, found a single "="; equality is ==`)
	default:
		return l.strange(start)
	}
	t.end = l.pos
	return nil
}

// Characters by the tokens that they begin.
const (
	classLetter = iota + 1
	classDigit
	classQuote
)

var classes = func() (list [256]uint8) {
	for c := range list {
		switch b := byte(c); {
		case isLetter(b):
			list[c] = classLetter
		case b >= '0' && b <= '9':
			list[c] = classDigit
		case b == '"' || b == '\'':
			list[c] = classQuote
		}
	}
	return list
}()

// followed is what the characters are with a = behind them.
var followed = [256]tokenKind{'=': tokenEqual, '!': tokenUnequal, '<': tokenLessEqual, '>': tokenGreaterEqual}

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
		case c > ' ' && c != '/':
			return
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

// word reads a name, or a string with a prefix.
func (l *lexer) word(t *token) *Error {
	text, end := l.text, l.pos+1
	for end < len(text) && classes[text[end]]-1 <= classDigit-1 {
		end++
	}
	l.pos = end
	if end < len(text) && end <= t.start+2 && classes[text[end]] == classQuote {
		switch strings.ToLower(text[t.start:end]) {
		case "r":
			return l.string(t, true)
		case "b", "br", "rb":
			return errorAt(text, t.start, "expected a string, found bytes (%s…): events have none", text[t.start:end+1])
		}
	}
	t.kind, t.end = tokenName, end
	return nil
}

// number reads a number without its sign.
func (l *lexer) number(t *token) *Error {
	start := l.pos
	if strings.HasPrefix(l.text[start:], "0x") {
		return l.hexadecimal(t)
	}
	whole := true
	l.digits()
	if l.pos < len(l.text) && l.text[l.pos] == '.' && l.isDigit(l.pos+1) {
		whole = false
		l.pos++
		l.digits()
	}
	if l.pos < len(l.text) && l.text[l.pos]|0x20 == 'e' {
		at := l.pos + 1
		if at < len(l.text) && (l.text[at] == '+' || l.text[at] == '-') {
			at++
		}
		if l.isDigit(at) {
			whole = false
			l.pos = at
			l.digits()
		}
	}
	word := l.text[start:l.pos]
	if whole {
		return l.integer(t, word, 10)
	}
	if err := l.bounded(start); err != nil {
		return err
	}
	f, err := strconv.ParseFloat(word, 64)
	if err != nil {
		return errorAt(l.text, start, "expected a number that a double can hold, found %s", word)
	}
	t.kind, t.end, t.value = tokenValue, l.pos, DoubleValue(f)
	return nil
}

func (l *lexer) digits() {
	for l.isDigit(l.pos) {
		l.pos++
	}
}

func (l *lexer) hexadecimal(t *token) *Error {
	l.pos += 2
	for l.pos < len(l.text) && unhex(l.text[l.pos]) >= 0 {
		l.pos++
	}
	return l.integer(t, l.text[t.start+2:l.pos], 16)
}

// integer makes an Int of a word or, with an u behind it, a Uint. 2^63 becomes a
// Uint as well: with a minus in front it is an Int again.
func (l *lexer) integer(t *token, word string, base int) *Error {
	unsigned := l.pos < len(l.text) && l.text[l.pos]|0x20 == 'u'
	if unsigned {
		l.pos++
	}
	if err := l.bounded(t.start); err != nil {
		return err
	}
	n, err := uint64(0), error(nil)
	if base == 10 && len(word) < 19 { // it fits
		for i := range len(word) {
			n = 10*n + uint64(word[i]-'0')
		}
	} else {
		n, err = strconv.ParseUint(word, base, 64)
	}
	switch {
	case err != nil && word == "":
		return errorAt(l.text, t.start, "expected hexadecimal digits behind 0x")
	case err != nil || !unsigned && n > 1<<63:
		return errorAt(l.text, t.start, "expected an integer of 64 bits, found %s; with .0 at its end it is a double", l.text[t.start:l.pos])
	}
	t.kind, t.end = tokenValue, l.pos
	if unsigned || n > math.MaxInt64 {
		t.value = UintValue(n)
	} else {
		t.value = IntValue(int64(n))
	}
	return nil
}

// bounded checks that a number ends where it seems to, as 12ab does not. Only
// the operator in may follow at once.
func (l *lexer) bounded(start int) *Error {
	end := l.pos
	for end < len(l.text) && classes[l.text[end]]-1 <= classDigit-1 {
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
