package query

import "strings"

// Parts are what a query is made of, allocated for all of it at once: a few big
// objects take less time than many small ones, and live as long. When there are
// no more, or p is nil, they are allocated one by one.
type parts struct {
	exprs []expr
	kids  []*expr
	names []string
	last  []string // the last of the names that was given out
}

// queryOf returns a query of a text, and the parts that it will need, as many as
// the operators of the text tell. What else it needs is allocated as it comes.
//
// Most queries have at most four conditions. With what they need they are one
// object.
func queryOf(text string) (*Query, parts) {
	// What is between the operators, and all of it twice: as it was written and in
	// its normal form.
	switch leaves := min(1+(strings.Count(text, "&")+strings.Count(text, "|"))/2, 32); leaves {
	case 1:
		of := new(queryOfOne)
		return &of.Query, parts{exprs: of.exprs[:], names: of.names[:]}
	case 2:
		of := new(queryOfTwo)
		return &of.Query, parts{exprs: of.exprs[:], kids: of.kids[:], names: of.names[:]}
	case 3:
		of := new(queryOfThree)
		return &of.Query, parts{exprs: of.exprs[:], kids: of.kids[:], names: of.names[:]}
	case 4:
		of := new(queryOfFour)
		return &of.Query, parts{exprs: of.exprs[:], kids: of.kids[:], names: of.names[:]}
	default:
		return new(Query), parts{exprs: make([]expr, leaves+2), kids: make([]*expr, 2*leaves), names: make([]string, leaves)}
	}
}

type (
	queryOfOne struct {
		Query
		exprs [1]expr
		names [1]string
	}
	queryOfTwo struct {
		Query
		exprs [2 + 2]expr
		kids  [2 * 2]*expr
		names [2]string
	}
	queryOfThree struct {
		Query
		exprs [3 + 2]expr
		kids  [2 * 3]*expr
		names [3]string
	}
	queryOfFour struct {
		Query
		exprs [4 + 2]expr
		kids  [2 * 4]*expr
		names [2]string // mostly one of four is class, and two are bounds of a range
	}
)

// expr returns an empty expression.
func (p *parts) expr() *expr {
	if p == nil || len(p.exprs) == 0 {
		return new(expr)
	}
	e := &p.exprs[0]
	p.exprs = p.exprs[1:]
	return e
}

// list returns an empty list with room for n.
func (p *parts) list(n int) []*expr {
	if p == nil || len(p.kids) < n {
		return make([]*expr, 0, n)
	}
	list := p.kids[:0:n]
	p.kids = p.kids[n:]
	return list
}

// name returns a list of one name, which nobody may change: it may be that of the
// condition before, as both bounds of a range have the same.
func (p *parts) name(s string) []string {
	if len(p.last) > 0 && p.last[0] == s {
		return p.last
	}
	if len(p.names) == 0 {
		p.names = make([]string, 1)
	}
	p.last = p.names[:1:1]
	p.names = p.names[1:]
	p.last[0] = s
	return p.last
}
