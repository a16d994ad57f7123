package xmlrpc

import (
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/wireroom/wireroom/ingest"
)

func eventMethods() []*method {
	return []*method{
		{
			name:   "event.publish",
			params: []string{"key", "class", "data", "id"},
			min:    3,
			signatures: [][]string{
				{"string", "string", "string", "struct"},
				{"string", "string", "string", "struct", "string"},
			},
			help: `event.publish(key, class, data[, id]) -> event id

Posts one event of a class and returns when it is safe. data is a struct with
the fields of the class. An id that was seen before in the class's window is
acknowledged and not delivered again, so that a call whose answer was lost can
be repeated.`,
			call: (*call).publish,
		},
		{
			name:       "event.publish_many",
			params:     []string{"key", "events"},
			min:        2,
			signatures: [][]string{{"array", "string", "array"}},
			help: `event.publish_many(key, events) -> array of event ids

Posts events in order: structs with the members class, data and, if wanted, id.
If one of them is refused, none is posted; the fault says which one, counted
from 0.`,
			call: (*call).publishMany,
		},
		{
			name:       "class.list",
			params:     []string{"key"},
			min:        1,
			signatures: [][]string{{"array", "string"}},
			help: `class.list(key) -> array of structs

Describes the event classes that the key may post: name, about, access, fields
(each with name, type, required and what else limits it), and more.`,
			call: (*call).listClasses,
		},
	}
}

// key returns the ingest key whose secret parameter i is.
func (c *call) key(a args, i int) (ingest.Key, error) {
	secret, err := c.string(a, i)
	if err != nil {
		return ingest.Key{}, err
	}
	if secret == "" {
		return ingest.Key{}, &ingest.Error{Kind: ingest.NotAuthorized, Index: -1}
	}
	return c.h.auth.Key(c.ctx, secret)
}

// publish is event.publish.
func (c *call) publish(a args) error {
	key, err := c.key(a, 0)
	if err != nil {
		return err
	}
	e := new(ingest.Event)
	if e.Class, err = c.string(a, 1); err != nil {
		return err
	}
	if err := c.is(a, 2, typeStruct); err != nil {
		return err
	}
	if c.has(a, 3) {
		if e.ID, err = c.string(a, 3); err != nil {
			return err
		}
		if err := ingest.CheckID(e.ID); err != nil {
			return err
		}
	}
	e.Data = c.data(int(a.at[2]))
	receipt, err := c.post(key, e)
	if err != nil {
		return err
	}
	c.out = appendString(c.out, receipt.ID)
	return nil
}

// post hands one event to the sink.
func (c *call) post(key ingest.Key, e *ingest.Event) (ingest.Receipt, error) {
	receipt, err := c.h.sink.Publish(c.ctx, key, e)
	if err != nil {
		return receipt, ingest.Single(err)
	}
	c.h.events.Add(1)
	return receipt, nil
}

// publishMany is event.publish_many.
func (c *call) publishMany(a args) error {
	key, err := c.key(a, 0)
	if err != nil {
		return err
	}
	if err := c.is(a, 1, typeArray); err != nil {
		return err
	}
	array := int(a.at[1])
	end := int(c.nodes[array].next)
	n := c.list(array+1, end).n
	if n > c.h.config.MaxEvents {
		return ingest.Errorf(ingest.TooLarge, "a batch may have at most %d events, this one has %d", c.h.config.MaxEvents, n)
	}
	events := make([]*ingest.Event, 0, n)
	for i := array + 1; i < end; i = int(c.nodes[i].next) {
		e, err := c.event(i)
		if err != nil {
			err.Index = len(events)
			return err
		}
		events = append(events, e)
	}
	var receipts []ingest.Receipt
	if n > 0 {
		if receipts, err = c.h.sink.PublishMany(c.ctx, key, events); err != nil {
			return err
		}
		c.h.events.Add(uint64(len(receipts)))
	}
	c.out = append(c.out, arrayHead...)
	for _, r := range receipts {
		c.out = appendString(c.out, r.ID)
	}
	c.out = append(c.out, arrayTail...)
	return nil
}

// event returns the event that the struct of node i describes.
func (c *call) event(i int) (*ingest.Event, *ingest.Error) {
	if typ := c.nodes[i].typ; typ != typeStruct {
		return nil, shape("", "a struct", typ.String())
	}
	e := new(ingest.Event)
	hasClass := false
	for m := i + 1; m < int(c.nodes[i].next); m = int(c.nodes[m].next) {
		name, typ := unquote(c.memberName(m)), c.nodes[m].typ
		want := typeString
		if name == "data" {
			want = typeStruct
		}
		switch {
		case name == "id" && typ == typeNil:
			continue
		case name != "class" && name != "id" && name != "data":
			return nil, shape("", "the members class, data and id", "a member "+strconv.Quote(ingest.Clip(name)))
		case typ != want:
			return nil, shape(name, want.String(), typ.String())
		}
		switch name {
		case "class":
			e.Class, hasClass = c.stringAt(m), true
		case "data":
			e.Data = c.data(m)
		case "id":
			e.ID = c.stringAt(m)
			if err := ingest.CheckID(e.ID); err != nil {
				return nil, ingest.AsError(err)
			}
		}
	}
	switch {
	case !hasClass:
		return nil, shape("class", "string", "nothing")
	case e.Data == nil:
		return nil, shape("data", "struct", "nothing")
	}
	return e, nil
}

func shape(field, expected, found string) *ingest.Error {
	return &ingest.Error{Kind: ingest.BadRequest, Field: field, Expected: expected, Found: found, Index: -1}
}

// listClasses is class.list.
func (c *call) listClasses(a args) error {
	key, err := c.key(a, 0)
	if err != nil {
		return err
	}
	classes, err := c.h.sink.Classes(c.ctx, key)
	if err != nil {
		return err
	}
	text, err := json.Marshal(classes)
	if err != nil {
		return err
	}
	c.out, err = appendJSON(c.out, text)
	return err
}
