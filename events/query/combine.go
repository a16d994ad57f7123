package query

// Or returns the query that is true of an event exactly if any of the queries, one
// at least, is. Its text is the canonical one, as that of [And].
func Or(queries ...*Query) *Query {
	if len(queries) == 1 {
		return queries[0]
	}
	root, all := &expr{op: opOr}, &expr{op: opOr}
	for _, q := range queries {
		root.kids, all.kids = append(root.kids, q.root.unplaced()), append(all.kids, q.normal)
	}
	return &Query{root: root, normal: normal(all)}
}

// OfClasses returns the query that is true of the events of the classes.
func OfClasses(names ...string) *Query {
	e := &expr{op: opIn, field: path{root: rootClass}}
	e.rare = &rare{}
	for _, name := range names {
		e.rare.list = append(e.rare.list, StringValue(name))
	}
	return &Query{root: e, normal: normal(e)}
}
