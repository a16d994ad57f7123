package xmlrpc

import "errors"

// Decode decodes a call with a decoder of its own, and returns the method, each
// parameter's type and JSON, and the fault code of the error.
func Decode(body []byte, charset string, maxDepth int) (method string, types, json []string, code int, err error) {
	d := decoder{maxDepth: maxDepth}
	if err := d.decode(body, charset); err != nil {
		f, _ := errors.AsType[*fault](err)
		return "", nil, nil, f.code, err
	}
	for i := 0; i < len(d.nodes); i = int(d.nodes[i].next) {
		types = append(types, d.nodes[i].typ.String())
		json = append(json, string(d.jsonOf(i)))
	}
	return string(d.method), types, json, 0, nil
}

// Decoding returns a function that decodes body again and again with the same
// memory.
func Decoding(body []byte, maxDepth int) func() error {
	d := decoder{maxDepth: maxDepth}
	return func() error { return d.decode(body, "") }
}

// AppendJSON is appendJSON.
var AppendJSON = appendJSON
