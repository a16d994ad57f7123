package auth

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
)

// saslprep prepares a name or a password for comparison, as RFC 4013 has it.
// Code points that Unicode 3.2 did not know pass, as the standard allows for
// what is not stored, so that people can use what their keyboards have. An
// error never quotes s.
func saslprep(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", errors.New("expected UTF-8, found other bytes")
	}
	s = norm.NFKC.String(strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(otherSpace, r):
			return ' '
		case unicode.Is(mappedToNothing, r):
			return -1
		}
		return r
	}, s))
	if s == "" {
		return "", errors.New("nothing is left of it once it is normalized")
	}
	for _, r := range s {
		if unicode.Is(otherSpace, r) || unicode.Is(prohibited, r) || r&0xfffe == 0xfffe {
			return "", fmt.Errorf("character %U is not allowed (RFC 4013)", r)
		}
	}
	return s, checkBidi(s)
}

// checkBidi enforces RFC 3454 section 6: a text with right-to-left letters has
// no left-to-right ones, and begins and ends with one of them.
func checkBidi(s string) error {
	var left, right, first, last bool
	for i, r := range s {
		p, _ := bidi.LookupRune(r)
		class := p.Class()
		last = class == bidi.R || class == bidi.AL
		if i == 0 {
			first = last
		}
		right = right || last
		left = left || class == bidi.L
	}
	if right && (left || !first || !last) {
		return errors.New("right-to-left and other characters are mixed in a way that is not allowed (RFC 4013)")
	}
	return nil
}

// The tables of RFC 3454 by their numbers there.
var (
	// B.1
	mappedToNothing = &unicode.RangeTable{R16: []unicode.Range16{
		{0x00ad, 0x00ad, 1},
		{0x034f, 0x034f, 1},
		{0x1806, 0x1806, 1},
		{0x180b, 0x180d, 1},
		{0x200b, 0x200d, 1},
		{0x2060, 0x2060, 1},
		{0xfe00, 0xfe0f, 1},
		{0xfeff, 0xfeff, 1},
	}, LatinOffset: 1}

	// C.1.2
	otherSpace = &unicode.RangeTable{R16: []unicode.Range16{
		{0x00a0, 0x00a0, 1},
		{0x1680, 0x1680, 1},
		{0x2000, 0x200b, 1},
		{0x202f, 0x202f, 1},
		{0x205f, 0x205f, 1},
		{0x3000, 0x3000, 1},
	}, LatinOffset: 1}

	// C.2.1, C.2.2, C.3, C.4 but for the ends of the planes, C.6 to C.9. C.5,
	// surrogates, is no UTF-8.
	prohibited = &unicode.RangeTable{
		R16: []unicode.Range16{
			{0x0000, 0x001f, 1},
			{0x007f, 0x009f, 1},
			{0x0340, 0x0341, 1},
			{0x06dd, 0x06dd, 1},
			{0x070f, 0x070f, 1},
			{0x180e, 0x180e, 1},
			{0x200c, 0x200f, 1},
			{0x2028, 0x202e, 1},
			{0x2060, 0x2063, 1},
			{0x206a, 0x206f, 1},
			{0x2ff0, 0x2ffb, 1},
			{0xe000, 0xf8ff, 1},
			{0xfdd0, 0xfdef, 1},
			{0xfeff, 0xfeff, 1},
			{0xfff9, 0xfffd, 1},
		},
		R32: []unicode.Range32{
			{0x1d173, 0x1d17a, 1},
			{0xe0001, 0xe0001, 1},
			{0xe0020, 0xe007f, 1},
			{0xf0000, 0xffffd, 1},
			{0x100000, 0x10fffd, 1},
		},
		LatinOffset: 2,
	}
)
