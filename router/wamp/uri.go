package wamp

import (
	"unicode"
	"unicode/utf8"
)

// A URI names a topic, a procedure, a realm, a role or an error.
type URI string

// An ID identifies a session, publication, subscription, registration or
// request. On the wire it is an integer in 1 to [MaxID].
type ID uint64

// MaxID is the largest ID: 2^53, the integers that an IEEE double holds
// exactly (WAMP "IDs").
const MaxID ID = 1 << 53

// A Match is a matching policy of a subscription or registration.
type Match uint8

// The matching policies of WAMP "Pattern-based Subscriptions".
const (
	Exact Match = iota
	Prefix
	Wildcard
)

// String returns the policy as it stands in a message: "exact", "prefix" or
// "wildcard".
func (m Match) String() string {
	switch m {
	case Prefix:
		return "prefix"
	case Wildcard:
		return "wildcard"
	default:
		return "exact"
	}
}

// Valid reports whether u is a URI by the loose rules of WAMP "URIs": one or
// more components divided by dots, none empty, without white space or '#'.
func (u URI) Valid() bool { return u.valid(false) }

// ValidPattern reports whether u can be used as a pattern under m: exact is
// [URI.Valid], prefix may also be empty or end in a dot, and wildcard may have
// empty components.
func (u URI) ValidPattern(m Match) bool {
	switch m {
	case Prefix:
		return u == "" || u.Valid() || u[len(u)-1] == '.' && u[:len(u)-1].Valid()
	case Wildcard:
		return u != "" && u.valid(true)
	default:
		return u.Valid()
	}
}

// Reserved reports whether u lies under "wamp.", which belongs to routers.
func (u URI) Reserved() bool {
	return len(u) >= 5 && u[:5] == "wamp." || u == "wamp"
}

func (u URI) valid(emptyComponents bool) bool {
	start := 0
	for i := 0; i < len(u); i++ {
		switch c := u[i]; {
		case c == '.':
			if i == start && !emptyComponents {
				return false
			}
			start = i + 1
		case c == '#', c == ' ', c >= '\t' && c <= '\r':
			return false
		case c >= utf8.RuneSelf:
			if r, _ := utf8.DecodeRuneInString(string(u[i:])); unicode.IsSpace(r) {
				return false
			}
		}
	}
	return start < len(u) || emptyComponents
}
