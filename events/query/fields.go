package query

import (
	"slices"
	"strconv"
)

// Fields returns the fields of events' data that an index reads for the query,
// each once, in no order. Fields of elements are those of the list with [] behind
// it: items[].sku.
func (q *Query) Fields() []string {
	var f fieldLister
	f.list(q.normal, "")
	return f.names
}

// A fieldLister goes through an expression as a compiler does.
type fieldLister struct {
	names []string
}

func (f *fieldLister) add(name string) {
	if name != "" && !slices.Contains(f.names, name) { // there are at most as many as comparisons, and mostly few
		f.names = append(f.names, name)
	}
}

// list lists the fields of an expression. of is what exists looks into.
func (f *fieldLister) list(e *expr, of string) {
	switch e.op {
	case opConst:
		return
	case opAnd, opOr, opNot:
		for _, k := range e.kids {
			f.list(k, of)
		}
		return
	}
	if e.field.root == rootSession || e.other() != nil && e.other().root == rootSession {
		return
	}
	name := fieldName(e.field, of)
	f.add(name)
	if e.other() != nil {
		f.add(fieldName(*e.other(), of))
	}
	switch e.op {
	case opHas: // it looks whether there is something to look in
		if n := len(e.field.names); n > 0 {
			f.add(fieldName(path{root: e.field.root, names: e.field.names[:n-1]}, of))
		}
	case opHolds, opExists:
		f.add(name + "[]")
		for _, k := range e.kids {
			f.list(k, name)
		}
	}
}

// fieldName returns the name of a field, or "" for what every event is read for.
func fieldName(p path, of string) string {
	name := ""
	switch p.root {
	case rootElement:
		name = of + "[]"
	case rootClass, rootID, rootTime, rootTopic:
		if len(p.names) == 0 {
			return ""
		}
		name = [...]string{"", "class", "id", "time", "topic"}[p.root]
	}
	for i, n := range p.names {
		if i > 0 || p.root != rootData {
			name += "."
		}
		if isName(n) {
			name += n
		} else {
			name += strconv.Quote(n)
		}
	}
	return name
}
