package xmlrpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/wireroom/wireroom/ingest"
)

// telegraphyMethod returns send_event, which web applications written for
// Telegraphy call.
func telegraphyMethod() *method {
	return &method{
		name:   "send_event",
		params: []string{"event or name", "json"},
		min:    1,
		signatures: [][]string{
			{"nil", "struct"},
			{"boolean", "string", "string"},
		},
		help: `send_event(event) -> nil
send_event(name, json) -> boolean

Telegraphy's way in. event is a struct with the member name and, as a rule, meta
and data; it becomes an event of the class name, with the whole struct as its
data. The older form takes the data as the text of a JSON object, and returns
whether the event was taken. The key comes in the HTTP header Authorization, as
a Bearer token or as the password of Basic.`,
		call: (*call).sendEvent,
	}
}

func (c *call) sendEvent(a args) error {
	secret, err := c.headerSecret()
	if err != nil {
		return err
	}
	key, err := c.h.auth.Key(c.ctx, secret)
	if err != nil {
		return err
	}
	if a.n == 2 {
		return c.sendJSON(key, a)
	}
	if err := c.is(a, 0, typeStruct); err != nil {
		return err
	}
	event := int(a.at[0])
	e := &ingest.Event{Data: bytes.Clone(c.jsonOf(event))}
	found := "nothing"
	for m := event + 1; m < int(c.nodes[event].next); m = int(c.nodes[m].next) {
		if string(c.memberName(m)) != `"name"` {
			continue
		}
		if found = c.nodes[m].typ.String(); c.nodes[m].typ == typeString {
			if e.Class = c.stringAt(m); e.Class == "" {
				found = "an empty string"
			}
		}
	}
	if e.Class == "" {
		return faultf(CodeInvalidParams, "send_event: parameter 1 (event): member name: expected a string, found %s", found)
	}
	if _, err := c.post(key, e); err != nil {
		return err
	}
	c.out = append(c.out, "<value><nil/></value>"...)
	return nil
}

// sendJSON is send_event with two parameters. What Telegraphy answered with
// false, an event that its gateway did not know or want, is false here.
func (c *call) sendJSON(key ingest.Key, a args) error {
	name, err := c.string(a, 0)
	if err != nil {
		return err
	}
	text, err := c.string(a, 1)
	if err != nil {
		return err
	}
	data, err := parseObject(text, c.h.config.MaxDepth)
	if err != nil {
		return faultf(CodeInvalidParams, "send_event: parameter 2 (json): %v", err)
	}
	_, err = c.post(key, &ingest.Event{Class: name, Data: data})
	result := "1"
	if e, ok := errors.AsType[*ingest.Error](err); ok && (e.Kind == ingest.InvalidEvent || e.Kind == ingest.UnknownClass) {
		result, err = "0", nil
	}
	if err != nil {
		return err
	}
	c.out = append(c.out, "<value><boolean>"+result+"</boolean></value>"...)
	return nil
}

// headerSecret returns the ingest key in the request's Authorization header,
// or nothing if there is none.
func (c *call) headerSecret() (string, error) {
	if c.request.Header.Get("Authorization") == "" {
		return "", nil
	}
	if secret, ok := ingest.Bearer(c.request); ok {
		return secret, nil
	}
	if _, secret, ok := c.request.BasicAuth(); ok && secret != "" {
		return secret, nil
	}
	return "", ingest.Errorf(ingest.NotAuthorized, "expected an Authorization header with a Bearer token or a Basic password")
}

// parseObject returns text as the data of an event, if it is one JSON object
// with no duplicate names and no deeper than maxDepth.
func parseObject(text string, maxDepth int) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewBufferString(text))
	value, err := dec.ReadValue()
	switch {
	case err == io.EOF:
		return nil, errors.New("expected a JSON object, found nothing")
	case err != nil:
		return nil, err
	case value.Kind() != '{':
		return nil, errors.New("expected a JSON object")
	case ingest.Depth(value) > maxDepth:
		return nil, fmt.Errorf("the JSON object is nested more than %d deep", maxDepth)
	}
	data := bytes.Clone(value)
	if _, err := dec.ReadToken(); err != io.EOF {
		return nil, errors.New("expected one JSON object, found more")
	}
	return data, nil
}
