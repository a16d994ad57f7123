package ingest

import "strconv"

// CheckID returns nil if id may be the id of an event, and otherwise a
// [BadRequest] error about the field "id": it must be 1 to [MaxIDBytes]
// printable ASCII characters.
func CheckID(id string) error {
	found := ""
	switch {
	case id == "":
		found = "an empty string"
	case len(id) > MaxIDBytes:
		found = strconv.Itoa(len(id)) + " bytes"
	default:
		for _, r := range id {
			if r < ' ' || r > '~' {
				found = "the character " + strconv.QuoteRuneToASCII(r)
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
		Expected: "1 to " + strconv.Itoa(MaxIDBytes) + " printable ASCII characters",
		Found:    found,
		Index:    -1,
	}
}
