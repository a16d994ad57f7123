package query

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An Explanation says why a query says what it says of an event.
type Explanation struct {
	Truth   Truth
	Reasons []Reason // which together decide; at least one
}

// A Reason is a comparison or test of a query, as it is, and what it found.
type Reason struct {
	Text   string // as [Query.String] writes it, with ! in front if the query has an odd number of them
	Offset int    // where it is in the query, in bytes
	Found  string // "total is 80"
}

// String returns all of it: "false: total > 100, and total is 80".
func (x Explanation) String() string {
	parts := make([]string, len(x.Reasons))
	for i, r := range x.Reasons {
		parts[i] = r.Text
		if r.Found != "" {
			parts[i] += ", and " + r.Found
		}
	}
	return x.Truth.String() + ": " + strings.Join(parts, "; ")
}

// Explain says why the query says what it says of an event: of alternatives the
// first that is true or all that are not, of conditions that must all hold the
// first that does not. It is for people, and costs accordingly.
func (q *Query) Explain(s *Sample) Explanation {
	x := explainer{sample: s}
	truth := q.root.eval(s, nil)
	x.explain(q.root, truth, false)
	return Explanation{Truth: truth, Reasons: x.reasons}
}

// An explainer collects reasons.
type explainer struct {
	sample  *Sample
	element *item
	name    string // of the element
	reasons []Reason
}

// explain says why e is truth. negated says that an odd number of negations
// is around it.
func (x *explainer) explain(e *expr, truth Truth, negated bool) {
	switch e.op {
	case opNot:
		x.explain(e.kids[0], truth.not(), !negated)
	case opAnd, opOr:
		// One kid decides for what it is alone: false for &&, true for ||.
		// An error decides if no kid does; otherwise all of them together.
		decides := e.op == opAnd && truth != True || e.op == opOr && truth != False
		for _, k := range e.kids {
			if got := k.eval(x.sample, x.element); !decides || got == truth {
				x.explain(k, got, negated)
				if decides {
					return
				}
			}
		}
	default:
		r := Reason{Offset: e.place(), Found: x.found(e, truth)}
		if negated {
			e = &expr{op: opNot, kids: []*expr{e}}
		}
		r.Text = string(e.append(nil, bindOr, x.name))
		x.reasons = append(x.reasons, r)
	}
}

// place returns where a leaf begins in the text, or its value if that is first.
func (e *expr) place() int {
	if e.op == opConst || e.op == opHas {
		return int(e.pos)
	}
	return int(e.field.pos)
}

// found says what is in the fields of a leaf.
func (x *explainer) found(e *expr, truth Truth) string {
	if e.op == opConst {
		if truth == Unknown {
			return "these have no order"
		}
		return ""
	}
	it, ok := x.sample.find(e.field, x.element)
	text := x.is(e.field)
	switch {
	case e.op == opHas:
		if ok {
			return x.say(e.field) + " is there"
		}
		return text
	case e.op == opExists && ok && it.shape != scalar:
		return x.exists(e, it, truth)
	case e.other() != nil:
		other := x.is(*e.other())
		if _, both := x.sample.find(*e.other(), x.element); !both {
			return other
		}
		if ok {
			text += " and " + other
		}
	}
	if truth != Unknown || !ok {
		return text
	}
	return text + misses(e)
}

// misses says what a leaf that is an error would have needed.
func misses(e *expr) string {
	switch {
	case e.other() != nil:
		return ", which have no order"
	case e.op == opBool:
		return ", which is no bool"
	case e.op == opPrefix || e.op == opSuffix || e.op == opContains || e.op == opMatches:
		return ", which is no string"
	case e.op == opHolds || e.op == opExists:
		return ", which is no array"
	case e.value.isNumber():
		return ", which is no number"
	case e.value.kind == Null:
		return ", and null has no order"
	}
	return ", which is no " + e.value.kind.String()
}

func (x *explainer) say(p path) string { return string(p.append(nil, x.name)) }

// is says what is in a field: "total is 80". If nothing is, it says from where
// on nothing is.
func (x *explainer) is(p path) string {
	if p.root == rootSession {
		return x.say(p) + " is not known here"
	}
	for i := range p.names {
		part := path{root: p.root, names: p.names[:i+1]}
		if _, ok := x.sample.find(part, x.element); ok {
			continue
		}
		of := path{root: p.root, names: p.names[:i]}
		switch it, _ := x.sample.find(of, x.element); it.shape {
		case list:
			return fmt.Sprintf("%s is %s, an array, which has no fields", x.say(of), it)
		case scalar:
			return fmt.Sprintf("%s is %s, which has no fields", x.say(of), it)
		}
		return x.say(part) + " is not there"
	}
	it, _ := x.sample.find(p, x.element)
	return fmt.Sprintf("%s is %s", x.say(p), it)
}

// exists says for which element a condition is what it is.
func (x *explainer) exists(e *expr, it item, truth Truth) string {
	elements, names := it.list, []string(nil)
	if it.shape == object {
		names = slices.Sorted(maps.Keys(it.fields))
		for _, name := range names {
			elements = append(elements, item{value: StringValue(name)})
		}
	}
	if len(elements) == 0 {
		return x.say(e.field) + " is empty"
	}
	within := explainer{sample: x.sample, name: e.value.str}
	for i := range elements {
		within.element = &elements[i]
		got := e.kids[0].eval(x.sample, within.element)
		if got != truth {
			continue
		}
		within.explain(e.kids[0], got, false)
		which := fmt.Sprintf("%s[%d]", x.say(e.field), i)
		if names != nil {
			which = "the name " + within.element.String()
		}
		text := fmt.Sprintf("for %s: %s", which, Explanation{Truth: got, Reasons: within.reasons})
		if truth == False && len(elements) > 1 {
			text = fmt.Sprintf("so it is for all %d; %s", len(elements), text)
		}
		return text
	}
	return x.is(e.field)
}

// String returns JSON, or the beginning of it.
func (it item) String() string {
	const most = 80
	b := it.append(nil, most)
	if len(b) > most {
		return string(b[:cut(string(b), most)]) + "…"
	}
	return string(b)
}

// append appends JSON until there are more than most bytes.
func (it item) append(b []byte, most int) []byte {
	switch it.shape {
	case list:
		b = append(b, '[')
		for i := range it.list {
			if i > 0 {
				b = append(b, ',')
			}
			if b = it.list[i].append(b, most); len(b) > most {
				return b
			}
		}
		return append(b, ']')
	case object:
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(it.fields)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendQuoted(b, name), ':')
			if b = it.fields[name].append(b, most); len(b) > most {
				return b
			}
		}
		return append(b, '}')
	}
	return it.value.append(b)
}
