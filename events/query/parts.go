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
	if leaves == 1 {
		return parts{exprs: make([]expr, 1), names: make([]string, 1)}
	}
	// What is between the operators, and all of it twice: as it was written and in
	// its normal form.
	return parts{exprs: make([]expr, leaves+2), kids: make([]*expr, 2*leaves), names: make([]string, leaves)}
}

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
