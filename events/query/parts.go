package query

// Parts are what a query is made of, allocated for all of it at once: a few big
// objects take less time than many small ones, and live as long. When there are
// no more, or p is nil, they are allocated one by one.
type parts struct {
	exprs []expr
	kids  []*expr
	names []string
}

// partsOf returns the parts that a query of the text will need, as many as its
// operators tell. What else it needs is allocated as it comes.
func partsOf(text string) parts {
	signs := 0
	for i := range len(text) {
		if c := text[i]; c == '&' || c == '|' {
			signs++
		}
	}
	leaves := min(1+signs/2, 32)
	// What is between the operators, and all of it twice: as it was written and in
	// its normal form.
	switch leaves {
	case 1:
		return parts{exprs: make([]expr, 1), names: make([]string, 1)}
	case 3:
		of := new(partsOfThree)
		return parts{exprs: of.exprs[:], kids: of.kids[:], names: of.names[:]}
	case 4:
		of := new(partsOfFour)
		return parts{exprs: of.exprs[:], kids: of.kids[:], names: of.names[:]}
	}
	return parts{exprs: make([]expr, leaves+2), kids: make([]*expr, 2*leaves), names: make([]string, leaves)}
}

// Most queries have three or four conditions, if they have more than one. What
// they need is one object.
type (
	partsOfThree struct {
		exprs [3 + 2]expr
		kids  [2 * 3]*expr
		names [3]string
	}
	partsOfFour struct {
		exprs [4 + 2]expr
		kids  [2 * 4]*expr
		names [4]string
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

// name returns a list of one name.
func (p *parts) name(s string) []string {
	if p == nil || len(p.names) == 0 {
		return []string{s}
	}
	list := p.names[:1:1]
	p.names = p.names[1:]
	list[0] = s
	return list
}
