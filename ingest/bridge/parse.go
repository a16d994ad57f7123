package bridge

import (
	"bytes"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/wireroom/wireroom/ingest"
)

// A request is the body of one: the URI under a name that depends on what is
// asked for, and what goes with it.
type request struct {
	uri     string
	payload Payload
	options []byte
}

// parseRequest reads a body, in which the URI stands under the name target.
// What it returns shares memory with the body.
func parseRequest(body []byte, target string, maxDepth int) (*request, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	if kind := dec.PeekKind(); kind != '{' {
		if err := dec.SkipValue(); err != nil {
			return nil, syntax(body, err)
		}
		return nil, ingest.Shape("", "an object with the member "+target, ingest.KindName(kind))
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, syntax(body, err)
	}
	r, has := new(request), false
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, syntax(body, err)
		}
		field := name.String() // before the token is overwritten
		kind := dec.PeekKind()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, syntax(body, err)
		}
		value = body[dec.InputOffset()-int64(len(value)) : dec.InputOffset()]
		if depth := 1 + ingest.Depth(value); depth > maxDepth {
			return nil, ingest.Shape(field, "at most "+strconv.Itoa(maxDepth)+" levels of arrays and objects", strconv.Itoa(depth))
		}
		switch field {
		case target:
			if kind != '"' {
				return nil, ingest.Shape(field, "a string", ingest.KindName(kind))
			}
			text, err := jsontext.AppendUnquote(nil, value)
			if err != nil {
				return nil, syntax(body, err)
			}
			r.uri, has = string(text), true
		case "args":
			r.payload.Args, err = list(field, kind, value)
		case "kwargs":
			r.payload.KwArgs, err = object(field, kind, value)
		case "options":
			r.options, err = object(field, kind, value)
		default:
			err = ingest.Shape("", "the members "+target+", args, kwargs and options", "a member "+strconv.Quote(ingest.Clip(field)))
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, syntax(body, err)
	}
	if _, err := dec.ReadToken(); err == nil {
		return nil, ingest.Shape("", "one JSON text", "more after its end")
	} else if err != io.EOF {
		return nil, syntax(body, err)
	}
	if !has {
		return nil, ingest.Shape(target, "a string", "nothing")
	}
	if r.payload.KwArgs != nil && r.payload.Args == nil {
		r.payload.Args = []byte("[]")
	}
	return r, nil
}

// list returns the value of a member that is an array or null.
func list(field string, kind jsontext.Kind, value []byte) ([]byte, error) {
	return valueOf(field, kind, value, '[', "an array")
}

// object returns the value of a member that is an object or null.
func object(field string, kind jsontext.Kind, value []byte) ([]byte, error) {
	return valueOf(field, kind, value, '{', "an object")
}

func valueOf(field string, kind jsontext.Kind, value []byte, want jsontext.Kind, expected string) ([]byte, error) {
	switch kind {
	case want:
		return value[:len(value):len(value)], nil
	case 'n':
		return nil, nil
	}
	return nil, ingest.Shape(field, expected, ingest.KindName(kind))
}

// syntax returns the error for a body that is no JSON, or that can be read in
// more than one way, with the place.
func syntax(body []byte, err error) error {
	return ingest.Errorf(ingest.BadRequest, "the body is not JSON: %v", ingest.NewSyntaxError(body, 0, "a JSON object", err))
}
