package query

// Limits bounds what a query may be. Start from [DefaultLimits].
type Limits struct {
	Text    int // bytes of text: 1 to 65,536
	Depth   int // of nesting, parentheses and operators counted: 1 to 100
	Leaves  int // comparisons and tests: 1 to 1,000
	List    int // values in one list: 1 to 10,000
	Literal int // bytes of one string: 1 to 65,536
	Regexp  int // bytes of one regular expression: 1 to 1,000
	Path    int // names in one field path: 1 to 100
}

// DefaultLimits returns the defaults.
func DefaultLimits() Limits {
	return Limits{Text: 2048, Depth: 32, Leaves: 64, List: 128, Literal: 256, Regexp: 128, Path: 16}
}
