package ingest

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// CheckID returns nil if id may be the id of an event, and otherwise a
// [BadRequest] error about the field "id": it must be valid UTF-8, 1 to
// [MaxIDBytes] bytes long and have no control characters.
func CheckID(id string) error {
	found := ""
	switch {
	case id == "":
		found = "an empty string"
	case len(id) > MaxIDBytes:
		found = strconv.Itoa(len(id)) + " bytes"
	case !utf8.ValidString(id):
		found = "invalid UTF-8"
	default:
		for _, r := range id {
			if unicode.IsControl(r) {
				found = "the control character " + strconv.QuoteRuneToASCII(r)
				break
			}
		}
	}
	if found == "" {
		return nil
	}
	return &Error{
		Kind:     BadRequest,
		Field:    "id",
		Expected: "1 to " + strconv.Itoa(MaxIDBytes) + " bytes without control characters",
		Found:    found,
		Index:    -1,
	}
}
