package query

// A Node is a part of a query, for people and programs that show its structure.
type Node struct {
	Op     string `json:"op"`             // "and", "or", "not", "exists", or "leaf" for a comparison or test
	Text   string `json:"text"`           // as [Query.String] writes it
	Offset int    `json:"offset"`         // where it is in the query, in bytes
	Kids   []Node `json:"kids,omitempty"` // of all but a leaf
}

// Tree returns the query as it was written, part by part.
func (q *Query) Tree() Node { return q.root.node("") }

func (e *expr) node(element string) Node {
	n := Node{Op: "leaf", Text: string(e.append(nil, bindOr, element)), Offset: int(e.pos)}
	switch e.op {
	case opAnd:
		n.Op = "and"
	case opOr:
		n.Op = "or"
	case opNot:
		n.Op = "not"
	case opExists:
		n.Op, n.Offset, element = "exists", e.place(), e.value.str
	default:
		n.Offset = e.place()
	}
	for _, k := range e.kids {
		n.Kids = append(n.Kids, k.node(element))
	}
	return n
}
