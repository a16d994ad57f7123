package query

import "crypto/sha256"

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
	text   string // "" if nobody wrote it
	root   *expr  // as it was written
	normal *expr
}

// Parse reads a query. Its error is an [*Error].
func Parse(text string, options Options) (*Query, error) {
	q, parts := queryOf(text)
	root, err := parse(text, &options.Limits, options.Session, &parts)
	if err != nil {
		return nil, err
	}
	q.text, q.root, q.normal = text, root, parts.normalize(root, false)
	return q, nil
}

// Text returns the query as it was written, or [Query.String] if nobody did.
func (q *Query) Text() string {
	if q.text == "" {
		return q.String()
	}
	return q.text
}

// String returns the query without superfluous parentheses and spaces. Parsing
// that gives the same query.
func (q *Query) String() string { return string(q.root.append(nil, bindOr, "")) }

// Normal returns the normal form of the query, which is the same for many ways
// of writing it: negation only at the leaves, nothing twice, and what can be in
// any order sorted. It says the same of every event. Two queries with the same
// normal form share a subscription.
func (q *Query) Normal() string { return string(q.normal.append(nil, bindOr, "")) }

// Hash returns the beginning of the SHA-256 of the normal form.
func (q *Query) Hash() [16]byte {
	sum := sha256.Sum256(q.normal.append(nil, bindOr, ""))
	return [16]byte(sum[:16])
}

// Eval returns what the query says of an event.
func (q *Query) Eval(s *Sample) Truth { return q.root.eval(s, nil) }

// Match reports whether an event satisfies the query: whether it is true of it,
// and neither false nor an error.
func (q *Query) Match(s *Sample) bool { return q.Eval(s) == True }
