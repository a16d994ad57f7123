package transport

import "strings"

// deflateName is the extension of RFC 7692.
const deflateName = "permessage-deflate"

// deflateAnswer grants an offer of it. Without context takeover a message is
// compressed by itself: all receivers can share its bytes, and a connection
// need not keep a window.
const deflateAnswer = deflateName + "; server_no_context_takeover; client_no_context_takeover"

// chooseDeflate reads the values of the Sec-WebSocket-Extensions header (RFC
// 6455, 9.1) and returns the answer to the first offer of permessage-deflate
// that can be granted, or "" if there is none. ok is false if the header is
// malformed, upon which the handshake must fail.
func chooseDeflate(values []string) (answer string, ok bool) {
	for _, value := range values {
		// A list may have empty elements (RFC 2616, 2.1). One that has no
		// others is what a proxy leaves that takes extensions out.
		for l := (lexer{value}); l.more(); {
			granted, ok := l.extension()
			if !ok || l.rest != "" && !l.at(',') {
				return "", false
			}
			if answer == "" {
				answer = granted
			}
		}
	}
	return answer, true
}

// A lexer takes a header value apart.
type lexer struct{ rest string }

// extension reads one extension with its parameters and the space behind them,
// and returns the answer that grants it, or "" if it is declined.
func (l *lexer) extension() (answer string, ok bool) {
	name := l.token()
	if name == "" {
		return "", false
	}
	o := offer{declined: name != deflateName}
	for l.space(); l.at(';'); l.space() {
		l.space()
		param := l.token()
		if param == "" {
			return "", false
		}
		value := ""
		if l.space(); l.at('=') {
			l.space()
			if value = l.value(); value == "" {
				return "", false
			}
		}
		o.add(param, value)
	}
	return o.answer(), true
}

// An offer is what a client wants permessage-deflate to be.
type offer struct {
	seen     [4]bool // parameters: none may come twice
	window   bool    // it limits our window, to what our compressor uses
	declined bool
}

// add takes in a parameter of an offer. value is "" if it has none. An offer
// with a parameter that RFC 7692 does not define, or a value that it does not
// allow, is declined (RFC 7692, 7.1).
func (o *offer) add(param, value string) {
	at, fits := 0, false
	switch param {
	case "server_no_context_takeover":
		at, fits = 0, value == ""
	case "client_no_context_takeover":
		at, fits = 1, value == ""
	case "server_max_window_bits":
		// No smaller window than our compressor's is granted: it would need a
		// frame of its own.
		at, fits = 2, value == "15"
		o.window = true
	case "client_max_window_bits":
		at, fits = 3, value == "" || windowBits(value)
	}
	if !fits || o.seen[at] {
		o.declined = true
	}
	o.seen[at] = true
}

// windowBits reports whether a value is a decimal number from 8 to 15, without
// leading zeros (RFC 7692, 7.1.2).
func windowBits(value string) bool {
	return value == "8" || value == "9" || len(value) == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5'
}

// answer returns what grants the offer, or "".
func (o *offer) answer() string {
	switch {
	case o.declined:
		return ""
	case o.window: // RFC 7692, 7.1.2.1: an offer of it is granted by repeating it
		return deflateAnswer + "; server_max_window_bits=15"
	default:
		return deflateAnswer
	}
}

// more skips what separates the elements of a list, and reports whether one
// comes next.
func (l *lexer) more() bool {
	l.rest = strings.TrimLeft(l.rest, ", \t")
	return l.rest != ""
}

// space skips white space.
func (l *lexer) space() { l.rest = strings.TrimLeft(l.rest, " \t") }

// at reports whether c comes next, and if so takes it.
func (l *lexer) at(c byte) bool {
	if l.rest == "" || l.rest[0] != c {
		return false
	}
	l.rest = l.rest[1:]
	return true
}

// token takes a token (RFC 2616, 2.2); "" if there is none.
func (l *lexer) token() string {
	n := 0
	for n < len(l.rest) && tokenChar(l.rest[n]) {
		n++
	}
	t := l.rest[:n]
	l.rest = l.rest[n:]
	return t
}

func tokenChar(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`()<>@,;:\"/[]?={}`, rune(c))
}

// value takes a token, or a quoted string that holds one; "" if there is none.
func (l *lexer) value() string {
	if !l.at('"') {
		return l.token()
	}
	var b strings.Builder
	for {
		if l.at('"') {
			return b.String()
		}
		l.at('\\')
		if l.rest == "" || !tokenChar(l.rest[0]) {
			return ""
		}
		b.WriteByte(l.rest[0])
		l.rest = l.rest[1:]
	}
}
