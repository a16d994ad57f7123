package querytest

import "slices"

// Words are what queries and events are made of.
type words struct {
	numbers []string // as JSON and queries write them
	uints   []string // without the u that queries write behind them
	big     []string // numbers of events that no integer of 64 bits holds
}

// Everywhere are numbers that all implementations of CEL compare alike.
var everywhere = []string{
	"0", "1", "2", "3", "-1", "42", "100", "-0.0", "0.0", "0.5", "1.0", "2.5e0", "1e2", "0.1", "0.30000000000000004",
	"123456789.123456789", "1e308", "-1e308", "1.7976931348623157e308", "5e-324", "-5e-324", "2.2250738585072014e-308",
}

// Integers that no double is equal to, and their neighbours.
var inexact = words{
	numbers: []string{
		"9007199254740991", "9007199254740992", "9007199254740993", "9007199254740994", "-9007199254740991", "-9007199254740992", "-9007199254740993",
		"9223372036854775806", "9223372036854775807", "-9223372036854775807", "-9223372036854775808",
	},
	uints: []string{"0", "2", "42", "9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551614", "18446744073709551615"},
}

// Doubles that are integers of the same size, and integers that doubles hold.
var doubles = words{
	numbers: []string{
		"9007199254740991.0", "9007199254740992.0", "9007199254740994.0", "-9007199254740991.0", "-9007199254740992.0", "9223372036854775808.0",
		"-9223372036854775808.0", "18446744073709551616.0", "9007199254740991", "9007199254740992", "-9007199254740992", "-9223372036854775808",
	},
	uints: []string{"0", "2", "42", "9007199254740991", "9007199254740992", "9223372036854775808"},
	big:   []string{"18446744073709551616", "-9223372036854775809", "123456789012345678901234567890"},
}

// Of all these words, what a comparison says of an integer and a double beyond
// 2^53 depends on whether it is exact.
var all = words{
	numbers: slices.Concat(inexact.numbers, doubles.numbers),
	uints:   slices.Concat(inexact.uints, doubles.uints),
	big:     doubles.big,
}

var (
	texts = []string{
		"", "a", "A", "ab", "abc", "abcd", "abd", "b", "bc", "bcd", "42", "å", "電信", "é", "e\u0301", "\uffff", "a\U0001F600b", `\\n`,
		"abcdefghijkl", "xabcdefghijklx", "order.created", "order.paid", "sku",
	}
	patterns = []string{
		"a", "^a", "b$", "^abc?d*$", "^ab?c*$", "a|b", "[a-c]+", "(?i)ABC", "電", "^.$", ".", "order", "(bcd)+", "created|paid", "", `\\pL{2}`, "(?s)^a.*b$",
	}
	fields = []string{
		"a", "b", "c", "s", "t", "n", "tags", "items", "nested", "obj", "obj.x", "obj.y", "obj.deep.z", `obj["a b"]`, "at", "at", "ats", "missing", "missing.x", "tags.x",
	}
	parts = []string{"", "", "", ".sku", ".qty", ".tags", ".missing", ".deep.z"}
	times = []string{
		"2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", "2026-01-02T03:04:05.000000001Z", "2026-01-01T21:34:05.000000001-05:30",
		"2026-01-02T03:04:06Z", "2001-01-02T03:04:05Z", "1999-12-31T23:59:59.999999999Z", "2261-01-01T00:00:00Z", "1678-01-01T00:00:00Z",
	}
)
