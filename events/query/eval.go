package query

import "strings"

// eval returns what the expression says of an event. It is the plain reading of
// the language, by which everything faster is checked. element is what exists
// looks at.
func (e *expr) eval(s *Sample, element *item) Truth {
	switch e.op {
	case opConst:
		switch e.value.Kind() {
		case Null:
			return Unknown
		}
		return truthOf(e.value.bool())
	case opAnd:
		all := True
		for _, k := range e.kids {
			all = min(all, k.eval(s, element))
		}
		return all
	case opOr:
		any := False
		for _, k := range e.kids {
			any = max(any, k.eval(s, element))
		}
		return any
	case opNot:
		return e.kids[0].eval(s, element).not()
	case opHas:
		return s.has(e.field, element)
	}
	it, ok := s.find(e.field, element)
	if !ok {
		return Unknown
	}
	if e.other() != nil {
		with, ok := s.find(*e.other(), element)
		if !ok {
			return Unknown
		}
		return compareItems(e.op, it, with)
	}
	return e.test(s, it)
}

// test returns what a leaf says of what is in its field.
func (e *expr) test(s *Sample, it item) Truth {
	switch e.op {
	case opExists:
		return e.exists(s, it)
	case opHolds:
		return holds(it, e.value)
	case opIn:
		found := False
		for _, v := range e.list() {
			found = max(found, compareItems(opEqual, it, item{value: v}))
		}
		return found
	case opBool:
		if it.shape != scalar || it.value.kind != Bool {
			return Unknown
		}
		return truthOf(it.value.bool())
	case opPrefix, opSuffix, opContains, opMatches:
		if it.shape != scalar || it.value.kind != String {
			return Unknown
		}
		return truthOf(e.testString(it.value.str))
	}
	return compareItems(e.op, it, item{value: e.value})
}

func (e *expr) testString(s string) bool {
	switch e.op {
	case opPrefix:
		return strings.HasPrefix(s, e.value.str)
	case opSuffix:
		return strings.HasSuffix(s, e.value.str)
	case opContains:
		return strings.Contains(s, e.value.str)
	}
	return e.rare.pattern.MatchString(s)
}

// exists is true if the condition is for any element, or for a map for any key.
func (e *expr) exists(s *Sample, it item) Truth {
	any := False
	switch it.shape {
	case list:
		for i := range it.list {
			any = max(any, e.kids[0].eval(s, &it.list[i]))
		}
		return any
	case object:
		for key := range it.fields {
			any = max(any, e.kids[0].eval(s, &item{value: StringValue(key)}))
		}
		return any
	}
	return Unknown
}

// holds reports whether a list has an element, or a map a key.
func holds(it item, v Value) Truth {
	switch it.shape {
	case list:
		any := False
		for _, el := range it.list {
			any = max(any, compareItems(opEqual, el, item{value: v}))
		}
		return any
	case object:
		_, ok := it.fields[v.str]
		return truthOf(ok && v.kind == String)
	}
	return Unknown
}

// compareItems compares what two fields have, or a field and a value.
func compareItems(o op, a, b item) Truth {
	switch {
	case a.shape == scalar && b.shape == scalar:
		v := compareValues(o, a.value, b.value)
		if v.kind == Null {
			return Unknown
		}
		return truthOf(v.bool())
	case o == opEqual:
		return truthOf(sameItem(a, b))
	case o == opUnequal:
		return truthOf(!sameItem(a, b))
	}
	return Unknown
}

// sameItem compares lists and objects, in which times are the strings that the
// event has.
func sameItem(a, b item) bool {
	if a.shape != b.shape || len(a.list) != len(b.list) || len(a.fields) != len(b.fields) {
		return false
	}
	for i := range a.list {
		if !sameItem(a.list[i], b.list[i]) {
			return false
		}
	}
	for k, v := range a.fields {
		w, ok := b.fields[k]
		if !ok || !sameItem(v, w) {
			return false
		}
	}
	return a.shape != scalar || equal(a.value.written(), b.value.written())
}

// find returns what is in a field, and false if it is not there.
func (s *Sample) find(p path, element *item) (item, bool) {
	var it item
	switch p.root {
	case rootData:
		it = s.data
	case rootElement:
		it = *element
	case rootClass:
		it.value = StringValue(s.meta.Class)
	case rootID:
		it.value = StringValue(s.meta.ID)
	case rootTopic:
		it.value = StringValue(s.meta.Topic)
	case rootTime:
		it.value = TimeValue(s.meta.Time)
	default:
		return item{}, false // session, for which nobody put a value
	}
	for _, name := range p.names {
		var ok bool
		if it, ok = it.fields[name]; !ok {
			return item{}, false
		}
	}
	return it, true
}

// has reports whether a field is there. A scalar has no fields; to ask a list
// for one is an error.
func (s *Sample) has(p path, element *item) Truth {
	if len(p.names) == 0 {
		return truthOf(p.root != rootSession)
	}
	parent, ok := s.find(path{root: p.root, names: p.names[:len(p.names)-1]}, element)
	if !ok || parent.shape == list {
		return Unknown
	}
	_, ok = parent.fields[p.names[len(p.names)-1]]
	return truthOf(ok)
}
