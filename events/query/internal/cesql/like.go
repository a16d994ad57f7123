package cesql

import "unicode/utf8"

// AnyOne is what stands in a [Pattern] for any one character.
const AnyOne rune = -1

// A Pattern is what LIKE compares with: parts of characters, between which there
// can be any text.
type Pattern [][]rune

// ParsePattern reads a pattern: % is any text, _ any character, and a backslash
// in front of one of them makes it that character.
func ParsePattern(s string) Pattern {
	p := Pattern{nil}
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		last := len(p) - 1
		switch {
		case r == '\\' && i < len(s) && (s[i] == '%' || s[i] == '_'):
			p[last] = append(p[last], rune(s[i]))
			i++
		case r == '_':
			p[last] = append(p[last], AnyOne)
		case r != '%':
			p[last] = append(p[last], r)
		case last == 0 || len(p[last]) > 0: // %% is no more than %
			p = append(p, nil)
		}
	}
	return p
}

// Match reports whether the pattern is like the whole of a text. The time that it
// takes is at most the product of their lengths.
func (p Pattern) Match(s string) bool {
	text := []rune(s)
	first, last := p[0], p[len(p)-1]
	if len(p) == 1 {
		return len(text) == len(first) && matchAt(text, first)
	}
	if len(text) < len(first)+len(last) || !matchAt(text, first) || !matchAt(text[len(text)-len(last):], last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range p[1 : len(p)-1] { // each as early as it can be
		for {
			if len(text) < len(part) {
				return false
			}
			if matchAt(text, part) {
				text = text[len(part):]
				break
			}
			text = text[1:]
		}
	}
	return true
}

// matchAt reports whether a text, which is long enough, begins with a part.
func matchAt(text, part []rune) bool {
	for i, r := range part {
		if r != AnyOne && r != text[i] {
			return false
		}
	}
	return true
}
