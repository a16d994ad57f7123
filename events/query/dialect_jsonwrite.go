package query

import "github.com/go-json-experiment/json/jsontext"

// JSON returns the query as [ParseJSON] reads it. That gives a query with the
// same [Query.Normal], whatever the query was written as.
func (q *Query) JSON() []byte { return q.root.appendJSON(nil, "") }

// treeSigns are [treeOps] the other way round.
var treeSigns = func() map[op]string {
	m := make(map[op]string, len(treeOps))
	for sign, o := range treeOps {
		m[o] = sign
	}
	return m
}()

// appendJSON writes the expression as a JSON tree. element is the name that
// exists gives to what it looks at.
func (e *expr) appendJSON(b []byte, element string) []byte {
	switch e.op {
	case opConst:
		return e.value.append(b)
	case opAnd, opOr:
		sep := `{"all":[`
		if e.op == opOr {
			sep = `{"any":[`
		}
		for _, k := range e.kids {
			b = k.appendJSON(append(b, sep...), element)
			sep = ","
		}
		return append(b, `]}`...)
	case opNot:
		return append(e.kids[0].appendJSON(append(b, `{"not":`...), element), '}')
	case opHas:
		return append(e.field.appendJSON(append(b, `{"has":`...), element), '}')
	case opExists:
		b = e.field.appendJSON(append(b, `{"exists":`...), element)
		if e.value.str != defaultElement {
			b = appendJSONString(append(b, `,"as":`...), e.value.str)
		}
		return append(e.kids[0].appendJSON(append(b, `,"where":`...), e.value.str), '}')
	}
	b = e.field.appendJSON(append(b, `{"field":`...), element)
	if e.op == opBool {
		return append(b, '}')
	}
	b = append(append(append(b, `,"op":"`...), treeSigns[e.op]...), '"')
	switch {
	case e.other() != nil:
		b = e.other().appendJSON(append(b, `,"other":`...), element)
	case e.op == opIn:
		b = append(b, `,"value":[`...)
		for i, v := range e.list() {
			if i > 0 {
				b = append(b, ',')
			}
			b = v.appendJSON(b)
		}
		b = append(b, ']')
	default:
		b = e.value.appendJSON(append(b, `,"value":`...))
	}
	return append(b, '}')
}

func (p path) appendJSON(b []byte, element string) []byte {
	return appendJSONString(b, string(p.append(nil, element)))
}

func (v Value) appendJSON(b []byte) []byte {
	switch v.kind {
	case String:
		return appendJSONString(b, v.str)
	case Uint:
		b = v.append(b)
		return b[:len(b)-1] // without the u
	case Time:
		b = append(b, `{"timestamp":`...)
		text := v.append(nil)
		text = text[len("timestamp(") : len(text)-1]
		return append(append(b, text...), '}')
	}
	return v.append(b)
}

func appendJSONString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // fails for what is no UTF-8 only
	return b
}
