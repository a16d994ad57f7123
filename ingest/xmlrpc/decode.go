package xmlrpc

import (
	"bytes"

	"github.com/wireroom/wireroom/ingest"
)

// A nodeType is the XML-RPC type of a value.
type nodeType uint8

const (
	typeString nodeType = iota
	typeInt             // i1, i2, i4, int and i8
	typeDouble          // double and float
	typeBoolean
	typeDateTime
	typeBase64
	typeNil
	typeArray
	typeStruct
)

// String returns the type's name in messages and signatures.
func (t nodeType) String() string {
	return [...]string{
		"string", "int", "double", "boolean", "dateTime.iso8601", "base64", "nil", "array", "struct",
	}[t]
}

// A node is one value of a call: its type, and where its JSON is.
type node struct {
	typ nodeType

	start, end         uint32 // the value's JSON, in decoder.json
	nameStart, nameEnd uint32 // in a struct: the member's name as a JSON string
	next               uint32 // index of the first node after this value and everything in it
}

// A decoder reads method calls. It writes all parameters as JSON, one after
// the other, into one buffer, and notes in nodes where each value is: what an
// event carries is then a part of the buffer, and nothing is built that is
// thrown away again.
//
// It belongs to one request at a time. Memory is bounded by the size of the
// request: at most two bytes of JSON for a byte of XML, and one node for each
// eight.
type decoder struct {
	scanner
	maxDepth int // of the data of an event, which is a struct: that is at depth 1

	inside int // how many arrays and structs are around the parameters of a call
	limit  int // how many may be in one another around here

	method []byte // name of the method, valid until the next call of decode
	json   []byte
	nodes  []node // in document order; the parameters and all that is in them

	wide     []byte  // the document, if it had to be made UTF-8
	scratch  []byte  // text of a scalar that came in pieces
	siblings []int32 // members of structs, by name: to find duplicates, and for data
}

// decode reads a method call. charset is that of the HTTP header, or empty.
// The error is a [*fault]. After it, what was decoded is meaningless.
func (d *decoder) decode(body []byte, charset string) error {
	d.json, d.nodes, d.method = d.json[:0], d.nodes[:0], d.method[:0]
	var err error
	if d.wide, err = d.prolog(body, charset, d.wide); err != nil {
		return err
	}
	if err := d.open("methodCall"); err != nil {
		return err
	}
	if err := d.open("methodName"); err != nil {
		return err
	}
	name, err := d.scalar("methodName")
	if err != nil {
		return err
	}
	if len(name) == 0 || len(name) > maxMethodNameBytes {
		return d.fail(d.at, CodeNotXMLRPC, "expected a method name of 1 to 255 bytes")
	}
	d.method = append(d.method, name...)
	d.inside = 0
	if string(name) == methodMulticall {
		d.inside = callDepth
	}
	d.limit = d.maxDepth + d.inside
	more, err := d.child("methodCall", "params")
	if err != nil {
		return err
	}
	if more {
		if err := d.readParams(); err != nil {
			return err
		}
		if err := d.close("methodCall"); err != nil {
			return err
		}
	}
	return d.epilog()
}

func (d *decoder) readParams() error {
	for {
		more, err := d.child("params", "param")
		if err != nil || !more {
			return err
		}
		if err := d.open("value"); err != nil {
			return err
		}
		if err := d.value(0, 0, 0); err != nil {
			return err
		}
		if err := d.close("param"); err != nil {
			return err
		}
	}
}

// epilog makes sure that nothing follows the document's element.
func (d *decoder) epilog() error {
	for {
		tok, err := d.next()
		switch {
		case err != nil:
			return err
		case tok == tokenEOF:
			return nil
		case tok != tokenText || !isBlank(d.text):
			return d.fail(d.at, CodeNotWellFormed, "expected nothing after </methodCall>")
		}
	}
}

// value reads what follows <value>, with </value>. depth is how many arrays and
// structs are around it; nameStart and nameEnd are where its name is, in a
// struct.
func (d *decoder) value(depth int, nameStart, nameEnd uint32) error {
	i := len(d.nodes)
	start := len(d.json)
	d.nodes = append(d.nodes, node{start: uint32(start), nameStart: nameStart, nameEnd: nameEnd})

	typ := typeString
	d.json = append(d.json, '"')
	blank := true // only white space so far: perhaps an element comes
	for typed := false; !typed; {
		tok, err := d.next()
		if err != nil {
			return err
		}
		switch tok {
		case tokenText, tokenCDATA:
			blank = blank && tok == tokenText && isBlank(d.text)
			if d.json, err = d.appendText(d.json, tok, true); err != nil {
				return err
			}
			continue
		case tokenStart:
			if !blank {
				return d.fail(d.at, CodeNotXMLRPC, "expected either text or one element in <value>, found both")
			}
			d.json = d.json[:start]
			if typ, err = d.typed(depth); err != nil {
				return err
			}
			if err = d.close("value"); err != nil {
				return err
			}
		case tokenEnd:
			if err := d.matches("value"); err != nil {
				return err
			}
			d.json = append(d.json, '"')
		default:
			return d.unfinished("value")
		}
		typed = true
	}
	n := &d.nodes[i]
	n.typ, n.end, n.next = typ, uint32(len(d.json)), uint32(len(d.nodes))
	return nil
}

// typed reads the element in a <value>, of which the scanner has the start tag.
func (d *decoder) typed(depth int) (nodeType, error) {
	at, name := d.at, d.text
	// The name space of Apache's extensions is ex by convention.
	extension, extended := bytes.CutPrefix(name, []byte("ex:"))
	switch string(extension) {
	case "nil":
		return typeNil, d.null(string(name))
	case "i1":
		return typeInt, d.integer(string(name), 8)
	case "i2":
		return typeInt, d.integer(string(name), 16)
	case "i8":
		return typeInt, d.integer(string(name), 64)
	case "float":
		return typeDouble, d.double(string(name))
	}
	if extended {
		return 0, d.fail(at, CodeNotXMLRPC, "the type "+quoted(name)+" is not supported")
	}
	switch string(name) {
	case "string":
		return typeString, d.characters("string")
	case "i4", "int":
		return typeInt, d.integer(string(name), 32)
	case "boolean":
		return typeBoolean, d.boolean()
	case "double":
		return typeDouble, d.double("double")
	case "dateTime.iso8601":
		return typeDateTime, d.dateTime()
	case "base64":
		return typeBase64, d.base64()
	case "array":
		if err := d.enter(depth, batchDepth); err != nil {
			return 0, err
		}
		return typeArray, d.array(depth + 1)
	case "struct":
		if err := d.enter(depth, 0); err != nil {
			return 0, err
		}
		return typeStruct, d.structure(depth + 1)
	}
	return 0, d.fail(at, CodeNotXMLRPC, "the type "+quoted(name)+" is not supported")
}

// array reads the rest of an array. depth is how many arrays and structs are
// around its items, with itself.
func (d *decoder) array(depth int) error {
	if err := d.open("data"); err != nil {
		return err
	}
	d.json = append(d.json, '[')
	for first := true; ; first = false {
		more, err := d.child("data", "value")
		if err != nil {
			return err
		}
		if !more {
			d.json = append(d.json, ']')
			return d.close("array")
		}
		if !first {
			d.json = append(d.json, ',')
		}
		if err := d.value(depth, 0, 0); err != nil {
			return err
		}
	}
}

// structure reads the rest of a struct. depth is how many arrays and structs
// are around its members, with itself.
func (d *decoder) structure(depth int) error {
	at, first := d.at, len(d.nodes)
	d.json = append(d.json, '{')
	for {
		more, err := d.child("struct", "member")
		if err != nil {
			return err
		}
		if !more {
			d.json = append(d.json, '}')
			return d.checkNames(at, first)
		}
		if len(d.nodes) > first {
			d.json = append(d.json, ',')
		}
		if err := d.member(depth); err != nil {
			return err
		}
	}
}

func (d *decoder) member(depth int) error {
	if err := d.open("name"); err != nil {
		return err
	}
	start := len(d.json)
	if err := d.characters("name"); err != nil {
		return err
	}
	end := len(d.json)
	d.json = append(d.json, ':')
	if err := d.open("value"); err != nil {
		return err
	}
	if err := d.value(depth, uint32(start), uint32(end)); err != nil {
		return err
	}
	return d.close("member")
}

// checkNames makes sure that no two members of the struct whose nodes begin at
// first have the same name. Names are compared as JSON, which every name is
// written as in one way only.
func (d *decoder) checkNames(at, first int) error {
	d.siblings = d.siblings[:0]
	members := d.byName(first, len(d.nodes))
	for i := 1; i < len(members); i++ {
		if name := d.memberName(int(members[i])); bytes.Equal(name, d.memberName(int(members[i-1]))) {
			return d.fail(at, CodeNotXMLRPC, "the struct has two members named "+ingest.Clip(string(name)))
		}
	}
	return nil
}

// memberName returns the name of a struct's member as a JSON string.
func (d *decoder) memberName(i int) []byte { return d.json[d.nodes[i].nameStart:d.nodes[i].nameEnd] }

// jsonOf returns the JSON of a value.
func (d *decoder) jsonOf(i int) []byte { return d.json[d.nodes[i].start:d.nodes[i].end] }
