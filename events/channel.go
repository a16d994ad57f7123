package events

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxChannelLen is how many bytes the encoded value of a channel may have: it
// becomes part of a topic.
const maxChannelLen = 256

// EncodeChannel returns a value as one component of a topic. What may not
// stand in one by the loose rules of WAMP "URIs" ('.', '#' and white space),
// control characters, and '%' itself are written as %XX for each byte. Other
// characters stay as they are. It allocates only if something changes.
func EncodeChannel(value string) string {
	extra := 0
	for i := 0; i < len(value); {
		n, esc := character(value[i:])
		if esc {
			extra += 2 * n
		}
		i += n
	}
	if extra == 0 {
		return value
	}
	b := make([]byte, 0, len(value)+extra)
	for i := 0; i < len(value); {
		n, esc := character(value[i:])
		for _, c := range []byte(value[i : i+n]) {
			if esc {
				b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
			} else {
				b = append(b, c)
			}
		}
		i += n
	}
	return string(b)
}

// character returns how many bytes the first character of s has, and whether
// it must be escaped. A byte that is not UTF-8 must.
func character(s string) (n int, esc bool) {
	if r := s[0]; r < utf8.RuneSelf {
		return 1, r <= ' ' || r == '.' || r == '#' || r == '%' || r == 0x7F
	}
	r, n := utf8.DecodeRuneInString(s)
	return n, r == utf8.RuneError && n == 1 || unicode.IsSpace(r) || unicode.IsControl(r)
}

// DecodeChannel returns the value that [EncodeChannel] encoded. ok is false if
// it did not encode any.
func DecodeChannel(channel string) (value string, ok bool) {
	if !strings.Contains(channel, "%") {
		return channel, channel == EncodeChannel(channel)
	}
	b := make([]byte, 0, len(channel))
	for i := 0; i < len(channel); i++ {
		c := channel[i]
		if c == '%' {
			if i+2 >= len(channel) {
				return "", false
			}
			hi, lo := strings.IndexByte(hexDigits, channel[i+1]), strings.IndexByte(hexDigits, channel[i+2])
			if hi < 0 || lo < 0 {
				return "", false
			}
			c = byte(hi<<4 | lo)
			i += 2
		}
		b = append(b, c)
	}
	value = string(b)
	return value, utf8.ValidString(value) && EncodeChannel(value) == channel
}

const hexDigits = "0123456789ABCDEF"
