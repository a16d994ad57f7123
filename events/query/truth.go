package query

// A Truth is what a condition says of an event, in Kleene's logic of three
// values, which is CEL's: an error is neither true nor false, and counts only
// where the rest does not decide.
type Truth uint8

// The three values.
const (
	False   Truth = iota
	Unknown       // an error: a field is missing, or not of the kind that the condition needs
	True
)

// String returns "true", "false" or "error".
func (t Truth) String() string { return [...]string{"false", "error", "true"}[t] }

func (t Truth) not() Truth { return True - t }

func truthOf(v bool) Truth {
	if v {
		return True
	}
	return False
}
