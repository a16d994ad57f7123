package query

// And returns the query that is true of an event exactly if all of the queries,
// one at least, are. Its text is the canonical one, of which nobody has seen the
// places that an error or a [Node] names: they are all 0. So check each query,
// and say what is wrong with it, before it becomes a part of another.
//
// It may exceed the [Limits] by which its parts were read.
func And(queries ...*Query) *Query {
	roots, normals := make([]*expr, len(queries)), make([]*expr, 0, len(queries))
	for i, q := range queries {
		roots[i] = q.root.unplaced()
		if q.normal.op == opAnd {
			normals = append(normals, q.normal.kids...)
		} else {
			normals = append(normals, q.normal)
		}
	}
	return &Query{root: group(opAnd, 0, roots...), normal: (*parts)(nil).join(opAnd, normals)}
}

// unplaced returns the expression without places in a text.
func (e *expr) unplaced() *expr {
	u := *e
	u.pos, u.field.pos = 0, 0
	if e.other() != nil {
		other := *e.other()
		other.pos = 0
		u.rare = &rare{other: &other}
	}
	if len(e.kids) > 0 {
		u.kids = make([]*expr, len(e.kids))
		for i, k := range e.kids {
			u.kids[i] = k.unplaced()
		}
	}
	return &u
}
