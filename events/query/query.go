package query

// Options says how a query is read. Start from [DefaultOptions].
type Options struct {
	Limits  Limits
	Session bool // the query may use session: it is of a role
}

// DefaultOptions returns the defaults.
func DefaultOptions() Options { return Options{Limits: DefaultLimits()} }

// A Query is a condition about events. It is immutable and safe for concurrent
// use.
type Query struct {
	text string
	root *expr
}

// Parse reads a query. Its error is an [*Error].
func Parse(text string, options Options) (*Query, error) {
	root, err := parse(text, &options.Limits, options.Session)
	if err != nil {
		return nil, err
	}
	return &Query{text: text, root: root}, nil
}

// Text returns the query as it was written.
func (q *Query) Text() string { return q.text }

// String returns the query without superfluous parentheses and spaces. Parsing
// that gives the same query.
func (q *Query) String() string { return string(q.root.append(nil, bindOr, "")) }

// Eval returns what the query says of an event.
func (q *Query) Eval(s *Sample) Truth { return q.root.eval(s, nil) }

// Match reports whether an event satisfies the query: whether it is true of it,
// and neither false nor an error.
func (q *Query) Match(s *Sample) bool { return q.Eval(s) == True }
